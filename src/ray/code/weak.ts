import { types } from 'node:util'
import { weakMembers } from './scope.js'
import type { CodeNode } from './types.js'

/**
 * What stands for the WeakMap or WeakSet that a compiler makes of private members: a new one, since instances of classes stay
 * here, and so does what is private to them. Undefined for all else: entries of other objects would be lost.
 */
export function privateMembers(object: object): Extract<CodeNode, { kind: 'weak' }> | undefined {
  const isMap = types.isWeakMap(object)
  if (!isMap && !types.isWeakSet(object)) return undefined
  if (!weakMembers(object)?.every(isInstance)) return undefined
  return { kind: 'weak', of: isMap ? 'WeakMap' : 'WeakSet' }
}

function isInstance(member: unknown): boolean {
  if (typeof member !== 'object' || member === null || Array.isArray(member)) return false
  const prototype: unknown = Object.getPrototypeOf(member)
  return prototype !== null && prototype !== Object.prototype
}
