import { fileURLToPath } from 'node:url'
import { MessageChannel, type MessagePort, receiveMessageOnPort, type Worker } from 'node:worker_threads'
import workerpool from 'workerpool'
import { Gate } from '../../../core/gate.js'
import { type Code, carriedBy } from '../../code/index.js'
import { carriedId } from '../../handle.js'
import type { ObjectRef } from '../../object-ref.js'
import { type Content, type Entry, entryOf } from '../../object-ref.js'
import {
  SLOT,
  SLOTS,
  slotOf,
  slotState,
  type ToDriver,
  type ToWorker,
  type WireCall,
  type WireObject,
  type WorkerStart,
} from '../../protocol.js'
import type { Task } from '../../task.js'

/** How a worker ended. */
export interface Death {
  exitCode: number | null
  /** The error that ended it, if it threw one too late. */
  error: unknown
  /** Its heap limit in megabytes, if it reached it. */
  heapLimit: number | null
  /** The last lines of its stderr. */
  lastOutput: string[]
}

export interface ThreadWorkerEvents {
  message(worker: ThreadWorker, message: ToDriver): void
  /** All of its work is still in `inflight`. */
  died(worker: ThreadWorker, death: Death): void
  /** An object went to a worker for the first time: its end is to be told. */
  sent(entry: Entry): void
  output(worker: ThreadWorker, stream: 'stdout' | 'stderr', text: string): void
}

const SCRIPT = fileURLToPath(new URL('../../worker/main.js', import.meta.url))
const LAST_LINES = 20

/** The part of workerpool's Pool that its types leave out. */
interface PoolInternals {
  workers: { worker: Worker }[]
}

/**
 * One worker thread: a workerpool pool of one starts it, sees it end and ends it; calls go over a port of their own, many a
 * message. (workerpool itself is never given a second call: one queued behind a dying worker would wait for ever.)
 */
export class ThreadWorker {
  readonly inflight = new Map<number, Task>()
  /** Objects this worker has a copy of. */
  readonly known = new Set<string>()
  /** Functions and classes it has. */
  readonly codes = new Set<string>()
  /** Refs and handles that code in the worker holds, by id: alive as long as it does. */
  readonly held = new Map<string, { thing: object; count: number }>()
  readonly gate = new Gate()
  /** CPUs its running task holds. */
  cpus = 0
  /** Tasks of it that wait in `ray.get` and lent their CPUs. */
  blocked = 0
  /** No more work is sent: it is being ended, or has ended. */
  closing = false
  finished = 0
  /** The label of what ran last: for its output. */
  lastLabel = ''
  readonly #slots: Int32Array
  readonly #port: MessagePort
  readonly #pool: workerpool.Pool
  readonly #thread: Worker
  readonly #exited: Promise<void>
  /** Slots that no call has. */
  readonly #free = Array.from({ length: SLOTS }, (_, slot) => SLOTS - 1 - slot)
  #generation = 0
  #calls: WireCall[] = []
  #objects: WireObject[] = []
  #codes: [string, Code][] = []
  #flushing = false
  #stderr: string[] = []
  #error: unknown = null
  #alive = true

