import { randomBytes } from 'node:crypto'
import { expected } from '../../core/errors.js'

/** What random numbers begin with: whole and not negative, of any length as a bigint. */
export type Seed = number | bigint

/** The seed, or a random one where there is none. Throws INVALID_ARGUMENT for what is none. */
export function seedOf(seed: Seed | undefined): bigint {
  if (seed === undefined) return BigInt(`0x${randomBytes(16).toString('hex')}`)
  const isWhole = typeof seed === 'bigint' || Number.isSafeInteger(seed)
  return isWhole && seed >= 0 ? BigInt(seed) : expected('seed', 'a whole number that is not negative', seed)
}
