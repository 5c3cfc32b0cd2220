import { RayError } from '../../errors.js'
import { shown } from './address.js'
import { Bus } from './bus.js'
import type { DriverLease, Lease, NodeLease } from './leases.js'
import { DRIVER_PATIENCE, LEASES, NODE_PATIENCE, STOP, STREAM } from './subjects.js'

/** A cluster as it is now. */
export interface ClusterStatus {
  nodes: NodeLease[]
  drivers: DriverLease[]
  /** Tasks and calls of actors that workers have begun with. */
  running: number
  /** Those that have not begun: with their drivers, in the queue, on a node. */
  waiting: number
}

/** Milliseconds in which a process that is not busy itself answers. */
const ANSWER = 100

/** Looks at a cluster, without being part of it. */
export class Observer {
  private constructor(
    readonly bus: Bus,
    private readonly address: string,
  ) {}

  static async open(address: string): Promise<Observer> {
    return new Observer(await Bus.open(address, 'rayito status'), address)
  }

  /** @throws RayError RAY_CLUSTER_UNREACHABLE (rejects) */
  async status(): Promise<ClusterStatus> {
    const leases = await this.#leases().catch((cause: Error) => {
      const message = `The NATS server at ${shown(this.address)} does not answer (${cause.message})`
      throw new RayError('RAY_CLUSTER_UNREACHABLE', message, { cause })
    })
    const nodes = leases.filter((lease): lease is NodeLease => lease.kind === 'node')
    const drivers = leases.filter((lease): lease is DriverLease => lease.kind === 'driver')
    const running = nodes.reduce((sum, { tasks }) => sum + tasks, 0)
    const unfinished = drivers.reduce((sum, driver) => sum + driver.unfinished, 0)
    nodes.sort((a, b) => (a.name < b.name ? -1 : 1))
    return { nodes, drivers, running, waiting: Math.max(0, unfinished - running) }
  }

  /** What the bucket has of those that live: it may have what the dead left, and hear nothing of those that are busy. */
  async #leases(): Promise<Lease[]> {
    const { jsm } = this.bus
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
    const alive = await Promise.all(fresh.map(({ id }) => this.bus.listens(id, ANSWER)))
    return fresh.filter((_, i) => alive[i])
  }

  /** Asks every node to end what runs and to leave. */
  async stopNodes(): Promise<void> {
    this.bus.publish(STOP, new Uint8Array())
    await this.bus.flush()
  }

  close(): Promise<void> {
    return this.bus.close()
  }
}
