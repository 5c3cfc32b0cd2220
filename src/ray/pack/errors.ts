import { RayitoError } from '../../core/errors.js'
import * as classes from '../errors.js'
import type { EncodedError } from './format.js'
import { isBuiltinPrototype } from './kinds.js'

const BUILTIN = { Error, TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError, AggregateError }

/** Classes of errors that come out as instances of themselves. */
const TYPES: Record<string, { readonly prototype: object }> = { ...BUILTIN, RayitoError, ...classes }

/** Properties that an error has though they are not enumerable. */
const HIDDEN = ['cause', 'errors', 'error', 'suppressed']
/** Of errors that were unpacked: the names of classes that are not here. */
const strange = new WeakMap<Error, readonly string[]>()

/** Told apart from the other fields. */
const OWN = new Set(['name', 'message', 'stack', ...HIDDEN])

/** An error taken apart. */
export function describeError(error: Error): {
  encoded: EncodedError
  fields: Record<string, unknown>
  hidden: string[]
} {
  const fields: Record<string, unknown> = {}
  const hidden: string[] = []
  for (const name of HIDDEN)
    if (Object.hasOwn(error, name)) {
      fields[name] = quietly(() => (error as unknown as Record<string, unknown>)[name])
      if (!Object.prototype.propertyIsEnumerable.call(error, name)) hidden.push(name)
    }
  for (const name of Object.keys(error))
    if (!OWN.has(name)) fields[name] = quietly(() => (error as unknown as Record<string, unknown>)[name])
  const message = text(quietly(() => error.message))
  const { type, classes } = typeOf(error)
  return {
    encoded: {
      type,
      ...(classes.length > 0 ? { classes } : {}),
      name: nameOf(error),
      message,
      stack: text(quietly(() => error.stack)) || `${nameOf(error)}: ${message}`,
    },
    fields,
    hidden,
  }
}

function quietly<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '')

/** The nearest class that both sides have, and the names of those before it. */
function typeOf(error: Error): { type: string; classes: readonly string[] } {
  const classes = [...(strange.get(error) ?? [])]
  for (const { name, prototype } of lineage(error)) {
    if (prototype === DOMException.prototype || isShared(name, prototype)) return { type: name, classes }
    if (name) classes.push(name)
  }
  return { type: 'Error', classes }
}

/** Whether both sides have the class; the language's own may be another realm's. */
function isShared(name: string, prototype: object): boolean {
  if (!Object.hasOwn(TYPES, name)) return false
  return TYPES[name]!.prototype === prototype || (Object.hasOwn(BUILTIN, name) && isBuiltinPrototype(prototype))
}

function lineage(error: Error): { name: string; prototype: object }[] {
  const found: { name: string; prototype: object }[] = []
  for (let at = Object.getPrototypeOf(error); at; at = Object.getPrototypeOf(at))
    found.push({ name: text(quietly(() => at.constructor.name)), prototype: at })
  return found
}

/** Whether an error was an instance of a class of that name where it was thrown. */
export function isOfClass(error: Error, name: string): boolean {
  return Boolean(strange.get(error)?.includes(name)) || lineage(error).some((one) => one.name === name)
}

/** Its name; of a class that sets none, the class's. */
function nameOf(error: Error): string {
  const name = text(quietly(() => error.name))
  const type = text(quietly(() => error.constructor.name))
  return name && (!Object.hasOwn(BUILTIN, name) || !type) ? name : type || 'Error'
}

/** The error again, without its fields. */
export function makeError(encoded: EncodedError): Error {
  const error = withoutClasses(encoded)
  if (encoded.classes) strange.set(error, encoded.classes)
  return error
}

function withoutClasses({ type, name, message, stack }: EncodedError): Error {
  if (type === 'DOMException') {
    const error = new DOMException(message, name)
    Object.defineProperty(error, 'stack', { value: stack, configurable: true, writable: true })
    return error
  }
  const { prototype } = TYPES[type] ?? Error
  const error = new Error(message)
  Object.setPrototypeOf(error, prototype)
  if (error.name !== name) Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true })
  Object.defineProperty(error, 'stack', { value: stack, configurable: true, writable: true })
  return error
}

/** Gives an error its fields. */
export function fillError(error: Error, fields: Record<string, unknown>, hidden: readonly string[]): void {
  for (const [name, value] of Object.entries(fields))
    Object.defineProperty(error, name, {
      value,
      enumerable: !hidden.includes(name),
      configurable: true,
      writable: true,
    })
}
