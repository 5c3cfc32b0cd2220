import { inspect } from 'node:util'
import { COPY, THIS_COPY } from '../core/travel.js'
import { EMPTY, Entry, type ObjectRef } from './object-ref.js'
import { Stream } from './stream.js'

/** Whom a generator's values are asked of. */
export interface YieldedValues {
  /** The next ref of a generator, by the ref of its end; null after the last. */
  nextYielded(end: ObjectRef): Promise<ObjectRef | null>
  /** The calling task does nothing until that is settled: its CPUs are others'. */
  lend<T>(awaited: Promise<T>): Promise<T>
  /** Nobody will ask for a generator's values any more. */
  leave(end: ObjectRef): void
}

/** Nobody can ask for the values any more. (Their end may be waited for still.) */
const left = new FinalizationRegistry<readonly [end: ObjectRef, owner: YieldedValues]>(([end, owner]) =>
  owner.leave(end),
)

/**
 * The refs that a remote generator yields, each as soon as its value is there, while the generator goes on: Ray's
 * ObjectRefGenerator.
 *
 * What the generator throws comes as one more ref, whose `ray.get` throws it; values from before stay. A loop that is left
 * early can be taken up again, by another loop or by `next`; the generator goes on meanwhile (`ray.cancel(generator)` ends it).
 * With a limit it does so until that is reached: there it waits for its reader and keeps its CPUs, but keeps no program from
 * ending. It belongs to whoever made it and cannot be passed on: its refs can.
 *
 * ```ts
 * for await (const ref of frames.remote('film.gif')) show(await ray.get(ref))
 * ```
 * @see https://docs.ray.io/en/latest/ray-core/ray-generator.html
 */
export class ObjectRefGenerator<T = unknown> implements AsyncIterableIterator<ObjectRef<T>> {
  /** The id of the ref of its end. */
  readonly id: string
  readonly #end: ObjectRef<undefined>
  readonly #owner: YieldedValues
  /** Asked for by `ray.wait` and not taken yet: what `next` gives first. */
  #ahead: { readonly there: Entry; readonly result: Promise<IteratorResult<ObjectRef<T>, undefined>> } | null = null

  /** @internal */
  constructor(end: ObjectRef, owner: YieldedValues) {
    this.id = end.id
    this.#end = end as ObjectRef<undefined>
    this.#owner = owner
    left.register(this, [end, owner])
  }

  /** @internal */
  get [COPY](): object {
    return THIS_COPY
  }

  /** Waits for the next value and gives its ref. */
  async next(): Promise<IteratorResult<ObjectRef<T>, undefined>> {
    const ahead = this.#ahead
    this.#ahead = null
    return ahead?.there.state === 'ready' ? ahead.result : this.#owner.lend(ahead?.result ?? this.#take())
  }

  /** @internal Ready when `next` need not wait: for a value, the generator's failure or its end. */
  awaited(): Entry {
    if (!this.#ahead) {
      const there = new Entry(this.id, this.#owner)
      const result = this.#take()
      const then = () => there.succeed(EMPTY)
      result.then(then, then)
      this.#ahead = { there, result }
    }
    return this.#ahead.there
  }

  async #take(): Promise<IteratorResult<ObjectRef<T>, undefined>> {
    const ref = await this.#owner.nextYielded(this.#end)
    return ref ? { done: false, value: ref as ObjectRef<T> } : { done: true, value: undefined }
  }

  /** A ref that is ready when the generator has ended, and fails if it failed. */
  completed(): ObjectRef<undefined> {
    Stream.of(this.#end)?.awaitEnd()
    return this.#end
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** @internal */
  [inspect.custom](): string {
    return this.toString()
  }

  toString(): string {
    return `ObjectRefGenerator(${this.id})`
  }
}

/** What a call's options say of what it returns. */
interface Returning {
  numReturns?: number | 'streaming' | undefined
}

/** Options of a call, where it is a generator's that nobody said more of: its values are streamed. */
export function streaming<O extends Returning>(options: O, isGenerator: boolean): O {
  return isGenerator && options.numReturns === undefined ? { ...options, numReturns: 'streaming' } : options
}

/** What `.remote()` returns. */
export function returned(refs: readonly ObjectRef[], { numReturns = 1 }: Returning, owner: YieldedValues): unknown {
  if (numReturns === 'streaming') return new ObjectRefGenerator(refs[0]!, owner)
  return numReturns === 1 ? refs[0] : refs
}
