import { types } from 'node:util'
import { NotSerializableError } from '../errors.js'
import { idOf } from './identity.js'
import type { Scope, Script, Surroundings } from './scope.js'
import { type Source, sourceOf } from './source.js'
import type { AnyFunction } from './types.js'

/** A variable that was found around a function. */
export interface Found {
  value: unknown
  scope: Scope
  /** What the variable is the same by, for all functions that use it; undefined where that cannot be told. */
  key: string | undefined
}

/** The innermost variable of that name around a function. @param trail who asks */
export function lookUp({ scopes, script }: Surroundings, name: string, trail: string): Found | null {
  const at = scopes.findIndex(({ variables }) => Object.hasOwn(variables, name))
  if (at < 0) return null
  const scope = scopes[at]!
  const value = read(scope, name)
  if (value === UNREACHED)
    throw new NotSerializableError(
      `\`${name}\``,
      `is used by ${trail} before its declaration was reached`,
      'Call it below that.',
    )
  return { value, scope, key: keyOf(scopes, at, script, name) }
}

const UNREACHED = Symbol('unreached')

/** A variable's value, unless its declaration was not reached yet. (Node 20 shows `undefined` for that.) */
function read({ variables }: Scope, name: string): unknown {
  try {
    return variables[name]
  } catch {
    return UNREACHED
  }
}

/** The same for all functions of a script that use a variable of its outermost scope, which is there once. */
function keyOf(scopes: readonly Scope[], at: number, script: Script, name: string): string | undefined {
  const { type, owner, variables } = scopes[at]!
  if (type === 'Script') return `script:${name}`
  if (type === 'Module') return `${script.id}:${name}`
  // The function around a CommonJS module runs once and has no name; so does that around a notebook's cell, and whatever
  // changes a variable of the cell changes `exports` with it.
  const outermost = type === 'Closure' && !owner && scopes.slice(at + 1).every((scope) => scope.type === 'Script')
  const once = outermost && (Object.hasOwn(variables, 'exports') || script.url.startsWith('file:'))
  return once ? `${script.id}:${name}` : undefined
}

/**
 * What a variable is the same by if it holds a function that assigns to it: one that replaces itself at its first call, as in TypeScript's
 * `__importStar`. The scope around it has no other such variable.
 */
export function keyOfItself(name: string, value: unknown): string | undefined {
  // To understand a text takes time.
  if (typeof value !== 'function' || !Function.prototype.toString.call(value).includes(name)) return undefined
  const itself = value as AnyFunction
  return sourceOf(itself)?.free.get(name)?.assigned ? `${idOf(itself)}:${name}` : undefined
}

/** Whether two views of scopes may be of one and the same. */
export function alike(a: Scope, b: Scope): boolean {
  const names = Object.keys(a.variables)
  return (
    names.length === Object.keys(b.variables).length &&
    names.every((name) => Object.hasOwn(b.variables, name) && Object.is(read(a, name), read(b, name)))
  )
}

/** The lists in which TypeScript keeps what a class's decorators are to do to instances. */
const INITIALIZERS = /^_\w*[iI]nitializers$/

/** The caches of the helper that Babel and SWC have for `import()` in CommonJS. */
const CACHES = /^cache(Babel|Node)Interop$/

/** What a variable begins with over there, if what is in it comes again: when a class is evaluated, or a module asked for. */
export function beginning({ kind, text }: Source, name: string, value: unknown): object | undefined {
  if (types.isWeakMap(value) && CACHES.test(name)) return new WeakMap()
  const filled = kind === 'class' && Array.isArray(value) && INITIALIZERS.test(name) && text.includes('__esDecorate(')
  return filled ? [] : undefined
}
