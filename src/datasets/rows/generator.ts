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
    return this.#shuffled(count, 1, (most) => this.#upTo(most))
  }

  /** So many different ones of the whole numbers from 0 to `count` − 1, as numpy's `choice(count, size, replace=False)`. */
  choose(count: number, size: number): Uint32Array {
    const below = (most: number) => this.#below(most + 1)
    if (count > 10_000 && size > Math.floor(count / 50))
      return this.#shuffled(count, Math.max(count - size, 1), below).slice(count - size)
    // Robert Floyd's: one number is drawn for each, and the last is taken where it was drawn before.
    const chosen = new Set<number>()
    for (let last = count - size; last < count; last++) {
      const drawn = below(last)
      chosen.add(chosen.has(drawn) ? last : drawn)
    }
    const numbers = [...chosen]
    return this.#shuffled(size, 1, below).map((at) => numbers[at]!)
  }

  /** The whole numbers from 0 to `count` − 1, those from `first` on swapped, the last one first, with one that is drawn. */
  #shuffled(count: number, first: number, upTo: (most: number) => number): Uint32Array {
    const order = Uint32Array.from({ length: count }, (_, i) => i)
    for (let i = count - 1; i >= first; i--) {
      const j = upTo(i)
      const kept = order[i]!
      order[i] = order[j]!
      order[j] = kept
    }
    return order
  }

  /**
   * A whole number below `bound`, which is less than 2^32, by Lemire's method; nothing is drawn where 0 is the only one.
   * @see https://arxiv.org/abs/1805.10941
   */
  #below(bound: number): number {
    if (bound === 1) return 0
    const least = 2 ** 32 % bound
    for (;;) {
      const word = this.#next32()
      // Of the product's 64 bits the lower half tells whether to draw again, the upper is the answer.
      if (Math.imul(word, bound) >>> 0 < least) continue
      const middle = (word >>> 16) * bound + Math.floor(((word & 0xffff) * bound) / 2 ** 16)
      return Math.floor(middle / 2 ** 16)
    }
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
