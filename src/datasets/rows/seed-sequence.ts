/** Words that the seed is mixed in. */
const POOL = 4

/** Hashes one word after another, each with the next multiplier. */
function hasher(start: number, factor: number): (word: number) => number {
  let multiplier = start
  return (word) => {
    const mixed = word ^ multiplier
    multiplier = Math.imul(multiplier, factor)
    const hashed = Math.imul(mixed, multiplier)
    return (hashed ^ (hashed >>> 16)) >>> 0
  }
}

function mix(into: number, word: number): number {
  const mixed = Math.imul(into, 0xca01f9dd) - Math.imul(word, 0x4973f715)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

/**
 * What numpy's `SeedSequence` makes of a seed: well-mixed words, however alike the seeds.
 * @param seed whole, of any length, not negative
 * @param count of words of 64 bits
 * @see https://www.pcg-random.org/posts/developing-a-seed_seq-alternative.html
 */
export function seedSequence(seed: bigint, count: number): bigint[] {
  const entropy: number[] = []
  for (let rest = seed; rest > 0n; rest >>= 32n) entropy.push(Number(rest & 0xffffffffn))
  const hash = hasher(0x43b0d7e5, 0x931e8875)
  const pool = Array.from({ length: POOL }, (_, i) => hash(entropy[i] ?? 0))
  for (let from = 0; from < POOL; from++)
    for (let to = 0; to < POOL; to++) if (from !== to) pool[to] = mix(pool[to]!, hash(pool[from]!))
  for (const word of entropy.slice(POOL)) for (let to = 0; to < POOL; to++) pool[to] = mix(pool[to]!, hash(word))
  const draw = hasher(0x8b51f9dd, 0x58f38ded)
  const words = Array.from({ length: 2 * count }, (_, i) => BigInt(draw(pool[i % POOL]!)))
  return Array.from({ length: count }, (_, i) => words[2 * i]! | (words[2 * i + 1]! << 32n))
}
