import type { Try } from './recorder.js'

const TIMES = 5
const BYTES = 2
const FIELDS = TIMES + BYTES
const MARKS = 4

/** A call that was kept. */
export interface KeptCall extends Try {
  submitted: number
  /** Numbers of its function and its worker. */
  tally: number
  worker: number
}

/** The newest calls, as numbers side by side: one costs no object, and no memory beyond the ring's. */
export class CallRing {
  readonly #numbers: Float64Array
  readonly #marks: Int32Array
  /** Calls that ever came. */
  #count = 0
  /** Where the next goes. */
  #next = 0
  /** The latest end among those that are no longer there; -Infinity while all are. */
  horizon = Number.NEGATIVE_INFINITY

  constructor(readonly capacity: number) {
    this.#numbers = new Float64Array(FIELDS * capacity)
    this.#marks = new Int32Array(MARKS * capacity)
  }

  add(
    { sent, received, began, ended, attempt, bytesIn, bytesOut, failed }: Try,
    submitted: number,
    tally: number,
    worker: number,
  ): void {
    const place = this.#next
    this.#next = place + 1 === this.capacity ? 0 : place + 1
    const numbers = this.#numbers
    const at = place * FIELDS
    if (this.#count >= this.capacity) this.horizon = Math.max(this.horizon, numbers[at + 4]!)
    numbers[at] = submitted
    numbers[at + 1] = sent
    numbers[at + 2] = received
    numbers[at + 3] = began
    numbers[at + 4] = ended
    numbers[at + 5] = bytesIn
    numbers[at + 6] = bytesOut
    const mark = place * MARKS
    this.#marks[mark] = tally
    this.#marks[mark + 1] = worker
    this.#marks[mark + 2] = attempt
    this.#marks[mark + 3] = failed ? 1 : 0
    this.#count++
  }

  get count(): number {
    return this.#count
  }

  /** Those that are there, oldest first. */
  *[Symbol.iterator](): Generator<KeptCall> {
    const first = Math.max(0, this.#count - this.capacity)
    for (let i = first; i < this.#count; i++) {
      const at = (i % this.capacity) * FIELDS
      const mark = (i % this.capacity) * MARKS
      const [submitted, sent, received, began, ended, bytesIn, bytesOut] = this.#numbers.subarray(at, at + FIELDS)
      const [tally, worker, attempt, failed] = this.#marks.subarray(mark, mark + MARKS)
      yield {
        submitted: submitted!,
        sent: sent!,
        received: received!,
        began: began!,
        ended: ended!,
        bytesIn: bytesIn!,
        bytesOut: bytesOut!,
        tally: tally!,
        worker: worker!,
        attempt: attempt!,
        failed: failed === 1,
      }
    }
  }
}
