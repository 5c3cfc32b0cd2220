import { types } from 'node:util'
import { serialize, type Travel } from '../core/travel.js'
import { type Code, carriedBy, describe, portableCode, portableModule, revive as reviveCode } from './code/index.js'
import { reviveInstance } from './code/travel.js'
import { decode } from './pack/decode.js'
import { Encoder } from './pack/encode.js'
import type { EncodeOptions } from './pack/encode-options.js'
import type { Packed, SpecialData } from './pack/format.js'

export type { Packed } from './pack/format.js'
export { freeze } from './pack/freeze.js'

/** Longest array, and most properties, that are looked through without the machinery. */
const FLAT = 64
const NOTHING: readonly object[] = []
const OPTIONS: EncodeOptions = {
  code: (fn) => describe(fn).then(portableCode),
  module: portableModule,
  carriedBy: (code) => carriedBy(code as Code),
}

/**
 * Makes a value ready to cross to a worker: a copy of it as of now, for structured cloning.
 *
 * What structured cloning carries goes as it is, cycles and shared references included. ArrayBuffers and views from 4 KiB up
 * move into SharedArrayBuffers (what lies in one already is not copied); a view over a part of its buffer takes only that
 * part along; a Buffer comes out as a Buffer, a URL as a URL, a File as a File, an error with its class, fields, cause and stack.
 * Properties are read once: what a getter gives travels, not the getter. Values with `[serialize]` say themselves what
 * stands for them.
 *
 * @param path what the value is called in errors: 'args[0]'
 * @returns a promise only if a class in the value has to be described
 * @throws NotSerializableError naming the first part that cannot travel, and why
 */
export function pack(value: unknown, path: string): Packed | Promise<Packed> {
  switch (typeof value) {
    case 'number':
    case 'bigint':
      return { data: value, special: false, copied: 8, shared: 0, fresh: 0, carried: NOTHING }
    case 'string':
      return { data: value, special: false, copied: value.length, shared: 0, fresh: 0, carried: NOTHING }
    case 'boolean':
    case 'undefined':
      return { data: value, special: false, copied: 1, shared: 0, fresh: 0, carried: NOTHING }
  }
  if (value === null) return { data: null, special: false, copied: 1, shared: 0, fresh: 0, carried: NOTHING }
  return flatOrNull(value as object) ?? new Encoder(path, OPTIONS).encode(value)
}

/** What a value throws that is looked at, is told in detail elsewhere. */
function flatOrNull(value: object): Packed | null {
  try {
    return flat(value)
  } catch {
    return null
  }
}

/** A short array or plain object of nothing but primitives: the most frequent kind of value, without the machinery. */
function flat(value: object): Packed | null {
  let copied = 0
  const prototype = Object.getPrototypeOf(value)
  if (prototype === Array.prototype) {
    const array = value as unknown[]
    const { length } = array
    if (length > FLAT) return null
    // Names come after the elements.
    const keys = Object.keys(array)
    if (keys.length !== length || (length > 0 && keys[length - 1] !== String(length - 1))) return null
    for (const item of array) {
      if (!isPrimitive(item)) return null
      copied += typeof item === 'string' ? item.length : 8
    }
    return { data: array.slice(), special: false, copied, shared: 0, fresh: 0, carried: NOTHING }
  }
  if (prototype !== Object.prototype || serialize in value) return null
  const keys = Object.keys(value)
  if (keys.length > FLAT || (keys[0] === '0' && types.isArgumentsObject(value))) return null
  const copy: Record<string, unknown> = {}
  for (const key of keys) {
    const item = (value as Record<string, unknown>)[key]
    if (!isPrimitive(item) || key === '__proto__') return null
    copied += key.length + (typeof item === 'string' ? item.length : 8)
    copy[key] = item
  }
  return { data: copy, special: false, copied, shared: 0, fresh: 0, carried: NOTHING }
}

function isPrimitive(value: unknown): boolean {
  return typeof value === 'object' ? value === null : typeof value !== 'function' && typeof value !== 'symbol'
}

/**
 * Makes the value again, in place: `data` is used up.
 * @param revive makes what a Travel stands for
 * @returns a promise only if something in it takes a while
 */
export function unpack(data: unknown, special: boolean, revive: (travel: Travel) => unknown): unknown {
  if (!special) return data
  return decode(data as SpecialData, {
    travel: revive,
    code: (code) => reviveCode(code as Code, revive),
    instance: (code, value) => reviveInstance(code as Code, value, revive),
  })
}
