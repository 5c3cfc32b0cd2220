import { types } from 'node:util'
import { kernel } from '../../core/notebook.js'
import { NotSerializableError } from '../errors.js'
import { Encoder } from '../pack/encode.js'
import type { Box, Packed } from '../pack/format.js'
import { checkBundler, isWebpackRequire, UNBUNDLED } from './bundlers.js'
import { exported, exportedInside, functionExport } from './exports.js'
import { idOf, nameOf, rememberClass } from './identity.js'
import { isGlobal } from './known.js'
import type { FreeName } from './names.js'
import { baseOfFunction, isTravelling, type Wanted, wantedOfClass, wantedOfFunction } from './properties.js'
import { references } from './references.js'
import { baseOf } from './resolve.js'
import { type Scope, type Surroundings, surroundings } from './scope.js'
import { BASE, IMPORT, META, type Source, sourceOf } from './source.js'
import { awaited, type Steps } from './steps.js'
import { isStrict } from './strictness.js'
import type { AnyFunction, CodeNode, FunctionNode, SourceCode } from './types.js'
import { alike, beginning, type Found, keyOfItself, lookUp } from './variables.js'
import { VITE_IMPORT, VITE_META, VITE_MODULE } from './vite.js'
import { type PrivateMembers, privateMembers } from './weak.js'

const REMEDY =
  'Make it or import it inside the function (await import(…)), or move the function into a module of its own and import that.'

/** What stands for import.meta and import(…) of the module that a function is written in. */
const OF_MODULE = new Map<string, (url: string) => CodeNode>([
  [META, (url) => ({ kind: 'meta', url })],
  [VITE_META, (url) => ({ kind: 'meta', url })],
  [IMPORT, (url) => ({ kind: 'import', url })],
  [VITE_IMPORT, () => ({ kind: 'import', url: baseOf(''), isVite: true })],
])

/** What a function without a name is called. */
const ROOT = 'the remote function'
/** A function on its way into the graph. */
interface Entry {
  fn: AnyFunction
  name: string
  /** The names of what uses it, and of what uses that; '' for the first. */
  user: string
  /** Both. */
  trail: string
  /** Of what it uses and cannot travel. */
  remedy: string
}

