import type { Channel } from '../channel.js'
import type { Delivery } from './delivery.js'

/** What of the queue came for one driver, and what the driver is asked about it. */
export class SessionDeliveries {
  readonly #deliveries = new Set<Delivery>()
  readonly #bodies = new Map<number, ((body: Uint8Array | null) => void)[]>()
  /** Answered in the order in which they were asked. */
  readonly #asked: ((may: boolean) => void)[] = []
  #ended = false
  #again = false

  constructor(private readonly channel: Channel) {}

  /** A message of the queue came for this driver; false if it has left. */
  accept(delivery: Delivery): boolean {
    if (this.#ended) return false
    this.#deliveries.add(delivery)
    return true
  }

  /** It was settled. */
  settled(delivery: Delivery): void {
    this.#deliveries.delete(delivery)
  }

  /** Work for the driver is over here, but it lives: what comes from the queue is for other nodes. */
  get over(): boolean {
    return this.#again
  }

  /** A message that was too large for the queue; null if nobody wants it any more. */
  body(publication: number): Promise<Uint8Array | null> {
    return new Promise((resolve) => {
      if (this.#ended) return resolve(null)
      // A message may be delivered again before its body is here.
      const waiting = this.#bodies.get(publication)
      if (waiting) return void waiting.push(resolve)
      this.#bodies.set(publication, [resolve])
      this.channel.send(['wantBody', publication])
    })
  }

  bodyCame(publication: number, body: Uint8Array | null): void {
    for (const came of this.#bodies.get(publication) ?? []) came(body)
    this.#bodies.delete(publication)
  }

  /**
   * Asks whether a task that may run once may begin: a server that was killed may have forgotten to whom it gave it, and
   * gives it away as if it were for the first time.
   */
  mayBegin(publication: number, task: string): Promise<boolean> {
    return new Promise((resolve) => {
      if (this.#ended) return resolve(false)
      this.#asked.push(resolve)
      this.channel.send(['begin', publication, task])
    })
  }

  answered(may: boolean): void {
    this.#asked.shift()?.(may)
  }

  /** Tasks that do not run here: their driver publishes them again, or refuses them. */
  handBack(delivery: Delivery, publication: number, ids: readonly string[], lost: boolean): void {
    this.channel.send(['returned', publication, ids, lost], () => {
      for (const id of ids) delivery.done(id)
    })
  }

  /** @param again the driver lives: what came is for other nodes */
  end(again: boolean): void {
    this.#ended = true
    this.#again = again
    for (const delivery of [...this.#deliveries]) {
      if (again) delivery.giveBack()
      else delivery.drop()
    }
    for (const waiting of this.#bodies.values()) for (const came of waiting) came(null)
    for (const answer of this.#asked) answer(false)
  }
}
