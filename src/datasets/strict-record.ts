import { type ErrorCode, RayitoError } from '../core/errors.js'

/** Asked of any object by the language, by promises, printing and serialising: never a name that was misspelt. */
const ASKED_OF_ALL = new Set(['then', 'toJSON', 'constructor', 'inspect', 'nodeType', 'asymmetricMatch', '$$typeof'])

/** The object itself, except that a name it lacks is an error instead of undefined. */
export function strict<T extends object>(target: T, code: ErrorCode, what: string): T {
  return new Proxy(target, {
    get(object, name, receiver) {
      if (typeof name === 'symbol' || name in object || ASKED_OF_ALL.has(name))
        return Reflect.get(object, name, receiver)
      throw missing(code, what, name, Object.keys(object))
    },
  })
}

/** Makes `rows[7]` an error for all of a class instead of undefined: rows are read with `await rows.at(7)`. */
export function withoutIndices(prototype: object, code: ErrorCode): void {
  const get = (object: object, name: string | symbol, receiver: unknown) => {
    if (typeof name === 'symbol' || !/^\d+$/.test(name)) return Reflect.get(object, name, receiver)
    throw new RayitoError(
      code,
      `Expected a row to be read with \`await dataset.at(${name})\`, got \`dataset[${name}]\``,
    )
  }
  // Behind the class, where only what it lacks is looked for.
  Object.setPrototypeOf(prototype, new Proxy(Object.prototype, { get }))
}

/** Expected a split (train, valid), got `trian`. */
export function missing(
  code: ErrorCode,
  what: string,
  name: string,
  known: readonly string[],
  remedy?: string,
): RayitoError {
  const message = `Expected ${what} (${known.join(', ') || 'there are none'}), got \`${name}\``
  return new RayitoError(code, message, remedy ? { remedy } : {})
}
