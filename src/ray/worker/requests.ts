import type { Requests } from '../driver/answers.js'
import { decodeError } from '../pack/error-codec.js'
import type { ToDriver } from '../protocol.js'

/**
 * What a worker asks of its driver. Some requests take a while to be ready, since their arguments or code are still being
 * described: what is asked for after them goes behind them.
 */
export class DriverRequests {
  #last = 0
  readonly #asked = new Map<number, { resolve: (answer: unknown) => void; reject: (error: unknown) => void }>()
  #tail: Promise<void> | null = null

  constructor(private readonly send: (message: ToDriver) => void) {}

  /** Asks at once. @returns the answer; rejects with the error that the driver answers */
  ask<K extends keyof Requests>(operation: K, payload: Requests[K]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#asked.set(++this.#last, { resolve, reject })
      this.send(['request', this.#last, operation, payload])
    })
  }

  /** The driver has answered a request. */
  answered(request: number, ok: boolean, data: unknown): void {
    const asked = this.#asked.get(request)
    this.#asked.delete(request)
    if (ok) asked?.resolve(data)
    else asked?.reject(decodeError(data))
  }

  /** Requests that have not been sent yet; null if all have. */
  get unsent(): Promise<void> | null {
    return this.#tail
  }

  /** Asks behind the requests before, and lets nobody wait for it: at once if all of them are sent. */
  behind<K extends keyof Requests>(operation: K, payload: Requests[K]): Promise<unknown> {
    return this.#tail ? this.#tail.then(() => this.ask(operation, payload)) : this.ask(operation, payload)
  }

  /**
   * Asks behind the requests before, and before those that come: the driver must know an object before it is asked for it,
   * and an actor's calls keep their order. At once if it can be: what comes next may hold the thread.
   * @param payload called when it is its turn
   * @param refused told, before the answer rejects and anything else is sent, of what keeps the request from being sent
   */
  inOrder<K extends keyof Requests>(
    operation: K,
    payload: () => Requests[K] | Promise<Requests[K]>,
    refused: (error: unknown) => void = () => {},
  ): Promise<unknown> {
    const turn = this.#tail ? this.#tail.then(payload) : payload()
    if (!(turn instanceof Promise)) return this.ask(operation, turn)
    // In an object, since what comes behind it waits until it is asked, not for the answer.
    const asked = turn.then((ready) => ({ answer: this.ask(operation, ready) }))
    const sent = asked.then(() => {}, refused)
    this.#tail = sent
    void sent.then(() => {
      if (this.#tail === sent) this.#tail = null
    })
    return asked.then(({ answer }) => answer)
  }
}
