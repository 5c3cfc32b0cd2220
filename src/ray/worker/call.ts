import { carriedBy, portableCode } from '../code/index.js'
import type { RemoteDefinition } from '../definition.js'
import type { RequestArgument, RequestCode } from '../driver/answers.js'
import { carriedId } from '../handle.js'
import { type Content, isRef, type ObjectRef } from '../object-ref.js'
import { pack } from '../pack.js'
import type { WireContent } from '../protocol.js'
import type { MethodOptions, TaskOptions } from '../types.js'

type ToWire = (content: Content) => WireContent

function requestCode({ id, name, generators, code }: RemoteDefinition): RequestCode {
  return [id, name, portableCode(code!), carriedBy(code!).map(carriedId), generators]
}

/** A method needs no code: its actor has it. */
const NO_CODE: RequestCode = ['', '', { kind: 'module', module: '', name: '' }, [], []]

/**
 * What a call in a worker sends to the driver, of the values as they are now, however long it waits for its turn. Until then it holds
 * the refs and handles among them: the driver is not to hear that they are gone before it hears of the call.
 * @param definition of a function or class; null of a method
 * @returns what makes it when its turn comes: at once if arguments and code are ready
 */
export function prepareCall<T>(
  definition: RemoteDefinition | null,
  args: readonly unknown[],
  wire: ToWire,
  make: (args: RequestArgument[], code: RequestCode) => T,
): () => T | Promise<T> {
  const packed = args.map((arg, i) => (isRef(arg) ? arg : pack(arg, `args[${i}]`)))
  const request = (ready: readonly (ObjectRef | Content)[]) =>
    make(
      ready.map((one) => (isRef(one) ? one.id : wire(one))),
      definition ? requestCode(definition) : NO_CODE,
    )
  const described = definition && !definition.code ? definition.describe() : null
  if (!described && !packed.some((one) => one instanceof Promise))
    return () => request(packed as (ObjectRef | Content)[])
  const ready = Promise.all(packed)
  // Its turn may come after they have failed.
  ready.catch(() => {})
  described?.catch(() => {})
  return async () => {
    const all = await ready
    await described
    return request(all)
  }
}

/** Classes do not travel with options: which exceptions to retry is known by name. */
export function plain<T extends TaskOptions | MethodOptions>(options: T): T {
  const { retryExceptions } = options
  return Array.isArray(retryExceptions)
    ? { ...options, retryExceptions: retryExceptions.map(({ name }) => ({ name })) }
    : options
}
