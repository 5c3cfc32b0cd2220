import { realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { types } from 'node:util'
import { runInThisContext } from 'node:vm'
import { builtinExports } from './known.js'
import { parser } from './parse.js'
import { resolveFrom } from './resolve.js'
import type { Script } from './scope.js'
import { awaited, type Steps } from './steps.js'
import type { ModuleCode } from './types.js'

/** What `ray.remote` or `serve.deployment` makes carries the function or class itself under this. */
export const REMOTE: unique symbol = Symbol.for('rayito.remote') as never

/** The function or class inside what they made; anything else as it is. */
export function unwrap(value: unknown): unknown {
  return isHolder(value) && REMOTE in value ? value[REMOTE] : value
}

/** Milliseconds after which a module is taken to be waiting for us: it awaits, at its top, what it asked us for. */
const PATIENCE = 1000

/** Modules that were waiting for us when last asked for. */
const waiting = new Set<string>()

/** The export of that name of what a CommonJS module exports, of which the default is the whole: as compilers write `export default`. */
export const DEFAULT_OF_DEFAULT = 'default.default'

type Namespace = Record<string, unknown>

/** Modules that have been asked for: what they export can be looked at without waiting. */
const namespaces = new Map<string, Namespace>()

/** A module that is loaded already; null if it cannot be, or is still being evaluated. */
async function loadedModule(url: string): Promise<Namespace | null> {
  let timer: NodeJS.Timeout | undefined
  const patience = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, waiting.has(url) ? 0 : PATIENCE, null)
  })
  try {
    const namespace = await Promise.race([import(url) as Promise<Namespace>, patience])
    if (namespace) {
      waiting.delete(url)
      namespaces.set(url, namespace)
    } else waiting.add(url)
    return namespace
  } catch {
    return null
  } finally {
    clearTimeout(timer)
  }
}

let entry: string | null | undefined

/** Whether it is the program's first file, which a worker must not run again. */
function isEntry(url: string): boolean {
  if (entry === undefined) entry = findEntry()
  return entry !== null && url.startsWith('file:') && realUrl(url) === entry
}

function findEntry(): string | null {
  const given = process.argv[1]
  if (!given) return null
  try {
    return realUrl(pathToFileURL(createRequire(join(process.cwd(), 'x.js')).resolve(given)).href)
  } catch {
    return pathToFileURL(given).href
  }
}

