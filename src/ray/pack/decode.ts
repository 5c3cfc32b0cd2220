import { Travel } from '../../core/travel.js'
import { fillError, makeError } from './errors.js'
import type { Place, Special, SpecialData } from './format.js'
import { putAt } from './places.js'
import { makeSymbol } from './symbols.js'

/** What unpacking leaves to its caller. Each may return a promise. */
export interface Decoders {
  travel(travel: Travel): unknown
  code(code: unknown): unknown
  /** The value of an instance of the class of `code`, from its data. */
  instance(code: unknown, data: unknown): unknown
}

/**
 * Makes the value of special data, in place. A promise only if something in it takes a while.
 * @param ready what was made already, by decodeFirst
 */
export function decode(data: SpecialData, decoders: Decoders, ready?: ReadonlyMap<number, unknown>): unknown {
  const [box, specials, places] = data
  const made: unknown[] = []
  for (let i = 0; i < specials.length; i++) {
    const value = ready?.has(i) ? ready.get(i) : make(specials[i]!, made, decoders)
    if (value instanceof Promise) return later(value, i, data, made, decoders, ready)
    made.push(value)
    settle(places[i]!, value)
  }
  return box[0]
}

/** Makes, and puts in their places, those special things that depend on nothing, and those that `known` has. */
export function decodeFirst(
  [, specials, places]: SpecialData,
  decoders: Decoders,
  known: (special: Special) => unknown,
): Map<number, unknown> {
  const ready = new Map<number, unknown>()
  specials.forEach((special, i) => {
    const value = SIMPLE.has(special[0]) ? make(special, [], decoders) : known(special)
    if (value === undefined) return
    if (SIMPLE.has(special[0])) ready.set(i, value)
    settle(places[i]!, value)
  })
  return ready
}

const SIMPLE = new Set<Special[0]>(['error', 'buffer', 'memory', 'url', 'file', 'symbol'])

async function later(
  first: Promise<unknown>,
  from: number,
  [box, specials, places]: SpecialData,
  made: unknown[],
  decoders: Decoders,
  ready?: ReadonlyMap<number, unknown>,
): Promise<unknown> {
  for (let i = from; i < specials.length; i++) {
    const value = await (i === from ? first : ready?.has(i) ? ready.get(i) : make(specials[i]!, made, decoders))
    made.push(value)
    settle(places[i]!, value)
  }
  return box[0]
}

function make(special: Special, made: readonly unknown[], decoders: Decoders): unknown {
  switch (special[0]) {
    case 'travel':
      return decoders.travel(new Travel(special[1], special[2], special[3][0]))
    case 'instance':
      return decoders.instance(special[1], special[2][0])
    case 'code':
      return decoders.code(special[1])
    case 'error':
      return makeError(special[1])
    case 'fields':
      return fillError(made[special[1]] as Error, special[2][0] as Record<string, unknown>, special[3])
    case 'buffer': {
      const { buffer, byteOffset, byteLength } = special[1]
      return Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength)
    }
    case 'memory':
      return special[1].buffer
    case 'url':
      return new URL(special[1])
    case 'file': {
      const [, blob, name, lastModified] = special
      return new File([blob], name, { type: blob.type, lastModified })
    }
    case 'symbol':
      return makeSymbol(special[1], special[2])
    case 'refill':
      return refill(special[1], special[2])
    case 'define':
      return define(special[1], special[2])
  }
}

function refill(container: object, members: readonly unknown[]): void {
  if (container instanceof Set) for (const member of members) container.add(member)
  else for (let i = 0; i < members.length; i += 2) putAt(container, members[i], members[i + 1])
}

function define(object: object, members: readonly unknown[]): void {
  for (let i = 0; i < members.length; i += 2)
    Object.defineProperty(object, members[i] as PropertyKey, members[i + 1] as PropertyDescriptor)
}

/** Puts what was made where it belongs. */
function settle(place: Place, value: unknown): void {
  for (let i = 0; i < place.length; i += 2) putAt(place[i] as object, place[i + 1], value)
}
