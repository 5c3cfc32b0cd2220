/** Numbers that look random and are the same on every machine: sfc32, in 32-bit whole numbers alone. */
export class Random {
  #a: number
  #b: number
  #c: number
  #count = 1

  constructor(...seed: [number, number, number]) {
    ;[this.#a, this.#b, this.#c] = seed
    for (let i = 0; i < 12; i++) this.next()
  }

  /** From 0 to 2³² − 1. */
  next(): number {
    const sum = (this.#a + this.#b + this.#count++) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0
    return sum >>> 0
  }

  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + Math.floor((this.next() * (high - low + 1)) / 2 ** 32)
  }

  /** True `share` times in 256. */
  chance(share: number): boolean {
    return (this.next() & 255) < share
  }
}
