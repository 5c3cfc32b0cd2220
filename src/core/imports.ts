/**
 * The imports of a thread that are under way. Node leaves the files open that a thread's loader was reading when the thread is
 * ended, for as long as the process lives: whoever ends it waits a moment for them.
 *
 * One Int32 in shared memory, as a gate's: bit 0 is "ending", the rest counts in steps of two.
 */
const ENDING = 1
const ONE = 2

let own: Int32Array | null = null

/** In a thread: counts in its owner's memory, where what the thread begins with counts as an import. That has ended. */
export function installImports(shared: SharedArrayBuffer): void {
  own = new Int32Array(shared)
  ended(own)
}

/** Counts until it is settled. In a thread that is to be ended it never is: what comes after it must not begin. */
export async function importing<T>(load: () => Promise<T>): Promise<T> {
  const count = own
  if (!count) return load()
  if (Atomics.add(count, 0, ONE) & ENDING) {
    ended(count)
    return new Promise(() => {})
  }
  const [result] = await Promise.allSettled([load()])
  if (ended(count)) return new Promise(() => {})
  if (result.status === 'rejected') throw result.reason
  return result.value
}

/** Returns whether the thread is to be ended. */
function ended(count: Int32Array): boolean {
  const before = Atomics.sub(count, 0, ONE)
  Atomics.notify(count, 0)
  return (before & ENDING) !== 0
}

/** The owner's side. */
export class Imports {
  /** To be handed to the thread, which calls installImports with it. */
  readonly shared = new SharedArrayBuffer(4)
  readonly #count = new Int32Array(this.shared)

  constructor() {
    this.#count[0] = ONE
  }

  /** Lets none begin, and resolves once none is under way, or after `milliseconds`: a module may wait for ever. The event loop stays free. */
  async end(milliseconds: number): Promise<void> {
    Atomics.or(this.#count, 0, ENDING)
    const end = performance.now() + milliseconds
    for (;;) {
      const count = Atomics.load(this.#count, 0)
      const left = end - performance.now()
      if (count < ONE || left <= 0) return
      await Atomics.waitAsync(this.#count, 0, count, left).value
    }
  }

  /** The thread has ended: nobody waits for its imports. */
  release(): void {
    Atomics.store(this.#count, 0, ENDING)
    Atomics.notify(this.#count, 0)
  }
}
