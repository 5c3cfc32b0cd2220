/**
 * Decoded pages by key, within a budget of bytes: what was used longest ago goes first. A page asked for twice at once is read once.
 * What was used last in each place stays: a row needs a page of each column, and each row after it would read them all again.
 */
export class PageCache {
  readonly #entries = new Map<string, { value: Promise<unknown>; bytes: number }>()
  /** By place, the key used last. */
  readonly #latest = new Map<string, string>()
  #bytes = 0

  constructor(readonly budget: number) {}

  /** Bytes held by decoded pages. Those being read do not count yet. */
  get bytes(): number {
    return this.#bytes
  }

  /**
   * What is kept under the key, else what `read` brings; its size is asked of `sizeOf` once it is there.
   * @param place the column, of whose pages rows need one at a time
   */
  get<T>(key: string, read: () => Promise<T>, sizeOf: (value: T) => number, place = ''): Promise<T> {
    this.#latest.set(place, key)
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
        this.#shrink()
      },
      () => this.#entries.delete(key),
    )
    return value
  }

  #shrink(): void {
    const kept = new Set(this.#latest.values())
    for (const [key, { bytes }] of this.#entries) {
      if (this.#bytes <= this.budget) return
      if (kept.has(key) || bytes === 0) continue
      this.#entries.delete(key)
      this.#bytes -= bytes
    }
  }
}
