import { Bus } from './bus.js'
import { Leases, type NodeLease } from './leases.js'
import { STOP, STREAM } from './subjects.js'

/** A cluster as it is now. */
export interface ClusterStatus {
  nodes: NodeLease[]
  drivers: number
  /** Tasks that wait in the queue or run from it. */
  queued: number
  running: number
}

/** Looks at a cluster, without being part of it. */
export class Observer {
  readonly #leases = new Leases({ seen: () => {}, lost: () => {} })

  private constructor(readonly bus: Bus) {}

  static async open(address: string): Promise<Observer> {
    const observer = new Observer(await Bus.open(address, 'rayito status'))
    await observer.#leases.follow(observer.bus)
    return observer
  }

  async status(): Promise<ClusterStatus> {
    const nodes = this.#leases.nodes().sort((a, b) => (a.name < b.name ? -1 : 1))
    const running = nodes.reduce((sum, { tasks }) => sum + tasks, 0)
    const { state } = await this.bus.jsm.streams.info(STREAM)
    return { nodes, drivers: this.#leases.all.size - nodes.length, queued: state.messages, running }
  }

  /** Asks every node to end what runs and to leave. */
  async stopNodes(): Promise<void> {
    this.bus.publish(STOP, new Uint8Array())
    await this.bus.flush()
  }

  async close(): Promise<void> {
    this.#leases.end()
    await this.bus.close()
  }
}
