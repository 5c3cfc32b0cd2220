import { copiedFor } from './copies.js'
import type { RemoteDefinition } from './definition.js'
import { RayError, RayTaskError } from './errors.js'
import { type Content, EMPTY, Entry, entryOf, isRef, ObjectRef, type Producer } from './object-ref.js'
import { isOfClass } from './pack/errors.js'
import { pack } from './pack.js'
import type { StreamTarget } from './stream.js'
import type { Tally } from './tally.js'
import type { ErrorClass } from './types.js'

/** A call's argument: a value packed, or an object that it waits for. */
export type Argument = { content: Content; ref: null } | { content: null; ref: ObjectRef }

/** An argument that came packed, from a worker. */
export class Prepared {
  constructor(readonly content: Content) {}
}

export interface TaskSettings {
  label: string
  /** Of an actor's call (actor.ts); null: a function's, or a constructor's. */
  method: string | null
  numCpus: number
  maxRetries: number
  /** Classes, or from a worker their names. */
  retryExceptions: boolean | readonly (ErrorClass | { name: string })[]
  timeout: number | undefined
  numReturns: number | StreamTarget
}

export type TaskState = 'preparing' | 'queued' | 'running' | 'done'

/** One call of a remote function, an actor's constructor or an actor's method, from `.remote()` to its result. */
export class Task implements Producer {
  state: TaskState = 'preparing'
  attempt = 0
  /** Whoever runs it now; the engine's business. */
  place: unknown = null
  /** The worker that ran it last. */
  ranOn = ''
  /** When it was asked for, in ticks (timeline/turn-clock.ts), where anybody wants to know. */
  submitted = 0
  /** Of the arguments that were sent for it. */
  bytesIn = 0
  /** Of the values that its try has yielded, until that is told. */
  bytesYielded = 0
  readonly args: Argument[] = []
  readonly returns: Entry[]
  #outstanding = 1
  #ready: (() => void) | null = null
  /** Those that its code began and that have not ended. */
  #children: Set<Task> | null = null
  /** It was cancelled, and so is what it has begun by the time it hears of it. */
  #cutOff = false

  constructor(
    readonly definition: RemoteDefinition,
    readonly settings: TaskSettings,
    returns: Entry[],
    readonly tally: Tally,
    private readonly cancelled: (task: Task, force: boolean, recursive: boolean) => void,
    /** Settles what it returns. */
    private readonly keep: (entry: Entry, content: Content) => void = (entry, content) => entry.succeed(content),
  ) {
    this.returns = returns
    for (const entry of returns) entry.producer = this
    tally.submitted++
  }

  get label(): string {
    return this.settings.label
  }

