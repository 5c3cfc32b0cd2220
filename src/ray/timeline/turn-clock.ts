import { now } from '../../core/clock.js'

/** Looks that are spared where calls follow each other closely, and the milliseconds within which they do. */
const SPARED = 7
const CLOSELY = 0.1

/**
 * A time of core/clock.ts in hundredths of a millisecond and 32 bits: in a task a fraction would be an object of its own. They
 * come round twice a day, so that a difference means something up to almost twelve hours.
 */
export const ticks = (time: number): number => (time * 100) | 0

/** The ticks by which a moment may be ahead of a later time, since clocks of two machines are compared. */
const AHEAD = 60_000 * 100

/** The milliseconds from a moment in ticks until a later time. */
export const since = (then: number, time: number): number => (((ticks(time) - then + AHEAD) >>> 0) - AHEAD) / 100

/**
 * The clock for the times at which calls are made, in ticks. To look costs as much as a hundredth of a small call; so where many
 * are made in one turn, each within microseconds of the one before, only every eighth looks.
 */
export class TurnClock {
  #time = 0
  #ticks = 0
  #spared = 0
  #armed = false

  now(): number {
    if (this.#spared > 0) {
      this.#spared--
      return this.#ticks
    }
    const time = now()
    if (time - this.#time < CLOSELY) {
      this.#spared = SPARED
      if (!this.#armed) queueMicrotask(this.#turned)
      this.#armed = true
    }
    this.#time = time
    this.#ticks = ticks(time)
    return this.#ticks
  }

  #turned = (): void => {
    this.#spared = 0
    this.#armed = false
  }
}
