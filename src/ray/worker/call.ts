import { type Code, carriedBy, portableCode } from '../code/index.js'
import type { RemoteDefinition } from '../definition.js'
import type { RequestArgument, RequestCode } from '../driver/answers.js'
import { carriedId } from '../handle.js'
import { type Content, isRef } from '../object-ref.js'
import { pack } from '../pack.js'
import type { WireContent } from '../protocol.js'
import type { MethodOptions, TaskOptions } from '../types.js'

type ToWire = (content: Content) => WireContent

function requestCode({ id, name, generators }: RemoteDefinition, code: Code): RequestCode {
  return [id, name, portableCode(code), carriedBy(code).map(carriedId), generators]
}

/** A method needs no code: its actor has it. */
const NO_CODE: RequestCode = ['', '', { kind: 'module', module: '', name: '' }, [], []]

function requestArguments(args: readonly unknown[], wire: ToWire): RequestArgument[] | Promise<RequestArgument[]> {
  const packed = args.map((arg, i) => (isRef(arg) ? arg.id : pack(arg, `args[${i}]`)))
  const requestArgument = (one: Content | string) => (typeof one === 'string' ? one : wire(one))
  if (packed.some((one) => one instanceof Promise)) {
    const ready = Promise.all(packed).then((all) => all.map(requestArgument))
    // Its turn may come after it has failed.
    ready.catch(() => {})
    return ready
  }
  return (packed as (Content | string)[]).map(requestArgument)
}

/**
 * What a call in a worker sends to the driver, of the values as they are now, however long it waits for its turn.
 * @param definition of a function or class; null of a method
 * @returns what makes it when its turn comes: at once if arguments and code are ready
 */
export function prepareCall<T>(
  definition: RemoteDefinition | null,
  args: readonly unknown[],
  wire: ToWire,
  make: (args: RequestArgument[], code: RequestCode) => T,
): () => T | Promise<T> {
  const packed = requestArguments(args, wire)
  const code: RequestCode | null = !definition
    ? NO_CODE
    : definition.code
      ? requestCode(definition, definition.code)
      : null
  if (code && !(packed instanceof Promise)) return () => make(packed, code)
  const described = code ? null : definition!.describe()
  described?.catch(() => {})
  return async () => make(await packed, code ?? requestCode(definition!, await described!))
}

/** Classes do not travel with options: which exceptions to retry is known by name. */
export function plain<T extends TaskOptions | MethodOptions>(options: T): T {
  const { retryExceptions } = options
  return Array.isArray(retryExceptions)
    ? { ...options, retryExceptions: retryExceptions.map(({ name }) => ({ name })) }
    : options
}
