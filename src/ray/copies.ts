import { finding, found } from '../core/findings.js'
import { bytes } from '../core/format.js'
import { notice } from '../core/progress.js'
import type { Content } from './object-ref.js'

/** Bytes from which on the copies of a value are counted, and those of which all together are told. */
const LARGE = 1_000_000
const MUCH = 100_000_000

/** Of values that were given to calls: how often, what their copies had in all, and whether that was told. */
const given = new WeakMap<object, { times: number; bytes: number; told: boolean }>()

/** A value was copied for a call of that name: of one that is given again and again it is said, once of each and of each name. */
export function copiedFor(name: string, value: unknown, { copied, fresh }: Content): void {
  const size = copied + fresh
  if (size < LARGE || typeof value !== 'object' || value === null) return
  const copies = given.get(value) ?? { times: 0, bytes: 0, told: false }
  given.set(value, copies)
  copies.times++
  copies.bytes += size
  if (copies.told || copies.times < 2 || copies.bytes < MUCH) return
  copies.told = true
  const key = `told of copies for ${name}`
  if (finding(key)) return
  found(key, true)
  notice(
    `rayito: ${name} was given one and the same value of ${bytes(size)} ${copies.times} times, and it was copied each time. ` +
      'If it stays as it is, ray.put it once and pass the ref.',
  )
}
