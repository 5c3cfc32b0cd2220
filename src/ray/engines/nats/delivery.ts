import type { JsMsg } from '@nats-io/jetstream'

/** A message of the queue: acknowledged when the driver has the results of all its tasks. */
export class Delivery {
  readonly #left: Set<string>
  #settled = false

  constructor(
    private readonly message: JsMsg,
    readonly milliCpus: number,
    tasks: readonly string[],
    private readonly ended: (delivery: Delivery) => void,
  ) {
    this.#left = new Set(tasks)
  }

  /** How often it was delivered, this time included. */
  get count(): number {
    return this.message.info.deliveryCount
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
