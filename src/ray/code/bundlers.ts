import { types } from 'node:util'
import { NotSerializableError } from '../errors.js'

/** Members that are functions, called so however a bundle is minified: of Turbopack's contexts by inheritance, of webpack's `require` its own. */
const TURBOPACK = ['A', 'i', 'r', 's', 'v', 'x', 'y']
const WEBPACK = ['d', 'o', 'r']

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
      'Import at the top of the file, or by await import(/* webpackIgnore: true */ /* turbopackIgnore: true */ …), which bundlers leave as it is.',
    )
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
