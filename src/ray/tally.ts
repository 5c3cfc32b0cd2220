/** Counts of one function's or method's calls. */
export interface Tally {
  readonly id: number
  readonly label: string
  submitted: number
  finished: number
  failed: number
  retried: number
  /** Of arguments and results of calls that have ended. */
  bytesIn: number
  bytesOut: number
}

/** Names that are counted apart; calls of further ones are counted together, so that names made up for each call cost no memory. */
const MOST = 1_000
const OTHERS = '(others)'

/** The counts of a session, by what its tasks are called. */
export class Tallies {
  readonly #byLabel = new Map<string, Tally>()
  readonly #byId: Tally[] = []

  of(label: string): Tally {
    return this.#byLabel.get(label) ?? this.#add(this.#byId.length < MOST ? label : OTHERS)
  }

  #add(label: string): Tally {
    const known = this.#byLabel.get(label)
    if (known) return known
    const counts = { submitted: 0, finished: 0, failed: 0, retried: 0, bytesIn: 0, bytesOut: 0 }
    const tally: Tally = { id: this.#byId.length, label, ...counts }
    this.#byId.push(tally)
    this.#byLabel.set(label, tally)
    return tally
  }

  get all(): readonly Tally[] {
    return this.#byId
  }

  total(): { submitted: number; finished: number; failed: number; retried: number } {
    const total = { submitted: 0, finished: 0, failed: 0, retried: 0 }
    for (const tally of this.#byId)
      for (const key of ['submitted', 'finished', 'failed', 'retried'] as const) total[key] += tally[key]
    return total
  }
}

/** Finished calls by worker; of the many that a long session had, those that were heard of last. */
export class WorkerCounts {
  readonly #counts = new Map<string, number>()
  /** Of all others together. */
  #others = 0

  add(worker: string): void {
    const count = (this.#counts.get(worker) ?? 0) + 1
    if (this.#counts.size >= MOST) this.#counts.delete(worker)
    this.#counts.set(worker, count)
    if (this.#counts.size <= MOST) return
    const [longest, calls] = this.#counts.entries().next().value!
    this.#counts.delete(longest)
    this.#others += calls
  }

  get all(): Record<string, number> {
    const all = Object.fromEntries(this.#counts)
    return this.#others ? { ...all, [OTHERS]: this.#others } : all
  }
}
