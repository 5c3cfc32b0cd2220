import { calledActor } from '../../../actor.js'
import type { Task } from '../../../task.js'
import { carriedOf } from '../outgoing.js'
import type { NodePeer } from './node-peer.js'

/** A message of the driver's to the queue. */
export interface SentMessage {
  readonly publication: number
  /** Its number in the queue, once that is known. */
  seq: number
  /** Its calls that have not ended. */
  left: number
  /** Those that were cancelled: they may be in the queue still. */
  readonly cancelled: string[]
  /** Of a task that may run once: whether a node has been allowed to begin. */
  begun: boolean | null
}

/** Where a call is. */
export interface SentCall {
  readonly task: Task
  /** Of a task: what it went with. */
  readonly message: SentMessage | null
  /** Its share of the bytes of that message; 0 for an actor's call, which is not handed back. */
  copied: number
  shared: number
  /** The node that has it for longer, or that the actor is on. */
  node: NodePeer | null
  /** It is in no queue any more: should its node be lost, it is ours to try again. */
  orphan: boolean
}

/** A driver's calls that are under way, by id, and what has to live as long as they are. */
export class SentCalls {
  readonly #calls = new Map<string, SentCall>()
  readonly #carrying = new Map<string, { thing: object; count: number }>()
  /** Messages that were too large for the queue, by publication. */
  readonly #bodies = new Map<number, Buffer>()

  get size(): number {
    return this.#calls.size
  }

  /** Refs and handles in their arguments and code, by id. */
  get carrying(): ReadonlyMap<string, { readonly thing: object }> {
    return this.#carrying
  }

  values(): Iterable<SentCall> {
    return this.#calls.values()
  }

  get(id: string): SentCall | undefined {
    return this.#calls.get(id)
  }

  has(id: string): boolean {
    return this.#calls.has(id)
  }

  set(id: string, call: SentCall): void {
    this.#calls.set(id, call)
    this.carry(call.task)
  }

  /** What a task carries is held, until it is dropped as often. */
  carry(task: Task): void {
    for (const [key, thing] of carriedOf(task)) {
      const known = this.#carrying.get(key)
      if (known) known.count++
      else this.#carrying.set(key, { thing, count: 1 })
    }
  }

  drop(task: Task): void {
    for (const key of carriedOf(task).keys()) {
      const known = this.#carrying.get(key)
      if (known && --known.count <= 0) this.#carrying.delete(key)
    }
  }

  delete(id: string): void {
    const call = this.#calls.get(id)
    if (!call) return
    this.#calls.delete(id)
    const { message } = call
    if (message && --message.left === 0) this.#bodies.delete(message.publication)
    this.drop(call.task)
  }

  /** What nodes will ask for, until the last of its calls has ended. */
  keepBody({ publication }: SentMessage, bytes: Buffer): void {
    this.#bodies.set(publication, bytes)
  }

  body(publication: number): Buffer | null {
    return this.#bodies.get(publication) ?? null
  }

  /** It runs there for longer. */
  runs(id: string, node: NodePeer): void {
    const call = this.#calls.get(id)
    if (call) call.node = node
  }

  /** Whether a task that may run once may begin on that node: once for each time that it was published. */
  begin(id: string, publication: number, node: NodePeer): boolean {
    const call = this.#calls.get(id)
    const message = call?.message
    if (message?.publication !== publication || message.begun) return false
    message.begun = true
    call!.node = node
    return true
  }

  /** Calls that were cancelled and whose messages others still need. */
  cancelled(): string[] {
    const messages = new Set<SentMessage>()
    for (const { message } of this.#calls.values()) if (message?.cancelled.length) messages.add(message)
    return [...messages].flatMap(({ cancelled }) => cancelled)
  }

  /** Takes out the tasks that no queue has and that were on a node which is lost. */
  takeOrphansOf(node: NodePeer): Task[] {
    const orphans = [...this.#calls].filter(([, call]) => call.node === node && call.orphan && !calledActor(call.task))
    for (const [id] of orphans) this.delete(id)
    return orphans.map(([, { task }]) => task)
  }

  failAll(error: Error): void {
    for (const { task } of this.#calls.values()) task.fail(error)
    this.#calls.clear()
  }
}
