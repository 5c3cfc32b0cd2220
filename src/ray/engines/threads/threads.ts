import type { Connection, ConnectionEvents, Connector, WorkerOptions } from '../local/connection.js'
import { ThreadConnection } from './connection.js'
import { Thread } from './thread.js'

/** Workers as threads of this process: one that was started ahead, where there is one. */
export class Threads implements Connector {
  readonly #spares: Thread[] = []

  /** @param most threads that are kept ahead. @default 0 */
  constructor(private readonly most = 0) {}

  connect(options: WorkerOptions, events: ConnectionEvents): Connection {
    const thread = this.#spares.shift() ?? new Thread(options.name, options.resourceLimits, false)
    return new ThreadConnection(thread, options, events)
  }

  prepare(resourceLimits: WorkerOptions['resourceLimits']): boolean {
    if (this.#spares.length >= this.most) return false
    const thread = new Thread('rayito spare', resourceLimits, true)
    this.#spares.push(thread)
    // Nobody misses one that ends before its time.
    void thread.exited.then(() => {
      const at = this.#spares.indexOf(thread)
      if (at >= 0) this.#spares.splice(at, 1)
    })
    return true
  }

  async close(): Promise<void> {
    await Promise.all(this.#spares.splice(0).map((thread) => thread.end()))
  }
}