  /**
   * Packs the arguments (throwing at once for what cannot cross) and calls `ready` when they, the code and the objects
   * they name are there, or one of these has failed, and the task with it: before it returns, if that is so already.
   */
  prepare(values: readonly unknown[], ready: () => void): void {
    const later: { index: number; promise: Promise<Content> }[] = []
    for (let index = 0; index < values.length; index++) {
      const value = values[index]
      if (isRef(value)) {
        this.args.push({ content: null, ref: value })
        continue
      }
      const packed = value instanceof Prepared ? value.content : pack(value, `args[${index}]`)
      if (packed instanceof Promise) {
        later.push({ index, promise: packed })
        this.args.push({ content: EMPTY, ref: null })
        continue
      }
      this.args.push({ content: packed, ref: null })
      copiedFor(this.label, value, packed)
    }
    this.#ready = ready
    if (!this.definition.code) this.#wait(this.definition.describe(), () => {})
    for (const { index, promise } of later)
      this.#wait(promise, (content) => {
        this.args[index] = { content, ref: null }
      })
    for (const { content, ref } of this.args) {
      for (const thing of content?.carried ?? []) if (isRef(thing)) entryOf(thing).asked = true
      if (!ref) continue
      const entry = entryOf(ref)
      entry.asked = true
      if (entry.state === 'ready') continue
      this.#outstanding++
      entry.whenSettled(() => {
        if (entry.state === 'failed') this.#fails(entry.error)
        else this.#one()
      })
    }
    this.#one()
  }

  #wait<T>(promise: Promise<T>, then: (value: T) => void): void {
    this.#outstanding++
    promise.then(
      (value) => {
        then(value)
        this.#one()
      },
      (error) => this.#fails(error),
    )
  }

  /** Something that it needs will not come: what stands in line behind it need not wait for the rest. */
  #fails(error: unknown): void {
    this.fail(error)
    this.#tell()
  }

  #one(): void {
    if (--this.#outstanding > 0) return
    if (this.state === 'preparing') this.state = 'queued'
    this.#tell()
  }

  #tell(): void {
    const ready = this.#ready
    this.#ready = null
    ready?.()
  }

  /** It runs no more, and stays all the same, as an actor's constructor does: its arguments are nobody's. */
  letGo(): void {
    this.args.length = 0
  }

  /** The object among its arguments that was freed while it waited. */
  get lost(): Entry | null {
    for (const { ref } of this.args) if (ref && entryOf(ref).state !== 'ready') return entryOf(ref)
    return null
  }

  /** Whether its arguments are all there still: it fails if not. */
  whole(): boolean {
    const { lost } = this
    if (lost) this.fail(lost.error)
    return lost === null
  }

  /** One content for each value returned. */
  succeed(contents: readonly Content[]): void {
    if (this.state === 'done') return
    this.state = 'done'
    this.place = null
    this.tally.finished++
    this.tally.bytesIn += this.bytesIn
    for (let i = 0; i < this.returns.length; i++) this.#give(this.returns[i]!, contents[i] ?? EMPTY)
  }

  #give(entry: Entry, content: Content): void {
    this.tally.bytesOut += content.copied + content.shared
    this.keep(entry, content)
  }

  /**
   * Ends it with an error of the model, or one that its code threw (`thrown`), which is wrapped.
   * @param before of a generator: the values that came before that, which stay
   */
  fail(error: unknown, before: readonly Content[] = []): void {
    if (this.state === 'done') return
    this.state = 'done'
    this.place = null
    this.tally.failed++
    this.tally.bytesIn += this.bytesIn
    for (const [i, entry] of this.returns.entries())
      if (i < before.length) this.#give(entry, before[i]!)
      else entry.fail(error)
  }

  /** The error its code threw, as `get` throws it. */
  thrown(cause: unknown, worker: string): Error {
    // An error of an argument that was asked for inside is passed on as it is.
    if (cause instanceof RayError && !(cause instanceof RayTaskError)) return cause
    return new RayTaskError({ cause, task: this.label, worker, attempt: this.attempt })
  }

  /** Whether what its code threw is to be tried again; counts the try. */
  retriesException(cause: unknown): boolean {
    const { retryExceptions } = this.settings
    if (!retryExceptions) return false
    if (retryExceptions !== true && !retryExceptions.some((type) => isA(cause, type))) return false
    return this.retry()
  }

  /** Whether one more try is allowed; counts it. */
  retry(): boolean {
    const { maxRetries } = this.settings
    if (maxRetries >= 0 && this.attempt > maxRetries) return false
    this.tally.retried++
    this.state = 'queued'
    this.place = null
    return true
  }

  /** An actor starts again: its constructor, which has ended or was interrupted, is tried once more. */
  again(): void {
    if (this.state === 'done') this.tally.finished--
    this.tally.retried++
    this.state = 'queued'
    this.place = null
  }

  /** It began another, which is cancelled with it. */
  adopt(child: Task): void {
    if (this.#cutOff) return child.cancel(false, true)
    if (this.state === 'done') return
    this.#children ??= new Set()
    const children = this.#children
    children.add(child)
    child.returns[0]!.whenSettled(() => children.delete(child))
  }

  cancel(force: boolean, recursive: boolean): void {
    this.#cutOff ||= recursive
    this.cancelled(this, force, recursive)
    if (recursive)
      for (const child of [...(this.#children ?? [])]) child.cancel(force && child.settings.method === null, true)
  }
}

/** Across threads a class is known by its name when it is not one of the shared built-ins. What was thrown inside another call counts too. */
function isA(error: unknown, type: ErrorClass | { name: string }): boolean {
  if (!(error instanceof Error)) return false
  if ((typeof type === 'function' && error instanceof type) || error.name === type.name) return true
  return isOfClass(error, type.name) || (error instanceof RayTaskError && isA(error.cause, type))
}

/** Entries and refs for a call's results. Of a generator: for its end. */
export function makeReturns(
  numReturns: number | 'streaming' | undefined,
  nextId: () => string,
  owner: object,
): { entries: Entry[]; refs: ObjectRef[] } {
  const count = numReturns === 'streaming' ? 1 : (numReturns ?? 1)
  const entries = Array.from({ length: count }, () => new Entry(nextId(), owner))
  return { entries, refs: entries.map((entry) => new ObjectRef(entry)) }
}
