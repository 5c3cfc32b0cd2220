import type { NatsConnection } from '@nats-io/transport-node'

/** Milliseconds until it is looked at again whether it is time to connect. */
const REDIAL = 100

interface Internals {
  protocol?: {
    transport?: { socket?: { destroyed: boolean; ref(): void; unref(): void } }
    heartbeats?: { timer?: NodeJS.Timeout }
    dialDelay?: Pause | null
  }
}

type Pause = Promise<void> & { cancel(): void }

/**
 * Whether a connection keeps this process alive. The client has no such option: its socket and its timers are reached for.
 * Should they move, the process merely stays.
 */
export class Hold {
  readonly #protocol: NonNullable<Internals['protocol']>
  #held = true
  #redial: NodeJS.Timeout | null = null

  constructor(connection: NatsConnection) {
    this.#protocol = (connection as unknown as Internals).protocol ?? {}
    // Between two attempts to connect the client waits by a timer that nobody else has.
    let pause: Pause | null = null
    Object.defineProperty(this.#protocol, 'dialDelay', {
      get: () => pause,
      set: (theirs: Pause | null) => {
        theirs?.cancel()
        pause = theirs && this.#pause()
      },
    })
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
    this.#redial?.[hold]()
  }

  #pause(): Pause {
    let cancel = () => {}
    const over = new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, REDIAL)
      if (!this.#held) timer.unref()
      this.#redial = timer
      cancel = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    return Object.assign(over, { cancel })
  }
}
