import { Line } from './line.js'

/** Room for a number of works at once; the others wait, in the order in which they came. */
export class Places {
  #free: number
  readonly #waiting = new Line<() => void>()

  constructor(count: number) {
    this.#free = count
  }

  /** Does the work as soon as there is a place, which it leaves when it has settled. */
  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      return await work()
    } finally {
      const next = this.#waiting.first
      if (next) {
        this.#waiting.shift()
        next() // its place goes over to it
      } else this.#free++
    }
  }
}
