import { inspect } from 'node:util'
import { RayitoError } from '../core/errors.js'
import { serialize, type Travel, via } from '../core/travel.js'
import { ObjectLostError } from './errors.js'

/** What stands for an ObjectRef on its way to a worker: data is the object's id. */
export const REF = 'rayito:ref'

export type EntryState = 'pending' | 'ready' | 'failed'

/** What a finished object is made of: see {@link ./pack.ts | pack}. */
export interface Content {
  data: unknown
  special: boolean
  copied: number
  shared: number
  /** How many of the shared bytes were allocated for it. */
  fresh: number
  /** ObjectRefs and actor handles inside, alive as long as this object is. */
  carried: readonly object[]
}

/** What nothing is made of. */
export const EMPTY: Content = { data: undefined, special: false, copied: 0, shared: 0, fresh: 0, carried: [] }

/** Whoever makes an object; what cancel and the conclusion of a failure need to know of it. */
export interface Producer {
  cancel(force: boolean, recursive: boolean): void
}

/**
 * An object of a session: pending, then ready or failed, once. Nothing but the refs to it (and the tasks that need it)
 * holds an entry, so that the memory of an object goes with its last ref.
 */
export class Entry {
  state: EntryState = 'pending'
  content: Content | null = null
  error: unknown
  producer: Producer | null = null
  /** Somebody asked for its value, or passed it on: should it fail, that is seen. */
  asked = false
  #waiters: (() => void)[] | null = null

  constructor(
    readonly id: string,
    /** The session the object belongs to. */
    readonly owner: object,
  ) {}

  succeed(content: Content): void {
    if (this.state !== 'pending') return
    this.state = 'ready'
    this.content = content
    this.#settle()
  }

  fail(error: unknown): void {
    if (this.state !== 'pending') return
    this.state = 'failed'
    this.error = error
    this.#settle()
  }

  /** Lets the value go; whoever asks later gets an ObjectLostError. */
  lose(why: string): void {
    this.content = null
    if (this.state === 'pending') this.fail(new ObjectLostError(this.id, why))
    this.state = 'failed'
    this.error = new ObjectLostError(this.id, why)
  }

  /** Calls `then` when the object is ready or failed: now if it is, otherwise from whoever settles it. */
  whenSettled(then: () => void): void {
    if (this.state !== 'pending') then()
    else if (this.#waiters) this.#waiters.push(then)
    else this.#waiters = [then]
  }

  /** Takes a `whenSettled` back. */
  forget(then: () => void): void {
    const at = this.#waiters?.indexOf(then) ?? -1
    if (at >= 0) this.#waiters!.splice(at, 1)
  }

  #settle(): void {
    this.producer = null
    const waiters = this.#waiters
    this.#waiters = null
    if (waiters) tell(waiters)
  }
}

/** Those that are to be told of objects that were settled. */
const telling: (() => void)[] = []

/** A failure fails what depends on it, and so on: told one after the other, since a chain may be longer than the stack is deep. */
function tell(waiters: readonly (() => void)[]): void {
  const first = telling.length === 0
  for (const then of waiters) telling.push(then)
  if (!first) return
  try {
    for (let i = 0; i < telling.length; i++) telling[i]!()
  } finally {
    telling.length = 0
  }
}

/** The type of the value is only for the compiler. */
declare const value: unique symbol

/**
 * A reference to an object of the session: of `ray.put`, or the result that a task or an actor's method will have.
 * As a top-level argument of `.remote()` it is replaced by its value before the call; inside other values it stays a ref.
 * The object is freed when its last ref is garbage.
 */
export class ObjectRef<T = unknown> {
  /** Only for the compiler: a ref to a text is no ref to a number. */
  declare readonly [value]: T
  /** The object's id, unique in its session. Its own: whoever compares two refs by what they hold tells them apart. */
  readonly id: string
  readonly #entry: Entry

  /** @internal */
  constructor(entry: Entry) {
    this.id = entry.id
    this.#entry = entry
  }

  /** @internal */
  static entry(ref: ObjectRef<unknown>): Entry {
    return ref.#entry
  }

  /** @internal */
  static is(candidate: unknown): candidate is ObjectRef {
    return typeof candidate === 'object' && candidate !== null && #entry in candidate
  }

  /** @internal */
  [serialize](): Travel {
    return via(REF, '', this.id)
  }

  /** @internal To the compiler a function that returns a generator's iterator is a generator. */
  [Symbol.asyncIterator](): never {
    throw new RayitoError('RAY_MISUSE', `${this} stands for one value and gives none by itself`, {
      remedy:
        "Use ray.get; a function that returns an iterator, and is no function* itself, wants numReturns: 'streaming'.",
    })
  }

  /** @internal */
  [inspect.custom](): string {
    return `ObjectRef(${this.id})`
  }

  toString(): string {
    return `ObjectRef(${this.id})`
  }
}

export const entryOf: (ref: ObjectRef<unknown>) => Entry = ObjectRef.entry
export const isRef: (candidate: unknown) => candidate is ObjectRef = ObjectRef.is
