import type { Content, Entry } from '../../../object-ref.js'

/** Objects that nodes may ask for, since calls have named them. */
export class SentObjects {
  /** The refs to an object hold it, not its having been sent. */
  readonly #entries = new Map<string, WeakRef<Entry>>()
  #freed: string[] = []

  constructor(
    /** Tells the nodes that nobody can ask for these any more. */
    private readonly free: (ids: readonly string[]) => void,
  ) {}

  /** A call names it; false if one has before. */
  add(entry: Entry): boolean {
    if (this.#entries.has(entry.id)) return false
    this.#entries.set(entry.id, new WeakRef(entry))
    return true
  }

  /** What it is made of; nothing once it was freed. */
  content(id: string): Content | null {
    return this.#entries.get(id)?.deref()?.content ?? null
  }

  /** Nobody can ask for it any more. The nodes hear of all such of a turn together. */
  release(id: string): void {
    if (!this.#entries.delete(id)) return
    if (this.#freed.length === 0)
      setImmediate(() => {
        this.free(this.#freed)
        this.#freed = []
      })
    this.#freed.push(id)
  }
}
