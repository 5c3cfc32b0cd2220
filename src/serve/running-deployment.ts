import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises'
import type { RayitoError } from '../core/errors.js'
import { describe } from '../ray/code/index.js'
import { ActorDiedError } from '../ray/errors.js'
import { whenActorDies } from '../ray/handle.js'
import { type ActorHandle, type ObjectRef, ray } from '../ray/index.js'
import { remoteAs } from '../ray/remote.js'
import { runtime } from '../ray/runtime.js'
import type { Bound } from './deployment.js'
import { endIdle } from './heard.js'
import { processors } from './processors.js'
import { Replica, ReplicaPlan } from './replica.js'
import { rootMessage } from './root-message.js'
import { Router, type RouterState } from './router.js'
import { publish } from './routers.js'
import type { DeploymentStatus, ServeEvent } from './types.js'

/** The module of the actor. */
const REPLICA = new URL('./replica.js', import.meta.url).href
/** Health checks that fail one after the other before a replica is replaced: Ray's number. */
const FAILURES = 3
/** Milliseconds before a replica that could not be started is tried again, at most. */
const MOST_PAUSE = 10_000

interface Running {
  readonly actor: ActorHandle<Replica>
  state: 'STARTING' | 'RUNNING' | 'STOPPING'
  /** Health checks that failed one after the other. */
  failures: number
  checking: boolean
}

export interface Listener {
  event(level: ServeEvent['level'], source: ServeEvent['source'], message: string): void
  /** Its replicas have changed: whoever has a handle must know. */
  changed(deployment: RunningDeployment): void
}

/** A deployment that runs: keeps so many replicas alive and well as it was told. */
export class RunningDeployment {
  /** Its own: what was asked of one version is answered by it. */
  readonly router: Router
  restarts = 0
  /** How many replicas it is to have. */
  target = 1
  readonly #replicas = new Set<Running>()
  #timer: NodeJS.Timeout | null = null
  #stopped: Promise<void> | null = null
  #message = ''
  /** A replica that is to take a lost one's place could not be started. */
  #failing = false
  /** Replicas that are to take lost ones' places and are not there yet. */
  #coming = 0
  /** Its replicas have ended with their session. */
  #orphaned = false
  #actorClass: ReturnType<typeof remoteAs<[plan: ReplicaPlan], Replica>>

  constructor(
    readonly app: string,
    readonly bound: Bound,
    /** Its constructor's arguments, with handles for what is bound among them. */
    private readonly args: readonly unknown[],
    private readonly listener: Listener,
  ) {
    const { name, maxOngoingRequests, maxQueuedRequests } = bound.options
    this.router = new Router({ key: `${app}#${name}`, maxOngoingRequests, maxQueuedRequests })
    this.#actorClass = remoteAs(Replica, REPLICA, `ServeReplica:${app}:${name}`, { maxConcurrency: 100_000 })
  }

  get name(): string {
    return this.bound.options.name
  }

  get title(): string {
    return `Deployment(name='${this.name}', app='${this.app}')`
  }

  get actors(): ActorHandle<Replica>[] {
    return [...this.#replicas].filter(({ state }) => state === 'RUNNING').map(({ actor }) => actor)
  }

  /** Handles reach it from now on, and no longer the version before. */
  publish(): void {
    publish(this.router)
  }

  /** Has a replica, or will soon: one that died is being replaced. */
  get accepts(): boolean {
    return this.actors.length > 0 || !this.#failing
  }

  /** Finds out how many replicas it is to have: what 'auto' means, only the machines can tell. */
  async count(): Promise<void> {
    const { numReplicas } = this.bound.options
    this.target = numReplicas === 'auto' ? await processors() : numReplicas
  }

  /** Begins to start the replicas; resolves when all are ready, rejects when one cannot be. */
  async start(): Promise<void> {
    const { target } = this
    this.#adding(target)
    // What a session lacks is told first.
    runtime()
    await describe(this.bound.target as never, this.bound.site)
    await Promise.all(Array.from({ length: target }, () => this.#add()))
    if (this.#stopped) return
    this.#timer = setInterval(() => this.#checkAll(), this.bound.options.healthCheckPeriod)
    this.#timer.unref()
  }

  #adding(count: number): void {
    const plural = count === 1 ? 'replica' : 'replicas'
    this.listener.event('INFO', 'controller', `Adding ${count} ${plural} to ${this.title}.`)
  }

  async #add(): Promise<void> {
    if (this.#stopped) return
    const { name, maxOngoingRequests, userConfig } = this.bound.options
    const plan = new ReplicaPlan(this.bound.target, this.args, name, maxOngoingRequests, userConfig)
    const actor = this.#actorClass.remote(plan)
    const replica: Running = { actor, state: 'STARTING', failures: 0, checking: false }
    this.#replicas.add(replica)
    try {
      await ray.get(actor.ready.remote())
    } catch (error) {
      this.#replicas.delete(replica)
      if (ray.isInitialized()) ray.kill(actor)
      throw error
    }
    if (this.#stopped) return
    replica.state = 'RUNNING'
    this.#changed()
    // What else it says is for those who make actors themselves.
    whenActorDies(actor, (death) => this.#lost(replica, death instanceof ActorDiedError ? death.reason : death.message))
  }

  #changed(): void {
    this.router.update(this.actors)
    this.listener.changed(this)
  }

  #lost(replica: Running, why: string): void {
    if (!this.#replicas.delete(replica) || replica.state !== 'RUNNING' || this.#stopped) return
    const told = `A replica of ${this.title} died: ${why}`
    if (!ray.isInitialized()) {
      this.listener.event('WARNING', 'controller', told)
      return this.#orphan(told)
    }
    this.#changed()
    this.#replace(told)
  }

  /** Nobody is to wait for replicas that come only once there is a session again. */
  #orphan(why: string): void {
    this.#orphaned = true
    this.#failing = true
    this.#message = why
    this.router.close(`The session in which ${this.router.plan.key} ran has ended`)
  }

  /** There is a session again. */
  #adopt(): void {
    this.#orphaned = false
    const missing = this.target - this.actors.length - this.#coming
    if (missing > 0) this.#fill(missing)
  }

  /** Starts a replica for one that is lost; tries until it succeeds. */
  #replace(why: string): void {
    this.#message = why
    this.listener.event('WARNING', 'controller', why)
    this.#fill(1)
  }

  #fill(missing: number): void {
    this.restarts += missing
    this.#adding(missing)
    for (let i = 0; i < missing; i++) void this.#addUntil()
  }

