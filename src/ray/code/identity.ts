import { randomUUID } from 'node:crypto'
import type { AnyFunction } from './types.js'

const thread = randomUUID().slice(0, 8)
let last = 0

const ids = new WeakMap<AnyFunction, string>()
const classes = new Map<string, WeakRef<AnyFunction>>()
const gone = new FinalizationRegistry<string>((id) => {
  if (!classes.get(id)?.deref()) classes.delete(id)
})

/** A function's or class's name, '' if it has none; what a class's text says, where it has a static member of that name. */
export function nameOf(fn: AnyFunction): string {
  const name: unknown = fn.name
  if (typeof name === 'string') return name
  return /^class\s+([\w$]+)/.exec(Function.prototype.toString.call(fn))?.[1] ?? ''
}

/** What a function or class is called in all threads: the same for one that came from another thread. */
export function idOf(fn: AnyFunction): string {
  let id = ids.get(fn)
  if (!id) {
    id = `${thread}:${++last}`
    ids.set(fn, id)
  }
  return id
}

/** Notes which function of another thread this one is. */
export function known(fn: AnyFunction, id: string): void {
  ids.set(fn, id)
}

/** Classes are found again by their id, so that `instanceof` holds for what arrives at different times. */
export function rememberClass(fn: AnyFunction, id = idOf(fn)): void {
  ids.set(fn, id)
  classes.set(id, new WeakRef(fn))
  gone.register(fn, id)
}

export function findClass(id: string): AnyFunction | undefined {
  return classes.get(id)?.deref()
}
