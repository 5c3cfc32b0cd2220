import { expected, RayitoError } from '../core/errors.js'
import { defined } from '../core/options.js'
import { checkedRoute } from './options.js'
import type { Page, Route, Routes } from './types.js'

/** A route, filled. */
export interface ServedRoute {
  method: string
  path: string
  /** The class's method, or a page. */
  route: Route<unknown> | Page
  /** Whether the documentation, which has paths only, is silent about it. */
  hidden?: boolean
}

const routes = new WeakMap<object, readonly ServedRoute[]>()
const NAME = /^(GET|POST|PUT|PATCH|DELETE|OPTIONS) (\/\S*)$/

/**
 * Says which methods of a class answer which requests: Ray's `@serve.ingress(app)` with FastAPI's routes.
 * @returns the class itself
 */
export function ingress<A extends readonly unknown[], T extends object>(
  type: new (...args: A) => T,
  table: Routes<T>,
): new (
  ...args: A
) => T {
  // Arrow functions and methods have no prototype.
  if (typeof type !== 'function' || !type.prototype) expected('Class', 'a class', type)
  if (typeof table !== 'object' || table === null)
    expected('routes', "routes such as { 'POST /whatis': 'whatis' }", table)
  const served = Object.entries(defined(table)).map(([name, given]) => {
    const parts = NAME.exec(name)
    if (!parts) expected('routes', "named as 'POST /whatis'", name)
    const route = checkedRoute(given, name)
    if ('call' in route && typeof (type.prototype as Record<string, unknown>)[route.call] !== 'function')
      throw new RayitoError('INVALID_ARGUMENT', `${type.name} has no method ${route.call} for ${name}`)
    return { method: parts![1]!, path: parts![2]!, route }
  })
  routes.set(type, served)
  return type
}

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/** The routes of a class; without `ingress` its `call` answers every path, as Python's `__call__` does. */
export function routesOf(type: new (...args: never[]) => object): readonly ServedRoute[] {
  const known = routes.get(type)
  if (known) return known
  if (typeof (type.prototype as { call?: unknown }).call !== 'function') return []
  const route = { call: 'call' } as unknown as Route<unknown>
  return ['/', '/*'].flatMap((path) =>
    METHODS.map((method) => ({ method, path, route, hidden: path === '/*' || method === 'OPTIONS' })),
  )
}
