import { ObjectStoreFullError } from './errors.js'
import type { Content, Entry } from './object-ref.js'
import { Pressure } from './pressure.js'

/** How much memory a session's objects take, and what is left of it. The objects themselves are held by their refs alone. */
export class ObjectStore {
  /** Bytes that crossed to workers and back, and that `put` took into shared memory. */
  readonly moved = { copied: 0, shared: 0 }
  /** Bytes of shared memory that were allocated for live objects, as far as the collector has told. */
  #held = 0
  readonly #pressure = new Pressure()
  readonly #collected = new FinalizationRegistry<{ id: string; fresh: number }>(({ id, fresh }) => {
    this.#held -= fresh
    this.gone(id)
  })

  constructor(
    private readonly limit: number,
    /** Told of objects that nobody can ask for any more. */
    private readonly gone: (id: string) => void,
  ) {}

  /**
   * Keeps an object's content.
   * @throws ObjectStoreFullError if there is no room for the memory that was allocated for it
   */
  store(entry: Entry, content: Content): void {
    if (content.shared) {
      if (content.fresh) this.#makeRoom(content.fresh)
      this.#held += content.fresh
      this.moved.shared += content.shared
      this.#collected.register(entry, { id: entry.id, fresh: content.fresh }, entry)
    }
    entry.succeed(content)
  }

  /** An object is about to be let go, whoever has refs to it. */
  free(entry: Entry): void {
    if (entry.content && this.#collected.unregister(entry)) this.#held -= entry.content.fresh
  }

  /** An object went to a worker: `gone` is to be told. */
  watch(entry: Entry): void {
    this.#collected.register(entry, { id: entry.id, fresh: 0 })
  }

  /** Shared memory came into being that no object of `store` has: for an argument, or a result. */
  allocated(bytes: number): void {
    this.#pressure.allocating(bytes)
  }

  #makeRoom(bytes: number): void {
    this.#pressure.allocating(bytes)
    if (this.#held + bytes <= this.limit) return
    // The collector tells late which objects are garbage: what the process really holds decides.
    const held = Math.min(this.#held, this.#pressure.relieve())
    if (held + bytes > this.limit) throw new ObjectStoreFullError(bytes, held, this.limit)
  }
}
