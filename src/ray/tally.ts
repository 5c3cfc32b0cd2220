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
