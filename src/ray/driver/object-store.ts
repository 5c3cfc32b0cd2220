import { ObjectStoreFullError } from '../errors.js'
import type { Content, Entry } from '../object-ref.js'
import { Pressure, STEP } from '../pressure.js'

/** What is no buffer takes up to so many times the bytes that it is counted for. */
const TIMES = 4

/** The shared memory that was allocated for an object. */
interface Allocation {
  readonly id: string
  readonly bytes: number
  /** Whose it is, where a thread of this process allocated it: the figures of the process leave that out. */
  readonly elsewhere: WeakRef<Entry> | null
}

/** How much memory a session's objects take, and what is left of it. The objects themselves are held by their refs alone. */
export class ObjectStore {
  /** Bytes that crossed to workers and back, and that `put` took into shared memory. */
  readonly moved = { copied: 0, shared: 0 }
  /** Bytes that were allocated for live objects, as far as the collector has told. */
  #held = 0
  readonly #elsewhere = new Set<Allocation>()
  /** Of what this thread allocated, what workers were sent: they keep the memory for a while after its refs are gone. */
  readonly #sent = new Map<Allocation, WeakRef<Entry>>()
  readonly #allocations = new WeakMap<Entry, Allocation>()
  readonly #pressure = new Pressure()
  /** Bytes of objects that came since workers were last asked which refs are garbage there. */
  #unasked = 0
  readonly #collected = new FinalizationRegistry<Allocation>((allocation) => {
    this.#let(allocation)
    this.gone(allocation.id)
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
      const allocation = { id: entry.id, bytes, elsewhere: elsewhere ? new WeakRef(entry) : null }
      this.#held += bytes
      if (allocation.elsewhere) this.#elsewhere.add(allocation)
      this.#allocations.set(entry, allocation)
      this.#collected.register(entry, allocation, entry)
    }
    entry.succeed(content)
  }

  /** An object is about to be let go, whoever has refs to it. */
  free(entry: Entry): void {
    const allocation = this.#allocations.get(entry)
    if (!allocation || !this.#collected.unregister(entry)) return
    this.#allocations.delete(entry)
    this.#let(allocation)
  }

  #let(allocation: Allocation): void {
    this.#held -= allocation.bytes
    this.#elsewhere.delete(allocation)
    this.#sent.delete(allocation)
  }

  /** An object, or a function, went to a worker: `gone` is to be told. */
  watch(thing: { readonly id: string }): void {
    const allocation = this.#allocations.get(thing as Entry)
    if (allocation && !allocation.elsewhere && !this.#sent.has(allocation))
      this.#sent.set(allocation, new WeakRef(thing as Entry))
    this.#collected.register(thing, { id: thing.id, bytes: 0, elsewhere: null })
  }

  /** Shared memory came into being that no `put` asked for: for an argument, or a result. */
  allocated(bytes: number): void {
    this.#pressure.allocating(bytes)
  }

  /** @param made how many of the bytes this thread has made already */
  #makeRoom(bytes: number, made: number): void {
    this.#pressure.allocating(bytes)
    if (this.#held + bytes <= this.limit) return
    let held = this.#relieve(made, () => 0)
    // A collection that was under way already keeps what died since it began.
    if (held + bytes > this.limit) held = this.#relieve(made, () => this.#garbage())
    if (held + bytes <= this.limit) return
    this.#ask()
    throw new ObjectStoreFullError(bytes, held, this.limit)
  }

  #ask(): void {
    this.#unasked = 0
    this.collect()
  }

  /**
   * Collects, and says what is held then. The collector tells late which objects are garbage: what is there really decides.
   * @param garbage bytes that are held no more, though the collector has not told and they may be there
   */
  #relieve(made: number, garbage: () => number): number {
    const here = this.#pressure.relieve() - made
    let [known, elsewhere] = [0, 0]
    for (const allocation of this.#elsewhere) {
      known += allocation.bytes
      if (allocation.elsewhere!.deref()) elsewhere += allocation.bytes
    }
    return Math.min(this.#held - known - garbage(), here) + elsewhere
  }

  /** Bytes of objects that are gone here and may be there still, in workers. (Whoever asks for one keeps it until the turn ends.) */
  #garbage(): number {
    let bytes = 0
    for (const [allocation, entry] of this.#sent) if (!entry.deref()) bytes += allocation.bytes
    return bytes
  }
}
