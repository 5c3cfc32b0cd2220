import { types } from 'node:util'
import { HOME } from '../../core/package-file.js'
import { serialize } from '../../core/travel.js'
import { exportOf, importedAs } from './modules.js'
import type { Reference } from './references.js'
import { loadedModules, moduleUrl, type Surroundings, surroundings } from './scope.js'
import type { Steps } from './steps.js'
import type { AnyFunction, CodeNode } from './types.js'

/** How many objects of a value are looked at for modules' exports among them, and members of each. */
const LOOK_AT = 5000
/** How many functions are asked for the module that they are written in, which takes about a millisecond each. */
const LOOK_INTO = 20

/**
 * What stands for a value that a function uses from around it: the module that has it, if one does.
 * @param name the variable's
 */
export function* exported(
  value: object,
  name: string,
  around: Surroundings | null,
  reference: Reference,
): Steps<CodeNode | undefined> {
  if (typeof (value as { [serialize]?: unknown })[serialize] === 'function') return undefined
  const found =
    reference(value) ??
    (typeof value === 'function' ? yield* functionExport(value as AnyFunction, reference) : yield* objectExport(value))
  if (found || !around?.script.isModule) return found
  return yield* importedAs(around.script, name, value)
}

/** Objects with functions, inside other data, that modules export. */
export function* exportedInside(value: object): Steps<[object, CodeNode][]> {
  const found: [object, CodeNode][] = []
  const reached = new Set<object>([value])
  for (const object of reached) {
    const inside = members(object)
    if (object !== value && inside.some((inner) => typeof inner === 'function')) {
      const node = yield* objectExport(object)
      if (node) found.push([object, node])
    }
    for (const inner of inside)
      if (typeof inner === 'object' && inner !== null && reached.size < LOOK_AT) reached.add(inner)
  }
  return found
}

/** What is directly in an object; no getter is asked. */
function members(object: object): unknown[] {
  if (types.isArrayBufferView(object)) return []
  if (Array.isArray(object)) return object.slice(0, LOOK_AT)
  if (types.isMap(object) || types.isSet(object)) return [...object.values()].slice(0, LOOK_AT)
  return Object.getOwnPropertyNames(object)
    .slice(0, LOOK_AT)
    .map((name) => Object.getOwnPropertyDescriptor(object, name)?.value)
}

/** The module that exports a function: the one it is written in, or one that was required. */
export function* functionExport(fn: AnyFunction, reference: Reference): Steps<CodeNode | undefined> {
  const found = reference(fn)
  if (found) return found
  const url = moduleUrl(fn)
  const written = url && (yield* exportOf(url, fn))
  if (!written || !isCompletedElsewhere(fn, url)) return written || undefined
  return (yield* packageExport(url, fn)) ?? written
}

/** Whether a package gives a class or function members that other modules of it define: the one it is written in does not have them. */
function isCompletedElsewhere(fn: AnyFunction, url: string): boolean {
  if (!packageOf(url)) return false
  const all = [
    ...members(fn),
    ...(typeof fn.prototype === 'object' && fn.prototype !== null ? members(fn.prototype) : []),
  ]
  const functions = all.filter((member): member is AnyFunction => typeof member === 'function' && member !== fn)
  const own = surroundings(fn)?.script.id
  return functions.slice(0, LOOK_INTO).some((member) => (surroundings(member)?.script.id ?? own) !== own)
}

/** The export of the package around a module that was loaded before all others that have the value: what was asked for. */
function* packageExport(url: string, value: object): Steps<CodeNode | undefined> {
  const folder = packageOf(url)
  for (const module of folder ? loadedModules(folder) : []) {
    const found = yield* exportOf(module, value)
    if (found) return found
  }
  return undefined
}

/** URL of the folder of the package that a module belongs to, if it is another's. */
function packageOf(url: string): string | undefined {
  return url.startsWith(HOME.href) ? undefined : /^file:.*\/node_modules\/(@[^/]+\/)?[^/]+\//.exec(url)?.[0]
}

/** The module that exports an object with functions, or of a class, that are written there. */
function* objectExport(object: object): Steps<CodeNode | undefined> {
  const functions = members(object).filter((member): member is AnyFunction => typeof member === 'function')
  const prototype = Object.getPrototypeOf(object)
  if (prototype !== null && prototype !== Object.prototype && typeof prototype.constructor === 'function')
    functions.unshift(prototype.constructor)
  const tried = new Set<string>()
  for (const fn of functions.slice(0, LOOK_INTO)) {
    const url = moduleUrl(fn)
    if (!url || tried.has(url)) continue
    tried.add(url)
    const found = yield* exportOf(url, object)
    if (found) return found
  }
  // A module that only hands on what others export.
  if (types.isModuleNamespaceObject(object))
    for (const url of tried) {
      const found = yield* packageExport(url, object)
      if (found) return found
    }
  return undefined
}
