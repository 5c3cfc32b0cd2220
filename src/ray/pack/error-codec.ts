import { decode } from './decode.js'
import { Encoder } from './encode.js'
import type { Packed, SpecialData } from './format.js'

/**
 * What was thrown, for structured cloning. Errors keep class, name, message, stack, cause, `errors` and own fields
 * (recursively); fields that cannot travel become their inspection. Anything else thrown stays what it is.
 */
export function encodeError(thrown: unknown): unknown {
  const { data, special } = new Encoder('error', { lenient: true }).encode(thrown) as Packed
  return [data, special]
}

/** The inverse of encodeError: instances of built-in classes and of rayito's; other errors keep their name. */
export function decodeError(encoded: unknown): unknown {
  const [data, special] = encoded as [unknown, boolean]
  return special ? decode(data as SpecialData, { travel: String, code: String, instance: String }) : data
}
