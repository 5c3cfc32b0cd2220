/** CPUs of this machine that its sessions share. */
export class Cpus {
  #available: number
  readonly #listeners = new Set<() => void>()

  constructor(readonly total: number) {
    this.#available = total
  }

  /** Below 0 while tasks that had lent theirs go on. */
  get available(): number {
    return this.#available
  }

  take(count: number): void {
    this.#available -= count
  }

  give(count: number): void {
    if (count === 0) return
    this.#available += count
    for (const then of this.#listeners) then()
  }

  whenGiven(then: () => void): () => void {
    this.#listeners.add(then)
    return () => this.#listeners.delete(then)
  }
}
