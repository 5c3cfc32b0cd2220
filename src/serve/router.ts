import { RayitoError } from '../core/errors.js'
import { type ActorIdentity, identityOf } from '../ray/actor-identity.js'
import { actorOf, makeHandle } from '../ray/handle.js'
import type { ActorHandle } from '../ray/index.js'
import { Call, type Member, type ReplicaCalls, type Rest, type Send } from './call.js'
import { callContext } from './context.js'
import type { Measured } from './measured.js'

/** What a router has to know of its deployment; crosses to replicas that hold handles. */
export interface RouterPlan {
  /** `application#deployment` */
  key: string
  maxOngoingRequests: number
  maxQueuedRequests: number
}

/** What a router tells those in other threads: plain data, since it is told to whoever may have a handle. */
export interface RouterState {
  /** Of two states of a deployment the higher one is the newer. */
  number: number
  plan: RouterPlan
  /** The replicas that take calls now; null once the deployment has been stopped. */
  actors: readonly ActorIdentity[] | null
}

/** States that routers of this thread have had. */
let states = 0

/** How often a call is tried when replicas die under it. */
const TRIES = 2

/**
 * Sends calls to the replicas of a deployment: of two taken at random to the one with fewer ongoing calls (power of two
 * choices), at most `maxOngoingRequests` each; the rest waits in line here, at most `maxQueuedRequests`.
 */
export class Router {
  #members: Member[] = []
  readonly #waiting = new Set<Call<Measured>>()
  /** Those that wait for their arguments: they are in nobody's way. */
  readonly #incomplete = new Set<Call<Measured>>()
  /** Those whose replica died come first. */
  readonly #again = new Set<Call<Measured>>()
  #closed: RayitoError | null = null
  /** Where its calls go once it is closed. */
  #next: Router | null = null
  #idle: (() => void)[] = []
  /** Requests that have come and are no calls yet. */
  readonly #coming = new Set<object>()
  /** Of its state. */
  #number = 0
  /** Hears of each state; null where nobody is to. */
  tell: ((state: RouterState) => void) | null = null
  ongoing = 0

  constructor(public plan: RouterPlan) {}

  get queued(): number {
    return this.#waiting.size + this.#again.size
  }

  /** Whether a further call would be refused now. */
  get full(): boolean {
    return this.queued >= this.plan.maxQueuedRequests && !this.#hasRoom()
  }

