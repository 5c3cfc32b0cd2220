import { inspect } from 'node:util'
import { RayitoError } from '../../core/errors.js'
import { toUser } from '../../core/user-stack.js'

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}

/** A generator threw, or ended too early: the values from before stay. */
export class Interrupted {
  readonly #cause: unknown

  constructor(
    readonly before: readonly unknown[],
    cause: unknown,
  ) {
    this.#cause = cause
  }

  get cause(): unknown {
    return this.#cause
  }

  /** Asked of whatever was thrown, which `instanceof` would look at: it may throw then. */
  static is(thrown: unknown): thrown is Interrupted {
    return typeof thrown === 'object' && thrown !== null && #cause in thrown
  }
}

/**
 * The values of a call with numReturns; of a generator the first.
 * @throws RayitoError RAY_MISUSE if they are not as many; Interrupted of a generator
 */
export function several(value: unknown, count: number, task: string): unknown[] | Promise<unknown[]> {
  if (isThenable(value)) return Promise.resolve(value).then((settled) => several(settled, count, task))
  if (typeof value !== 'object' || value === null) throw wrong(task, count, typeof value)
  if (Symbol.asyncIterator in value) return gather(value as AsyncIterable<unknown>, count, task)
  if (!(Symbol.iterator in value)) throw wrong(task, count, typeof value)
  // What knows how many it holds is taken whole; a generator may have no end.
  if (!('length' in value || 'size' in value)) return gatherNow(value as Iterable<unknown>, count, task)
  const values = [...(value as Iterable<unknown>)]
  if (values.length !== count) throw wrong(task, count, values.length)
  return values
}

async function gather(iterable: AsyncIterable<unknown>, count: number, task: string): Promise<unknown[]> {
  const values = new Values(count, task)
  try {
    for await (const value of iterable) if (!values.takes(value)) break
  } catch (error) {
    return values.interrupted(error)
  }
  return values.ended()
}

function gatherNow(iterable: Iterable<unknown>, count: number, task: string): unknown[] {
  const values = new Values(count, task)
  try {
    for (const value of iterable) if (!values.takes(value)) break
  } catch (error) {
    return values.interrupted(error)
  }
  return values.ended()
}

/** What a generator has given so far. */
class Values {
  readonly #values: unknown[] = []
  constructor(
    private readonly count: number,
    private readonly task: string,
  ) {}

  /** One more is asked for, so that what follows the last is run. */
  takes(value: unknown): boolean {
    if (this.#values.length === this.count) return false
    this.#values.push(value)
    return true
  }

  interrupted(error: unknown): unknown[] {
    if (this.#values.length < this.count) throw new Interrupted(this.#values, error)
    // Nobody waits for more: it is told as what is thrown outside any call.
    process.stderr.write(`${this.task} threw after its last value: ${inspect(toUser(error))}\n`)
    return this.#values
  }

  ended(): unknown[] {
    const { length } = this.#values
    if (length < this.count) throw new Interrupted(this.#values, wrong(this.task, this.count, length))
    return this.#values
  }
}

function wrong(task: string, count: number, got: number | string): RayitoError {
  return new RayitoError('RAY_MISUSE', `Expected ${task} to return ${count} values (numReturns), got ${got}`)
}

/** The names of an object's methods, its classes' included. */
export function methodsOf(instance: object | null): string[] {
  const names = new Set<string>()
  for (let at = instance; at && at !== Object.prototype; at = Object.getPrototypeOf(at))
    for (const name of Object.getOwnPropertyNames(at))
      if (name !== 'constructor' && typeof (instance as Record<string, unknown>)[name] === 'function') names.add(name)
  return [...names]
}
