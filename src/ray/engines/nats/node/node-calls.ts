import { type Actor, calledActor } from '../../../actor.js'
import { RayTaskError } from '../../../errors.js'
import { encodeError } from '../../../pack/error-codec.js'
import type { Task } from '../../../task.js'
import type { LocalEngine } from '../../local/engine.js'
import type { Channel } from '../channel.js'
import type { NetEvents, NetResult } from '../messages.js'
import { carriedOf, netContent } from '../outgoing.js'
import type { Borrowed } from './borrowed.js'
import type { Delivery } from './delivery.js'
import type { NodeRecorder } from './node-recorder.js'

export interface NodeCall {
  readonly task: Task
  readonly engine: LocalEngine
  /** Of a task from the queue. */
  readonly delivery: Delivery | null
  /** The driver knows that it runs here. */
  told: boolean
}

/** A driver's calls on this node: the end of each is reported once, and acknowledged in the queue when the driver has it. */
export class NodeCalls {
  readonly #calls = new Map<string, NodeCall>()
  /** They go on elsewhere. */
  readonly #left = new WeakSet<Task>()
  #results: NetResult[] = []
  /** Of these: no more is kept of a call, since its values are in what is sent by then. */
  #ended: { delivery: Delivery | null; id: string }[] = []
  #gone = false

  constructor(
    private readonly channel: Channel,
    private readonly borrowed: Borrowed,
    /** What workers did goes with the results. */
    private readonly recorder: NodeRecorder | null,
  ) {}

  get size(): number {
    return this.#calls.size
  }

  /** Those that a worker has. */
  get running(): number {
    let running = 0
    for (const { task } of this.#calls.values()) if (task.state === 'running') running++
    return running
  }

  get(id: string): NodeCall | undefined {
    return this.#calls.get(id)
  }

  add(id: string, call: NodeCall): void {
    this.#calls.set(id, call)
    const { task, delivery } = call
    const { attempt } = task
    task.returns.at(-1)!.whenSettled(() => {
      // It was told otherwise.
      if (this.#left.has(task)) return
      this.#calls.delete(id)
      const { state, error } = task.returns.at(-1)!
      const ok = state === 'ready'
      const contents = task.returns.flatMap(({ content }) => (content ? [netContent(content)] : []))
      const values = ok ? contents : encodeError(error)
      const ran = ok || error instanceof RayTaskError
      const kept = this.borrowed.keep(carriedOf(task).keys())
      // An actor's starts are told for themselves.
      const retries = delivery || calledActor(task) ? Math.max(0, task.attempt - attempt - 1) : 0
      const before = ok ? [] : contents
      this.#results.push([id, ok, values, task.definition.mean, ran ? task.ranOn : '', kept, retries, before])
      this.#ended.push({ delivery, id })
      if (this.#results.length === 1) queueMicrotask(() => this.#flush())
    })
  }

  /** What workers did since it was last told. */
  events(): NetEvents | null {
    return this.recorder?.take() ?? null
  }

  /** The same at once: no result will take it along. */
  tellEvents(): void {
    if (!this.#gone) this.channel.send(['results', [], this.events()])
  }

  #flush(): void {
    const results = this.#results
    const ended = this.#ended
    this.#results = []
    this.#ended = []
    if (this.#gone) return
    const events = this.events()
    const confirmed = () => {
      for (const { delivery, id } of ended) delivery?.done(id)
    }
    try {
      this.channel.send(['results', results, events], confirmed)
    } catch {
      // One of them cannot leave this process: each for itself, that one as an error.
      results.forEach((result, i) => {
        const done = () => ended[i]!.delivery?.done(ended[i]!.id)
        try {
          this.channel.send(['results', [result], null], done)
        } catch (error) {
          this.channel.send(['results', [[result[0], false, encodeError(error), ...result.slice(3, -1)]], null], done)
        }
      })
    }
  }

  /** Tasks that run for longer and that the driver has not been told of. */
  lasting(): string[] {
    const fresh: string[] = []
    for (const [id, call] of this.#calls)
      if (call.delivery && !call.told) {
        call.told = true
        fresh.push(id)
      }
    return fresh
  }

  /** An actor goes on elsewhere, and so do its calls. */
  left(actor: Actor): void {
    for (const [id, { task }] of this.#calls) {
      if (calledActor(task) !== actor) continue
      this.#calls.delete(id)
      this.#left.add(task)
      this.channel.send(['moved', actor.id, id, task.state === 'running'])
    }
  }

  /** Nobody wants their results any more. */
  clear(): void {
    this.#gone = true
    this.#calls.clear()
  }
}
