import { types } from 'node:util'
import { expected, RayitoError } from '../core/errors.js'
import { timerTime } from '../core/timer.js'
import { atUser } from '../core/user-stack.js'
import { ActorDiedError, GetTimeoutError } from './errors.js'
import { actorOf } from './handle.js'
import { entryOf, isRef, type ObjectRef } from './object-ref.js'
import { checkGetNextOptions } from './options.js'
import { remedyFor } from './remedy.js'
import { itsRuntime } from './runtime.js'
import type { ActorHandle } from './types.js'

/** How a pool waits for a result. */
export interface GetNextOptions {
  /** Milliseconds to wait before a GetTimeoutError. @default no limit */
  timeout?: number | undefined
  /** After a timeout, drops the result instead of leaving it for the next getNext. @default false */
  ignoreIfTimedout?: boolean | undefined
}

/** What calls an actor with a value: `(engine, image) => engine.classifyImageObject.remote(image)`. */
export type PoolFunction<A, V, R> = (actor: A, value: V) => ObjectRef<R>

/** A call from `submit` to the fetching of its result. */
interface Submission<A> {
  readonly order: number
  readonly call: (actor: A) => ObjectRef<unknown>
  /** The call's ref, once an actor has it. */
  ref: ObjectRef<unknown> | null
  /** Why no actor could be given it. */
  failure: { error: unknown } | null
  settled: boolean
}

/** Submissions whose results one consumer fetches: whoever calls `submit` and `getNext`, or a `map`. */
interface Line<A> {
  /** Those that nobody has fetched, in order. */
  unfetched: Submission<A>[]
  /** getNextUnordered took from what is unfetched: its order has gaps. */
  unordered: boolean
}

/** Results that may be ready and not fetched before `map` takes no further value, for each actor. */
const AHEAD = 4

/** Whether a call has failed since its actor is dead. */
function diedOf(ref: ObjectRef<unknown>, actor: object): boolean {
  const { state, error } = entryOf(ref)
  return state === 'failed' && error instanceof ActorDiedError && error.actorId === actorOf(actor)?.id
}

function checkFunction(fn: unknown, remedy = ''): void {
  if (typeof fn !== 'function') expected('fn', 'a function of an actor and a value', fn, remedy)
}

function checkMap(fn: unknown, values: unknown): void {
  checkFunction(fn, typeof values === 'function' ? 'It comes first: map(fn, values).' : '')
  const of = Object(values)
  if (!(Symbol.iterator in of || Symbol.asyncIterator in of))
    expected('values', 'something to iterate over', values, remedyFor(values))
}

let made = 0

const noMore = () => new RayitoError('RAY_MISUSE', 'No more results to get', { remedy: 'Ask hasNext() first.' })

/**
 * Ray's ActorPool: keeps a set of actors busy, one call each. One whose call has failed since it is dead gets no further one while there are
 * others (in Ray it does).
 *
 * ```ts
 * const pool = new ray.ActorPool([Engine.remote(), Engine.remote()])
 * for await (const best of pool.map((engine, i) => engine.classify.remote(i), [1, 2, 3])) console.log(best)
 * ```
 * @throws RayitoError INVALID_ARGUMENT for what is no list of actors
 */
export class ActorPool<A extends object = ActorHandle> {
  /** @internal Two pools are never deeply equal. */
  readonly id = ++made
  readonly #idle: A[] = []
  readonly #busy = new Set<A>()
  /** Submissions that no actor has yet. */
  #queue: Submission<A>[] = []
  /** What `submit` was given. */
  readonly #submitted: Line<A> = { unfetched: [], unordered: false }
  readonly #waiting = new Set<() => void>()
  #order = 0

  constructor(actors: Iterable<A>) {
    if (typeof actors !== 'object' || actors === null || !(Symbol.iterator in actors))
      expected('actors', 'a list of actors', actors, remedyFor(actors))
    for (const actor of actors) this.push(actor)
  }

  /**
   * The results of `fn` for each value, in their order, from when the first is asked for until a call fails. Values are taken as actors become
   * free; what was submitted before and not fetched is dropped, as in Ray. Maps may run at once: each gives its own results.
   * @throws RayitoError INVALID_ARGUMENT, at once, for what is no function or nothing to iterate over
   */
  map<V, R>(fn: PoolFunction<A, V, R>, values: Iterable<V> | AsyncIterable<V>): AsyncGenerator<R, void, undefined> {
    checkMap(fn, values)
    return this.#mapped(fn, values, (line) => this.#next(line, {}) as Promise<R>)
  }

