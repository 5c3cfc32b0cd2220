import { types } from 'node:util'
import { Encoder } from '../pack/encode.js'
import { sourceOf } from './source.js'
import type { AnyFunction } from './types.js'

/** Which of an object's own properties travel. */
export type Wanted = (property: PropertyDescriptor, key: string | symbol) => boolean | undefined

/** Of a class and of its prototype: what else they have, evaluating the class makes again. */
export function wantedOfClass(type: AnyFunction): [own: Wanted, ofPrototype: Wanted] {
  const isNew = isForeignTo(type)
  return [
    (property) =>
      isFunctional(property) ? !property.enumerable && isNew(property) : property.enumerable && isData(property.value),
    (property) => property.enumerable || (isFunctional(property) && isNew(property)),
  ]
}

/** Of a function and of its prototype. */
export function wantedOfFunction(fn: AnyFunction): [own: Wanted, ofPrototype: Wanted] {
  const isWanted: Wanted = (property, key) =>
    property.enumerable || (isFunctional(property) && property.value !== fn && key !== 'caller')
  return [isWanted, isWanted]
}

/** Whether a property is a function, or gets or sets its value by one. */
function isFunctional({ value, get, set }: PropertyDescriptor): boolean {
  return typeof (get ?? set ?? value) === 'function'
}

/** Whether a property's function is not written in a class: a decorator put it there. */
function isForeignTo(type: AnyFunction): (property: PropertyDescriptor) => boolean {
  const text = Function.prototype.toString.call(type)
  return ({ value, get, set }) =>
    [value, get, set].some((fn) => typeof fn === 'function' && !text.includes(Function.prototype.toString.call(fn)))
}

/** Whether a getter or setter can travel itself, as far as its source says. */
export function isTravelling(fn: AnyFunction): boolean {
  return sourceOf(fn)?.lexical.length === 0
}

/**
 * The function or class from whose prototype inherits what a function makes, as classes in the language's old form do. Null: it
 * inherits from something else; undefined: from nothing.
 */
export function baseOfFunction(fn: AnyFunction): AnyFunction | null | undefined {
  if (!(fn.prototype instanceof Object) || types.isGeneratorFunction(fn)) return undefined
  const prototype = Object.getPrototypeOf(fn.prototype) as { constructor?: unknown } | null
  if (!prototype || Object.getPrototypeOf(prototype) === null) return undefined
  const base = prototype.constructor
  return typeof base === 'function' && base.prototype === prototype ? (base as AnyFunction) : null
}

/** Whether a value is made of nothing but what can be copied. */
function isData(value: unknown): boolean {
  try {
    new Encoder('').encode(value)
    return true
  } catch {
    return false
  }
}
