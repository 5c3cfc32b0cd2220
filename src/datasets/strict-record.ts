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
