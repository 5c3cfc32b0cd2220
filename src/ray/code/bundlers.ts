import { types } from 'node:util'
import { NotSerializableError } from '../errors.js'
import { nameOf } from './identity.js'
import type { AnyFunction } from './types.js'

/** Members that are functions, called so however a bundle is minified: of Turbopack's contexts by inheritance, of webpack's `require` its own. */
const TURBOPACK = ['A', 'i', 'r', 's', 'v', 'x', 'y']
const WEBPACK = ['d', 'o', 'r']

/** What is to be done about it. */
export const UNBUNDLED =
  'Import at the top of the file, or by await import(/* webpackIgnore: true */ /* turbopackIgnore: true */ …), which bundlers leave as it is.'

/** Of a function longer than that nobody asks whether it is webpack's. */
const LONGEST = 4_000

/**
 * What bundlers put in the place of `import()`, `require` and `import.meta` finds no module in another thread, where the bundler's
 * runtime is a file of its own, as Next.js has it.
 * @param name the variable's
 * @param users who uses it
 * @param isExport whether the value is known as a module's export
 * @throws NotSerializableError if it is that
 */
export function checkBundler(name: string, value: unknown, users: string, isExport: boolean): void {
  if (isWebpacks(value) ? isExport : isTurbopacks(value))
    throw new NotSerializableError(
      `\`${name}\``,
      `is used by ${users}, and is what a bundler put in the place of import(…), require or import.meta: it finds nothing in another thread`,
      UNBUNDLED,
    )
}

/** Whether a function is webpack's `require`, of which a bundle in one file has what it needs: that hands a module what it exports, and itself. */
export function isWebpackRequire(fn: AnyFunction): boolean {
  const text = Function.prototype.toString.call(fn)
  const given = text.length < LONGEST ? /\b([\w$]{1,40}), ?\1\.exports, ?([\w$]{1,40})\)/.exec(text) : null
  return given !== null && given[2] === nameOf(fn)
}

function isWebpacks(value: unknown): boolean {
  return typeof value === 'function' && !types.isProxy(value) && has(value, WEBPACK) && Object.hasOwn(value, 'm')
}

function isTurbopacks(value: unknown): boolean {
  return typeof value === 'object' && !types.isProxy(value) && has(value && Object.getPrototypeOf(value), TURBOPACK)
}

/** No getter is asked. */
function has(holder: object | null, methods: readonly string[]): boolean {
  const isMethod = (name: string) => typeof Object.getOwnPropertyDescriptor(holder, name)?.value === 'function'
  return holder !== null && methods.every(isMethod)
}
