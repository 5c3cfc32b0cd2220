import { inspect } from 'node:util'
import { RayitoError } from '../core/errors.js'
import { defined } from '../core/options.js'
import { COPY, serialize, THIS_COPY, via } from '../core/travel.js'
import { type ActorIdentity, identityOf } from './actor-identity.js'
import { isRef, type ObjectRef } from './object-ref.js'
import { returned, streaming } from './object-ref-generator.js'
import { itsRuntime } from './runtime.js'
import type { ActorHandle, MethodOptions, NotMethod } from './types.js'

/** What stands for a handle on its way: data is the identity. */
export const ACTOR = 'rayito:actor'

const identity = Symbol('rayito.actor')

class Target {
  readonly [identity]: ActorIdentity
  constructor(actor: ActorIdentity) {
    this[identity] = actor
  }
  get [COPY](): object {
    return THIS_COPY
  }
  [inspect.custom](): string {
    return `ActorHandle(${this[identity].label})`
  }
  /** Its `toString` would be a method of the other side. */
  [Symbol.toPrimitive](): string {
    return this[inspect.custom]()
  }
}

/** Names that a handle does not answer to: it is no promise, no JSON and no matcher of a test's. */
export const NOT_METHODS: ReadonlySet<string> = new Set<NotMethod>([
  'then',
  'catch',
  'finally',
  'toJSON',
  'constructor',
  'inspect',
  'asymmetricMatch',
])

const handler: ProxyHandler<Target> = {
  get(target, name) {
    const actor = target[identity]
    if (typeof name === 'symbol')
      return name === serialize ? () => via(ACTOR, '', identityOf(actor)) : Reflect.get(target, name)
    return NOT_METHODS.has(name) ? undefined : method(actor, name, {})
  },
  set() {
    return false
  },
  has: (target, name) => name in target || (typeof name === 'string' && !NOT_METHODS.has(name)),
}

/** Called directly it only says how it is to be called. */
interface Method {
  (): never
  remote(...args: unknown[]): unknown
  options(more: MethodOptions): Method
}

function method(actor: ActorIdentity, name: string, options: MethodOptions): Method {
  const called = (() => {
    throw new RayitoError(
      'RAY_MISUSE',
      `${actor.className}.${name} is an actor's method and cannot be called directly`,
      {
        remedy: `Call .${name}.remote(…) and ray.get of what it returns.`,
      },
    )
  }) as unknown as Method
  const call = streaming(options, actor.generators.includes(name))
  called.remote = (...args: unknown[]) => {
    const runtime = itsRuntime()
    return returned(runtime.callActor(actor, name, args, call), call, runtime)
  }
  called.options = (more: MethodOptions) => method(actor, name, { ...options, ...defined(more) })
  return called
}

/** The last handle of an actor is garbage. */
let gone: ((id: string) => void) | null = null
const handles = new Map<string, number>()
const registry = new FinalizationRegistry<string>((id) => {
  const left = (handles.get(id) ?? 1) - 1
  if (left > 0) handles.set(id, left)
  else {
    handles.delete(id)
    gone?.(id)
  }
})

/** The driver wants to know when an actor has no handle any more. */
export function whenHandlesGone(then: (id: string) => void): void {
  gone = then
}

/** Whether an actor has a handle still. */
export function hasHandle(id: string): boolean {
  return handles.has(id)
}

/** A handle whose properties are the actor's methods. */
export function makeHandle<T extends object>(actor: ActorIdentity): ActorHandle<T> {
  const handle = new Proxy(new Target(actor), handler)
  handles.set(actor.id, (handles.get(actor.id) ?? 0) + 1)
  registry.register(handle, actor.id)
  return handle as unknown as ActorHandle<T>
}

/** The actor behind a handle, or null. */
export function actorOf(candidate: unknown): ActorIdentity | null {
  return (typeof candidate === 'object' && candidate !== null && (candidate as Partial<Target>)[identity]) || null
}

/** Calls `then` when an actor has died for good. Only its driver hears of it. */
export function whenActorDies(handle: object, then: (death: Error) => void): void {
  const actor = actorOf(handle)
  if (actor) itsRuntime().whenActorDies?.(actor, then)
}

/** The id by which a worker holds a ref or a handle. */
export function carriedId(thing: object): string {
  return isRef(thing) ? (thing as ObjectRef).id : actorOf(thing)!.id
}

/** Refs and handles by these ids: of each a worker counts one, however many there are in a value. */
export function carriedById(things: readonly object[]): Map<string, object> {
  return new Map(things.map((thing) => [carriedId(thing), thing]))
}
