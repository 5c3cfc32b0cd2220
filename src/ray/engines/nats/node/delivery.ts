import type { QueueMessage } from '../queue-message.js'

/** A message of the queue: acknowledged when the driver has the results of all its tasks. */
export class Delivery {
  readonly #left: Set<string>
  #settled = false

  constructor(
    private readonly message: QueueMessage,
    readonly milliCpus: number,
    tasks: readonly string[],
    private readonly ended: (delivery: Delivery) => void,
  ) {
    this.#left = new Set(tasks)
  }

  /** Another node had it before, and was lost or silent. */
  get again(): boolean {
    return this.message.info.deliveryCount > 1
  }

  done(task: string): void {
    this.#left.delete(task)
    if (this.#left.size === 0 && !this.#settled) this.#settle(() => this.message.ack())
  }

  /** Nobody wants it any more. */
  drop(): void {
    if (!this.#settled) this.#settle(() => this.message.term())
  }

  /** Another node is to have it, now. */
  giveBack(): void {
    if (!this.#settled) this.#settle(() => this.message.nak())
  }

  /** It is being worked on. */
  beat(): void {
    if (!this.#settled) this.message.working()
  }

  #settle(how: () => void): void {
    this.#settled = true
    how()
    this.ended(this)
  }
}
