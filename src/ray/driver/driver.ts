import { RayitoError } from '../../core/errors.js'
import { FINDINGS, type Finding } from '../../core/findings.js'
import type { Travel } from '../../core/travel.js'
import type { Actor } from '../actor.js'
import { reviveTravel } from '../code/index.js'
import type { RemoteDefinition } from '../definition.js'
import type { Engine, WorkerPlace } from '../engine.js'
import { makeEngine } from '../engines/make-engine.js'
import { shown } from '../engines/nats/address.js'
import { NotInitializedError, TaskCancelledError } from '../errors.js'
import { ACTOR, type ActorIdentity, actorOf, carriedId, makeHandle } from '../handle.js'
import { type Content, Entry, entryOf, isRef, ObjectRef, REF } from '../object-ref.js'
import { checkTaskOptions, type SessionInfo, type SessionOptions, TASK_DEFAULTS } from '../options.js'
import { prefault } from '../pack/prefault.js'
import { pack, unpack } from '../pack.js'
import type { Runtime, Waitable } from '../runtime.js'
import { Stream } from '../stream.js'
import { Tallies } from '../tally.js'
import { makeReturns, Task, type TaskSettings } from '../task.js'
import { summarise } from '../timeline/summary.js'
import { Timeline } from '../timeline/timeline.js'
import { TurnClock } from '../timeline/turn-clock.js'
import type {
  ActorOptions,
  GetOptions,
  MethodOptions,
  NodeInfo,
  Resources,
  SessionSummary,
  Stats,
  TaskOptions,
  TraceEvent,
  WaitOptions,
} from '../types.js'
import { settled, waitFor } from '../waiting.js'
import { Actors } from './actors.js'
import { answer } from './answers.js'
import { ObjectStore } from './object-store.js'
import { WorkerOutput } from './output.js'
import { Streams, wireReturns } from './streams.js'
import { Unread } from './unread.js'

/** Sessions that this process had: no two give the same ids, or refs and handles of one would reach into the next. */
let sessions = 0

/** A session: its objects, actors and figures, over one engine. */
export class Driver implements Runtime {
  readonly engine: Engine
  readonly namespace: string
  /** Without a password: notebooks show it. */
  readonly address: string
  readonly objects: ObjectStore
  readonly actors: Actors
  readonly streams = new Streams(this)
  readonly #tallies = new Tallies()
  readonly #timeline: Timeline | null
  readonly #clock = new TurnClock()
  readonly #pending = new Set<Task>()
  readonly #unread = new Unread()
  readonly output: WorkerOutput
  /** Before ids, which other drivers' objects and other sessions' have too. */
  readonly prefix: string
  #lastId = 0
  #down = false

