import type { AnyFunction, EncodeOptions } from './encode-options.js'
import { keyStep } from './path.js'

/** A property that travels as it is defined. */
export interface Definition {
  readonly key: string | symbol
  /** What it is called on the way to it. */
  readonly step: string
  /** The rest of its descriptor. */
  readonly flags: object
  /** Its value, or its getter and setter. */
  readonly parts: readonly (readonly [part: string, used: unknown])[]
}

/** Whether a property is one of those: structured cloning knows no symbols, no methods that are hidden, no accessors. */
export function isDefined(object: object, key: string | symbol, accessors: EncodeOptions['accessors']): boolean {
  const { value, get, set, enumerable } = Object.getOwnPropertyDescriptor(object, key)!
  if (!get && !set) return enumerable ? typeof key === 'symbol' : typeof value === 'function'
  return !enumerable || [get, set].every((fn) => !fn || accessors?.(fn as AnyFunction))
}

/** An object's own of that kind. */
export function definitionsOf(object: object, accessors: EncodeOptions['accessors']): Definition[] {
  const wanted = Reflect.ownKeys(object).filter((key) => isDefined(object, key, accessors))
  return wanted.map((key) => {
    const { value, get, set, ...flags } = Object.getOwnPropertyDescriptor(object, key)!
    const parts = Object.entries({ value, get, set }).filter(([, used]) => used !== undefined)
    return { key, step: typeof key === 'symbol' ? `[${String(key)}]` : keyStep(key), flags, parts }
  })
}
