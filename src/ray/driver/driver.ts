import { RayitoError } from '../../core/errors.js'
import { FINDINGS, type Finding } from '../../core/findings.js'
import type { Travel } from '../../core/travel.js'
import { type Actor, ActorCall } from '../actor.js'
import type { ActorIdentity } from '../actor-identity.js'
import { reviveTravel } from '../code/index.js'
import type { RemoteDefinition } from '../definition.js'
import type { Engine, WorkerPlace } from '../engine.js'
import { makeEngine } from '../engines/make-engine.js'
import { shown } from '../engines/nats/address.js'
import { NotInitializedError } from '../errors.js'
import { ACTOR, carriedById, makeHandle } from '../handle.js'
import { type Content, Entry, entryOf, isRef, ObjectRef, REF } from '../object-ref.js'
import { checkTaskOptions, type SessionInfo, type SessionOptions } from '../options.js'
import { prefault } from '../pack/prefault.js'
import { pack, unpack } from '../pack.js'
import type { Runtime, Waitable } from '../runtime.js'
import { Stream } from '../stream.js'
import { makeReturns } from '../task.js'
import { summarise } from '../timeline/summary.js'
import { Timeline } from '../timeline/timeline.js'
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
import { Calls } from './calls.js'
import { ObjectStore } from './object-store.js'
import { WorkerOutput } from './output.js'
import { Streams } from './streams.js'

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
  readonly calls: Calls
  readonly streams = new Streams(this)
  readonly #timeline: Timeline | null
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
    this.calls = new Calls(this, timeline !== false)
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
    for (const ref of refs) this.own(ref)
    await settled(refs, options, seen)
    const values = refs.map((ref) => {
      const entry = entryOf(ref)
      // One that was ready may have been freed while others were waited for.
      if (entry.state === 'failed') throw entry.error
      return this.value(entry.content!)
    })
    return values.some((value) => value instanceof Promise) ? Promise.all(values) : values
  }

  settled(ref: ObjectRef): Promise<void> {
    this.own(ref)
    return new Promise((resolve) => entryOf(ref).whenSettled(resolve))
  }

  seen(ref: ObjectRef): void {
    entryOf(ref).asked = true
  }

  /** A copy of an object's value (bytes stay shared): an object is immutable, whatever is done to what `get` gave. */
  value({ data, special, carried }: Content): unknown {
    if (typeof data !== 'object' || data === null) return data
    const copy = structuredClone(data)
    if (!special) return copy
    const inside = carriedById(carried)
    return unpack(copy, true, (travel) => this.revive(travel, inside))
  }

  revive(travel: Travel, inside: ReadonlyMap<string, object>): unknown {
    if (travel.module !== REF && travel.module !== ACTOR) return reviveTravel(travel)
    if (travel.module === REF) return inside.get(travel.data as string)
    const identity = travel.data as ActorIdentity
    return makeHandle(this.actors.byId.get(identity.id) ?? identity)
  }

  wait<W extends Waitable>(refs: readonly W[], options: WaitOptions): Promise<[W[], W[]]> {
    this.ownAll(refs)
    return waitFor(refs, options)
  }

  /** A ref of a session that is over has no object any more. */
  own(ref: ObjectRef): void {
    const entry = entryOf(ref)
    if (entry.owner !== this || this.#down) entry.lose('its session was shut down')
  }

  /** The same for refs among others: arguments of a call, generators. */
  ownAll(args: readonly unknown[]): void {
    for (const arg of args) if (isRef(arg)) this.own(arg)
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
    const task = this.calls.make(definition, entries, options)
    this.ownAll(args)
    this.calls.prepared(task, () => task.prepare(args, () => this.calls.start(task)))
    return refs
  }

  cancel(ref: ObjectRef, force: boolean, recursive: boolean): void {
    const { producer } = entryOf(ref)
    if (force && producer instanceof ActorCall)
      throw new RayitoError('RAY_MISUSE', `${producer.label} is an actor's method and cannot be cancelled with force`, {
        remedy: 'Use ray.kill(actor).',
      })
    producer?.cancel(force, recursive)
  }

  /** For Ctrl-C: everything that is not done. */
  cancelAll(): void {
    this.calls.cancel()
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
    return { bytes: { ...this.objects.moved }, tasks: this.calls.tallies.total(), perWorker: this.engine.perWorker() }
  }

  timeline(): TraceEvent[] {
    return this.#timeline?.events(this.calls.tallies.all, this.engine.running()) ?? []
  }

  summary(): SessionSummary {
    return summarise(this.calls.tallies.all, this.#timeline?.calls ?? null)
  }

  /** Failures that nobody has asked for, a line each. */
  unread(): string[] {
    return this.calls.unread()
  }

  async shutdown(): Promise<void> {
    this.#down = true
    const { detached } = this.actors
    if (detached.length) await this.engine.outlast?.(detached)
    FINDINGS.unsubscribe(this.#tell)
    this.#timeline?.end()
    this.calls.end()
    this.actors.end()
    await Promise.all([this.engine.shutdown(), prefault.end()])
    this.output.end()
  }
}
