import { X509Certificate } from 'node:crypto'
import { BlockList, SocketAddress } from 'node:net'
import { inspect, types } from 'node:util'
import { isOthers, OTHER_COPY } from '../../core/travel.js'
import { ObjectRefGenerator } from '../object-ref-generator.js'

const builtin = new WeakMap<object, boolean>()

/** Whether a prototype is one of the language's own (of whatever realm), not a subclass's. */
export function isBuiltinPrototype(prototype: object | null): boolean {
  if (prototype === null) return false
  // Servers and fake timers put another class in the place of this one (Next.js).
  if (prototype === Date.prototype) return true
  let known = builtin.get(prototype)
  if (known === undefined) {
    const type: unknown = prototype.constructor
    known =
      typeof type === 'function' &&
      type.prototype === prototype &&
      /\{\s*\[native code\]\s*\}$/.test(Function.prototype.toString.call(type))
    builtin.set(prototype, known)
  }
  return known
}

/** Objects of Node's that structured cloning carries although they look like instances of a class. */
export function isHostCloneable(object: object): boolean {
  return (
    object instanceof Blob ||
    types.isKeyObject(object) ||
    types.isCryptoKey(object) ||
    object instanceof WebAssembly.Module ||
    object instanceof BlockList ||
    object instanceof SocketAddress ||
    object instanceof X509Certificate
  )
}

/** Whether a buffer's memory was given away: the language tells it by refusing views over it. */
export function isDetached(buffer: ArrayBufferLike): boolean {
  if (buffer.byteLength > 0) return false
  try {
    return new Uint8Array(buffer).length > 0
  } catch {
    return true
  }
}

const HANDLES =
  /^(Socket|Server|TLSSocket|.*Stream|.*Writable|.*Readable|Duplex|Transform|FileHandle|Worker|MessagePort|ChildProcess|Timeout|Immediate|FSWatcher|Interface|Agent|BroadcastChannel|WebSocket)$/

const MESSAGES = /^(ClientRequest|IncomingMessage|ServerResponse)$/

/** Why a value cannot travel, and what to do instead. */
export function whyNot(value: object): [reason: string, remedy?: string] {
  if (typeof value === 'function')
    return [
      `is a ${/^class\b/.test(Function.prototype.toString.call(value)) ? 'class' : 'function'}`,
      'Pass data, or let the remote function use it from around it.',
    ]
  if (types.isProxy(value)) return ['is a Proxy, which cannot be copied', 'Pass a copy of what it stands for.']
  if (types.isArgumentsObject(value)) return ['is an arguments object', 'Pass [...arguments].']
  if (types.isPromise(value)) return ['is a promise', 'await it first.']
  if (types.isModuleNamespaceObject(value)) return ['is a module', 'Import it in the remote function.']
  if (value instanceof WeakRef) return ['is a WeakRef', 'Pass what it refers to.']
  if (types.isWeakMap(value) || types.isWeakSet(value))
    return [`is a ${value.constructor.name}`, 'Pass a Map or a Set.']
  if (types.isGeneratorObject(value) || /Iterator$/.test(Object.prototype.toString.call(value).slice(0, -1)))
    return [
      'is an iterator',
      "Collect it into an array; what a function is to return value by value wants numReturns: 'streaming'.",
    ]
  if (isOthers(value)) return [...OTHER_COPY]
  if (value instanceof ObjectRefGenerator)
    return ['is an ObjectRefGenerator, which only its maker can read', 'Pass the refs that it gives.']
  const name = className(value)
  if (value instanceof AbortSignal || value instanceof AbortController)
    return [
      `is an ${name}, which lives in this thread only`,
      'Cancel the call with ray.cancel(ref): inside, ray.getRuntimeContext().signal tells of it.',
    ]
  if (MESSAGES.test(name) || value instanceof Request || value instanceof Response)
    return [
      `is ${/^[AEIO]/.test(name) ? 'an' : 'a'} ${name}, which lives in this thread only`,
      'Pass what is needed of it: its body, its headers.',
    ]
  if (HANDLES.test(name))
    return [`is an open ${name}, which lives in this thread only`, 'Open it inside the task or actor.']
  if (name === 'Object') return ['has a prototype of its own, which would be lost', 'Pass plain data.']
  if (isBuiltinPrototype(Object.getPrototypeOf(value)) || isOfNode(value, name))
    return [
      `is ${name ? `${/^[AEIO]/.test(name) ? 'an' : 'a'} ${name}` : 'an object of Node’s'}, which cannot be copied`,
      AGAIN,
    ]
  return [
    `is an instance of ${name || UNNAMED}: its methods would be lost`,
    `Give ${name || 'its class'} a [ray.serialize]() method and a static [ray.deserialize](data), or pass plain data.`,
  ]
}

/** Why a value that crosses to threads does not to processes. */
export function whyNotElsewhere(value: object): [reason: string, remedy: string] {
  return [`is a ${className(value)}, which lives in one process only`, AGAIN]
}

const AGAIN = 'Pass the data in it, and make it again where it is used.'
const UNNAMED = 'an unnamed class'

function className(value: object): string {
  const { name } = value.constructor ?? {}
  return typeof name === 'string' ? name : ''
}

/** Whether its class is a global of Node's, which nobody can give methods. */
function isOfNode(value: object, name: string): boolean {
  return name !== '' && (globalThis as Record<string, unknown>)[name] === value.constructor
}

/** Whether nothing can be inherited from an object, as from what esbuild notes of a class for its decorators: nothing is lost with it. */
export function hasNothing(object: object): boolean {
  return Object.getPrototypeOf(object) === null && Reflect.ownKeys(object).length === 0
}

/** Whether a key of an array is an element's. */
export const isIndex = (key: string): boolean => /^(0|[1-9]\d{0,9})$/.test(key) && Number(key) < 2 ** 32 - 1

/** Whether an array has properties besides its elements, as what RegExp.exec returns has. */
export function hasNamedProperties(array: readonly unknown[]): boolean {
  if (array.length <= 64) return Object.keys(array).some((key) => !isIndex(key))
  // Asking a long array for its keys would make a text of every index; inspection does not.
  const shown = inspect(array, {
    maxArrayLength: 0,
    depth: 0,
    customInspect: false,
    compact: true,
    breakLength: Infinity,
  })
  return !/^\[ \.\.\. \d+ more items? \]$/.test(shown)
}