  get state(): RouterState {
    const actors = this.#closed ? null : this.#members.map(({ actor }) => identityOf(actorOf(actor)!))
    return { number: this.#number, plan: this.plan, actors }
  }

  /** Its state is another one. */
  changed(): void {
    this.#number = ++states
    this.tell?.(this.state)
  }

  /** Sends to these replicas from now on; ongoing calls of others go on. After `close`: the deployment is there again. */
  update(actors: readonly ActorHandle<ReplicaCalls>[], plan = this.plan): void {
    this.plan = plan
    this.#closed = null
    this.#next = null
    this.#members = actors.map(
      (actor) =>
        this.#members.find((member) => sameActor(member.actor, actor)) ?? {
          actor,
          ongoing: 0,
          whenIdle: null,
          stopped: null,
        },
    )
    this.#serve()
    this.changed()
  }

  /**
   * @param coming what the call waits for before it takes a place, in the line too; null: nothing
   * @throws RayitoError SERVE_BACK_PRESSURE when too many wait; a call that waits for its arguments rejects with it
   */
  send<R extends Measured>(send: Send<R>, rest: Rest<R> = () => null, coming: Promise<unknown> | null = null): Call<R> {
    if (this.#next) return this.#next.send(send, rest, coming)
    if (this.#closed) throw this.#closed
    const call = new Call<R>(this, send, rest)
    if (coming) this.#complete(call, coming)
    else this.#place(call)
    const context = callContext.getStore()
    if (context?.aborted) call.cancel()
    else if (context) call.heed(context)
    return call
  }

  #complete(call: Call<Measured>, coming: Promise<unknown>): void {
    this.#incomplete.add(call)
    coming.then(() => call.complete()).catch((error) => call.reject(error))
  }

  /** @internal Its arguments are there. */
  completed(call: Call<Measured>): void {
    if (this.#incomplete.delete(call)) this.#place(call)
  }

  #place(call: Call<Measured>): void {
    const member = this.queued === 0 ? this.#pick() : null
    if (member) call.run(member)
    else if (this.queued >= this.plan.maxQueuedRequests) throw backPressure(this.plan, this.queued)
    else this.#waiting.add(call)
  }

  #hasRoom(): boolean {
    return this.#members.some(({ ongoing }) => ongoing < this.plan.maxOngoingRequests)
  }

  #pick(): Member | null {
    const members = this.#members
    const { maxOngoingRequests } = this.plan
    if (members.length === 0) return null
    const first = Math.floor(Math.random() * members.length)
    let best = members[first]!
    if (members.length > 1) {
      const other = members[(first + 1 + Math.floor(Math.random() * (members.length - 1))) % members.length]!
      if (other.ongoing < best.ongoing) best = other
    }
    if (best.ongoing < maxOngoingRequests) return best
    return members.find(({ ongoing }) => ongoing < maxOngoingRequests) ?? null
  }

  #serve(): void {
    while (this.queued > 0) {
      const member = this.#pick()
      if (!member) return
      const from = this.#again.size > 0 ? this.#again : this.#waiting
      const call = from.values().next().value!
      from.delete(call)
      call.run(member)
    }
  }

  /** A call of this request may follow: it is not idle until that is there, or will not be. */
  expect(request: object): void {
    this.#coming.add(request)
  }

  expectNoMore(request: object): void {
    if (this.#coming.delete(request)) this.#tellIdle()
  }

  /** @internal A call has left its replica. */
  released(member: Member): void {
    member.ongoing--
    this.ongoing--
    if (member.ongoing === 0) member.whenIdle?.()
    this.#serve()
    this.#tellIdle()
  }

  get #unsent(): Set<Call<Measured>>[] {
    return [this.#again, this.#waiting, this.#incomplete]
  }

  get #isIdle(): boolean {
    return this.ongoing === 0 && this.#coming.size === 0 && this.#unsent.every(({ size }) => size === 0)
  }

  #tellIdle(): void {
    if (this.#isIdle) for (const then of this.#idle.splice(0)) then()
  }

  /** @internal Its replica died: true if it waits for another. */
  again(call: Call<Measured>, member: Member): boolean {
    this.#members = this.#members.filter((other) => other !== member)
    if (this.#closed || call.tries >= TRIES) return false
    this.#again.add(call)
    return true
  }

  /** @internal It waits no longer. */
  forget(call: Call<Measured>): void {
    for (const calls of this.#unsent) calls.delete(call)
    this.#tellIdle()
  }

  /** Resolves true when nothing runs or waits here, false after `milliseconds`. */
  idle(milliseconds: number): Promise<boolean> {
    if (this.#isIdle) return Promise.resolve(true)
    return within(milliseconds, (done) => this.#idle.push(done))
  }

  /** The same for one replica, which is about to be taken out. */
  leaves(actor: ActorHandle<ReplicaCalls>, milliseconds: number): Promise<boolean> {
    const member = this.#members.find((one) => sameActor(one.actor, actor))
    if (!member || member.ongoing === 0) return Promise.resolve(true)
    return within(milliseconds, (done) => {
      member.whenIdle = done
    })
  }

  /**
   * The deployment has been stopped: no further calls; those that wait are rejected.
   * @param next where these go instead: the next version's
   */
  close(why = `${this.plan.key} was stopped`, next: Router | null = null): void {
    this.#closed = new RayitoError('SERVE_STOPPED', why)
    this.#next = next
    for (const member of this.#members) member.stopped = this.#closed
    this.#members = []
    if (next) next.#inherit(this)
    else for (const calls of this.#unsent) for (const call of calls) call.reject(this.#closed)
    // Nobody is to wait on, nor a timer.
    for (const then of this.#idle.splice(0)) then()
    this.changed()
  }

  /** What another version has not begun is refused no more: it was asked for already. */
  #inherit(before: Router): void {
    const mine = this.#unsent
    for (const [i, calls] of before.#unsent.entries())
      for (const call of calls) {
        calls.delete(call)
        call.moved(this)
        mine[i]!.add(call)
      }
    this.#serve()
  }

  /** What another thread's router of the deployment says, unless it has said something newer. */
  follow({ number, plan, actors }: RouterState): void {
    if (number <= this.#number) return
    if (actors) this.update(actors.map(makeHandle<ReplicaCalls>), plan)
    else this.close()
    this.#number = number
  }
}

function backPressure({ key }: RouterPlan, queued: number): RayitoError {
  const wait = queued === 1 ? 'request waits' : 'requests wait'
  return new RayitoError('SERVE_BACK_PRESSURE', `${queued} ${wait} for ${key} already`)
}

function sameActor(a: ActorHandle<ReplicaCalls>, b: ActorHandle<ReplicaCalls>): boolean {
  return actorOf(a)?.id === actorOf(b)?.id
}

function within(milliseconds: number, begin: (done: () => void) => void): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds, false)
    begin(() => {
      clearTimeout(timer)
      resolve(true)
    })
  })
}
