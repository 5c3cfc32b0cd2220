import { inspect, types } from 'node:util'
import { serialize } from '../../core/travel.js'
import { NotSerializableError, RayError } from '../errors.js'
import { Memory } from './bytes.js'
import { definitionsOf, isDefined } from './definitions.js'
import type { AnyFunction, EncodeOptions } from './encode-options.js'
import { describeError } from './errors.js'
import type { Box, Packed, Special } from './format.js'
import {
  hasNamedProperties,
  hasNothing,
  isBuiltinPrototype,
  isDetached,
  isHostCloneable,
  isIndex,
  whyNot,
  whyNotElsewhere,
} from './kinds.js'
import { getStep, keyStep, Path } from './path.js'
import { putAt } from './places.js'
import { isLeaving } from './reach.js'
import { Seen } from './seen.js'
import { Reference, Specials } from './specials.js'
import { standIn } from './stand-in.js'
import { symbolKey } from './symbols.js'
import { told, unreadable } from './thrown.js'

/** Steps from the root of a value: structured cloning, which recurses, reads that many in a thread of any stack. */
const DEEPEST = 1000

/**
 * Copies a value into what structured cloning carries, bytes into shared memory. Throws a NotSerializableError that names
 * the first part that cannot travel; nothing else is thrown.
 */
export class Encoder {
  readonly #options: EncodeOptions
  readonly #seen: Seen
  readonly #specials: Specials
  readonly #memory = new Memory()
  readonly #path: Path
  #copied = 0
  /** How deep in data of `[serialize]` methods. */
  #inside = 0

  constructor(path: string, options: EncodeOptions = {}) {
    this.#options = options
    this.#seen = new Seen(options.lenient ?? false)
    this.#specials = new Specials(options.carriedBy)
    this.#path = new Path(path)
  }

  /** Packs one value. @returns a promise if code had to be described */
  encode(value: unknown): Packed | Promise<Packed> {
    const box: Box = [undefined]
    this.add(value, box, 0)
    return this.finish(box)
  }

  /** Packs a value into a place of a container. @param path what it is called, if not what the whole is */
  add(value: unknown, container: object, key: string | number, path = this.#path.root): void {
    this.#path.reset(path)
    try {
      this.#put(value, container, key)
    } catch (error) {
      this.#rethrow(error)
      this.#fail(unreadable(error))
    }
  }

