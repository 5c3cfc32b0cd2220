import { TaskCancelledError } from '../errors.js'
import type { RuntimeContext } from '../runtime.js'

/** A call that runs here. */
export class Running implements RuntimeContext {
  readonly #abort = new AbortController()
  readonly #self: () => RuntimeContext['currentActor']
  began = 0
  constructor(
    readonly worker: string,
    readonly call: number,
    readonly task: string,
    readonly attempt: number,
    /** When the message came whose first call this is; else 0. */
    readonly received: number,
    self: () => RuntimeContext['currentActor'],
  ) {
    this.#self = self
  }
  get currentActor(): RuntimeContext['currentActor'] {
    return this.#self()
  }
  get signal(): AbortSignal {
    return this.#abort.signal
  }
  abort(): void {
    this.#abort.abort(new TaskCancelledError(this.task))
  }
}

/** Where no call runs. */
export function idleContext(worker: string, self: () => RuntimeContext['currentActor']): RuntimeContext {
  const { signal } = new AbortController()
  return {
    worker,
    task: null,
    attempt: 0,
    signal,
    get currentActor() {
      return self()
    },
  }
}
