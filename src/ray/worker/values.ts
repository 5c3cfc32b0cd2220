import { RayitoError } from '../../core/errors.js'

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}

/** The first `count` of what an asynchronous generator gives, as an array; anything else as it is. */
export function gathered(value: unknown, count: number): unknown {
  if (value instanceof Promise) return value.then((settled) => gathered(settled, count))
  if (typeof value !== 'object' || value === null || !(Symbol.asyncIterator in value)) return value
  return gather(value as AsyncIterable<unknown>, count)
}

/** One more is asked for, so that what follows the last is run. */
async function gather(iterable: AsyncIterable<unknown>, count: number): Promise<unknown[]> {
  const values: unknown[] = []
  for await (const value of iterable) {
    if (values.length === count) break
    values.push(value)
  }
  return values
}

/** The values of a call with numReturns; of a generator the first. @throws RayitoError RAY_MISUSE if they are not as many */
export function several(value: unknown, numReturns: number, task: string): unknown[] {
  const values = valuesOf(value, numReturns)
  if (values?.length === numReturns) return values
  throw new RayitoError(
    'RAY_MISUSE',
    `Expected ${task} to return ${numReturns} values (numReturns), got ${values ? values.length : typeof value}`,
  )
}

/** What knows how many it holds is taken whole; a generator may have no end. */
function valuesOf(value: unknown, count: number): unknown[] | null {
  if (typeof value !== 'object' || value === null || !(Symbol.iterator in value)) return null
  const iterable = value as Iterable<unknown>
  if ('length' in value || 'size' in value) return [...iterable]
  const values: unknown[] = []
  for (const one of iterable) {
    if (values.length === count) break
    values.push(one)
  }
  return values
}

/** The names of an object's methods, its classes' included. */
export function methodsOf(instance: object | null): string[] {
  const names = new Set<string>()
  for (let at = instance; at && at !== Object.prototype; at = Object.getPrototypeOf(at))
    for (const name of Object.getOwnPropertyNames(at))
      if (name !== 'constructor' && typeof (instance as Record<string, unknown>)[name] === 'function') names.add(name)
  return [...names]
}