  /** What was found out here is thrown as it is; what a value throws that is looked at, is not. */
  #rethrow(error: unknown): void {
    if (error instanceof RayError) throw error
    if (error instanceof RangeError && /call stack/.test(error.message)) throw this.#tooDeep()
  }

  #tooDeep(): NotSerializableError {
    return new NotSerializableError(this.#path.root, 'is nested too deeply', 'Flatten it, or send it in parts.')
  }

  /** What `box` holds, packed. */
  finish(box: Box): Packed | Promise<Packed> {
    const { table, places, carried, pending } = this.#specials
    const special = table.length > 0
    const packed: Packed = {
      data: special ? [box, table, places] : box[0],
      special,
      copied: this.#copied + this.#memory.copied,
      shared: this.#memory.shared,
      fresh: this.#memory.fresh,
      carried,
    }
    if (!pending) return packed
    const complete = pending.then(() => packed)
    // Whoever asked may be refused for something else, or wait for something else first: a failure is told to who waits for it.
    complete.catch(() => {})
    return complete
  }

  /** Puts the copy of `value` at `container[key]`, or notes the place for what is made there: then true. */
  #put(value: unknown, container: object, key: unknown): boolean {
    switch (typeof value) {
      case 'number':
        this.#copied += 8
        break
      case 'string':
        this.#copied += value.length
        break
      case 'boolean':
      case 'undefined':
        this.#copied += 1
        break
      case 'bigint':
        this.#copied += 8
        break
      case 'object':
        if (value !== null) return this.#place(this.#object(value), container, key)
        break
      case 'function':
        return this.#place(this.#function(value as AnyFunction), container, key)
      default:
        return this.#place(this.#symbol(value as symbol), container, key)
    }
    putAt(container, key, value)
    return false
  }

  #place(made: unknown, container: object, key: unknown): boolean {
    const special = made instanceof Reference
    if (special) {
      if (made.index < 0) this.#fail('is contained in its own [ray.serialize] data')
      this.#specials.places[made.index]!.push(container, key)
    }
    putAt(container, key, special ? undefined : made)
    return special
  }

  #fail(reason: string, remedy?: string): never {
    throw new NotSerializableError(String(this.#path), reason, remedy)
  }

  /** What cannot travel. Its inspection where that will do. */
  #refuse(value: unknown, reason: string, remedy?: string): string {
    if (!this.#seen.lenient) this.#fail(reason, remedy)
    this.#seen.shown()
    try {
      return inspect(value, { depth: 0, breakLength: Infinity, customInspect: false }).slice(0, 200)
    } catch {
      return `[${reason}]`
    }
  }

  /** Symbols that all threads have; others stay themselves only among what functions use. */
  #symbol(symbol: symbol): unknown {
    const seen = this.#seen.get(symbol)
    if (seen !== undefined) return seen
    const key = symbolKey(symbol)
    if (key === undefined && !this.#options.functions)
      return this.#refuse(symbol, 'is a symbol', 'Use Symbol.for(…), or a text.')
    return this.#seen.set(symbol, this.#specials.add(['symbol', key, symbol.description]))
  }

  #function(fn: AnyFunction): unknown {
    const seen = this.#seen.get(fn)
    if (seen !== undefined) return seen
    return this.#seen.set(fn, this.#newFunction(fn))
  }

  #newFunction(fn: AnyFunction): unknown {
    if (typeof (fn as { [serialize]?: unknown })[serialize] === 'function') return this.#travelling(fn)
    const { code, functions } = this.#options
    if (!code || this.#seen.lenient || !(functions || this.#inside > 0)) return this.#refuse(fn, ...whyNot(fn))
    return this.#specials.addCode(['code', undefined], code(fn, String(this.#path)))
  }

  #object(object: object): unknown {
    const seen = this.#seen.get(object)
    if (seen !== undefined) return seen
    if (this.#path.depth > DEEPEST) {
      if (!this.#seen.lenient) throw this.#tooDeep()
      return this.#refuse(object, 'is nested too deeply')
    }
    if (!this.#seen.lenient) return this.#copy(object)
    const { depth } = this.#path
    try {
      return this.#copy(object)
    } catch (error) {
      this.#rethrow(error)
      this.#path.cut(depth)
      return this.#seen.set(object, this.#refuse(object, unreadable(error)))
    }
  }

  #copy(object: object): unknown {
    const known = this.#options.known?.(object)
    if (known !== undefined) return this.#seen.set(object, this.#specials.addCode(['code', undefined], known))
    if (typeof (object as { [serialize]?: unknown })[serialize] === 'function') return this.#travelling(object)
    const prototype = Object.getPrototypeOf(object)
    if (prototype === Object.prototype) return this.#plain(object)
    if (prototype === null || hasNothing(prototype))
      return types.isModuleNamespaceObject(object) ? this.#refuse(object, ...whyNot(object)) : this.#plain(object)
    if (Array.isArray(object) && isBuiltinPrototype(prototype)) return this.#array(object)
    return this.#other(object, prototype)
  }

  #plain(object: object): unknown {
    const keys = Object.keys(object)
    if (keys[0] === '0' && types.isArgumentsObject(object)) return this.#refuse(object, ...whyNot(object))
    const copy = this.#seen.set(object, {})
    const { functions, accessors } = this.#options
    for (const key of keys) {
      this.#copied += key.length
      this.#path.enter(keyStep(key))
      // What is defined below keeps its place.
      if (functions && isDefined(object, key, accessors)) putAt(copy, key, undefined)
      else this.#put(this.#read(object, key), copy, key)
      this.#path.leave()
    }
    if (functions) this.#definitions(object, copy)
    return copy
  }

  #definitions(object: object, copy: object): void {
    const members: unknown[] = []
    for (const { key, step, flags, parts } of definitionsOf(object, this.#options.accessors)) {
      this.#put(key, members, members.length)
      members.push(flags)
      this.#path.at(step, () => {
        for (const [part, used] of parts) this.#put(used, flags, part)
      })
    }
    if (members.length) this.#specials.add(['define', copy, members])
  }

  #read(object: object, key: string): unknown {
    try {
      return (object as Record<string, unknown>)[key]
    } catch (error) {
      return this.#refuse(undefined, `cannot be read: its getter threw ${told(error)}`)
    }
  }

  #array(array: readonly unknown[]): unknown[] {
    const { length } = array
    const copy = this.#seen.set(array, new Array<unknown>(length))
    const named = hasNamedProperties(array)
    let holes = 0
    let i = 0
    // An array that is mostly holes is walked by its keys.
    for (; i < length && holes < 1000 + i / 2; i++) {
      const value = array[i]
      if (typeof value === 'number') {
        this.#copied += 8
        copy[i] = value
      } else if (value === undefined && !(i in array)) holes++
      else this.#element(array, copy, i)
    }
    if (i < length || named)
      for (const key of Object.keys(array)) {
        const index = isIndex(key) ? Number(key) : -1
        if (index >= i) this.#element(array, copy, index)
        else if (index < 0) this.#path.at(`.${key}`, () => this.#put(this.#read(array, key), copy, key))
      }
    return copy
  }

  #element(array: readonly unknown[], copy: unknown[], index: number): void {
    this.#path.enter(`[${index}]`)
    this.#put(array[index], copy, index)
    this.#path.leave()
  }

  #other(object: object, prototype: object): unknown {
    if (types.isNativeError(object) || object instanceof Error) return this.#error(object)
    if (prototype === URL.prototype) return this.#seen.set(object, this.#specials.add(['url', (object as URL).href]))
    if (prototype === Buffer.prototype) return this.#view(object as Buffer)
    if (isBuiltinPrototype(prototype)) {
      if (types.isArrayBufferView(object)) return this.#view(object)
      if (types.isAnyArrayBuffer(object)) return this.#buffer(object)
      if (types.isBoxedPrimitive(object) && !types.isSymbolObject(object))
        return this.#seen.set(object, structuredClone(object))
      if (types.isDate(object)) return this.#seen.set(object, new Date(object.getTime()))
      if (types.isRegExp(object)) return this.#seen.set(object, new RegExp(object.source, object.flags))
      if (types.isMap(object)) return this.#map(object)
      if (types.isSet(object)) return this.#set(object)
      // Another realm's.
      if (Object.getPrototypeOf(prototype) === null) return this.#plain(object)
    }
    if (isLeaving() && isHostCloneable(object)) return this.#refuse(object, ...whyNotElsewhere(object))
    if (object instanceof File) return this.#seen.set(object, this.#file(object))
    if (isHostCloneable(object)) return this.#seen.set(object, object)
    return this.#refuse(object, ...whyNot(object))
  }

  /** Cloned, a File would be a Blob. */
  #file(file: File): Reference {
    return this.#specials.add(['file', file.slice(0, file.size, file.type), file.name, file.lastModified])
  }

  #map(map: ReadonlyMap<unknown, unknown>): unknown {
    const copy = this.#seen.set(map, new Map<unknown, unknown>())
    const entries: unknown[] = []
    let special = false
    let index = 0
    for (const key of map.keys()) {
      special = this.#path.at(`.keys()[${index}]`, () => this.#put(key, entries, 2 * index)) || special
      index++
    }
    index = 0
    for (const [key, value] of map) {
      const at = index++
      this.#path.at(getStep(key), () =>
        special ? this.#put(value, entries, 2 * at + 1) : this.#put(value, copy, entries[2 * at]),
      )
    }
    if (special) this.#specials.add(['refill', copy, entries])
    return copy
  }

  #set(set: ReadonlySet<unknown>): unknown {
    const copy = this.#seen.set(set, new Set<unknown>())
    const members: unknown[] = []
    let special = false
    let index = 0
    for (const member of set) {
      special = this.#path.at(`.values()[${index}]`, () => this.#put(member, members, index)) || special
      index++
    }
    if (special) this.#specials.add(['refill', copy, members])
    else for (const member of members) copy.add(member)
    return copy
  }

  #view(view: ArrayBufferView): unknown {
    if (isDetached(view.buffer)) return this.#refuse(view, 'is a view over a buffer that was transferred', TRANSFERRED)
    const copy = this.#memory.view(view)
    return this.#seen.set(view, Buffer.isBuffer(view) ? this.#specials.add(['buffer', copy as Uint8Array]) : copy)
  }

  /** A view stands for shared memory: what crosses to another process can be seen there only through one. */
  #buffer(buffer: ArrayBufferLike): unknown {
    if (isDetached(buffer)) return this.#refuse(buffer, 'is a buffer that was transferred', TRANSFERRED)
    const copy = this.#memory.buffer(buffer)
    if (!types.isSharedArrayBuffer(copy)) return copy
    return this.#seen.set(buffer, this.#specials.add(['memory', new Uint8Array(copy)]))
  }

  #error(error: Error): Reference {
    const { encoded, fields, hidden } = describeError(error)
    this.#copied += encoded.message.length + encoded.stack.length
    const made = this.#seen.set(error, this.#specials.add(['error', encoded]))
    const names = Object.keys(fields)
    if (names.length === 0) return made
    const copy = {}
    // They are for reading: what cannot travel among them is shown, there only.
    this.#seen.leniently(() => {
      for (const name of names) this.#path.at(`.${name}`, () => this.#put(fields[name], copy, name))
    })
    this.#specials.add(['fields', made.index, [copy], hidden])
    return made
  }

  #module(url: string): string {
    return this.#options.module?.(url) ?? url
  }

  /** A value that says itself what stands for it. */
  #travelling(value: object): unknown {
    if (this.#seen.lenient) return this.#refuse(value, '')
    const reference = this.#seen.set(value, new Reference(-1))
    const { travel, data, type } = standIn(value, (...why) => this.#fail(...why))
    const box: Box = [undefined]
    this.#inside++
    this.#put(data, box, 0)
    this.#inside--
    if (travel?.module.startsWith('rayito:')) this.#specials.carried.push(value)
    const special: Special = travel
      ? ['travel', this.#module(travel.module), travel.name, box]
      : ['instance', undefined, box]
    const made = travel
      ? this.#specials.add(special)
      : this.#specials.addCode(special, this.#options.code?.(type, String(this.#path)))
    reference.index = made.index
    return reference
  }
}

const TRANSFERRED = 'Copy it before its memory is given away.'
