import { inspect } from 'node:util'
import { serialize, via } from '../core/travel.js'
import { passOn } from './measured.js'
import { type Router, type RouterState, routerOf } from './router.js'
import type { DeploymentHandle, DeploymentResponse } from './types.js'

/** Names that a handle must not answer to: it is no promise and no JSON. */
const NOT_METHODS = new Set(['then', 'catch', 'finally', 'toJSON', 'constructor', 'inspect', 'asymmetricMatch'])

const routed: unique symbol = Symbol('router')

class Target {
  readonly [routed]: Router
  constructor(router: Router) {
    this[routed] = router
  }
  [inspect.custom](): string {
    return `DeploymentHandle(${this[routed].plan.key})`
  }
}

const handler: ProxyHandler<Target> = {
  get(target, name) {
    const router = target[routed]
    if (name === serialize)
      return () => via(import.meta.url, 'reviveHandle', { plan: router.plan, actors: router.actors })
    if (typeof name === 'symbol') return Reflect.get(target, name)
    if (NOT_METHODS.has(name)) return undefined
    if (name === 'remote') return (...args: unknown[]) => call(router, 'call', args)
    return { remote: (...args: unknown[]) => call(router, name, args) }
  },
  set: () => false,
  has: (target, name) => name in target || (typeof name === 'string' && !NOT_METHODS.has(name)),
}

function call(router: Router, method: string, args: unknown[]): DeploymentResponse<unknown> {
  const sent = router.send((actor, id) => actor.call.remote(id, method, args))
  const response = sent.answer.then(({ value, measured }) => {
    passOn(measured)
    return value
  })
  return Object.assign(response, { cancel: () => sent.cancel() })
}

export function makeHandle<T extends object>(router: Router): DeploymentHandle<T> {
  return new Proxy(new Target(router), handler) as unknown as DeploymentHandle<T>
}

/** A handle in another thread: it sends by itself, and hears from the controller which replicas there are. */
export function reviveHandle(state: RouterState): object {
  return makeHandle(routerOf(state))
}
