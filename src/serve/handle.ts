import { inspect } from 'node:util'
import { expected } from '../core/errors.js'
import { knownOptions } from '../core/options.js'
import { offer, serialize, via } from '../core/travel.js'
import { NOT_METHODS } from '../ray/handle.js'
import { HandleResponse } from './response.js'
import { HandleResponseGenerator } from './response-generator.js'
import type { Router, RouterState } from './router.js'
import { routerOf } from './routers.js'
import type { DeploymentHandle, DeploymentResponse, DeploymentResponseGenerator, HandleOptions } from './types.js'

const routed: unique symbol = Symbol('router')

const streams: unique symbol = Symbol('stream')

const binds: unique symbol = Symbol('bound')

/** Whose replicas a handle reaches: those of the version that runs now. */
type Routed = () => Router

class Target {
  readonly [routed]: Routed
  readonly [streams]: boolean
  readonly [binds]: boolean
  constructor(router: Routed, stream: boolean, bound: boolean) {
    this[routed] = router
    this[streams] = stream
    this[binds] = bound
  }
  [inspect.custom](): string {
    return `DeploymentHandle(${this[routed]().plan.key})`
  }
  /** Its `toString` would be a method of the other side. */
  [Symbol.toPrimitive](): string {
    return this[inspect.custom]()
  }
}

const handler: ProxyHandler<Target> = {
  get(target, name) {
    const { [routed]: router, [streams]: stream, [binds]: bound } = target
    const call = stream ? streamed : answered
    if (name === serialize) return () => via(import.meta.url, 'reviveHandle', { state: router().state, stream, bound })
    if (typeof name === 'symbol') return Reflect.get(target, name)
    if (NOT_METHODS.has(name)) return undefined
    if (name === 'options') return (options: HandleOptions) => withOptions(router, stream, options)
    if (name === 'remote') return (...args: unknown[]) => call(router(), 'call', args)
    return { remote: (...args: unknown[]) => call(router(), name, args) }
  },
  set: () => false,
  has: (target, name) => name in target || (typeof name === 'string' && !NOT_METHODS.has(name)),
}

function withOptions(router: Routed, was: boolean, options: HandleOptions): object {
  knownOptions(options, ['stream'])
  const { stream = was } = options
  if (typeof stream !== 'boolean') expected('stream', 'true or false', stream)
  return makeHandle(router, stream)
}

function streamed(router: Router, method: string, args: unknown[]): DeploymentResponseGenerator<unknown> {
  return new HandleResponseGenerator(router, method, args)
}

function answered(router: Router, method: string, args: unknown[]): DeploymentResponse<unknown> {
  return new HandleResponse(router, method, args)
}

/** @param bound of the same version as the replica that it is sent to: that keeps to it */
export function makeHandle<T extends object>(router: Routed, stream = false, bound = false): DeploymentHandle<T> {
  return new Proxy(new Target(router, stream, bound), handler) as unknown as DeploymentHandle<T>
}

interface Sent {
  state: RouterState
  stream: boolean
  bound: boolean
}

/** A handle in another thread: it sends by itself, and hears from the controller which replicas there are. */
export function reviveHandle({ state, stream, bound }: Sent): object {
  const router = routerOf(state, bound)
  return makeHandle(() => router, stream)
}

offer(reviveHandle)
