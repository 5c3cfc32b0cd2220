import { AsyncLocalStorage } from 'node:async_hooks'

/** A call that runs in a replica: what it starts elsewhere is cancelled with it. */
export class CallContext {
  #controller: AbortController | null = null
  #then: Set<() => void> | null = null
  aborted = false

  /** Made when it is asked for: most calls never look. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.aborted) this.#controller.abort()
    }
    return this.#controller.signal
  }

  /** @returns what forgets it: a call may go on for long, and would hold all that it ever waited for */
  whenAborted(then: () => void): () => void {
    this.#then ??= new Set()
    this.#then.add(then)
    return () => this.#then!.delete(then)
  }

  abort(): void {
    if (this.aborted) return
    this.aborted = true
    this.#controller?.abort()
    for (const then of this.#then ?? []) then()
  }
}

export const callContext = new AsyncLocalStorage<CallContext>()
