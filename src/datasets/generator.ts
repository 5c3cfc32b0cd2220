import { seedSequence } from './seed-sequence.js'

const BITS_64 = (1n << 64n) - 1n
const BITS_128 = (1n << 128n) - 1n
const MULTIPLIER = 0x2360ed051fc65da44385df649fccf645n

/**
 * Random numbers as numpy's `default_rng(seed)` gives them: PCG64, seeded by SeedSequence. The same seed gives the same numbers
 * in both languages.
 * @see https://www.pcg-random.org
 */
export class Generator {
  #state: bigint
  readonly #increment: bigint
  /** The upper half of the last 64 bits, which the next 32 are taken from. */
  #upper: number | null = null

  /** @param seed whole, of any length, not negative */
  constructor(seed: bigint) {
    const [high, low, highStream, lowStream] = seedSequence(seed, 4) as [bigint, bigint, bigint, bigint]
    this.#increment = ((((highStream << 64n) | lowStream) << 1n) | 1n) & BITS_128
    this.#state = this.#after(this.#increment + ((high << 64n) | low))
  }

  /** The whole numbers from 0 to `count` − 1 in random order, as numpy's `permutation(count)`. */
  permutation(count: number): Uint32Array {
    const order = Uint32Array.from({ length: count }, (_, i) => i)
    for (let i = count - 1; i > 0; i--) {
      const j = this.#upTo(i)
      const kept = order[i]!
      order[i] = order[j]!
      order[j] = kept
    }
    return order
  }

  /** A whole number from 0 to `most`, which is below 2^32: of as many bits as it has, drawn until one is not beyond it. */
  #upTo(most: number): number {
    const mask = 2 ** (32 - Math.clz32(most)) - 1
    for (;;) {
      const drawn = (this.#next32() & mask) >>> 0
      if (drawn <= most) return drawn
    }
  }

  #next32(): number {
    const upper = this.#upper
    if (upper !== null) {
      this.#upper = null
      return upper
    }
    const bits = this.#next64()
    this.#upper = Number(bits >> 32n)
    return Number(bits & 0xffffffffn)
  }

  #next64(): bigint {
    this.#state = this.#after(this.#state)
    const mixed = (this.#state >> 64n) ^ (this.#state & BITS_64)
    const by = this.#state >> 122n
    return ((mixed >> by) | (mixed << (64n - by))) & BITS_64
  }

  #after(state: bigint): bigint {
    return (state * MULTIPLIER + this.#increment) & BITS_128
  }
}