/** Everything that a function uses from around it, and what that uses, and so on. */
export class Graph {
  readonly #reference = references()
  readonly #nodes: (CodeNode | null)[] = []
  readonly #entries: Entry[] = []
  /** Functions and objects that travel as nodes. */
  readonly #indices = new Map<object, number>()
  /** Of WeakMaps and WeakSets among them, what is still to be packed. */
  readonly #weak: PrivateMembers[] = []
  readonly #variables: unknown[] = []
  readonly #variableOf = new Map<string, number>()
  readonly #bags: [name: string, variable: number][][] = []
  readonly #bagOf = new Map<object, { index: number; members: Map<string, number> }>()
  readonly #ofModules = new Map<string, object>()
  /** Who uses a variable, and whether one of them assigns to it. */
  readonly #users = new Map<number, { nodes: number[]; assigned: boolean }>()
  /** Variables of closures that cannot be told apart: see #checkShared. */
  readonly #loose = new Map<string, { scope: Scope; assigned: boolean; trail: string }[]>()
  readonly #encoder = new Encoder('', {
    code: (fn) => this.#index(fn),
    functions: true,
    accessors: isTravelling,
    known: (object) => this.#indices.get(object) ?? this.#thing(object),
  })
  /** Whose variable is being packed. */
  #current = ''
  #remedy = REMEDY;

  *describe(fn: AnyFunction): Steps<{ code: SourceCode; packed: Packed }> {
    this.#current = nameOf(fn) || ROOT
    this.#index(fn)
    for (let i = 0; i < this.#entries.length; i++) {
      yield* this.#fill(this.#entries[i]!)
      this.#fillWeak()
    }
    this.#group()
    const packed = yield* awaited(this.#encoder.finish([this.#variables] satisfies Box))
    const code: SourceCode = {
      kind: 'source',
      name: nameOf(fn),
      nodes: this.#nodes as CodeNode[],
      bags: this.#bags,
      data: packed.data,
      special: packed.special,
    }
    return { code, packed }
  }

  // -- nodes

  #index(fn: AnyFunction): number {
    const known = this.#indices.get(fn)
    if (known !== undefined) return known
    const name = nameOf(fn) || (this.#entries.length ? 'a function' : ROOT)
    const user = this.#entries.length ? this.#current : ''
    const remedy = isWebpackRequire(fn) ? UNBUNDLED : this.#remedy
    this.#entries.push({ fn, name, user, trail: user ? `${name}, used by ${user}` : name, remedy })
    return this.#node(fn, null)
  }

  #node(of: object, node: CodeNode | null): number {
    const index = this.#nodes.push(node) - 1
    this.#indices.set(of, index)
    return index
  }

  /** An object that all threads have, or have one of their own of. */
  #thing(object: object): number | undefined {
    const reference = this.#reference(object)
    if (reference) return this.#node(object, reference)
    const found = privateMembers(object)
    if (!found) return undefined
    if (found.statics.length) this.#weak.push(found)
    return this.#node(object, found.node)
  }

  /** What is private to classes, which may lead to further functions. Not before the variable is packed that led to it. */
  #fillWeak(): void {
    for (let found = this.#weak.pop(); found; found = this.#weak.pop())
      found.node.statics = this.#variable(found.statics, undefined, 'a private static member')
  }

  *#fill(entry: Entry): Steps<void> {
    const index = this.#indices.get(entry.fn)!
    if (this.#nodes[index]) return
    this.#current = entry.trail
    this.#remedy = entry.remedy
    // Of the first it is known that no module exports it.
    const found = index === 0 ? undefined : yield* functionExport(entry.fn, this.#reference)
    this.#nodes[index] = found ?? (yield* this.#function(entry, index))
  }

  *#function(entry: Entry, index: number): Steps<FunctionNode> {
    const { fn } = entry
    const source = sourceOf(fn)
    if (!source)
      throw refusal(
        entry,
        'has no source that makes sense elsewhere: it is native, or bound, or uses new.target',
        entry.remedy,
      )
    if (source.lexical.length) throw refusal(entry, lexicalReason(source))
    const around = surroundings(fn)
    const uses: FunctionNode['uses'] = []
    for (const [name, use] of source.free) {
      const used = yield* this.#use(entry, source, around, name, use, index)
      if (used) uses.push(used)
    }
    if (source.kind === 'class') rememberClass(fn)
    const node: FunctionNode = {
      kind: source.kind,
      id: idOf(fn),
      name: nameOf(fn),
      text: source.text,
      strict: isStrict(fn, source.kind, around?.script),
      uses,
      group: index,
      file: cellOf(fn) ?? fileOf(around?.script.url),
      line: around ? around.line - source.above : 0,
    }
    const [isWanted, isWantedOfPrototype] = source.kind === 'class' ? wantedOfClass(fn) : wantedOfFunction(fn)
    node.properties = this.#own(fn, `${nameOf(fn)}.*`, isWanted)
    node.prototype = this.#own(fn.prototype, `${nameOf(fn)}.prototype.*`, isWantedOfPrototype)
    const base = source.kind === 'function' && baseOfFunction(fn)
    if (base === null)
      throw refusal(
        entry,
        'makes objects that inherit from one which is the prototype of no function or class',
        entry.remedy,
      )
    if (base) {
      const variable = yield* this.#captured(base, undefined, `the base of ${entry.name}`, around)
      node.base = [variable, Object.getPrototypeOf(fn) === base]
    }
    return node
  }

  /** The variable with those of an object's own properties that are wanted, if there are any. */
  #own(object: unknown, name: string, isWanted: Wanted): number | undefined {
    if (!isThing(object)) return undefined
    const own: PropertyDescriptorMap = {}
    for (const key of Reflect.ownKeys(object)) {
      const property = Object.getOwnPropertyDescriptor(object, key)!
      if (!isWanted(property, key)) continue
      const { get, enumerable = false } = property
      own[key as string] = get && enumerable && !isTravelling(get) ? { value: get.call(object), enumerable } : property
    }
    return Reflect.ownKeys(own).length ? this.#variable(Object.defineProperties({}, own), undefined, name) : undefined
  }

  // -- variables

  *#use(
    entry: Entry,
    source: Source,
    around: Surroundings | null,
    name: string,
    use: FreeName,
    index: number,
  ): Steps<FunctionNode['uses'][number] | null> {
    if (OF_MODULE.has(name))
      return [name, this.#variable(this.#ofModule(name, around), `${name}:${around?.script.id}`, name), false]
    if (name === BASE) {
      const base: unknown = Object.getPrototypeOf(entry.fn)
      return [
        name,
        yield* this.#captured(base === Function.prototype ? null : base, undefined, 'its base class', around),
        false,
      ]
    }
    const found = around && lookUp(around, name, entry.trail)
    if (!found) {
      if (isGlobal(name)) return null
      if (Object.hasOwn(globalThis, name)) {
        const value = (globalThis as Record<string, unknown>)[name]
        return [name, yield* this.#captured(value, `global:${name}`, name, around), false]
      }
      // What is not defined is the function's own business, when it gets there.
      if (around && (source.kind !== 'class' || !use.eager)) return null
      const names = [...source.free.keys()].filter((free) => !isGlobal(free)).join(', ')
      throw around
        ? new NotSerializableError(
            `\`${name}\``,
            `is used by ${entry.trail}, and cannot be looked up there`,
            REMEDY_MODULE,
          )
        : refusal(entry, `uses ${names} from around it, which this Node has no inspector to look up`, withInspector())
    }
    const { value } = found
    const key = found.key ?? keyOfItself(name, value)
    checkBundler(name, value, entry.trail, this.#reference(value) !== undefined)
    if (name === 'require' && isRequire(value)) return [name, this.#require(value, around), false]
    if (use.members && isBag(name, value)) return [name, yield* this.#bag(name, value, use.members, around), true]
    const begun = beginning(source, name, value)
    if (begun) return [name, this.#variable(begun, key, name), false]
    this.#checkShared({ ...found, key }, around, name, use.assigned, entry.trail)
    const variable = yield* this.#captured(value, key, name, around)
    const users = this.#users.get(variable) ?? { nodes: [], assigned: false }
    users.nodes.push(index)
    users.assigned ||= use.assigned
    this.#users.set(variable, users)
    return [name, variable, false]
  }

  /** The variable with a value from around a function, which may be a module's. */
  *#captured(value: unknown, key: string | undefined, name: string, around: Surroundings | null): Steps<number> {
    const known = key === undefined ? undefined : this.#variableOf.get(key)
    if (known !== undefined) return known
    if (isThing(value) && !this.#indices.has(value)) {
      const node = yield* exported(value, name, around, this.#reference)
      if (node) this.#node(value, node)
      else
        for (const [inner, found] of yield* exportedInside(value))
          if (!this.#indices.has(inner)) this.#node(inner, found)
    }
    return this.#variable(value, key, name)
  }

  #variable(value: unknown, key: string | undefined, name: string): number {
    const known = key === undefined ? undefined : this.#variableOf.get(key)
    if (known !== undefined) return known
    const index = this.#variables.push(undefined) - 1
    if (key !== undefined) this.#variableOf.set(key, index)
    try {
      this.#encoder.add(value, this.#variables, index, `\`${name}\``)
    } catch (error) {
      if (!(error instanceof NotSerializableError)) throw error
      throw new NotSerializableError(
        inTicks(error.path, name),
        `is used by ${this.#current}, and ${error.reason}`,
        this.#remedy,
      )
    }
    return index
  }

  /** An object of which only members are used: each is a variable of its own. */
  *#bag(name: string, object: object, members: Set<string>, around: Surroundings | null): Steps<number> {
    let bag = this.#bagOf.get(object)
    if (!bag) {
      bag = { index: this.#bags.push([]) - 1, members: new Map() }
      this.#bagOf.set(object, bag)
    }
    for (const member of members) {
      if (bag.members.has(member)) continue
      const value = (object as Record<string, unknown>)[member]
      const shown = name === 'exports' ? member : member === 'default' ? name.replace(/_\d+$/, '') : `${name}.${member}`
      // Before anything is awaited: the same member must not be taken twice.
      const variable = yield* this.#captured(value, `bag:${bag.index}:${member}`, shown, around)
      bag.members.set(member, variable)
      this.#bags[bag.index]!.push([member, variable])
    }
    return bag.index
  }

  #require(value: object, around: Surroundings): number {
    if (!this.#indices.has(value)) this.#node(value, { kind: 'require', from: baseOf(around.script.url) })
    return this.#variable(value, undefined, 'require')
  }

  /** import.meta or import(…) of the module that a function is written in. */
  #ofModule(name: string, around: Surroundings | null): object {
    const url = fileOf(around?.script.url)
    const key = `${name} ${url}`
    let thing = this.#ofModules.get(key)
    if (!thing) {
      thing = {}
      this.#ofModules.set(key, thing)
      this.#node(thing, OF_MODULE.get(name)!(url))
    }
    return thing
  }

  /**
   * Functions of one module share its variables, also over there. Whether two closures share one cannot be told when it
   * has the same value in both: then it must not change.
   */
  #checkShared({ key, scope }: Found, around: Surroundings, name: string, assigned: boolean, trail: string): void {
    if (key !== undefined) return
    const place = `${around.script.id}:${name}`
    const others = this.#loose.get(place) ?? []
    for (const other of others)
      if ((assigned || other.assigned) && alike(scope, other.scope))
        throw new NotSerializableError(
          `\`${name}\``,
          `is a variable that ${other.trail} and ${trail} share and that changes: each would get one of its own`,
          'Keep it in an object that both use',
        )
    others.push({ scope, assigned, trail })
    this.#loose.set(place, others)
  }

  /** Functions that share a variable which one of them changes are made together. */
  #group(): void {
    const parent = this.#nodes.map((_, i) => i)
    const root = (i: number): number => (parent[i] === i ? i : root(parent[i]!))
    for (const { nodes, assigned } of this.#users.values())
      if (assigned) for (const node of nodes) parent[root(node)] = root(nodes[0]!)
    this.#nodes.forEach((node, i) => {
      if (node && 'group' in node) node.group = root(i)
    })
  }
}

const REMEDY_MODULE = 'Move the function into a module of its own and import that'

/** Node's permissions forbid it, those of newer ones by a flag of its own. */
function withInspector(): string {
  const may = 'permission' in process && process.allowedNodeEnvironmentFlags.has('--allow-inspector')
  return may ? `Give Node --allow-inspector, or m${REMEDY_MODULE.slice(1)}` : REMEDY_MODULE
}

function refusal({ name, user }: Entry, reason: string, remedy?: string): NotSerializableError {
  return new NotSerializableError(name, user ? `is used by ${user}, and ${reason}` : reason, remedy)
}

function isThing(value: unknown): value is object {
  return typeof value === 'function' || (typeof value === 'object' && value !== null)
}

/** `require` as CommonJS and notebooks have it. */
function isRequire(value: unknown): value is object {
  return typeof value === 'function' && typeof (value as { resolve?: unknown }).resolve === 'function'
}

/** Whether members of an object are variables in disguise: what compilers make of exports and imports, and modules. */
function isBag(name: string, value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  return (
    name === 'exports' ||
    types.isModuleNamespaceObject(value) ||
    (value as { __esModule?: unknown }).__esModule === true ||
    (/^import_|_\d+$/.test(name) && 'default' in value) ||
    VITE_MODULE.test(name)
  )
}

function lexicalReason({ lexical, kind }: Source): string {
  const used = lexical.join(', ')
  return kind === 'method' || lexical.includes('private names')
    ? `uses ${used} of its class or object, and cannot travel without it: make the class remote, or pass what it needs`
    : `uses \`${used}\` of the place where it is defined: pass what it needs as an argument`
}

/** A file for stacks and relative imports. */
function fileOf(url: string | undefined): string {
  if (url && /^[a-z]+:/.test(url)) return url
  return kernel() ? 'notebook cell' : url || 'source'
}

/** Of what a notebook's cell defines, what that cell is called in stacks. */
const cellOf = (fn: AnyFunction) => kernel()?.scriptOf?.(Function.prototype.toString.call(fn))

/** `config`.db.pool → `config.db.pool` */
function inTicks(path: string, name: string): string {
  const rest = path.slice(name.length + 2)
  return `\`${name}${rest}\``
}
