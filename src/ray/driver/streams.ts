import { RayitoError } from '../../core/errors.js'
import type { Engine } from '../engine.js'
import { type Content, Entry } from '../object-ref.js'
import { Stream, type StreamTarget } from '../stream.js'
import { Task } from '../task.js'
import type { MethodOptions, TaskOptions } from '../types.js'
import type { ObjectStore } from './object-store.js'

type Options = Pick<TaskOptions & MethodOptions, 'numReturns' | 'generatorBackpressureNumObjects'>

/** What streams need of their session. */
interface Session {
  readonly objects: ObjectStore
  readonly sharesMemory: boolean
  readonly engine: Pick<Engine, 'pause'>
  nextId(): string
}

/** The generators of a session that run, by the ids of their ends. */
export class Streams {
  readonly #open = new Map<string, { stream: Stream; end: Entry }>()

  constructor(private readonly session: Session) {}

  /**
   * Where the call is a generator's, its values are taken from now on.
   * @param end the object of what `.remote()` is to return
   * @param reader who holds on for the worker that calls; null: the driver calls
   */
  open({ numReturns, generatorBackpressureNumObjects: limit }: Options, end: Entry, reader: object | null): void {
    if (numReturns !== 'streaming') {
      if (limit === undefined) return
      throw new RayitoError('RAY_MISUSE', 'generatorBackpressureNumObjects is for generators', {
        remedy: "Make the function a generator (function*), or say numReturns: 'streaming'.",
      })
    }
    const pause = () => this.session.engine.pause(end.producer as Task)
    this.#open.set(end.id, { stream: Stream.open(end, limit ?? Infinity, reader, pause), end })
    end.whenSettled(() => this.#open.delete(end.id))
  }

  /** A value that a generator yielded. Says whether it is to go on: not if it was cancelled. */
  add(id: string, index: number, content: Content): boolean | Promise<boolean> {
    const { stream, end } = this.#open.get(id) ?? {}
    if (!stream || !end) return false
    return stream.add(index, () => {
      const { objects, sharesMemory } = this.session
      objects.moved.copied += content.copied
      objects.moved.shared += content.shared
      if (content.fresh > 0) objects.allocated(content.fresh)
      if (end.producer instanceof Task) {
        end.producer.tally.bytesOut += content.copied + content.shared
        end.producer.bytesYielded += content.copied + content.shared
      }
      const entry = new Entry(this.session.nextId(), this.session)
      objects.keep(entry, content, sharesMemory)
      return entry
    })
  }
}

/** How many values a call returns, or where they go. With a limit none is computed ahead of it. */
export function wireReturns(
  [end]: readonly Entry[],
  { numReturns = 1, generatorBackpressureNumObjects: limit }: Options,
): number | StreamTarget {
  return numReturns === 'streaming' ? [end!.id, limit === undefined ? 1 : 0] : numReturns
}
