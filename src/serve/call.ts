import { RayitoError } from '../core/errors.js'
import { KILLED } from '../ray/ended.js'
import { ActorDiedError, ActorUnavailableError, NotSerializableError, RayTaskError } from '../ray/errors.js'
import { actorOf } from '../ray/handle.js'
import type { ActorHandle, ObjectRef } from '../ray/index.js'
import { itsRuntime, peekRuntime } from '../ray/runtime.js'
import { type CallContext, outsideCalls } from './context.js'
import type { WireResponse } from './http-response.js'
import { type Measured, passOn } from './measured.js'

/** A replica's methods, as those know them who send to it. Each call has an id, by which it may be cancelled. */
export interface ReplicaCalls {
  /** A method's answer. */
  call(id: string, method: string, ...args: unknown[]): Promise<{ value: unknown } & Measured>
  /** The same of a generator, whose `values` are asked for after that. */
  open(id: string, method: string, ...args: unknown[]): Promise<Measured>
  values(id: string): AsyncGenerator<unknown, void, undefined>
  /** What answers a request that came by HTTP: `bytes` are its body, or its files behind each other. Never rejects. */
  http(id: string, method: string, wire: string, bytes: Uint8Array | null): Promise<WireResponse>
  /** The pieces of its answer. */
  pieces(id: string): AsyncGenerator<string | Uint8Array, void, undefined>
  /** Its caller has gone. */
  cancel(id: string): void
}

/** A replica, as one that sends to it sees it. */
export interface Member {
  readonly actor: ActorHandle<ReplicaCalls>
  /** Calls that were sent from here and have not ended. */
  ongoing: number
  whenIdle: (() => void) | null
  /** Why it takes no calls any more, and those that it has not answered will not be: its deployment was stopped. */
  stopped: RayitoError | null
}

export type Send<R> = (actor: ActorHandle<ReplicaCalls>, call: string) => ObjectRef<R>
/** What goes on after the answer: the call keeps its place until then. Null where nothing does. */
export type Rest<R> = (answer: R, actor: ActorHandle<ReplicaCalls>, call: string) => Promise<void> | null

/** What a call needs of its router. */
interface Home {
  readonly plan: { readonly key: string }
  ongoing: number
  /** It has left its replica. */
  released(member: Member): void
  /** Its replica died: true if it waits for another. */
  again(call: Call<Measured>, member: Member): boolean
  /** It waits no longer. */
  forget(call: Call<Measured>): void
  /** What it waited for before it takes a place is there. */
  completed(call: Call<Measured>): void
}

/** A replica's method by which a handle's calls come. */
interface Door<R> {
  options(options: { name: string }): { remote(id: string, method: string, ...args: unknown[]): ObjectRef<R> }
}

/** What a call is called. */
export const callName = (actor: object, method: string): string => `${actorOf(actor)!.className}.${method}`

/** Calls a method by one. In errors and tables the call has the method's name, and its arguments their places. */
export function ask<R>(door: Door<R>, actor: object, id: string, method: string, args: unknown[]): ObjectRef<R> {
  try {
    return door.options({ name: callName(actor, method) }).remote(id, method, ...args)
  } catch (error) {
    if (!(error instanceof NotSerializableError)) throw error
    const { path, message } = error
    const place = path.replace(/^args\[(\d+)\]/, (_, i) => `args[${i - 2}]`)
    throw new NotSerializableError(place, message.slice(path.length + 1))
  }
}

/** An error as it is, but for the replica's own death: whoever asks makes no replicas. */
export function ofReplica(error: unknown, replica: object): unknown {
  if (!(error instanceof ActorDiedError) || error.actorId !== actorOf(replica)!.id) return error
  const { actor: label, actorId: id, cause } = error
  const ended = 'Serve ended it, since it failed its health checks or its time was up'
  const reason = error.reason === KILLED ? ended : error.reason
  return new ActorDiedError({ id, label }, reason, { ...error, cause, remedy: 'Another replica takes its place.' })
}

/** Calls are told apart by replicas with this and a number. */
const here = Math.random().toString(36).slice(2, 10)
let calls = 0

