import { ray } from '../../ray/index.js'

/** An actor that counts, for whoever knows its name. */
export const Tally = ray.remote(
  class Tally {
    count = 0

    /** Counts `n` more and returns how many there are. */
    add(n: number): number {
      this.count += n
      return this.count
    }
  },
)
