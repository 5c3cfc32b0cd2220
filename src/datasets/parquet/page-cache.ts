/** Decoded pages by key, within a budget of bytes: what was used longest ago goes first. A page asked for twice at once is read once. */
export class PageCache {
  readonly #entries = new Map<string, { value: Promise<unknown>; bytes: number }>()
  #bytes = 0

  constructor(readonly budget: number) {}

  /** Bytes held by decoded pages. Those being read do not count yet. */
  get bytes(): number {
    return this.#bytes
  }

  /** What is kept under the key, else what `read` brings; its size is asked of `sizeOf` once it is there. */
  get<T>(key: string, read: () => Promise<T>, sizeOf: (value: T) => number): Promise<T> {
    const known = this.#entries.get(key)
    if (known) {
      // A Map keeps the order of insertion: the front is the longest unused.
      this.#entries.delete(key)
      this.#entries.set(key, known)
      return known.value as Promise<T>
    }
    const value = read()
    const entry = { value, bytes: 0 }
    this.#entries.set(key, entry)
    value.then(
      (made) => {
        entry.bytes = sizeOf(made)
        this.#bytes += entry.bytes
        this.#shrink(key)
      },
      () => this.#entries.delete(key),
    )
    return value
  }

  /** The newest stays even when it alone is over the budget: its neighbours are about to be asked for. */
  #shrink(newest: string): void {
    for (const [key, { bytes }] of this.#entries) {
      if (this.#bytes <= this.budget) return
      if (key === newest || bytes === 0) continue
      this.#entries.delete(key)
      this.#bytes -= bytes
    }
  }
}
