/** A CPU is counted in whole parts, as many as Ray has: sums of fractions would not come out even. */
const PARTS = 10_000

/** What is no whole number of parts is rounded down: as many thirds fit as there are. */
const partsOf = (count: number) => Math.floor(count * PARTS + 1e-6)

/** CPUs of this machine that its sessions share. */
export class Cpus {
  #taken = 0
  readonly #listeners = new Set<() => void>()

  constructor(readonly total: number) {}

  /** Below 0 while tasks that had lent theirs go on. */
  get available(): number {
    return this.#taken === 0 ? this.total : Math.round(this.total * PARTS - this.#taken) / PARTS
  }

  /** Whether so many are free. None are always there. */
  have(count: number): boolean {
    return count === 0 || this.available >= count
  }

  take(count: number): void {
    this.#taken += partsOf(count)
  }

  give(count: number): void {
    if (count === 0) return
    this.#taken -= partsOf(count)
    for (const then of this.#listeners) then()
  }

  whenGiven(then: () => void): () => void {
    this.#listeners.add(then)
    return () => this.#listeners.delete(then)
  }
}
