import type { CompletionResult, StoredMsg } from '@nats-io/jetstream'
import type { Bus } from './bus.js'
import { type Lease, readLease } from './lease.js'
import { DRIVER_PATIENCE, LEASES, NODE_PATIENCE, STREAM } from './subjects.js'

/** Milliseconds in which a process that is not busy itself answers. */
const ANSWER = 100

/**
 * What the bucket has of signs of life, the dead's as well, and when the server wrote it. (The client's own list of keys leaves a consumer on
 * the server for minutes.)
 */
export async function keptLeases(bus: Bus, whom = '*.*'): Promise<{ lease: Lease; written: number }[]> {
  const entries: StoredMsg[] = []
  // An iterator would listen on for five seconds, and hold the process meanwhile.
  await new Promise<void>((resolve, reject) => {
    const callback = (done: CompletionResult | null, entry: StoredMsg) => {
      if (!done) entries.push(entry)
      else if (done.err) reject(done.err)
      else resolve()
    }
    const multi_last = [`$KV.${LEASES}.${whom}`]
    bus.jsm.direct.getLastMessagesFor(`KV_${LEASES}`, { multi_last, callback }).catch(reject)
  })
  return entries.flatMap(({ data, timestamp }) => {
    const lease = readLease(data)
    return lease ? [{ lease, written: Date.parse(timestamp) }] : []
  })
}

/**
 * Who lives, as the bucket has it: what the dead left there does not count, and nobody needs to answer who is busy.
 * One look, where `Leases` follows what is said.
 */
export async function liveLeases(bus: Bus): Promise<Lease[]> {
  const [info, kept] = await Promise.all([bus.jsm.streams.info(STREAM), keptLeases(bus)])
  // By the server's clock, which wrote the entries as well; the client's types lack it.
  const { ts } = info as { ts?: string }
  const now = ts ? Date.parse(ts) : Date.now()
  const fresh: Lease[] = []
  for (const { lease, written } of kept) {
    const patience = lease.kind === 'node' ? NODE_PATIENCE : DRIVER_PATIENCE
    if (now - written <= patience) fresh.push(lease)
  }
  const alive = await Promise.all(fresh.map(({ id }) => bus.listens(id, ANSWER)))
  return fresh.filter((_, i) => alive[i])
}
