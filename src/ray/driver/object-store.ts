import { ObjectStoreFullError } from '../errors.js'
import type { Content, Entry } from '../object-ref.js'
import { Pressure, STEP } from '../pressure.js'

/** What is no buffer takes up to so many times the bytes that it is counted for. */
const TIMES = 4

/** The shared memory that was allocated for an object. */
interface Allocation {
  readonly id: string
  readonly bytes: number
  /** A thread of this process allocated it: the figures of the process leave that out. */
  readonly elsewhere: boolean
  /** What lives as long as its object. (The object itself, and its memory, would stay until the end of the turn that asked for it.) */
  readonly sign: WeakRef<object>
}

/** How much memory a session's objects take, and what is left of it. The objects themselves are held by their refs alone. */
export class ObjectStore {
  /** Bytes that crossed to workers and back, and that `put` took into shared memory. */
  readonly moved = { copied: 0, shared: 0 }
  /** Bytes that were allocated for live objects, as far as the collector has told. */
  #held = 0
  readonly #all = new Set<Allocation>()
  readonly #allocations = new WeakMap<Entry, { readonly allocation: Allocation; readonly sign: object }>()
  readonly #pressure = new Pressure()
  /** Bytes of objects that came since workers were last asked which refs are garbage there. */
  #unasked = 0
  readonly #collected = new FinalizationRegistry<Allocation | { readonly id: string }>((thing) => {
    if ('bytes' in thing) this.#let(thing)
    this.gone(thing.id)
  })

  constructor(
    private readonly limit: number,
    /** Told of objects that nobody can ask for any more, and functions that nobody can call. */
    private readonly gone: (id: string) => void,
    /** Asks workers to let go what is garbage there: a ref is small, and no reason to collect, but holds its object here. */
    private readonly collect: () => void,
  ) {}

  /**
   * Keeps what was put.
   * @param elsewhere whether another thread allocated the memory
   * @throws ObjectStoreFullError if there is no room for it
   */
  store(entry: Entry, content: Content, elsewhere = false): void {
    if (content.fresh) this.#makeRoom(content.fresh, elsewhere ? 0 : content.fresh)
    this.moved.shared += content.shared
    this.keep(entry, content, elsewhere)
  }

  /** Keeps an object, as a task's result: the memory is there already, room or not. */
  keep(entry: Entry, content: Content, elsewhere: boolean): void {
    const { fresh: bytes, copied } = content
    this.#unasked += bytes + TIMES * copied
    if (this.#unasked >= Math.min(STEP, this.limit / 4)) this.#ask()
    if (bytes) {
      const sign = {}
      const allocation = { id: entry.id, bytes, elsewhere, sign: new WeakRef(sign) }
      this.#held += bytes
      this.#all.add(allocation)
      this.#allocations.set(entry, { allocation, sign })
      this.#collected.register(entry, allocation, entry)
    }
    entry.succeed(content)
  }

  /** An object is about to be let go, whoever has refs to it. */
  free(entry: Entry): void {
    const known = this.#allocations.get(entry)
    if (known && this.#collected.unregister(entry)) this.#let(known.allocation)
  }

  #let(allocation: Allocation): void {
    if (this.#all.delete(allocation)) this.#held -= allocation.bytes
  }

  /** An object, or a function, went to a worker: `gone` is to be told. */
  watch(thing: { readonly id: string }): void {
    this.#collected.register(thing, { id: thing.id })
  }

  /** Shared memory came into being that no `put` asked for: for an argument, or a result. */
  allocated(bytes: number): void {
    this.#pressure.allocating(bytes)
  }

  /** @param made how many of the bytes this thread has made already */
  #makeRoom(bytes: number, made: number): void {
    this.#pressure.allocating(bytes)
    if (this.#held + bytes <= this.limit) return
    let held = this.#relieve(made)
    // A collection that was under way already keeps what died since it began.
    if (held + bytes > this.limit) held = this.#relieve(made)
    if (held + bytes <= this.limit) return
    this.#ask()
    throw new ObjectStoreFullError(bytes, held, this.limit)
  }

  #ask(): void {
    this.#unasked = 0
    this.collect()
  }

  /**
   * Collects, and says what is held then. The collector tells late which objects are garbage: what has a sign of life decides, and what
   * is there really, since signs last until the turn ends.
   */
  #relieve(made: number): number {
    const here = this.#pressure.relieve() - made
    let [mine, elsewhere] = [0, 0]
    for (const allocation of this.#all) {
      if (!allocation.sign.deref()) continue
      if (allocation.elsewhere) elsewhere += allocation.bytes
      else mine += allocation.bytes
    }
    return Math.min(mine, here) + elsewhere
  }
}
