import type { Bus } from './bus.js'
import type { Lease } from './lease.js'
import { DRIVER_PATIENCE, LEASES, NODE_PATIENCE, STREAM } from './subjects.js'

/** Milliseconds in which a process that is not busy itself answers. */
const ANSWER = 100

/**
 * Who lives, as the bucket has it: what the dead left there does not count, and nobody needs to answer who is busy.
 * One look, where `Leases` follows what is said.
 */
export async function liveLeases(bus: Bus): Promise<Lease[]> {
  const { jsm } = bus
  const [info, entries] = await Promise.all([
    jsm.streams.info(STREAM),
    jsm.direct.getLastMessagesFor(`KV_${LEASES}`, { multi_last: [`$KV.${LEASES}.>`] }),
  ])
  // By the server's clock, which wrote the entries as well; the client's types lack it.
  const { ts } = info as { ts?: string }
  const now = ts ? Date.parse(ts) : Date.now()
  const fresh: Lease[] = []
  for await (const entry of entries) {
    if (entry.data.length === 0) continue
    const lease = entry.json<Lease>()
    const patience = lease.kind === 'node' ? NODE_PATIENCE : DRIVER_PATIENCE
    if (now - Date.parse(entry.timestamp) <= patience) fresh.push(lease)
  }
  const alive = await Promise.all(fresh.map(({ id }) => bus.listens(id, ANSWER)))
  return fresh.filter((_, i) => alive[i])
}