  /** The same in the order in which the results become ready. */
  mapUnordered<V, R>(
    fn: PoolFunction<A, V, R>,
    values: Iterable<V> | AsyncIterable<V>,
  ): AsyncGenerator<R, void, undefined> {
    checkMap(fn, values)
    return this.#mapped(fn, values, (line) => this.#nextUnordered(line, {}) as Promise<R>)
  }

  async *#mapped<V, R>(
    fn: PoolFunction<A, V, R>,
    values: Iterable<V> | AsyncIterable<V>,
    next: (line: Line<A>) => Promise<R>,
  ): AsyncGenerator<R, void, undefined> {
    this.#drop(this.#submitted)
    const line: Line<A> = { unfetched: [], unordered: false }
    const limit = AHEAD * Math.max(1, this.#idle.length + this.#busy.size)
    try {
      for await (const value of values) {
        this.#submit(line, fn, value)
        // A result is only waited for when enough is under way.
        while (line.unfetched.length >= limit) yield await next(line)
      }
      while (line.unfetched.length > 0) yield await next(line)
    } finally {
      this.#drop(line)
    }
  }

  /** Drops what nobody has fetched. (What somebody waits for in order is no longer among it.) */
  #drop(line: Line<A>): void {
    const dropped = new Set(line.unfetched)
    this.#queue = this.#queue.filter((submission) => !dropped.has(submission))
    line.unfetched = []
    line.unordered = false
    for (const ask of this.#waiting) ask()
  }

  /** Calls a free actor, or the next that becomes free. Fetch the result with getNext or getNextUnordered. */
  submit<V>(fn: PoolFunction<A, V, unknown>, value: V): void {
    const submission = this.#submit(this.#submitted, fn, value)
    if (!submission.failure) return
    // Nobody else has seen it: the error is the submitter's.
    this.#take(this.#submitted, submission)
    throw submission.failure.error
  }

  #submit<V>(line: Line<A>, fn: PoolFunction<A, V, unknown>, value: V): Submission<A> {
    checkFunction(fn)
    const submission: Submission<A> = {
      order: this.#order++,
      call: (actor) => fn(actor, value),
      ref: null,
      failure: null,
      settled: false,
    }
    line.unfetched.push(submission)
    this.#queue.push(submission)
    this.#start()
    return submission
  }

  /** Hands what waits to free actors. */
  #start(): void {
    while (this.#queue.length && this.#idle.length) {
      const submission = this.#queue.shift()!
      const actor = this.#idle.shift()!
      try {
        const ref = submission.call(actor)
        if (!isRef(ref)) expected('fn(actor, value)', 'an ObjectRef', ref, remedyFor(ref))
        submission.ref = ref
        const settled = () => this.#settled(submission, actor)
        itsRuntime().wait([ref], {}).then(settled, settled)
        this.#busy.add(actor)
      } catch (error) {
        this.#idle.unshift(actor)
        submission.failure = { error }
        submission.settled = true
        for (const ask of this.#waiting) ask()
      }
    }
  }

  #settled(submission: Submission<A>, actor: A): void {
    submission.settled = true
    this.#busy.delete(actor)
    // A dead one would take what waits, and fail it, sooner than the others can.
    const last = this.#idle.length + this.#busy.size === 0
    if (last || !diedOf(submission.ref!, actor)) this.#idle.push(actor)
    this.#start()
    for (const ask of this.#waiting) ask()
  }

  /** Whether a result is left to be fetched. */
  hasNext(): boolean {
    return this.#submitted.unfetched.length > 0
  }

  /**
   * The next result, in the order of submission. Rejects with what the call threw; GetTimeoutError; RayitoError RAY_MISUSE
   * when there is none, or after getNextUnordered.
   */
  async getNext<R = unknown>(options: GetNextOptions = {}): Promise<R> {
    try {
      return (await this.#next(this.#submitted, options)) as R
    } catch (error) {
      throw atUser(error)
    }
  }

  /** Whichever result is ready first. Rejects as getNext does. */
  async getNextUnordered<R = unknown>(options: GetNextOptions = {}): Promise<R> {
    try {
      return (await this.#nextUnordered(this.#submitted, options)) as R
    } catch (error) {
      throw atUser(error)
    }
  }

  async #next(line: Line<A>, options: GetNextOptions): Promise<unknown> {
    this.#checkNext(options, line.unfetched.slice(0, 1))
    if (line.unordered)
      throw new RayitoError('RAY_MISUSE', 'getNext was called after getNextUnordered, while results are left', {
        remedy: 'Fetch the rest with getNextUnordered.',
      })
    const submission = line.unfetched.shift()!
    if (await this.#until(() => submission.settled, options.timeout)) return this.#value(submission)
    if (!options.ignoreIfTimedout) this.#putBack(line, submission)
    throw new GetTimeoutError(options.timeout!, 1, 1)
  }

  async #nextUnordered(line: Line<A>, options: GetNextOptions): Promise<unknown> {
    this.#checkNext(options, line.unfetched)
    line.unordered = true
    let submission: Submission<A> | undefined
    const found = await this.#until(() => {
      submission = line.unfetched.find(({ settled }) => settled)
      if (submission) this.#take(line, submission)
      // Another may have fetched the last.
      return submission !== undefined || line.unfetched.length === 0
    }, options.timeout)
    if (submission) return this.#value(submission)
    if (found) throw noMore()
    const left = line.unfetched.length
    if (options.ignoreIfTimedout && left) this.#take(line, line.unfetched[0]!)
    throw new GetTimeoutError(options.timeout!, left, left)
  }

  /** @param wanted the first of them that is there is taken */
  #checkNext(options: GetNextOptions, wanted: readonly Submission<A>[]): void {
    checkGetNextOptions(options)
    if (wanted.length === 0) throw noMore()
    if (this.#idle.length + this.#busy.size === 0 && !wanted.some(({ settled }) => settled))
      throw new RayitoError('RAY_MISUSE', 'The pool has no actors', { remedy: 'Give it one with push(actor).' })
  }

  async #value({ ref, failure }: Submission<A>): Promise<unknown> {
    if (failure) throw failure.error
    return (await itsRuntime().get([ref!], {}))[0]
  }

  #take(line: Line<A>, submission: Submission<A>): void {
    line.unfetched.splice(line.unfetched.indexOf(submission), 1)
    if (line.unfetched.length === 0) line.unordered = false
  }

  #putBack({ unfetched }: Line<A>, submission: Submission<A>): void {
    const at = unfetched.findIndex(({ order }) => order > submission.order)
    unfetched.splice(at < 0 ? unfetched.length : at, 0, submission)
  }

  /** Waits until `ready` says so, asking whenever a call has settled; false after the timeout. */
  #until(ready: () => boolean, timeout: number | undefined): Promise<boolean> {
    return new Promise((resolve) => {
      if (ready()) return resolve(true)
      let timer: NodeJS.Timeout | undefined
      const ask = () => {
        if (!ready()) return
        clearTimeout(timer)
        this.#waiting.delete(ask)
        resolve(true)
      }
      this.#waiting.add(ask)
      if (timeout === undefined) return
      timer = setTimeout(() => {
        this.#waiting.delete(ask)
        resolve(false)
      }, timerTime(timeout))
    })
  }

  /** Whether an actor is free and nothing waits for one. */
  hasFree(): boolean {
    return this.#idle.length > 0 && this.#queue.length === 0
  }

  /** Takes a free actor out of the pool; undefined if none is. */
  popIdle(): A | undefined {
    return this.hasFree() ? this.#idle.shift() : undefined
  }

  /** Adds an actor. @throws RayitoError INVALID_ARGUMENT for what is none, RAY_MISUSE for one that is in the pool */
  push(actor: A): void {
    // What has a handle in it may be taken: the functions know what to do with it.
    if (typeof actor !== 'object' || actor === null || isRef(actor) || types.isPromise(actor))
      expected('actor', 'an actor handle', actor, remedyFor(actor))
    if (this.#busy.has(actor) || this.#idle.includes(actor))
      throw new RayitoError('RAY_MISUSE', 'The actor is in the pool already', { remedy: 'Push other actors only.' })
    this.#idle.push(actor)
    this.#start()
  }
}
