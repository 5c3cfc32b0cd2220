/**
 * Decoded pages by key, within a budget of bytes: what was used longest ago goes first. A page asked for twice at once is read once.
 * What was used last in each place stays: a row needs a page of each column, and each row after it would read them all again.
 */
export class PageCache {
  readonly #entries = new Map<string, { value: Promise<unknown>; bytes: number }>()
  /** By place, the key used last. */
  readonly #latest = new Map<string, string>()
  /** All other keys: the front was left for another of its place the longest ago. */
  readonly #left = new Set<string>()
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
    const before = this.#latest.get(place)
    if (before !== undefined && this.#entries.has(before)) this.#left.add(before)
    this.#latest.set(place, key)
    this.#left.delete(key)
    const known = this.#entries.get(key)
    if (known) return known.value as Promise<T>
    const value = read()
    const entry = { value, bytes: 0 }
    this.#entries.set(key, entry)
    value.then(
      (made) => {
        entry.bytes = sizeOf(made)
        this.#bytes += entry.bytes
        this.#shrink()
      },
      () => this.#forget(key),
    )
    return value
  }

  #shrink(): void {
    // A row may need thousands of columns: those that stay are not to be passed over for each.
    for (const key of this.#left) {
      if (this.#bytes <= this.budget) return
      const { bytes } = this.#entries.get(key)!
      if (bytes === 0) continue
      this.#forget(key)
      this.#bytes -= bytes
    }
  }

  #forget(key: string): void {
    this.#entries.delete(key)
    this.#left.delete(key)
  }
}
