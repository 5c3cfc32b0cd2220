import { type Actor, calledActor } from '../../../actor.js'
import type { EngineHost } from '../../../engine.js'
import { NotSerializableError, TaskTimeoutError, WorkerCrashedError } from '../../../errors.js'
import { type Content, isRef } from '../../../object-ref.js'
import { decodeError } from '../../../pack/error-codec.js'
import { WorkerCounts } from '../../../tally.js'
import type { Task } from '../../../task.js'
import type { NetContent, NetResult } from '../messages.js'
import { carriedOf } from '../outgoing.js'
import type { NodePeer } from './node-peer.js'
import type { SentCalls } from './sent-calls.js'

/** Nobody saw how its worker ended. */
const LOST = 'See why that node ended, and give the task more maxRetries if it may run twice.'

export interface CallEndsEvents {
  /** A node that lives. */
  node(id: string): NodePeer | undefined
  /** The task goes into the queue again. */
  submit(task: Task): void
  /** Whether an actor is another driver's. */
  foreign(actor: Actor): boolean
  /** An actor's call has its answer. */
  settled(task: Task): void
  /** A task's node will tell later what it did. */
  unheard(task: Task): void
}

/** How a driver's calls end: with a result, or where they ran, and whether they may try again. */
export class CallEnds {
  /** Calls by worker. */
  readonly finished = new WorkerCounts()

  constructor(
    private readonly sent: SentCalls,
    private readonly host: EngineHost,
    private readonly events: CallEndsEvents,
  ) {}

  result(node: NodePeer, [id, ok, values, milliseconds, worker, borrowed, retries, before = []]: NetResult): void {
    const sent = this.sent.get(id)
    if (!sent) {
      // Cancelled meanwhile, or told before: its refs go again.
      for (const [, , ids] of ok ? (values as readonly NetContent[]) : before) this.host.carried(node.worker(0), ids)
      return
    }
    const { task } = sent
    if (borrowed.length) {
      const carried = carriedOf(task)
      for (const one of borrowed) if (carried.has(one)) node.hold(one, carried.get(one)!)
    }
    this.sent.delete(id)
    if (task.state === 'done') return
    task.tally.retried += retries
    if (worker) this.finished.add(worker)
    if (ok) {
      task.definition.measured(milliseconds)
      const contents = (values as readonly NetContent[]).map((value) => this.#content(node, value))
      if (this.#reachable(task, contents)) task.succeed(contents)
      else
        task.fail(
          new NotSerializableError(
            `The result of ${task.label}`,
            "has refs or handles inside, and the actor is another driver's",
            'Return their values.',
          ),
        )
    } else {
      const error = decodeError(values)
      if (error instanceof TaskTimeoutError) this.events.unheard(task)
      const contents = before.map((value) => this.#content(node, value))
      task.fail(error, this.#reachable(task, contents) ? contents : [])
    }
    if (calledActor(task)) this.events.settled(task)
  }

  /** What lies with another driver cannot be got from here; of its handles, only those that are known here by name. */
  #reachable(task: Task, contents: readonly Content[]): boolean {
    const actor = calledActor(task)
    if (!actor || !this.events.foreign(actor)) return true
    // What is not known stands there as a ref that is lost.
    return !contents.some(({ carried }) => carried.some(isRef))
  }

  #content(node: NodePeer, [data, special, ids, fresh]: NetContent): Content {
    if (fresh) this.host.copied(0, 0, fresh)
    const content = { data, special, copied: 0, shared: 0, fresh }
    return { ...content, carried: ids.length ? this.host.carried(node.worker(0), ids) : [] }
  }

  /** A task does not run where it was delivered. If a node that was taken for lost has it still, it goes on there. */
  returned(id: string, publication: number, lost: boolean): void {
    const sent = this.sent.get(id)
    // It ended, or was published again since.
    if (sent?.message?.publication !== publication) return
    // One that was given up and came back has nothing of what it had.
    if (lost && sent.node && this.events.node(sent.node.id) === sent.node) {
      sent.orphan = true
      return
    }
    this.sent.delete(id)
    // What no node was allowed to begin has not been tried.
    if (lost && sent.message.begun !== false) return this.#tryAgain(sent.task, 'A node that was lost')
    // Whoever gets it next is sent it again.
    this.host.copied(-sent.copied, -sent.shared)
    sent.task.state = 'queued'
    this.events.submit(sent.task)
  }

  /** A node is lost, and tasks that no queue has were there. */
  lost(node: NodePeer): void {
    for (const task of this.sent.takeOrphansOf(node))
      this.#tryAgain(task, `Node ${node.lease.name}, which ${node.fate},`)
  }

  #tryAgain(task: Task, where: string): void {
    task.attempt++
    if (task.retry()) this.events.submit(task)
    else task.fail(new WorkerCrashedError(task.label, where, {}, { remedy: LOST }))
  }
}
