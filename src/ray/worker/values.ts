import { RayitoError } from '../../core/errors.js'

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}

/** What an asynchronous generator gives, as an array; anything else as it is. */
export function gathered(value: unknown): unknown {
  if (value instanceof Promise) return value.then(gathered)
  if (typeof value !== 'object' || value === null || !(Symbol.asyncIterator in value)) return value
  return gather(value as AsyncIterable<unknown>)
}

async function gather(iterable: AsyncIterable<unknown>): Promise<unknown[]> {
  const values: unknown[] = []
  for await (const value of iterable) values.push(value)
  return values
}

/** The values of a call with numReturns. @throws RayitoError RAY_MISUSE if they are not as many */
export function several(value: unknown, numReturns: number, task: string): unknown[] {
  const values =
    typeof value === 'object' && value !== null && Symbol.iterator in value ? [...(value as Iterable<unknown>)] : null
  if (values?.length === numReturns) return values
  throw new RayitoError(
    'RAY_MISUSE',
    `Expected ${task} to return ${numReturns} values (numReturns), got ${values ? values.length : typeof value}`,
  )
}

/** The names of an object's methods, its classes' included. */
export function methodsOf(instance: object | null): string[] {
  const names = new Set<string>()
  for (let at = instance; at && at !== Object.prototype; at = Object.getPrototypeOf(at))
    for (const name of Object.getOwnPropertyNames(at))
      if (name !== 'constructor' && typeof (instance as Record<string, unknown>)[name] === 'function') names.add(name)
  return [...names]
}
