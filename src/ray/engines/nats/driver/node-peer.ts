import { now } from '../../../../core/clock.js'
import type { WorkerPlace } from '../../../engine.js'
import type { ToWorker } from '../../../protocol.js'
import { Stream } from '../../../stream.js'
import type { Task } from '../../../task.js'
import type { Recorder } from '../../../timeline/recorder.js'
import type { Channel } from '../channel.js'
import type { NodeLease } from '../lease.js'
import type { ToNode } from '../messages.js'
import { NodeClock } from './node-clock.js'

/** A driver's calls that have not ended. */
interface CallsUnderWay {
  /** Refs and handles in their arguments. */
  readonly carrying: ReadonlyMap<string, { readonly thing: object }>
  task(id: string): Task | undefined
}

/** A node as a driver sees it. */
export class NodePeer {
  /** Refs and handles that its workers hold, and how often that was agreed. */
  readonly held = new Map<string, { readonly thing: object; count: number }>()
  readonly #workers = new Map<number, RemoteWorker>()
  /** Actors sent to it since it last said how many CPUs are free. */
  placed = 0
  readonly clock = new NodeClock()
  /** Its workers' numbers, and those that the timeline gave them. */
  readonly rows = new Map<number, number>()
  /** Actors of this driver that are there. */
  actors = 0
  /** When it last said that it lives. */
  #heard = now()

  constructor(
    readonly id: string,
    private current: NodeLease,
    readonly channel: Channel,
    private readonly calls: CallsUnderWay,
  ) {}

  get lease(): NodeLease {
    return this.current
  }

  /** What became of it, in words: who said that it takes no more work is not missed. */
  get fate(): string {
    return this.current.draining ? 'left' : 'was lost'
  }

  /** It lives, and says how it is. */
  renew(lease: NodeLease): void {
    this.current = lease
    this.placed = 0
    this.#heard = now()
  }

  /** What is held there, or is in the arguments of a call that is under way. */
  thing(id: string): { readonly thing: object } | undefined {
    return this.held.get(id) ?? this.calls.carrying.get(id)
  }

  task(id: string): Task | undefined {
    return this.calls.task(id)
  }

  send(message: ToNode): void {
    this.channel.send(message)
  }

  /** Asks what its clock shows. */
  askClock(): void {
    this.send(['clock', now()])
  }

  /** It is lost: its workers have ended, and nobody knows what they did since it was heard of. */
  end(recorder: Recorder | null): void {
    if (recorder) for (const row of this.rows.values()) recorder.ended(row, this.#heard)
    for (const { thing } of this.held.values()) Stream.left(thing, this)
  }

  hold(id: string, thing: object): void {
    const held = this.held.get(id)
    if (held) held.count++
    else this.held.set(id, { thing, count: 1 })
  }

  /** The node lets go what had been agreed `count` times. */
  letGo(id: string, count: number): void {
    const held = this.held.get(id)
    if (!held) return
    held.count -= count
    if (held.count > 0) return
    this.held.delete(id)
    Stream.left(held.thing, this)
  }

  worker(number: number): RemoteWorker {
    let worker = this.#workers.get(number)
    if (!worker) {
      worker = new RemoteWorker(this, number)
      this.#workers.set(number, worker)
    }
    return worker
  }

  workerEnded(number: number): void {
    this.#workers.delete(number)
  }
}

/** A worker of a node: what it is to hold goes along with the answer to its request. */
export class RemoteWorker implements WorkerPlace {
  #fresh: string[] = []

  constructor(
    readonly node: NodePeer,
    readonly number: number,
  ) {}

  get held(): WorkerPlace['held'] {
    return { get: (id) => this.node.thing(id) }
  }

  get holder(): NodePeer {
    return this.node
  }

  post(message: ToWorker): void {
    this.node.send(['answer', this.number, message, this.#fresh])
    this.#fresh = []
  }

  holdOne(id: string, thing: object): void {
    this.node.hold(id, thing)
    this.#fresh.push(id)
  }

  adopt(parent: string, task: Task): void {
    const begun = this.node.task(parent)
    // What runs there and is not known here was cancelled.
    if (begun) begun.adopt(task)
    else task.cancel(false, true)
  }
}
