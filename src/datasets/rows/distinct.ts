import { inspect } from 'node:util'
import { RayitoError } from '../../core/errors.js'

/** Of equal values the first, in their order; as in Python NaN is equal to itself, and 0 is not to −0. */
export function distinct<T>(values: readonly T[]): T[] {
  const seen = new Map<unknown, T>()
  for (const value of values) {
    const key = keyOf(value)
    if (!seen.has(key)) seen.set(key, value)
  }
  return [...seen.values()]
}

function keyOf(value: unknown): unknown {
  if (Object.is(value, -0)) return '-0'
  if (typeof value === 'string') return `text ${value}`
  if (value instanceof Date) return `time ${value.getTime()}`
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('latin1')}`
  if (typeof value !== 'object' || value === null) return value
  throw new RayitoError(
    'INVALID_ARGUMENT',
    `Expected a column of plain values, got ${inspect(value, { depth: 0 })} in it`,
  )
}
