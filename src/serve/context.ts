import { AsyncLocalStorage } from 'node:async_hooks'
import { peekRuntime, type Within } from '../ray/runtime.js'

let groups = 0

/** A call that runs in a replica: what it starts elsewhere is cancelled with it. */
export class CallContext implements Within {
  #group: number | null = null
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

  /** What begins once it has heard of its end cleans up. */
  get group(): number | null {
    if (this.aborted) return null
    this.#group ??= ++groups
    return this.#group
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
    if (this.#group !== null) peekRuntime()?.cancelGroup?.(this.#group)
  }
}

export const callContext = new AsyncLocalStorage<CallContext>()

/** What handles ask of replicas is cancelled in their own way. */
export function outsideCalls<T>(ask: () => T): T {
  return callContext.exit(ask)
}
