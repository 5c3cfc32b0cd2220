import { carriedBy } from '../../code/index.js'
import type { WorkerPlace } from '../../engine.js'
import { NotSerializableError } from '../../errors.js'
import { carriedById } from '../../handle.js'
import { type Content, entryOf, type ObjectRef } from '../../object-ref.js'
import { KIND, SLOT, SLOTS, slotOf, type ToDriver, type ToWorker } from '../../protocol.js'
import type { Task } from '../../task.js'
import type { Connection, Connector, Death, WorkerOptions } from './connection.js'
import { Holdings } from './holdings.js'
import { type Load, Outbox } from './outbox.js'

/** Milliseconds between two looks whether a result waits behind a call that takes its time. */
const LOOK = 10

export interface LocalWorkerEvents {
  message(worker: LocalWorker, message: ToDriver): void
  /** All of its work is still in `inflight`. */
  died(worker: LocalWorker, death: Death): void
  /** An object or a function went to a worker for the first time: its end is to be told. */
  sent(thing: { readonly id: string }): void
  output(worker: LocalWorker, stream: 'stdout' | 'stderr', text: string): void
  /** Calls have failed on their way there or back. */
  failed(worker: LocalWorker): void
  /** It holds refs and handles no more, as often as they are named. */
  released(worker: LocalWorker, ids: readonly string[]): void
}

const LAST_LINES = 20

/** Where a task is. */
export interface Running {
  worker: LocalWorker
  call: number
}

/** One worker of this machine: what it has been sent, what it runs and what it holds. */
export class LocalWorker implements WorkerPlace {
  readonly name: string
  readonly inflight = new Map<number, Task>()
  /** Generators among them that wait for their readers. */
  readonly #paused = new Set<number>()
  /** Calls among them that wait in `ray.get`, and in how many places each does. */
  readonly #waiting = new Map<number, number>()
  /** Objects this worker has a copy of. */
  readonly known = new Set<string>()
  /** Functions and classes it has. */
  readonly codes = new Set<string>()
  readonly held = new Holdings()
  readonly holder = this
  /** CPUs its running task holds. */
  cpus = 0
  /** Its task waits for others, and has lent them its CPUs. */
  lent = false
  /** No more work is sent: it is being ended, or has ended. */
  closing = false
  /** The cancelled call that cleans up there; 0 if none does. */
  stopping = 0
  /** When it last had nothing more to do. */
  restedAt = 0
  finished = 0
  /** What the timeline calls it by. */
  number = 0
  /** The label of what ran last: for its output. */
  lastLabel = ''
  readonly #maxConcurrency: number
  readonly #connection: Connection
  readonly #outbox: Outbox
  /** Slots that no call has. */
  readonly #free = Array.from({ length: SLOTS }, (_, slot) => SLOTS - 1 - slot)
  #generation = 0
  /** When it could begin its first call. */
  readyAt = 0
  /** When the call ended whose result came last. */
  lastEnd = 0
  readonly #stderr: string[] = []
  #holds = false
  #looking: NodeJS.Timeout | null = null
  /** The first in line that had finished and was unheard at the last look; 0 if none was. */
  #unheard = 0

