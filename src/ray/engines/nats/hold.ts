import type { NatsConnection } from '@nats-io/transport-node'

interface Internals {
  protocol?: {
    transport?: { socket?: { destroyed: boolean; ref(): void; unref(): void } }
    heartbeats?: { timer?: NodeJS.Timeout }
  }
}

/**
 * Whether a connection keeps this process alive. The client has no such option: its socket and its timer are reached for.
 * Should they move, the process merely stays.
 */
export class Hold {
  readonly #protocol: NonNullable<Internals['protocol']>
  #held = true

  constructor(connection: NatsConnection) {
    this.#protocol = (connection as unknown as Internals).protocol ?? {}
  }

  set(held: boolean): void {
    const changed = held !== this.#held
    this.#held = held
    this.#apply(changed)
  }

  /** There is another socket. */
  renew(): void {
    this.#apply(true)
  }

  #apply(changed: boolean): void {
    const hold = this.#held ? 'ref' : 'unref'
    const { transport, heartbeats } = this.#protocol
    // One that is gone would note each time that it is to be held once it is connected.
    if (changed && transport?.socket?.destroyed === false) transport.socket[hold]()
    heartbeats?.timer?.[hold]?.()
  }
}
