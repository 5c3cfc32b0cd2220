import { RayitoError } from '../../core/errors.js'
import { Actor, type ActorCall } from '../actor.js'
import type { ActorIdentity } from '../actor-identity.js'
import { collect } from '../collect.js'
import type { RemoteDefinition } from '../definition.js'
import { shutDown } from '../ended.js'
import type { Engine } from '../engine.js'
import { ActorDiedError, ActorNameError } from '../errors.js'
import { hasHandle, whenHandlesGone } from '../handle.js'
import { Entry, type ObjectRef } from '../object-ref.js'
import { ACTOR_DEFAULTS, checkActorOptions, checkMethodOptions } from '../options.js'
import { TERMINATE } from '../protocol.js'
import { makeReturns } from '../task.js'
import type { ActorOptions, MethodOptions } from '../types.js'
import type { Calls } from './calls.js'
import { type Streams, wireReturns } from './streams.js'

/** Living actors up to which nobody looks for handles that are garbage. */
const FEW = 8

/** What actors need of their session. */
interface Session {
  readonly engine: Engine
  readonly namespace: string
  /** Before ids. */
  readonly prefix: string
  readonly calls: Calls
  readonly streams: Streams
  nextId(): string
  alive(): void
  ownAll(args: readonly unknown[]): void
}

/** The actors of a session: made, named, called and ended. */
export class Actors {
  /** Those that have handles or may be found by a name: one that is dead says there what it died of. */
  readonly byId = new Map<string, Actor>()
  readonly #names = new Map<string, Actor>()
  readonly #labels = new Map<string, number>()
  #made = 0
  #living = 0
  #enough = FEW

