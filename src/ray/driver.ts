import { totalmem } from 'node:os'
import { RayitoError } from '../core/errors.js'
import type { Travel } from '../core/travel.js'
import { Actor } from './actor.js'
import { answer } from './answers.js'
import { reviveTravel } from './code/index.js'
import type { RemoteDefinition } from './definition.js'
import type { Engine, WorkerPlace } from './engine.js'
import { makeEngine } from './engines/make-engine.js'
import {
  ActorDiedError,
  ActorNameError,
  NotInitializedError,
  ObjectStoreFullError,
  TaskCancelledError,
} from './errors.js'
import { ACTOR, type ActorIdentity, actorOf, carriedId, makeHandle, whenHandlesGone } from './handle.js'
import { type Content, Entry, entryOf, ObjectRef, REF } from './object-ref.js'
import {
  ACTOR_DEFAULTS,
  checkActorOptions,
  checkMethodOptions,
  checkTaskOptions,
  TASK_DEFAULTS,
  TIMELINE_DEFAULT,
} from './options.js'
import { WorkerOutput } from './output.js'
import { pack, unpack } from './pack.js'
import { Pressure } from './pressure.js'
import type { Runtime } from './runtime.js'
import { Tallies } from './tally.js'
import { makeReturns, Task, type TaskSettings } from './task.js'
import { summarise } from './timeline/summary.js'
import { Timeline } from './timeline/timeline.js'
import { TurnClock } from './timeline/turn-clock.js'
import type {
  ActorOptions,
  FunctionSummary,
  GetOptions,
  InitOptions,
  MethodOptions,
  NodeInfo,
  Resources,
  Stats,
  TaskOptions,
  TraceEvent,
  WaitOptions,
} from './types.js'
import { settled, waitFor } from './waiting.js'

