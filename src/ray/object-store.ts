import { ObjectStoreFullError } from './errors.js'
import type { Content, Entry } from './object-ref.js'
import { Pressure } from './pressure.js'

/** How much memory a session's objects take, and what is left of it. The objects themselves are held by their refs alone. */
export class ObjectStore {
  /** Bytes that crossed to workers and back, and that `put` took into shared memory. */
  readonly moved = { copied: 0, shared: 0 }
  /** Bytes of shared memory that live objects hold, as far as the collector has told. */
  #held = 0
  readonly #pressure = new Pressure()
  readonly #collected = new FinalizationRegistry<{ id: string; shared: number }>(({ id, shared }) => {
    this.#held -= shared
    this.gone(id)
  })

  constructor(
    private readonly limit: number,
    /** Told of objects that nobody can ask for any more. */
    private readonly gone: (id: string) => void,
  ) {}

  /**
   * Keeps an object's content.
   * @param fresh bytes of its shared memory that were allocated for it
   * @throws ObjectStoreFullError if there is no room for those
   */
  store(entry: Entry, content: Content, fresh = content.shared): void {
    if (content.shared) {
      if (fresh) this.#makeRoom(fresh)
      this.#held += content.shared
      this.moved.shared += content.shared
      this.#collected.register(entry, { id: entry.id, shared: content.shared })
    }
    entry.succeed(content)
  }

  /** An object went to a worker: `gone` is to be told. */
  watch(entry: Entry): void {
    this.#collected.register(entry, { id: entry.id, shared: 0 })
  }

  #makeRoom(bytes: number): void {
    this.#pressure.allocating(bytes)
    if (this.#held + bytes <= this.limit) return
    // The collector tells late which objects are garbage: what the process really holds decides.
    const held = Math.min(this.#held, this.#pressure.relieve())
    if (held + bytes > this.limit) throw new ObjectStoreFullError(bytes, held, this.limit)
  }
}
