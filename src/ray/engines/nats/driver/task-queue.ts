import { Line } from '../../../../core/line.js'
import { calledActor } from '../../../actor.js'
import { KIND } from '../../../protocol.js'
import type { Task } from '../../../task.js'
import { encodeWire } from '../../../wire.js'
import type { NetTask, Queued } from '../messages.js'
import { netTask, taskId } from '../outgoing.js'
import { UPLINK } from '../uplink.js'
import type { DriverSide } from './driver-side.js'
import { infeasible } from './infeasible.js'
import type { SentCall, SentMessage } from './sent-calls.js'

/** Publications under way at once: what waits behind can still be cancelled and goes in larger messages. */
const PUBLISHING = 128

/** A driver's tasks on their way into the queue that all nodes pull from. */
export class TaskQueue {
  /** Tasks that wait to be published, by thousandths of a CPU. */
  readonly #waiting = new Map<number, Line<Task>>()
  /** Sizes that have a consumer, or are getting one. */
  readonly #sizes = new Map<number, Promise<void>>()
  #published = 0
  #publishing = 0
  /** Bytes of these. */
  #publishingBytes = 0
  #flushing = false

  constructor(private readonly driver: DriverSide) {}

  /** Tasks that wait here. */
  get length(): number {
    let length = 0
    for (const line of this.#waiting.values()) length += line.length
    return length
  }

  /** Of the tasks that there were, in thousandths of a CPU. */
  get sizes(): number[] {
    return [...this.#sizes.keys()]
  }

  push(task: Task): void {
    const size = Math.round(task.settings.numCpus * 1000)
    let line = this.#waiting.get(size)
    if (!line) {
      line = new Line()
      this.#waiting.set(size, line)
    }
    line.push(task)
    this.flushSoon()
  }

  /** Publishes what waits, once there is a server. */
  flushSoon(): void {
    if (this.#flushing || !this.driver.bus) return
    this.#flushing = true
    queueMicrotask(() => {
      this.#flushing = false
      this.#flushAll()
    })
  }

  readonly #flushAll = (): void => {
    const { uplink } = this.driver.bus!
    if (uplink.full) return uplink.whenRoom(this.#flushAll)
    for (const [size, line] of this.#waiting) this.#flush(size, line)
  }

  #flush(size: number, line: Line<Task>): void {
    const room = () => this.#publishing < PUBLISHING && this.#publishingBytes < UPLINK
    while (room() && line.first && !this.driver.failure) {
      const batch: NetTask[] = []
      const tasks: Task[] = []
      // Fast calls share a message; one that may not run twice has its own.
      for (let task = line.first; task; task = line.first) {
        const { depth } = task.definition
        const single = depth === 1 || task.settings.maxRetries === 0 || typeof task.settings.numReturns !== 'number'
        if (tasks.length && (single || tasks.length >= depth)) break
        line.shift()
        if (task.state !== 'queued' || this.#infeasible(task)) continue
        const encoded = this.#encode(task)
        if (!encoded) continue
        tasks.push(task)
        batch.push(encoded)
        if (single) break
      }
      if (batch.length) void this.#publish(size, tasks, batch)
    }
  }

  /** No node is large enough. (Without any node it waits for the first.) */
  #infeasible(task: Task): boolean {
    const { numCpus } = task.settings
    const { nodesById, largest } = this.driver
    if (nodesById.size === 0 || numCpus <= largest) return false
    task.fail(infeasible(task.label, numCpus, largest))
    return true
  }

  #encode(task: Task): NetTask | null {
    try {
      return netTask(task, calledActor(task) ? KIND.METHOD : KIND.TASK, (entry) => this.driver.sentObject(entry))
    } catch (error) {
      task.fail(error)
      return null
    }
  }

  async #publish(size: number, tasks: Task[], batch: NetTask[]): Promise<void> {
    const { driver } = this
    const { sent } = driver
    this.#publishing++
    let published = 0
    const publication = ++this.#published
    const begun = tasks[0]!.settings.maxRetries === 0 ? false : null
    const message: SentMessage = { publication, seq: 0, left: tasks.length, cancelled: [], begun }
    const calls = tasks.map((task): SentCall => ({ task, message, copied: 0, shared: 0, node: null, orphan: false }))
    const encode = (tasks: Queued['tasks']) => encodeWire({ driver: driver.id, publication, tasks } satisfies Queued)
    try {
      let bytes = encode(batch)
      weigh(calls, bytes.length)
      for (const { copied, shared } of calls) driver.host.copied(copied, shared)
      const bus = driver.bus!
      if (bytes.length > bus.maxPayload) {
        sent.keepBody(message, bytes)
        bytes = encode(null)
      }
      published = bytes.length
      this.#publishingBytes += published
      calls.forEach((call, i) => {
        call.task.state = 'running'
        call.task.place = call
        sent.set(batch[i]!.id, call)
      })
      this.driver.published()
      await this.#consumer(size)
      const content = (again: boolean) => {
        if (driver.failure || driver.down) return null
        if (message.left > 0) return bytes
        // What has ended is published again only to learn its number; should that be the first to arrive, there is nothing in it.
        return again ? encode(null) : null
      }
      message.seq = (await bus.enqueue(driver.id, size, `${driver.id}.${publication}`, content)) ?? 0
      this.takeBack(message)
    } catch (error) {
      for (const task of tasks) {
        sent.delete(taskId(task))
        task.fail(error)
      }
    } finally {
      this.#publishing--
      this.#publishingBytes -= published
      this.flushSoon()
    }
  }

  /** Takes a message out of the queue whose calls were cancelled, before a node comes that has not heard of it. */
  takeBack({ seq, left, cancelled }: SentMessage): void {
    if (seq && left === 0 && cancelled.length) void this.driver.bus?.dequeue(seq)
  }

  /** Whoever pulls tasks of that size must be there before the first of them. */
  #consumer(size: number): Promise<void> {
    let made = this.#sizes.get(size)
    if (!made) {
      const bus = this.driver.bus!
      const make = async () => {
        await bus.makeConsumer(size, () => this.driver.failure !== null || this.driver.down)
        await this.driver.announce()
      }
      made = make()
      this.#sizes.set(size, made)
      made.catch(() => this.#sizes.delete(size))
    }
    return made
  }

  failAll(error: Error): void {
    for (const line of this.#waiting.values())
      for (let task = line.first; task; task = line.first) {
        line.shift()
        task.fail(error)
      }
  }
}

/** Each call's share of a message's bytes, by the size of its arguments; the shares make up the whole. */
function weigh(calls: SentCall[], length: number): void {
  for (const call of calls) call.shared = call.task.args.reduce((sum, { content }) => sum + (content?.shared ?? 0), 0)
  const weight = ({ task, shared }: SentCall) => task.bytesIn - shared + 1
  let bytes = Math.max(0, length - calls.reduce((sum, { shared }) => sum + shared, 0))
  let weights = calls.reduce((sum, call) => sum + weight(call), 0)
  for (const call of calls) {
    call.copied = Math.round((bytes * weight(call)) / weights)
    bytes -= call.copied
    weights -= weight(call)
  }
}
