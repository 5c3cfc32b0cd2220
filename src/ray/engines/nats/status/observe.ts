import { RayError } from '../../../errors.js'
import { shown } from '../address.js'
import { Bus } from '../bus.js'
import type { DriverLease, NodeLease } from '../lease.js'
import { liveLeases } from '../live-leases.js'
import { STOP } from '../subjects.js'
import type { ClusterStatus } from './cluster-status.js'

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
    const leases = await liveLeases(this.bus).catch((cause: Error) => {
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

  /** Asks every node to end what runs and to leave. */
  async stopNodes(): Promise<void> {
    this.bus.publish(STOP, new Uint8Array())
    await this.bus.flush()
  }

  close(): Promise<void> {
    return this.bus.close()
  }
}
