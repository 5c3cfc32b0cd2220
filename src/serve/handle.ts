import { inspect } from 'node:util'
import { expected } from '../core/errors.js'
import { knownOptions } from '../core/options.js'
import { serialize, via } from '../core/travel.js'
import { NOT_METHODS } from '../ray/handle.js'
import { HandleResponse } from './response.js'
import { HandleResponseGenerator } from './response-generator.js'
import { type Router, type RouterState, routerOf } from './router.js'
import type { DeploymentHandle, DeploymentResponse, DeploymentResponseGenerator, HandleOptions } from './types.js'

const routed: unique symbol = Symbol('router')

const streams: unique symbol = Symbol('stream')

/** Whose replicas a handle reaches: those of the version that runs now. */
type Routed = () => Router

class Target {
  readonly [routed]: Routed
  readonly [streams]: boolean
  constructor(router: Routed, stream: boolean) {
    this[routed] = router
    this[streams] = stream
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
    const { [routed]: router, [streams]: stream } = target
    const call = stream ? streamed : answered
    if (name === serialize) return () => via(import.meta.url, 'reviveHandle', { ...router().state, stream })
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

export function makeHandle<T extends object>(router: Routed, stream = false): DeploymentHandle<T> {
  return new Proxy(new Target(router, stream), handler) as unknown as DeploymentHandle<T>
}

/** A handle in another thread: it sends by itself, and hears from the controller which replicas there are. */
export function reviveHandle({ stream, ...state }: RouterState & { stream: boolean }): object {
  const router = routerOf(state)
  return makeHandle(() => router, stream)
}
