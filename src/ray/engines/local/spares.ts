import type { Connector, HeapLimits } from './connection.js'

/** Milliseconds between two looks: nothing ran at the one, and nothing since, where a worker is started ahead. */
const QUIET = 50

/**
 * Starts workers ahead, one after the other, while a session has nothing to do: never beside work that would have to share the CPUs
 * with it. A worker that is wanted is there at once then.
 */
export class Spares {
  #timer: NodeJS.Timeout | null = null
  #seen: number | null = null
  #closed = false

  /** @param calls how many were ever sent; null while any has not been answered */
  constructor(
    private readonly connector: Connector,
    private readonly resourceLimits: HeapLimits | undefined,
    private readonly calls: () => number | null,
  ) {
    this.wanted()
  }

  /** One may be missing. */
  wanted(): void {
    if (this.#timer || this.#closed || !this.connector.prepare) return
    this.#seen = null
    this.#timer = setInterval(() => this.#look(), QUIET).unref()
  }

  #look(): void {
    const calls = this.calls()
    const quiet = calls !== null && calls === this.#seen
    this.#seen = calls
    if (!quiet) return
    try {
      if (this.connector.prepare!(this.resourceLimits)) return
    } catch {
      // Whoever needs a worker is told why none can be started.
    }
    this.#rest()
  }

  #rest(): void {
    if (this.#timer) clearInterval(this.#timer)
    this.#timer = null
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#rest()
    await this.connector.close?.()
  }
}
