import { now } from '../../../../core/clock.js'

/** Answers of which the quickest counts. */
const KEPT = 8

/** How far a node's clock is from this one, by asking it: right to half of the quickest round trip. */
export class NodeClock {
  readonly #answers: { trip: number; ahead: number }[] = []
  /** What waits to be placed in time. */
  #waiting: (() => void)[] = []

  /** The node said what its clock shows. @param asked when it was asked, by this clock */
  answered(asked: number, shown: number): void {
    const here = now()
    this.#answers.push({ trip: here - asked, ahead: shown - (asked + here) / 2 })
    if (this.#answers.length > KEPT) this.#answers.shift()
    for (const then of this.#waiting.splice(0)) then()
  }

  /** Calls `then` as soon as the difference is known. */
  whenKnown(then: () => void): void {
    if (this.#answers.length) then()
    else this.#waiting.push(then)
  }

  /** A time of the node's in ours. */
  here(time: number): number {
    const quickest = this.#answers.reduce((a, b) => (b.trip < a.trip ? b : a))
    return time - quickest.ahead
  }
}