/** A session: its objects, actors and figures, over one engine. */
export class Driver implements Runtime {
  readonly engine: Engine
  readonly namespace: string
  readonly address: string
  readonly actors = new Map<string, Actor>()
  readonly #names = new Map<string, Actor>()
  readonly #labels = new Map<string, number>()
  readonly #tallies = new Tallies()
  readonly #timeline: Timeline | null
  readonly #clock = new TurnClock()
  readonly #bytes = { copied: 0, shared: 0 }
  readonly #pending = new Set<Task>()
  readonly #limit: number
  /** Bytes of shared memory that live objects hold, as far as the collector has told. */
  #held = 0
  readonly #pressure = new Pressure()
  readonly #collected = new FinalizationRegistry<{ id: string; shared: number }>(({ id, shared }) =>
    this.#gone(id, shared),
  )
  readonly #output: WorkerOutput
  /** Before ids, where other drivers' objects are too. */
  readonly #prefix: string
  #lastId = 0
  #down = false

  constructor(options: InitOptions) {
    this.namespace = options.namespace ?? ''
    this.address = options.address ?? 'local'
    this.#limit = options.objectStoreMemory ?? Math.floor(totalmem() * 0.3)
    this.#output = new WorkerOutput(options.logToDriver ?? true)
    const { timeline = true } = options
    this.#timeline = timeline === false ? null : new Timeline(timeline === true ? TIMELINE_DEFAULT : timeline)
    this.engine = makeEngine(options, {
      recorder: this.#timeline,
      namespace: this.namespace,
      request: (worker, request, operation, payload) => void answer(this, worker, request, operation, payload),
      carried: (worker, ids) => ids.map((id) => this.carried(worker, id)),
      sent: (entry) => this.#collected.register(entry, { id: entry.id, shared: 0 }),
      output: (label, stream, text, worker) => this.#output.write(label, stream, text, worker),
      copied: (copied, shared) => {
        this.#bytes.copied += copied
        this.#bytes.shared += shared
      },
    })
    this.#prefix = this.engine.id ? `${this.engine.id}.` : ''
    whenHandlesGone((id) => this.#abandoned(id))
  }

  nextId = (): string => `${this.#prefix}o${(++this.#lastId).toString(36)}`

  #alive(): void {
    if (this.#down) throw new NotInitializedError()
  }

  // -- objects

  put(value: unknown): ObjectRef {
    this.#alive()
    const entry = new Entry(this.nextId(), this)
    const packed = pack(value, 'value')
    if (packed instanceof Promise)
      packed.then((content) => this.store(entry, content)).catch((error) => entry.fail(error))
    else this.store(entry, packed)
    return new ObjectRef(entry)
  }

  /** Keeps an object's content, if the store has room. */
  store(entry: Entry, content: Content): void {
    if (content.shared) {
      this.#makeRoom(content.shared)
      this.#held += content.shared
      this.#bytes.shared += content.shared
      this.#collected.register(entry, { id: entry.id, shared: content.shared })
    }
    entry.succeed(content)
  }

  #makeRoom(bytes: number): void {
    this.#pressure.allocating(bytes)
    if (this.#held + bytes <= this.#limit) return
    // The collector tells late which objects are garbage: what the process really holds decides.
    const held = Math.min(this.#held, this.#pressure.relieve())
    if (held + bytes > this.#limit) throw new ObjectStoreFullError(bytes, held, this.#limit)
  }

  #gone(id: string, shared: number): void {
    this.#held -= shared
    this.engine.release(id)
  }

  async get(refs: readonly ObjectRef[], options: GetOptions): Promise<unknown[]> {
    for (const ref of refs) this.#own(ref)
    await settled(refs, options)
    const values = refs.map((ref) => this.value(entryOf(ref).content!))
    return values.some((value) => value instanceof Promise) ? Promise.all(values) : values
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
    return makeHandle(this.actors.get(identity.id) ?? identity)
  }

  wait(refs: readonly ObjectRef[], options: WaitOptions): Promise<[ObjectRef[], ObjectRef[]]> {
    for (const ref of refs) this.#own(ref)
    return waitFor(refs, options)
  }

  /** A ref of a session that is over has no object any more. */
  #own(ref: ObjectRef): void {
    const entry = entryOf(ref)
    if (entry.owner !== this) entry.lose('its session was shut down')
  }

  free(refs: readonly ObjectRef[]): void {
    for (const ref of refs) {
      const entry = entryOf(ref)
      if (entry.state === 'pending') continue
      entry.lose('it was freed')
      this.engine.release(entry.id)
    }
  }

  /** A ref or handle that a worker names: one it was given, or the actor of that id. */
  carried(worker: WorkerPlace, id: string): object {
    const held = worker.held.get(id)
    if (held) return held.thing
    const actor = this.actors.get(id)
    if (actor) return makeHandle(actor)
    const lost = new Entry(id, this)
    lost.lose('the worker let it go')
    return new ObjectRef(lost)
  }

  // -- tasks

  submit(definition: RemoteDefinition, args: readonly unknown[], options: TaskOptions): ObjectRef[] {
    checkTaskOptions(options)
    const { entries, refs } = makeReturns(options.numReturns ?? 1, this.nextId, this)
    const task = this.makeTask(definition, entries, options)
    this.#prepare(task, () => task.prepare(args, () => this.start(task)))
    return refs
  }

  makeTask(definition: RemoteDefinition, entries: Entry[], options: TaskOptions): Task {
    this.#alive()
    const settings = {
      label: options.name ?? definition.name,
      actor: null,
      method: null,
      numCpus: options.numCpus ?? TASK_DEFAULTS.numCpus,
      maxRetries: options.maxRetries ?? TASK_DEFAULTS.maxRetries,
      retryExceptions: options.retryExceptions ?? TASK_DEFAULTS.retryExceptions,
      timeout: options.timeout,
      numReturns: options.numReturns ?? TASK_DEFAULTS.numReturns,
    }
    return this.#task(definition, settings, entries)
  }

  #task(definition: RemoteDefinition, settings: TaskSettings, entries: Entry[]): Task {
    const task = new Task(definition, settings, entries, this.#tallies.of(settings.label), this.#cancelTask)
    if (this.#timeline) task.submitted = this.#clock.now()
    return task
  }

  start(task: Task): void {
    if (task.state === 'queued') this.engine.submit(task)
  }

  /** Runs a preparation that may throw for an argument that cannot cross; keeps the task in sight until it is done. */
  #prepare(task: Task, prepare: () => void): void {
    try {
      prepare()
    } catch (error) {
      task.fail(error)
      throw error
    }
    this.track(task)
  }

  track(task: Task): void {
    if (task.state === 'done') return
    this.#pending.add(task)
    task.returns[0]?.whenSettled(() => this.#pending.delete(task))
  }

  #cancelTask = (task: Task, force: boolean): void => {
    this.engine.cancel(task, new TaskCancelledError(task.label), force)
  }

  cancel(ref: ObjectRef, force: boolean): void {
    const { producer } = entryOf(ref)
    if (force && producer instanceof Task && producer.settings.actor)
      throw new RayitoError('RAY_MISUSE', `${producer.label} is an actor's method and cannot be cancelled with force`, {
        remedy: 'Use ray.kill(actor).',
      })
    producer?.cancel(force)
  }

  /** For Ctrl-C: everything that is not done. */
  cancelAll(): void {
    for (const task of [...this.#pending]) task.cancel(false)
  }

  // -- actors

  createActor(definition: RemoteDefinition, args: readonly unknown[], options: ActorOptions): Actor {
    checkActorOptions(options)
    this.#alive()
    const taken = this.takenName(options)
    if (taken) return taken
    const actor = this.makeActor(definition, options)
    try {
      actor.creation.prepare(args, () => this.startActor(actor))
    } catch (error) {
      this.actorDied(actor, error as Error)
      throw error
    }
    return actor
  }

  /** The actor that has the name already, where that is allowed. */
  takenName({ name, namespace, getIfExists }: ActorOptions): Actor | null {
    if (name === undefined) return null
    const actor = this.#names.get(`${namespace ?? this.namespace}/${name}`)
    if (!actor || actor.state === 'dead') return null
    if (getIfExists) return actor
    throw new ActorNameError(name, 'the name is taken', 'Use ray.getActor, getIfExists: true, or another name.')
  }

  makeActor(
    definition: RemoteDefinition,
    options: ActorOptions,
    id = `${this.#prefix}a${(++this.#lastId).toString(36)}`,
  ): Actor {
    const number = (this.#labels.get(definition.name) ?? 0) + 1
    this.#labels.set(definition.name, number)
    const label = `${definition.name}#${number}`
    const settings = {
      name: options.name,
      namespace: options.namespace ?? this.namespace,
      numCpus: options.numCpus ?? 0,
      maxRestarts: options.maxRestarts ?? ACTOR_DEFAULTS.maxRestarts,
      maxTaskRetries: options.maxTaskRetries ?? ACTOR_DEFAULTS.maxTaskRetries,
      maxConcurrency: options.maxConcurrency ?? ACTOR_DEFAULTS.maxConcurrency,
      detached: options.lifetime === 'detached',
      getIfExists: options.getIfExists ?? false,
    }
    const entry = new Entry(this.nextId(), this)
    const creation = this.#task(
      definition,
      {
        label: `${definition.name}.constructor`,
        actor: null,
        method: null,
        numCpus: settings.numCpus,
        maxRetries: 0,
        retryExceptions: false,
        timeout: undefined,
        numReturns: 1,
      },
      [entry],
    )
    const actor = new Actor(id, definition.name, label, settings, creation)
    this.actors.set(actor.id, actor)
    if (options.name !== undefined) this.#names.set(`${settings.namespace}/${options.name}`, actor)
    // An argument that fails fails the actor.
    entry.whenSettled(() => {
      if (entry.state === 'failed' && actor.state !== 'dead') this.actorDied(actor, entry.error as Error)
    })
    return actor
  }

  startActor(actor: Actor): void {
    if (actor.state === 'pending') this.engine.createActor(actor)
  }

  actorDied(actor: Actor, cause: Error): void {
    actor.die(
      cause instanceof ActorDiedError ? cause : new ActorDiedError(actor.label, 'it could not be made', { cause }),
    )
  }

  callActor(identity: ActorIdentity, method: string, args: readonly unknown[], options: MethodOptions): ObjectRef[] {
    checkMethodOptions(options)
    const { entries, refs } = makeReturns(options.numReturns ?? 1, this.nextId, this)
    const actor = this.actors.get(identity.id)
    const task = this.makeCall(actor, identity, method, entries, options)
    this.#prepare(task, () => this.enqueue(task, args))
    return refs
  }

  makeCall(
    actor: Actor | undefined,
    identity: ActorIdentity,
    method: string,
    entries: Entry[],
    options: MethodOptions,
  ): Task {
    this.#alive()
    if (!actor) throw new ActorDiedError(identity.label, 'its session was shut down')
    const settings = {
      label: options.name ?? `${actor.className}.${method}`,
      actor,
      method,
      numCpus: 0,
      maxRetries: options.maxTaskRetries ?? actor.settings.maxTaskRetries,
      retryExceptions: options.retryExceptions ?? false,
      timeout: options.timeout,
      numReturns: options.numReturns ?? 1,
    }
    return this.#task(actor.creation.definition, settings, entries)
  }

  /** Puts a call into its actor's queue, which keeps the order of the calls however long their arguments take. */
  enqueue(task: Task, args: readonly unknown[]): void {
    const actor = task.settings.actor!
    if (actor.state === 'dead') return task.fail(actor.death)
    actor.queue.push(task)
    // One whose packing throws is failed by its maker, and passed over.
    task.prepare(args, () => this.engine.pump(actor))
  }

  async getActor(name: string, namespace = this.namespace): Promise<Actor> {
    this.#alive()
    const actor = this.#names.get(`${namespace}/${name}`)
    if (actor && actor.state !== 'dead') return actor
    const found = await this.engine.findActor?.(name, namespace)
    if (found) {
      this.actors.set(found.id, found)
      return found
    }
    throw new ActorNameError(name, 'no living actor has that name', 'Check the name and the namespace.')
  }

  kill(identity: ActorIdentity, restart: boolean): void {
    const actor = this.actors.get(identity.id)
    if (actor) this.engine.kill(actor, restart)
  }

  whenActorDies(identity: ActorIdentity, then: (death: Error) => void): void {
    const actor = this.actors.get(identity.id)
    if (actor) actor.whenDead(then)
    else then(new ActorDiedError(identity.label, 'its session was shut down'))
  }

  /** No handle is left: the actor ends when its calls have ended, unless it is named or detached. */
  #abandoned(id: string): void {
    const actor = this.actors.get(id)
    if (!actor) return
    if (actor.state === 'dead') return void this.actors.delete(id)
    if (actor.settings.detached || actor.settings.name !== undefined) return
    const last = makeReturns(1, this.nextId, this)
    const task = this.makeCall(actor, actor, '__terminate__', last.entries, {})
    this.enqueue(task, [])
    last.entries[0]!.whenSettled(() => {
      this.engine.kill(actor, false)
      this.actors.delete(id)
    })
  }

  handleOf(candidate: unknown): ActorIdentity | null {
    return actorOf(candidate)
  }

  // -- figures

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
    return { bytes: { ...this.#bytes }, tasks: this.#tallies.total(), perWorker: this.engine.perWorker() }
  }

  timeline(): TraceEvent[] {
    return this.#timeline?.events(this.#tallies.all) ?? []
  }

  summary(): FunctionSummary[] {
    const calls = this.#timeline?.calls ?? []
    return summarise(this.#tallies.all, calls)
  }

  async shutdown(): Promise<void> {
    this.#down = true
    this.#timeline?.end()
    const over = new NotInitializedError()
    for (const task of this.#pending) task.fail(over)
    this.#pending.clear()
    for (const actor of this.actors.values()) actor.die(new ActorDiedError(actor.label, 'the session was shut down'))
    this.actors.clear()
    await this.engine.shutdown()
    this.#output.end()
  }
}