function realUrl(url: string): string {
  try {
    return pathToFileURL(realpathSync(fileURLToPath(url.replace(/[?#].*$/, '')))).href
  } catch {
    return url
  }
}

/** Whether a test runner made these modules, in a context of its own (Jest): a worker may not be able to load those that it translates, or finds in its own way. */
const foreign = runInThisContext('globalThis') !== globalThis

/** Whether workers can have a module: not the program's first file, nor what a test runner made of its own. */
function isForWorkers(url: string): boolean {
  if (foreign && !url.includes('/node_modules/')) return false
  return /^(file|data|https?):/.test(url) && !isEntry(url)
}

/** The export of a loaded module that a value is, or that is remote and made of it. */
export function* exportOf(url: string, value: unknown): Steps<ModuleCode | undefined> {
  if (!isForWorkers(url)) return undefined
  const namespace = yield* awaited(namespaces.get(url) ?? loadedModule(url))
  return namespace ? exportIn(namespace, url, value) : undefined
}

function exportIn(namespace: Namespace, url: string, value: unknown): ModuleCode | undefined {
  if (value === namespace) return { kind: 'module', module: url, name: '*' }
  // Of CommonJS, what the lexer did not see is in the default export.
  const inside = namespace.default
  const holders = isHolder(inside) && 'module.exports' in namespace ? [namespace, inside] : [namespace]
  for (const holder of holders)
    for (const key of Object.keys(holder)) {
      const exported = quietly(() => holder[key])
      if (exported !== value && unwrap(exported) !== value) continue
      return { kind: 'module', module: url, name: holder === namespace ? key : insideDefault(key) }
    }
  return undefined
}

/** Whether a value may have members, as what a CommonJS module exports has. */
export function isHolder(value: unknown): value is Namespace {
  return typeof value === 'function' || (typeof value === 'object' && value !== null)
}

/** What a member of a CommonJS module's exports is called. */
function insideDefault(key: string): string {
  return key === 'default' ? DEFAULT_OF_DEFAULT : key
}

function quietly<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    // Not initialised yet.
    return undefined
  }
}

type CommonModule = { exports: unknown; loaded: boolean }
const cache = createRequire(import.meta.url).cache as unknown as Record<string, CommonModule | undefined>

/** Whether a file is a CommonJS module that Node has loaded. */
export function isRequired(file: string): boolean {
  return file in cache
}

let known = new Map<unknown, ModuleCode>()
let knownOf = -1

/** What the modules loaded by `require` export, by value. */
export function requiredExports(): ReadonlyMap<unknown, ModuleCode> {
  const modules = Object.entries(cache).filter(([, module]) => module?.loaded)
  if (modules.length !== knownOf) {
    known = new Map()
    for (const [file, module] of modules) addRequired(file, module!)
    knownOf = modules.length
  }
  return known
}

function addRequired(file: string, { exports }: CommonModule): void {
  const url = pathToFileURL(file).href
  if (!/\.[cm]?[jt]s$/.test(file) || !isForWorkers(url)) return
  if (!isHolder(exports)) return
  const add = (value: unknown, name: string) => {
    if (isHolder(value) && !known.has(value)) known.set(value, { kind: 'module', module: url, name })
  }
  const namespace = types.isModuleNamespaceObject(exports)
  add(exports, namespace ? '*' : 'default')
  const translated = namespace || exports.__esModule === true
  for (const [key, { value, get }] of Object.entries(Object.getOwnPropertyDescriptors(exports))) {
    // Getters of translated modules only read another module's export.
    const exported = get && translated ? quietly(() => exports[key]) : value
    const name = namespace ? key : insideDefault(key)
    add(exported, name)
    add(unwrap(exported), name)
  }
}

interface Import {
  specifier: string
  /** '*' for the module itself. */
  imported: string
}
const imports = new Map<string, Map<string, Import>>()

/** The export that a variable of a module is bound to by an `import` declaration. */
export function* importedAs(script: Script, variable: string, value: unknown): Steps<ModuleCode | undefined> {
  let declared = imports.get(script.id)
  if (!declared) {
    declared = importsOf(script.source)
    imports.set(script.id, declared)
  }
  const found = declared.get(variable)
  const url = found && quietly(() => resolveFrom(found.specifier, script.url))
  if (!url) return undefined
  if (url.startsWith('node:')) return builtinExports()(value)
  if (!isForWorkers(url)) return undefined
  const namespace = yield* awaited(namespaces.get(url) ?? loadedModule(url))
  if (!namespace) return undefined
  const exported = found.imported === '*' ? namespace : quietly(() => namespace[found.imported])
  return exported === value ? { kind: 'module', module: url, name: found.imported } : undefined
}

function importsOf(source: string): Map<string, Import> {
  const parse = parser()
  const found = new Map<string, Import>()
  try {
    for (const statement of parse(source, { ecmaVersion: 'latest', sourceType: 'module', allowHashBang: true }).body) {
      if (statement.type !== 'ImportDeclaration') continue
      for (const specifier of statement.specifiers) {
        const imported =
          specifier.type === 'ImportNamespaceSpecifier'
            ? '*'
            : specifier.type === 'ImportDefaultSpecifier'
              ? 'default'
              : specifier.imported.type === 'Identifier'
                ? specifier.imported.name
                : String(specifier.imported.value)
        found.set(specifier.local.name, { specifier: String(statement.source.value), imported })
      }
    }
  } catch {
    // Not a text that can be understood: nothing is known of it.
  }
  return found
}
