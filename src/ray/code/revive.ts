import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runInThisContext } from 'node:vm'
import { importing } from '../../core/imports.js'
import { deserialize, type Travel } from '../../core/travel.js'
import { type Decoders, decode, decodeFirst } from '../pack/decode.js'
import type { SpecialData } from '../pack/format.js'
import { shippedFrom } from './call-site.js'
import { findClass, known, nameOf, rememberClass } from './identity.js'
import { importExport, importedAhead } from './import-export.js'
import { unwrap } from './modules.js'
import { refuseSource } from './portable.js'
import { resolveFrom } from './resolve.js'
import { METHOD_KEY } from './source.js'
import type { AnyFunction, Code, CodeNode, FunctionNode, SourceCode } from './types.js'
import { nodeSpecifier } from './vite.js'

/**
 * The function or class again. What it used from around it is its own from now on.
 * @param via makes what a Travel among its values stands for
 * @throws RayError RAY_CLUSTER_CODE (rejects) for what may not run here
 */
export async function revive(code: Code, via: (travel: Travel) => unknown): Promise<AnyFunction> {
  if (code.kind === 'module') return unwrap(await importExport(code.module, code.name)) as AnyFunction
  refuseSource(code.name)
  const [root] = code.nodes
  const known = root && 'group' in root && root.kind === 'class' ? findClass(root.id) : undefined
  return known ?? ((await new Revival(code, via).run()) as AnyFunction)
}

/** How a function's variables are set, and how it is made. */
type Member = [set: (values: unknown[]) => void, make: () => unknown]

class Revival {
  readonly #made: unknown[]
  /** The values of the variables, places for what is special still empty. */
  #variables: unknown[] = []
  readonly #bags: Record<string, unknown>[]
  readonly #members = new Map<number, Member>()
  readonly #shares: { set: (values: unknown[]) => void; variables: number[] }[] = []
  /** Which node a variable is, where it is one. */
  readonly #nodeOf = new Map<number, number>()
  readonly #begun = new Set<number>()
  /** Classes that came before: they are as they have become. */
  readonly #there = new Set<number>()

  constructor(
    private readonly code: SourceCode,
    private readonly via: (travel: Travel) => unknown,
  ) {
    this.#made = code.nodes.map(() => undefined)
    this.#bags = code.bags.map(() => ({}))
  }

