import { Travel } from '../../core/travel.js'
import { fillError, makeError } from './errors.js'
import type { Place, Special, SpecialData } from './format.js'

/** What unpacking leaves to its caller. Each may return a promise. */
export interface Decoders {
  travel(travel: Travel): unknown
  code(code: unknown): unknown
  /** The value of an instance of the class of `code`, from its data. */
  instance(code: unknown, data: unknown): unknown
}

/** Makes the value of special data, in place. A promise only if something in it takes a while. */
export function decode(data: SpecialData, decoders: Decoders): unknown {
  const [box, specials, places] = data
  const made: unknown[] = []
  for (let i = 0; i < specials.length; i++) {
    const value = make(specials[i]!, made, decoders)
    if (value instanceof Promise) return later(value, i, data, made, decoders)
    made.push(value)
    settle(places[i]!, value)
  }
  return box[0]
}

async function later(
  first: Promise<unknown>,
  from: number,
  [box, specials, places]: SpecialData,
  made: unknown[],
  decoders: Decoders,
): Promise<unknown> {
  for (let i = from; i < specials.length; i++) {
    const value = await (i === from ? first : make(specials[i]!, made, decoders))
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
    case 'url':
      return new URL(special[1])
    case 'refill':
      return refill(special[1], special[2])
  }
}

function refill(container: Map<unknown, unknown> | Set<unknown>, members: readonly unknown[]): void {
  if (container instanceof Set) for (const member of members) container.add(member)
  else for (let i = 0; i < members.length; i += 2) container.set(members[i], members[i + 1])
}

/** Puts what was made where it belongs. */
function settle(place: Place, value: unknown): void {
  for (let i = 0; i < place.length; i += 2) {
    const container = place[i] as object
    const key = place[i + 1]
    if (container instanceof Map) container.set(key, value)
    else if (key === '__proto__')
      Object.defineProperty(container, key, { value, enumerable: true, configurable: true, writable: true })
    else (container as Record<string, unknown>)[key as string] = value
  }
}