  async #addUntil(): Promise<void> {
    this.#coming++
    for (let wait = 500; !this.#stopped && ray.isInitialized(); wait = Math.min(2 * wait, MOST_PAUSE)) {
      try {
        await this.#add()
        this.#message = ''
        this.#failing = false
        break
      } catch (error) {
        this.#failing = true
        this.#message = `A replica of ${this.title} could not be started: ${rootMessage(error)}`
        if (this.#stopped) break
        this.listener.event('ERROR', 'controller', this.#message)
        await pause(wait, undefined, { ref: false })
      }
    }
    this.#coming--
    if (!this.#stopped && !ray.isInitialized()) this.#orphan(this.#message)
  }

  #checkAll(): void {
    if (ray.isInitialized() && this.#orphaned) this.#adopt()
    for (const replica of this.#replicas)
      if (replica.state === 'RUNNING' && !replica.checking) void this.#check(replica)
  }

  async #check(replica: Running): Promise<void> {
    const { healthCheckTimeout, gracefulShutdownTimeout } = this.bound.options
    let hangs = false
    let ended: Promise<void>
    replica.checking = true
    try {
      await ray.get(replica.actor.checkHealth.remote(), { timeout: healthCheckTimeout })
      replica.failures = 0
      return
    } catch (error) {
      hangs = (error as RayitoError).code === 'RAY_GET_TIMEOUT'
      if (++replica.failures < FAILURES || replica.state !== 'RUNNING' || this.#stopped) return
      // It has died meanwhile.
      if (!this.#replicas.has(replica)) return
      const silence = `no answer within ${healthCheckTimeout} ms (healthCheckTimeout)`
      const why = `A replica of ${this.title} failed its health check ${FAILURES} times: ${hangs ? silence : rootMessage(error)}`
      replica.state = 'STOPPING'
      replica.actor.drain.remote()
      ended = this.#ended(replica.actor, gracefulShutdownTimeout)
      this.#changed()
      this.#replace(why)
    } finally {
      replica.checking = false
    }
    // One that answers may end what it runs; what a silent one holds is tried elsewhere.
    if (!hangs) await ended
    this.#replicas.delete(replica)
    if (ray.isInitialized()) ray.kill(replica.actor)
  }

  /** Takes a replica out once it has ended what it runs, or after `milliseconds`. */
  async #ended(actor: ActorHandle<Replica>, milliseconds: number): Promise<void> {
    const end = performance.now() + milliseconds
    await this.router.leaves(actor, milliseconds)
    await endIdle(actor, end)
  }

  /**
   * Tells its replicas which ones a deployment has that they may hold handles to.
   * @returns what resolves when those that run have heard of it
   */
  tell(members: RouterState): ObjectRef<void>[] {
    if (!ray.isInitialized()) return []
    return [...this.#replicas].flatMap(({ actor, state }) => {
      const told = actor.members.remote(members)
      return state === 'STARTING' ? [] : [told]
    })
  }

  /** Its replicas are to hold nothing back for calls that might come. */
  drain(): void {
    if (ray.isInitialized()) for (const { actor } of this.#replicas) actor.drain.remote()
  }

  /**
   * Ends its replicas once nothing runs there, or the time is up: its own, or that which its application has left.
   * @param next goes on with what has not begun by then
   */
  stop(left: number, next?: RunningDeployment): Promise<void> {
    this.#stopped ??= this.#stop(left, next)
    return this.#stopped
  }

  async #stop(left: number, next?: RunningDeployment): Promise<void> {
    if (this.#timer) clearInterval(this.#timer)
    const { actors } = this
    for (const replica of this.#replicas) replica.state = 'STOPPING'
    const within = Math.min(left, this.bound.options.gracefulShutdownTimeout)
    const end = performance.now() + within
    // What only waits for replicas that are dead goes on elsewhere, or hears of it, after those that they had.
    const dead = Promise.all(actors.map((actor) => new Promise((resolve) => whenActorDies(actor, resolve))))
    await Promise.race([this.router.idle(within), dead.then(() => nextTurn())])
    this.router.close(undefined, next?.router)
    await Promise.all(actors.map((actor) => endIdle(actor, end)))
    for (const { actor } of this.#replicas) if (ray.isInitialized()) ray.kill(actor)
    this.#replicas.clear()
  }

  status(): DeploymentStatus {
    const replicas = { RUNNING: 0, STARTING: 0, STOPPING: 0 }
    for (const { state } of this.#replicas) replicas[state]++
    const whole = replicas.RUNNING >= this.target
    return {
      status: whole ? 'HEALTHY' : this.#message ? 'UNHEALTHY' : 'UPDATING',
      message: whole ? '' : this.#message,
      replicas,
      ongoing: this.router.ongoing,
      queued: this.router.queued,
      restarts: this.restarts,
    }
  }
}