  async run(): Promise<unknown> {
    const { nodes, data, special } = this.code
    this.#variables = (special ? (data as SpecialData)[0][0] : data) as unknown[]
    for (const [i, node] of nodes.entries()) if (!isFunction(node)) this.#made[i] = await thing(node)
    this.#compile()
    for (const [i, node] of nodes.entries())
      if (isFunction(node) && node.kind !== 'class') this.#made[i] = this.#named(this.#members.get(i)![1](), node)
    const decoders: Decoders = {
      travel: this.via,
      code: (index) => this.#made[index as number],
      instance: (index, value) => {
        this.#setAll()
        return (this.#made[index as number] as { [deserialize](data: unknown): unknown })[deserialize](value)
      },
    }
    // Classes are evaluated at once: what they may need is put in its place before, as far as it can be.
    const ready = special ? this.#first(data as SpecialData, decoders) : undefined
    for (const [i, node] of nodes.entries()) if (isFunction(node) && node.kind === 'class') this.#class(i)
    if (special) await decode(data as SpecialData, decoders, ready)
    this.#setAll()
    for (const [i, node] of nodes.entries()) {
      if (node.kind === 'weak' && node.statics !== undefined)
        fillWeak(this.#made[i] as Weak, this.#variables[node.statics] as [object, unknown][])
      if (!isFunction(node) || this.#there.has(i)) continue
      const { properties, prototype, base } = node
      const made = this.#made[i] as AnyFunction
      if (base) {
        const [variable, itself] = base
        const parent = this.#variables[variable] as AnyFunction
        Object.setPrototypeOf(made.prototype, parent.prototype as object)
        if (itself) Object.setPrototypeOf(made, parent)
      }
      if (properties !== undefined) assign(made, this.#variables[properties] as object)
      if (prototype !== undefined) assign(made.prototype as object, this.#variables[prototype] as object)
    }
    return this.#made[0]
  }

  #first(data: SpecialData, decoders: Decoders): Map<number, unknown> {
    const [, specials, places] = data
    specials.forEach((special, i) => {
      if (special[0] !== 'code') return
      const place = places[i]!
      for (let at = 0; at < place.length; at += 2)
        if (place[at] === this.#variables) this.#nodeOf.set(place[at + 1] as number, special[1] as number)
    })
    return decodeFirst(data, decoders, ([kind, index]) => (kind === 'code' ? this.#made[index as number] : undefined))
  }

  /** A class is evaluated after the classes it uses: it may extend them. */
  #class(index: number): void {
    const node = this.#function(index)
    if (this.#begun.has(index)) return
    this.#begun.add(index)
    for (const variable of this.#variablesOf(node)) {
      const used = this.#nodeOf.get(variable)
      if (used === undefined) continue
      const other = this.code.nodes[used]!
      if (isFunction(other) && other.kind === 'class') this.#class(used)
    }
    let made = findClass(node.id)
    if (made) this.#there.add(index)
    else {
      this.#setAll()
      made = this.#named(this.#members.get(index)![1](), node) as AnyFunction
      rememberClass(made, node.id)
    }
    this.#made[index] = made
    for (const [variable, used] of this.#nodeOf) if (used === index) this.#variables[variable] = made
  }

  #function(index: number): FunctionNode {
    return this.code.nodes[index] as FunctionNode
  }

  #variablesOf({ uses }: FunctionNode): number[] {
    return uses.flatMap(([, index, bag]) => (bag ? this.code.bags[index]!.map(([, variable]) => variable) : [index]))
  }

  #setAll(): void {
    this.code.bags.forEach((members, i) => {
      for (const [name, variable] of members) this.#bags[i]![name] = this.#variables[variable]
    })
    for (const { set, variables } of this.#shares) set(variables.map((variable) => this.#variables[variable]))
    for (const [i, [set]] of this.#members) {
      const { uses } = this.#function(i)
      set(uses.map(([, index, bag]) => (bag ? this.#bags[index] : this.#variables[index])))
    }
  }

  #named(made: unknown, node: FunctionNode): unknown {
    const fn = node.kind === 'method' ? methodOf(made as object) : (made as AnyFunction)
    if (nameOf(fn) !== node.name) Object.defineProperty(fn, 'name', { value: node.name, configurable: true })
    known(fn, node.id)
    return fn
  }

  /** One script for each group of functions: variables that several of them use are declared around them all. */
  #compile(): void {
    const groups = new Map<number, number[]>()
    this.code.nodes.forEach((node, i) => {
      if (!isFunction(node)) return
      const group = groups.get(node.group)
      if (group) group.push(i)
      else groups.set(node.group, [i])
    })
    for (const members of groups.values()) this.#script(members)
  }

  #script(members: number[]): void {
    // In their file's order, so that each can stand in its line there.
    members.sort((a, b) => this.#function(a).line - this.#function(b).line)
    const nodes = members.map((i) => this.#function(i))
    const shared = new Map<number, string>()
    if (nodes.length > 1) {
      const seen = new Set<number>()
      for (const { uses } of nodes)
        for (const [name, index, bag] of uses) {
          if (bag) continue
          if (seen.has(index)) shared.set(index, name)
          seen.add(index)
        }
    }
    const own = nodes.map(({ uses }) => uses.filter(([, index, bag]) => bag || !shared.has(index)))
    let text = `(() => { ${declare([...shared.values()])}return [${setter([...shared.values()])}`
    for (const [i, node] of nodes.entries()) {
      const names = own[i]!.map(([name]) => name)
      const strict = node.strict ? "'use strict'; " : ''
      text += `, ${'\n'.repeat(Math.max(0, node.line - nodes[0]!.line - lines(text)))}`
      text += `(() => { ${strict}${declare(names)}return [${setter(names)}, () => ${node.text}] })()`
    }
    text += '] })()'
    const made = compile(text, nodes[0]!)() as [Member[0], ...Member[]]
    this.#shares.push({ set: made[0], variables: [...shared.keys()] })
    members.forEach((index, i) => {
      const [set, make] = made[i + 1] as Member
      const { uses } = nodes[i]!
      const positions = uses.flatMap(([, used, bag], at) => (bag || !shared.has(used) ? [at] : []))
      this.#members.set(index, [(values) => set(positions.map((at) => values[at])), make])
    })
  }
}

type Weak = WeakMap<object, unknown> | WeakSet<object>

/** Gives back what is private to classes. */
function fillWeak(weak: Weak, statics: [object, unknown][]): void {
  for (const [its, value] of statics)
    if (weak instanceof WeakMap) weak.set(its, value)
    else weak.add(its)
}

/** Gives an object properties as they are; a class that froze itself has what it wants. */
function assign(to: object, properties: object): void {
  for (const key of Reflect.ownKeys(properties))
    Reflect.defineProperty(to, key, Object.getOwnPropertyDescriptor(properties, key)!)
}

/** How many have ended. */
const lines = (text: string): number => text.split('\n').length - 1

const isFunction = (node: CodeNode): node is FunctionNode => 'group' in node

function declare(names: readonly string[]): string {
  return names.length ? `let ${names.join(', ')}; ` : ''
}

function setter(names: readonly string[]): string {
  return `(rayito$v) => { ${names.map((name, i) => `${name} = rayito$v[${i}]`).join('; ')} }`
}

/** The only method of an object that a source made. */
function methodOf(object: object): AnyFunction {
  const { value, get, set } = Object.getOwnPropertyDescriptor(object, METHOD_KEY)!
  return value ?? get ?? set
}

function compile(text: string, { file, line }: FunctionNode): () => unknown {
  shippedFrom(file)
  // What measures coverage (V8 for c8, node --test) would take the places in this text for those in the file: a name with a space is no file's.
  const filename = process.env.NODE_V8_COVERAGE ? ` ${file}` : file
  return runInThisContext(`() => ${text}`, { filename, lineOffset: line })
}

/** A node that is no function of a source. */
async function thing(node: Exclude<CodeNode, FunctionNode>): Promise<unknown> {
  switch (node.kind) {
    case 'module':
      return unwrap(await importExport(node.module, node.name))
    case 'global':
      return node.path.reduce((holder: unknown, name) => (holder as Record<string, unknown>)[name], globalThis)
    case 'require':
      await importedAhead()
      return createRequire(node.from)
    case 'weak':
      return node.of === 'WeakMap' ? new WeakMap() : new WeakSet()
    case 'meta':
      return meta(node.url)
    case 'import':
      return (specifier: unknown, options?: ImportCallOptions) =>
        importFrom(node.isVite ? nodeSpecifier(String(specifier)) : String(specifier), node.url, options)
  }
}

async function importFrom(specifier: string, url: string, options: ImportCallOptions | undefined): Promise<unknown> {
  await importedAhead()
  return importing(() => import(resolveFrom(specifier, url), options))
}

/** What import.meta has in a module of that URL. */
function meta(url: string): object {
  const resolve = (specifier: string) => resolveFrom(specifier, url)
  if (!url.startsWith('file:')) return { url, resolve }
  const filename = fileURLToPath(url)
  return { url, filename, dirname: dirname(filename), resolve }
}
