import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Bytes that may be allocated before the first collection. */
export const STEP = 128 * 1024 * 1024

/**
 * V8 does not count shared memory when it decides to collect: garbage objects would pile up by the gigabyte. So the store
 * says what it allocates, and a collection is asked for whenever that has grown by a step, or by as much as the last
 * collection left.
 */
export class Pressure {
  #allocated = 0
  #next = STEP

  /** To be called before `bytes` are allocated. */
  allocating(bytes: number): void {
    this.#allocated += bytes
    if (this.#allocated < this.#next) return
    this.#next = Math.max(STEP, this.relieve())
  }

  /** Collects all there is; returns the bytes of array buffers (shared ones included) that this process holds then. */
  relieve(): number {
    this.#allocated = 0
    const gc = collector()
    gc()
    // Buffers are given back by a thread of V8's own: the next collection, however small, waits for it, and so the figure is true.
    gc({ type: 'minor' })
    return process.memoryUsage().arrayBuffers
  }
}

type Collect = (options?: { type: 'minor' } | typeof THOROUGH) => void
let found: Collect | null = null

function collector(): Collect {
  if (!found) {
    setFlagsFromString('--expose-gc')
    found = runInNewContext('gc') as Collect
  }
  return found
}

/**
 * Node 22's V8 leaves handles that calls were made by to a collection that goes over all once more. V8 11, of Node 20, finds
 * them without, and takes an option that it does not know for a wish to find less.
 */
const THOROUGH = { type: 'major', execution: 'sync', flavor: 'last-resort' } as const
const knowsFlavors = Number.parseInt(process.versions.v8, 10) >= 12

/** Collects this thread's garbage now; what is told of it hears of it in one of the next turns. */
export function collect(): void {
  if (knowsFlavors) collector()(THOROUGH)
  else collector()()
}
