import { collectBuffers } from './collect.js'
import { prefault } from './pack/prefault.js'

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
    const letGo = prefault.letGo()
    collectBuffers()
    letGo()
    return process.memoryUsage().arrayBuffers
  }
}