  constructor(private readonly session: Session) {
    whenHandlesGone((id) => this.#abandoned(id))
  }

  create(definition: RemoteDefinition, args: readonly unknown[], options: ActorOptions): Actor {
    checkActorOptions(options)
    this.session.alive()
    const taken = this.taken(options)
    if (taken) return taken
    this.session.ownAll(args)
    const actor = this.make(definition, options)
    try {
      actor.creation.prepare(args, () => this.start(actor))
    } catch (error) {
      actor.end.known = true
      this.fail(actor, error as Error)
      throw error
    }
    this.byId.set(actor.id, actor)
    return actor
  }

  /** The actor that has the name already, where that is allowed. */
  taken({ name, namespace, getIfExists }: ActorOptions): Actor | null {
    if (name === undefined) {
      if (!getIfExists) return null
      throw new RayitoError('RAY_MISUSE', 'getIfExists is for actors with a name', { remedy: 'Give it a name, too.' })
    }
    const actor = this.#names.get(`${namespace ?? this.session.namespace}/${name}`)
    if (!actor || actor.state === 'dead') return null
    if (getIfExists) return actor
    throw new ActorNameError(name, 'the name is taken', 'Use ray.getActor, getIfExists: true, or another name.')
  }

  /** V8 counts a handle, not the worker behind it: when they have doubled since, it is to find those that are garbage. */
  #born(): void {
    if (++this.#living <= this.#enough) return
    this.#enough = 2 * this.#living
    collect()
    this.session.engine.collect()
  }

  /** One that is not in `byId` yet: it may have died before its handle is made. */
  make(
    definition: RemoteDefinition,
    options: ActorOptions,
    id = `${this.session.prefix}a${(++this.#made).toString(36)}`,
  ): Actor {
    const number = (this.#labels.get(definition.name) ?? 0) + 1
    this.#labels.set(definition.name, number)
    const label = `${definition.name}#${number}`
    const settings = {
      name: options.name,
      namespace: options.namespace ?? this.session.namespace,
      numCpus: options.numCpus,
      maxRestarts: options.maxRestarts ?? ACTOR_DEFAULTS.maxRestarts,
      maxTaskRetries: options.maxTaskRetries ?? ACTOR_DEFAULTS.maxTaskRetries,
      maxConcurrency: options.maxConcurrency ?? ACTOR_DEFAULTS.maxConcurrency,
      detached: options.lifetime === 'detached',
      getIfExists: options.getIfExists ?? false,
    }
    const entry = new Entry(this.session.nextId(), this.session)
    const creation = this.session.calls.makeTask(
      definition,
      {
        label: `${definition.name}.constructor`,
        method: null,
        numCpus: settings.numCpus ?? 0,
        maxRetries: 0,
        retryExceptions: false,
        timeout: undefined,
        numReturns: 1,
      },
      [entry],
    )
    const actor = new Actor(id, definition.name, label, settings, creation)
    this.#born()
    if (options.name !== undefined) this.#names.set(`${settings.namespace}/${options.name}`, actor)
    actor.whenDead(() => {
      this.#enough = Math.max(FEW, Math.min(this.#enough, 2 * --this.#living))
      this.#forget(actor)
      this.session.calls.died(actor)
    })
    // An argument that fails fails the actor.
    entry.whenSettled(() => {
      if (entry.state === 'failed' && actor.state !== 'dead') this.fail(actor, entry.error as Error)
    })
    return actor
  }

  /** Those that are to outlive this driver and that nobody has made yet. */
  get detached(): Actor[] {
    return [...this.byId.values()].filter(
      ({ settings, state, creation }) => settings.detached && state !== 'dead' && creation.state !== 'done',
    )
  }

  start(actor: Actor): void {
    if (actor.creation.state === 'queued') this.session.engine.createActor(actor)
  }

  /** It could not be made. */
  fail(actor: Actor, cause: Error): void {
    actor.die(cause instanceof ActorDiedError ? cause : new ActorDiedError(actor, 'it could not be made', { cause }))
  }

  /** It has died: its name is free, and nobody who has no handle can ask for it. */
  #forget(actor: Actor): void {
    const { name, namespace } = actor.settings
    const key = `${namespace}/${name}`
    if (this.#names.get(key) === actor) this.#names.delete(key)
    if (this.byId.get(actor.id) === actor && !hasHandle(actor.id)) this.byId.delete(actor.id)
  }

  /** @throws ActorDiedError if it is another session's */
  of(identity: ActorIdentity): Actor {
    this.session.alive()
    const actor = this.byId.get(identity.id)
    if (!actor) throw shutDown(identity)
    return actor
  }

  call(identity: ActorIdentity, method: string, args: readonly unknown[], options: MethodOptions): ObjectRef[] {
    checkMethodOptions(options)
    const actor = this.of(identity)
    const { entries, refs } = makeReturns(options.numReturns, this.session.nextId, this.session)
    this.session.streams.open(options, entries[0]!, null)
    const task = this.makeCall(actor, method, entries, options)
    this.session.ownAll(args)
    this.session.calls.prepared(task, () => this.enqueue(task, args))
    return refs
  }

  makeCall(actor: Actor, method: string, entries: Entry[], options: MethodOptions): ActorCall {
    const settings = {
      label: options.name ?? `${actor.className}.${method}`,
      method,
      numCpus: 0,
      maxRetries: options.maxTaskRetries ?? actor.settings.maxTaskRetries,
      retryExceptions: options.retryExceptions ?? false,
      timeout: options.timeout,
      numReturns: wireReturns(entries, options),
    }
    return this.session.calls.makeActorCall(actor, settings, entries)
  }

  /** Puts a call into its actor's queue, which keeps the order of the calls however long their arguments take. */
  enqueue(call: ActorCall, args: readonly unknown[]): void {
    const { actor } = call
    if (actor.state === 'dead') return call.fail(actor.death)
    actor.queue.push(call)
    try {
      call.prepare(args, () => this.session.engine.pump(actor))
    } catch (error) {
      // It never was a call, and is not to wait for the next one to be passed over.
      actor.queue.remove(call)
      throw error
    }
  }

  async find(name: string, namespace = this.session.namespace): Promise<Actor> {
    this.session.alive()
    const actor = this.#names.get(`${namespace}/${name}`)
    if (actor && actor.state !== 'dead') return actor
    const found = await this.session.engine.findActor?.(name, namespace)
    if (found) {
      if (this.byId.get(found.id) !== found) found.whenDead(() => this.#forget(found))
      this.byId.set(found.id, found)
      return found
    }
    throw new ActorNameError(name, 'no living actor has that name', 'Check the name and the namespace.')
  }

  kill(identity: ActorIdentity, restart: boolean): void {
    const actor = this.byId.get(identity.id)
    if (actor) this.#end(actor, restart)
  }

  #end(actor: Actor, restart: boolean): void {
    if (!restart && actor.state !== 'dead') actor.end.known = true
    this.session.engine.kill(actor, restart)
  }

  whenDies(identity: ActorIdentity, then: (death: Error) => void): void {
    const actor = this.byId.get(identity.id)
    if (actor) {
      actor.end.known = true
      actor.whenDead(then)
    } else then(shutDown(identity))
  }

  /** No handle is left: the actor ends when its calls have ended, unless it is named or detached. */
  #abandoned(id: string): void {
    const actor = this.byId.get(id)
    // It may have passed itself on meanwhile.
    if (!actor || hasHandle(id)) return
    // By another id it goes only for a worker that asked for one that was there.
    if (actor.state === 'dead' || id !== actor.id) return void this.byId.delete(id)
    if (actor.settings.detached || actor.settings.name !== undefined) return
    // A call that runs may do that, and wait for whoever calls the actor then: its end is not to stand before those calls.
    const running = this.session.calls.lastOf(actor)
    if (running) return running.returns.at(-1)!.whenSettled(() => this.#abandoned(id))
    const last = makeReturns(1, this.session.nextId, this.session)
    const task = this.makeCall(actor, TERMINATE, last.entries, {})
    this.enqueue(task, [])
    last.entries[0]!.whenSettled(() => {
      if (this.session.calls.lastOf(actor) || hasHandle(id)) return this.#abandoned(id)
      this.#end(actor, false)
      this.byId.delete(id)
    })
  }

  /** The session is over. */
  end(): void {
    for (const actor of this.byId.values()) actor.die(shutDown(actor))
    this.byId.clear()
  }
}
