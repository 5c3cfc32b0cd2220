import { now } from '../../core/clock.js'

/** Looks that are spared where calls follow each other closely, and the milliseconds within which they do. */
const SPARED = 7
const CLOSELY = 0.1

/**
 * The clock for the times at which calls are made. To look costs as much as a hundredth of a small call; so where many are made
 * in one turn, each within microseconds of the one before, only every eighth looks.
 */
export class TurnClock {
  #time = 0
  #spared = 0
  #armed = false

  now(): number {
    if (this.#spared > 0) {
      this.#spared--
      return this.#time
    }
    const time = now()
    if (time - this.#time < CLOSELY) {
      this.#spared = SPARED
      if (!this.#armed) queueMicrotask(this.#turned)
      this.#armed = true
    }
    this.#time = time
    return time
  }

  #turned = (): void => {
    this.#spared = 0
    this.#armed = false
  }
}