  constructor(readonly options: SessionOptions) {
    const { namespace, address, objectStoreMemory, logToDriver, timeline } = options
    this.namespace = namespace
    this.address = shown(address)
    this.objects = new ObjectStore(
      objectStoreMemory,
      (id) => this.engine.release(id),
      () => this.engine.collect(),
    )
    const { moved } = this.objects
    this.output = new WorkerOutput(logToDriver)
    this.#timeline = timeline === false ? null : new Timeline(timeline)
    this.engine = makeEngine(options, {
      recorder: this.#timeline,
      namespace,
      address: this.address,
      request: (worker, request, operation, payload) => void answer(this, worker, request, operation, payload),
      carried: (worker, ids) => ids.map((id) => this.carried(worker, id)),
      sent: (thing) => this.objects.watch(thing),
      output: (label, stream, text, worker) => this.output.write(label, stream, text, worker),
      copied: (copied, shared, fresh = 0) => {
        moved.copied += copied
        moved.shared += shared
        if (fresh > 0) this.objects.allocated(fresh)
      },
    })
    const { id = ++sessions > 1 ? `s${sessions}` : '' } = this.engine
    this.prefix = id && `${id}.`
    this.actors = new Actors(this)
    FINDINGS.subscribe(this.#tell)
    prefault.begin()
  }

  #tell = (finding: unknown): void => this.engine.tell(finding as Finding)

  nextId = (): string => `${this.prefix}o${(++this.#lastId).toString(36)}`

  /** @throws NotInitializedError if it is over */
  alive(): void {
    if (this.#down) throw new NotInitializedError()
  }

  /** Workers are threads of this process: what they allocate is handed over, not copied. */
  get sharesMemory(): boolean {
    return this.engine.name === 'threads'
  }

  // -- objects

  put(value: unknown): ObjectRef {
    this.alive()
    const entry = new Entry(this.nextId(), this)
    const packed = pack(value, 'value')
    if (packed instanceof Promise)
      packed.then((content) => this.objects.store(entry, content)).catch((error) => entry.fail(error))
    else this.objects.store(entry, packed)
    return new ObjectRef(entry)
  }

  get(refs: readonly ObjectRef[], options: GetOptions): Promise<unknown[]> {
    return this.#get(refs, options, true)
  }

  async peek(ref: ObjectRef): Promise<unknown> {
    return (await this.#get([ref], {}, false))[0]
  }

  async #get(refs: readonly ObjectRef[], options: GetOptions, seen: boolean): Promise<unknown[]> {
    for (const ref of refs) this.#own(ref)
    await settled(refs, options, seen)
    const values = refs.map((ref) => {
      const entry = entryOf(ref)
      // One that was ready may have been freed while others were waited for.
      if (entry.state === 'failed') throw entry.error
      return this.value(entry.content!)
    })
    return values.some((value) => value instanceof Promise) ? Promise.all(values) : values
  }

  seen(ref: ObjectRef): void {
    entryOf(ref).asked = true
  }

  /** A copy of an object's value (bytes stay shared): an object is immutable, whatever is done to what `get` gave. */
  value({ data, special, carried }: Content): unknown {
    if (typeof data !== 'object' || data === null) return data
    const copy = structuredClone(data)
    return special ? unpack(copy, true, (travel) => this.revive(travel, carried)) : copy
  }

  revive(travel: Travel, carried: readonly object[]): unknown {
    if (travel.module !== REF && travel.module !== ACTOR) return reviveTravel(travel)
    if (travel.module === REF) return carried.find((thing) => carriedId(thing) === travel.data)
    const identity = travel.data as ActorIdentity
    return makeHandle(this.actors.byId.get(identity.id) ?? identity)
  }

  wait<W extends Waitable>(refs: readonly W[], options: WaitOptions): Promise<[W[], W[]]> {
    this.ownAll(refs)
    return waitFor(refs, options)
  }

  /** A ref of a session that is over has no object any more. */
  #own(ref: ObjectRef): void {
    const entry = entryOf(ref)
    if (entry.owner !== this || this.#down) entry.lose('its session was shut down')
  }

  /** The same for refs among others: arguments of a call, generators. */
  ownAll(args: readonly unknown[]): void {
    for (const arg of args) if (isRef(arg)) this.#own(arg)
  }

  async nextYielded(end: ObjectRef): Promise<ObjectRef | null> {
    const stream = Stream.of(end)
    // A call that could not be made, or whose worker has let it go.
    if (!stream) throw entryOf(end).error
    return stream.next()
  }

  lend<T>(awaited: Promise<T>): Promise<T> {
    return awaited
  }

  leave(end: ObjectRef): void {
    Stream.of(end)?.abandon()
  }

  free(refs: readonly ObjectRef[]): void {
    for (const ref of refs) {
      const entry = entryOf(ref)
      if (entry.state === 'pending') continue
      this.objects.free(entry)
      entry.lose('it was freed')
      this.engine.release(entry.id)
    }
  }

  /** A ref or handle that a worker names: one it was given, or the actor of that id. */
  carried(worker: WorkerPlace, id: string): object {
    const held = worker.held.get(id)
    if (held) return held.thing
    const actor = this.actors.byId.get(id)
    if (actor) return makeHandle(actor)
    const lost = new Entry(id, this)
    lost.lose('the worker let it go')
    return new ObjectRef(lost)
  }

  // -- tasks

  submit(definition: RemoteDefinition, args: readonly unknown[], options: TaskOptions): ObjectRef[] {
    checkTaskOptions(options)
    this.alive()
    const { entries, refs } = makeReturns(options.numReturns, this.nextId, this)
    this.streams.open(options, entries[0]!, null)
    const task = this.makeTask(definition, entries, options)
    this.ownAll(args)
    this.prepared(task, () => task.prepare(args, () => this.start(task)))
    return refs
  }

  makeTask(definition: RemoteDefinition, entries: Entry[], options: TaskOptions): Task {
    this.alive()
    const settings = {
      label: options.name ?? definition.name,
      actor: null,
      method: null,
      numCpus: options.numCpus ?? TASK_DEFAULTS.numCpus,
      maxRetries: options.maxRetries ?? TASK_DEFAULTS.maxRetries,
      retryExceptions: options.retryExceptions ?? TASK_DEFAULTS.retryExceptions,
      timeout: options.timeout,
      numReturns: wireReturns(entries, options),
    }
    return this.newTask(definition, settings, entries)
  }

  newTask(definition: RemoteDefinition, settings: TaskSettings, entries: Entry[]): Task {
    const tally = this.#tallies.of(settings.label)
    const task = new Task(definition, settings, entries, tally, this.#cancelTask, this.#keep)
    if (this.#timeline) task.submitted = this.#clock.now()
    return task
  }

  #keep = (entry: Entry, content: Content): void => this.objects.keep(entry, content, this.sharesMemory)

  start(task: Task): void {
    if (task.state === 'queued') this.engine.submit(task)
  }

  /** Runs a preparation that may throw for an argument that cannot cross; keeps the task in sight until it is done. */
  prepared(task: Task, prepare: () => void): void {
    try {
      prepare()
    } catch (error) {
      task.fail(error)
      throw error
    }
    this.track(task)
  }

  track(task: Task): void {
    if (task.state !== 'done') this.#pending.add(task)
    const last = task.returns.at(-1)
    last?.whenSettled(() => {
      this.#pending.delete(task)
      if (last.state === 'failed' && !this.#down) this.#unread.failed(task)
    })
  }

  /** An actor of this session is dead. */
  died(actor: Actor): void {
    if (!this.#down) this.#unread.died(actor)
  }

  /** Whether calls of an actor have not ended. */
  awaits(actor: Actor): boolean {
    if (actor.state === 'dead') return false
    for (const { settings } of this.#pending) if (settings.actor === actor) return true
    return false
  }

  #cancelTask = (task: Task, force: boolean, recursive: boolean): void => {
    this.engine.cancel(task, new TaskCancelledError(task.label), force, recursive)
  }

  cancel(ref: ObjectRef, force: boolean, recursive: boolean): void {
    const { producer } = entryOf(ref)
    if (force && producer instanceof Task && producer.settings.actor)
      throw new RayitoError('RAY_MISUSE', `${producer.label} is an actor's method and cannot be cancelled with force`, {
        remedy: 'Use ray.kill(actor).',
      })
    producer?.cancel(force, recursive)
  }

  /** For Ctrl-C: everything that is not done. */
  cancelAll(): void {
    for (const task of [...this.#pending]) task.cancel(false, true)
  }

  // -- actors

  createActor(definition: RemoteDefinition, args: readonly unknown[], options: ActorOptions): Actor {
    return this.actors.create(definition, args, options)
  }

  callActor(identity: ActorIdentity, method: string, args: readonly unknown[], options: MethodOptions): ObjectRef[] {
    return this.actors.call(identity, method, args, options)
  }

  getActor(name: string, namespace?: string): Promise<Actor> {
    return this.actors.find(name, namespace)
  }

  kill(identity: ActorIdentity, restart: boolean): void {
    this.actors.kill(identity, restart)
  }

  whenActorDies(identity: ActorIdentity, then: (death: Error) => void): void {
    this.actors.whenDies(identity, then)
  }

  handleOf(candidate: unknown): ActorIdentity | null {
    return actorOf(candidate)
  }

  // -- figures

  get info(): SessionInfo {
    return { numCpus: this.total().CPU, address: this.address }
  }

  async told(): Promise<SessionInfo> {
    await this.engine.ready
    return this.info
  }

  total(): Resources {
    return this.engine.total()
  }

  available(): Resources {
    return this.engine.available()
  }

  nodes(): NodeInfo[] {
    return this.engine.nodes()
  }

  stats(): Stats {
    return { bytes: { ...this.objects.moved }, tasks: this.#tallies.total(), perWorker: this.engine.perWorker() }
  }

  timeline(): TraceEvent[] {
    return this.#timeline?.events(this.#tallies.all, this.engine.running()) ?? []
  }

  summary(): SessionSummary {
    return summarise(this.#tallies.all, this.#timeline?.calls ?? null)
  }

  /** Failures that nobody has asked for, a line each. */
  unread(): string[] {
    return this.#unread.tell()
  }

  async shutdown(): Promise<void> {
    this.#down = true
    FINDINGS.unsubscribe(this.#tell)
    this.#timeline?.end()
    const over = new NotInitializedError()
    for (const task of this.#pending) task.fail(over)
    this.#pending.clear()
    this.actors.end()
    await Promise.all([this.engine.shutdown(), prefault.end()])
    this.output.end()
  }
}
