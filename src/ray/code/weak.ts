import { types } from 'node:util'
import { weakMembers } from './scope.js'
import type { AnyFunction, CodeNode } from './types.js'

type Weak = Extract<CodeNode, { kind: 'weak' }>

/** What stands for it, and what is private to classes themselves: pairs, whose second is only of a WeakMap. */
export interface PrivateMembers {
  node: Weak
  statics: [AnyFunction, unknown][]
}

/**
 * What stands for the WeakMap or WeakSet that a compiler makes of private members: a new one, since instances of classes stay
 * here, and so does what is private to them; classes travel. Undefined for all else: entries of other objects would be lost.
 */
export function privateMembers(object: object): PrivateMembers | undefined {
  const map = types.isWeakMap(object) ? (object as WeakMap<object, unknown>) : null
  if (!map && !types.isWeakSet(object)) return undefined
  const members = weakMembers(object)
  const isClass = (member: unknown) => typeof member === 'function'
  if (!members?.every((member) => isClass(member) || isInstance(member))) return undefined
  const classes = members.filter(isClass) as AnyFunction[]
  return {
    node: { kind: 'weak', of: map ? 'WeakMap' : 'WeakSet' },
    statics: classes.map((its) => [its, map?.get(its)]),
  }
}

function isInstance(member: unknown): boolean {
  if (typeof member !== 'object' || member === null || Array.isArray(member)) return false
  const prototype: unknown = Object.getPrototypeOf(member)
  return prototype !== null && prototype !== Object.prototype
}