  constructor(
    connector: Connector,
    options: WorkerOptions,
    private readonly events: LocalWorkerEvents,
  ) {
    this.name = options.name
    this.#maxConcurrency = options.maxConcurrency
    this.#outbox = new Outbox(
      (message) => this.post(message),
      (load, error) => this.#unsent(load, error),
      options.spans,
    )
    this.#connection = connector.connect(options, {
      message: (message) => this.#received(message),
      unreadable: (error) => this.#unreadable(error),
      ended: (death) => {
        const expected = this.closing
        this.closing = true
        if (expected) return
        this.tellNoted()
        events.died(this, { ...death, lastOutput: this.#stderr })
      },
    })
  }

  /** What its process is called; null for this one. */
  get process(): string | null {
    return this.#connection.process
  }

  /** Free places for further calls. */
  get room(): number {
    if (this.closing) return 0
    return Math.min(this.#free.length, this.#line - this.inflight.size)
  }

  /** How many calls it may have: those that cannot be taken back must not wait behind others. */
  get #line(): number {
    return this.#connection.announces ? this.#maxConcurrency : SLOTS
  }

  /** Sends a call with the code and the objects that the worker lacks, together with others of the same turn. Returns bytes moved. */
  send(task: Task, kind: number): { copied: number; shared: number; fresh: number } {
    const call = ++this.#generation * SLOTS + this.#free.pop()!
    const { definition, settings } = task
    let copied = 0
    let shared = 0
    let fresh = 0
    let objects = 0
    if (kind !== KIND.METHOD && !this.codes.has(definition.id)) {
      this.codes.add(definition.id)
      this.events.sent(definition)
      this.#outbox.code(definition.id, definition.code!)
      this.held.addAll(carriedBy(definition.code!))
    }
    const args = task.args.map(({ content, ref }) => {
      if (!ref) {
        copied += content.copied
        shared += content.shared
        fresh += content.fresh
        this.#outbox.allocates(this.#allocates(content))
        this.held.addAll(content.carried)
        return [content.data, content.special] as const
      }
      const known = this.#object(ref)
      objects += known.copied
      return known.wire
    })
    task.attempt++
    task.state = 'running'
    task.place = { worker: this, call } satisfies Running
    task.bytesIn = copied + objects + shared
    task.ranOn = this.name
    this.lastLabel = task.label
    this.inflight.set(call, task)
    if (this.inflight.size === 2) this.#look()
    this.#holdProcess()
    this.#connection.states.queued(call)
    this.#outbox.call([
      call,
      kind,
      kind === KIND.METHOD ? settings.method! : definition.id,
      args,
      settings.numReturns,
      task.label,
      task.attempt,
      this.#connection.announces || settings.timeout !== undefined,
    ])
    return { copied: copied + objects, shared, fresh }
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
    this.held.addAll(content.carried)
    this.#outbox.allocates(this.#allocates(content))
    this.#outbox.object([entry.id, content.data, content.special])
    return { wire: [entry.id], copied: content.copied }
  }

  /** Another process has to allocate all that is shared here. */
  #allocates({ fresh, shared }: Content): number {
    return this.process === null ? fresh : shared
  }

  holdOne(id: string, thing: object): void {
    this.held.add(id, thing)
  }

  adopt(parent: number, task: Task): void {
    this.inflight.get(parent)?.adopt(task)
  }

  post(message: ToWorker): void {
    this.#connection.post(message)
  }

  /** What cannot cross is found when it is packed; should something slip through, nobody is to wait for ever. */
  #unsent({ calls, objects, codes }: Load, error: unknown): void {
    for (const [id] of objects) this.known.delete(id)
    for (const [id] of codes) this.codes.delete(id)
    for (const [call] of calls) {
      const task = this.inflight.get(call)
      if (!task) continue
      this.#leave(call)
      task.fail(error)
    }
    this.events.failed(this)
  }

  /** Results came that cannot be read: nested too deep for this thread's stack, which is smaller than a worker's. */
  #unreadable(error: unknown): void {
    const why = `cannot be read here: ${(error as Error).message}`
    for (const [call, task] of [...this.inflight]) {
      if (this.progress(call) !== SLOT.FINISHED) continue
      this.#leave(call)
      task.fail(new NotSerializableError(`The result of ${task.label}`, why, 'Return something flatter.'))
    }
    this.events.failed(this)
  }

  /** Looks whether the first in line has long finished, unheard: its result waits for company behind a call that takes its time. */
  #look(): void {
    if (this.#looking || this.inflight.size < 2 || this.closing) return
    const [first] = this.inflight.keys()
    const finished = this.progress(first!) === SLOT.FINISHED
    if (finished && this.#unheard === first) this.tellNoted()
    this.#unheard = finished ? first! : 0
    this.#looking = setTimeout(() => {
      this.#looking = null
      this.#look()
    }, LOOK).unref()
  }

  /** Results that are noted and have not come yet. */
  tellNoted(): void {
    for (const call of [...this.inflight.keys()]) {
      const noted = this.#connection.states.noted(call)
      if (noted) this.events.message(this, ['results', [noted[0]], noted[1]])
    }
  }

  /** It is to drop its copy of an object or function, which may still wait to be sent with a call. */
  drop(id: string): void {
    if (!this.known.delete(id) && !this.codes.delete(id)) return
    if (this.#outbox.brings(id)) this.#outbox.flush()
    this.post(['free', [id]])
  }

  /** A call that it has, or that waits to be sent, is to end. */
  cancel(call: number): void {
    this.#outbox.flush()
    this.post(['cancel', call])
  }

  /** When a call was handed over. */
  sentAt(call: number): number {
    return this.#outbox.sentAt(call)
  }

  /** When a call can have begun at the earliest. */
  earliest(call: number): number {
    return Math.max(this.sentAt(call), this.readyAt, this.#maxConcurrency === 1 ? this.lastEnd : 0)
  }

  /** What runs, each with when it can have begun at the earliest. */
  *running(): Generator<[Task, number]> {
    for (const [call, task] of this.inflight)
      if (this.progress(call) === SLOT.STARTED) yield [task, this.earliest(call)]
  }

  /** A call's result is here. */
  settled(call: number): Task | undefined {
    const task = this.inflight.get(call)
    if (task) this.#leave(call)
    return task
  }

  /** Takes a call back that has not started; false if it has. */
  take(call: number): boolean {
    if (!this.#connection.states.take(call)) return false
    const task = this.inflight.get(call)
    this.#leave(call)
    // What came with it was never opened there, and so is let go by nobody else.
    const unopened = task?.args.flatMap(({ content }) => [...carriedById(content?.carried ?? []).keys()]) ?? []
    for (const id of unopened) this.held.letGo(id, 1)
    this.events.released(this, unopened)
    return true
  }

  #leave(call: number): void {
    this.inflight.delete(call)
    this.#paused.delete(call)
    this.#waiting.delete(call)
    this.#free.push(slotOf(call))
    this.#holdProcess()
  }

  /** A call waits for the reader of what it yields, until what this returns is called. */
  pause(call: number): () => void {
    this.#paused.add(call)
    this.#holdProcess()
    return () => {
      if (this.#paused.delete(call)) this.#holdProcess()
    }
  }

  /** A call waits for others, in one place more or less. One that has ended in the meantime does not. Returns whether any does. */
  waits(call: number, more: 1 | -1): boolean {
    const places = (this.#waiting.get(call) ?? 0) + more
    if (places > 0 && this.inflight.has(call)) this.#waiting.set(call, places)
    else this.#waiting.delete(call)
    return this.#waiting.size > 0
  }

  /** Whether a call computes: one that waits for others, or for its reader, does not, nor does what stands in line behind it. */
  get computes(): boolean {
    let resting = this.#paused.size
    for (const call of this.#waiting.keys()) if (!this.#paused.has(call)) resting++
    return Math.min(this.inflight.size, this.#maxConcurrency) > resting
  }

  /** Whether a call waits for the reader of what it yields. */
  get pauses(): boolean {
    return this.#paused.size > 0
  }

  /** While something runs; a worker that is being ended does until it has. */
  #holdProcess(): void {
    const held = this.inflight.size > this.#paused.size
    if (held === this.#holds || this.closing) return
    this.#holds = held
    this.#connection.hold(held)
  }

  /** How far a call is: a SLOT. */
  progress(call: number): number {
    return this.#connection.states.progress(call)
  }

  /** Ends the worker: no further message counts. Calls in flight are the caller's to settle. Resolves when it has ended. */
  stop(): Promise<void> {
    this.closing = true
    return this.#connection.stop()
  }

  #received(message: ToDriver): void {
    if (message[0] === 'output') {
      const [, stream, text] = message
      if (stream === 'stderr') {
        this.#stderr.push(...text.split(/\r?\n/).filter((line) => line.trim()))
        this.#stderr.splice(0, this.#stderr.length - LAST_LINES)
      }
      this.events.output(this, stream, text)
      return
    }
    if (message[0] === 'started') this.#connection.states.started(message[1])
    if (!this.closing || message[0] === 'results') this.events.message(this, message)
  }
}