/** One call, from being asked for to its answer. */
export class Call<R extends Measured> {
  readonly answer: Promise<R>
  /** What it was cancelled with before its end. */
  cancellation: RayitoError | null = null
  tries = 0
  /** Milliseconds it waited for a replica. */
  waited = 0
  readonly #id = `${here}${++calls}`
  readonly #asked = performance.now()
  #member: Member | null = null
  /** Nobody waits for what follows the answer. */
  #leave: () => void = () => {}
  #settled = false
  #forget: () => void = () => {}
  /** Whether somebody learns of a failure: what nobody has learnt of is told when the session ends, as of ray's calls. */
  #heard = true
  #failed: ObjectRef | null = null
  #resolve!: (value: unknown) => void
  #reject!: (error: unknown) => void

  constructor(
    private router: Home,
    private readonly send: Send<R>,
    private readonly rest: Rest<never>,
  ) {
    this.answer = new Promise<R>((resolve, reject) => {
      this.#resolve = resolve as (value: unknown) => void
      this.#reject = reject
    })
  }

  /** @internal Another version's router goes on with it. */
  moved(router: Home): void {
    this.router = router
  }

  /** @internal */
  complete(): void {
    this.router.completed(this)
  }

  /** @internal It is cancelled with the call that made it. */
  heed(context: CallContext): void {
    this.#forget = context.whenAborted(() => this.cancel())
  }

  /** @internal */
  run(member: Member): void {
    outsideCalls(() => this.#run(member))
  }

  #run(member: Member): void {
    if (this.tries === 0) this.waited = performance.now() - this.#asked
    this.tries++
    this.#member = member
    member.ongoing++
    this.router.ongoing++
    let answer: Promise<R>
    let ref: ObjectRef | null = null
    try {
      ref = this.send(member.actor, this.#id)
      answer = itsRuntime().peek(ref) as Promise<R>
    } catch (error) {
      // What cannot cross says so before it is sent.
      answer = Promise.reject(error)
    }
    answer.then(
      (value) => {
        // Once its caller has gone nobody reads what would follow; but of others' calls, too, it tells what was measured.
        if (this.#settled) passOn(value.measured)
        const rest = this.#settled ? null : this.rest(value as never, member.actor, this.#id)
        if (!rest) return this.#ended(member, () => this.#resolve(value))
        this.#resolve(value)
        const left = new Promise<void>((resolve) => {
          this.#leave = resolve
        })
        void Promise.race([rest, left]).finally(() => this.#ended(member, () => {}))
      },
      (error) => this.#fail(member, error, ref),
    )
  }

  #fail(member: Member, error: unknown, ref: ObjectRef | null): void {
    const death = error instanceof ActorDiedError || error instanceof ActorUnavailableError ? error : null
    // Its method may have met another actor's.
    const died = death?.actorId === actorOf(member.actor)!.id
    // Once its caller has gone nobody wants it tried again.
    const again = died && !this.#settled && !member.stopped && this.router.again(this, member)
    if (!again) this.#failed = ref
    if (this.#heard || this.#settled) this.heard()
    const told = error instanceof RayTaskError ? error : (member.stopped ?? ofReplica(error, member.actor))
    this.#ended(member, again ? () => {} : () => this.#reject(told), !again)
  }

  #ended(member: Member, then: () => void, whole = true): void {
    this.#member = null
    this.#settled ||= whole
    if (whole) this.#forget()
    then()
    this.router.released(member)
  }

  /** Nobody learns of a failure until `heard`. */
  unheard(): this {
    this.#heard = false
    return this
  }

  heard(): void {
    this.#heard = true
    if (this.#failed) peekRuntime()?.seen(this.#failed)
    this.#failed = null
  }

  /** @internal */
  reject(error: Error): void {
    this.#settled = true
    this.#forget()
    this.router.forget(this)
    this.#reject(error)
  }

  /** Nobody wants the answer any more. Its place is free once the replica has really left it. */
  cancel(): void {
    if (this.#settled) return
    this.cancellation = new RayitoError('SERVE_CANCELLED', `A call of ${this.router.plan.key} was cancelled`)
    this.reject(this.cancellation)
    outsideCalls(() => this.#member?.actor.cancel.remote(this.#id))
    this.#leave()
  }
}