  constructor(
    readonly name: string,
    options: { maxConcurrency: number; actorId: string | null; namespace: string; resourceLimits: object | undefined },
    private readonly events: ThreadWorkerEvents,
  ) {
    const slots = new SharedArrayBuffer(SLOTS * 4)
    this.#slots = new Int32Array(slots)
    this.#pool = workerpool.pool(SCRIPT, {
      minWorkers: 1,
      maxWorkers: 1,
      workerType: 'thread',
      workerTerminateTimeout: 100,
      workerThreadOpts: { resourceLimits: options.resourceLimits, execArgv: execArgv(), name } as object,
    })
    this.#thread = (this.#pool as unknown as PoolInternals).workers[0]!.worker
    const { port1, port2 } = new MessageChannel()
    this.#port = port1
    const start: WorkerStart = {
      name,
      gate: this.gate.shared,
      slots,
      maxConcurrency: options.maxConcurrency,
      actorId: options.actorId,
      namespace: options.namespace,
    }
    // This call never returns: it is rejected when the thread ends, which `exit` tells in more detail.
    this.#pool.exec('serve', [start, port2], { transfer: [port2], on: () => {} }).catch(() => {})
    this.#exited = new Promise((resolve) => {
      this.#thread.on('error', (error) => {
        this.#error = error
      })
      this.#thread.on('exit', (code) => {
        this.#alive = false
        this.#ended(code, options.resourceLimits)
        resolve()
      })
    })
    port1.on('message', (message: ToDriver) => this.#received(message))
    // Idle workers hold no process; busy ones do, through their port.
    this.#thread.unref()
    port1.unref()
  }

  /** Free places for further calls. */
  get room(): number {
    return this.closing ? 0 : this.#free.length
  }

  /** Sends a call with the code and the objects that the worker lacks, together with others of the same turn. Returns bytes moved. */
  send(task: Task, kind: number): { copied: number; shared: number } {
    const call = ++this.#generation * SLOTS + this.#free.pop()!
    const { definition, settings } = task
    let copied = 0
    let shared = 0
    if (kind !== 2 && !this.codes.has(definition.id)) {
      this.codes.add(definition.id)
      this.#codes.push([definition.id, definition.code!])
      this.#holdAll(carriedBy(definition.code!))
    }
    const args = task.args.map(({ content, ref }) => {
      if (!ref) {
        copied += content.copied
        shared += content.shared
        this.hold(content)
        return [content.data, content.special] as const
      }
      const known = this.#object(ref)
      copied += known.copied
      return known.wire
    })
    task.attempt++
    task.state = 'running'
    task.place = { worker: this, call }
    this.lastLabel = task.label
    if (this.inflight.size === 0) this.#hold(true)
    this.inflight.set(call, task)
    Atomics.store(this.#slots, slotOf(call), slotState(call, SLOT.QUEUED))
    this.#calls.push([
      call,
      kind,
      kind === 2 ? settings.method! : definition.id,
      args,
      settings.numReturns,
      task.label,
      task.attempt,
      settings.timeout !== undefined,
    ])
    this.#flushSoon()
    return { copied, shared }
  }

  #object(ref: ObjectRef): { wire: readonly [unknown, boolean] | readonly [string]; copied: number } {
    const entry = entryOf(ref)
    const content = entry.content!
    // A number or a short text is cheaper to send again than to look up.
    if (typeof content.data !== 'object' || content.data === null)
      return { wire: [content.data, false], copied: content.copied }
    if (this.known.has(entry.id)) return { wire: [entry.id], copied: 0 }
    this.known.add(entry.id)
    this.events.sent(entry)
    this.hold(content)
    this.#objects.push([entry.id, content.data, content.special])
    return { wire: [entry.id], copied: content.copied }
  }

  /** The refs inside a value are in the worker's hands now, once more. */
  hold(content: Content): void {
    this.#holdAll(content.carried)
  }

  #holdAll(carried: readonly object[]): void {
    if (carried.length) for (const thing of new Set(carried)) this.holdOne(carriedId(thing), thing)
  }

  holdOne(id: string, thing: object): void {
    const held = this.held.get(id)
    if (held) held.count++
    else this.held.set(id, { thing, count: 1 })
  }

  /** The worker lets a ref go that it had received `count` times. */
  letGo(id: string, count: number): void {
    const held = this.held.get(id)
    if (!held) return
    held.count -= count
    if (held.count <= 0) this.held.delete(id)
  }

  post(message: ToWorker): void {
    if (this.#alive) this.#port.postMessage(message)
  }

  #flushSoon(): void {
    if (this.#flushing) return
    this.#flushing = true
    queueMicrotask(() => {
      this.#flushing = false
      if (this.#calls.length === 0) return
      const message: ToWorker = ['calls', this.#calls, this.#objects, this.#codes]
      const calls = this.#calls
      this.#calls = []
      this.#objects = []
      this.#codes = []
      try {
        this.post(message)
      } catch (error) {
        // What cannot cross is found when it is packed; should something slip through, nobody is to wait for ever.
        for (const [call] of calls) {
          const task = this.inflight.get(call)
          if (!task) continue
          this.#leave(call)
          task.fail(error)
        }
      }
    })
  }

  /** A call's result is here. */
  settled(call: number): Task | undefined {
    const task = this.inflight.get(call)
    if (task) this.#leave(call)
    return task
  }

  /** Takes a call back that has not started; false if it has. */
  take(call: number): boolean {
    const queued = slotState(call, SLOT.QUEUED)
    if (Atomics.compareExchange(this.#slots, slotOf(call), queued, slotState(call, SLOT.TAKEN)) !== queued) return false
    this.#leave(call)
    return true
  }

  #leave(call: number): void {
    this.inflight.delete(call)
    this.#free.push(slotOf(call))
    // One that is being ended holds the process until then.
    if (this.inflight.size === 0 && !this.closing) this.#hold(false)
  }

  /** A busy worker holds the process: its answers are awaited, or its end. */
  #hold(held: boolean): void {
    const hold = held ? 'ref' : 'unref'
    this.#port[hold]()
    this.#thread[hold]()
  }

  /** How far a call is: a SLOT. */
  progress(call: number): number {
    const state = Atomics.load(this.#slots, slotOf(call))
    return state - slotState(call, 0)
  }

  /**
   * Ends the thread: no further message counts, native code is left first, then it is stopped.
   * Calls in flight are the caller's to settle. Resolves when the thread has ended.
   */
  async stop(): Promise<void> {
    this.closing = true
    // Whoever waits for its end holds the process until then.
    if (this.#alive) this.#thread.ref()
    this.gate.close()
    while (this.#alive && !(await this.gate.empty())) {
      // A thread that is stopped inside native code takes the process with it: wait on, the event loop stays free.
    }
    if (this.#alive) await this.#thread.terminate()
    await this.#exited
  }

  #received(message: ToDriver): void {
    if (message[0] === 'output') {
      const [, stream, text] = message
      if (stream === 'stderr') {
        this.#stderr.push(...text.split('\n').filter((line) => line.trim()))
        this.#stderr.splice(0, this.#stderr.length - LAST_LINES)
      }
      this.events.output(this, stream, text)
    } else if (!this.closing || message[0] === 'results') this.events.message(this, message)
  }

  #ended(exitCode: number, resourceLimits: { maxOldGenerationSizeMb?: number } | undefined): void {
    const expected = this.closing
    // What it sent before its end counts: results, and its last words.
    for (let last = receiveMessageOnPort(this.#port); last; last = receiveMessageOnPort(this.#port))
      this.#received(last.message)
    this.closing = true
    this.#port.close()
    this.gate.release()
    void this.#pool.terminate(true).catch(() => {})
    const outOfMemory = (this.#error as { code?: string } | null)?.code === 'ERR_WORKER_OUT_OF_MEMORY'
    const heapLimit = outOfMemory
      ? (this.#thread.resourceLimits?.maxOldGenerationSizeMb ?? resourceLimits?.maxOldGenerationSizeMb ?? 0)
      : null
    if (!expected) this.events.died(this, { exitCode, error: this.#error, heapLimit, lastOutput: this.#stderr })
  }
}

/**
 * A worker inherits this process's flags (loaders and conditions among them), but it must not run `node -e`'s program, nor
 * take its file for one. Undefined where all may be inherited, which Node does better than a list of them.
 */
function execArgv(): string[] | undefined {
  const program = /^(-e|-p|-pe|--eval|--print|--input-type)\b/
  if (!process.execArgv.some((flag) => program.test(flag))) return undefined
  const kept: string[] = []
  for (let i = 0; i < process.execArgv.length; i++) {
    const flag = process.execArgv[i]!
    if (!program.test(flag)) kept.push(flag)
    else if (!flag.includes('=')) i++
  }
  return kept
}
