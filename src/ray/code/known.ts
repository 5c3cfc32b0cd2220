import { builtinModules, createRequire, isBuiltin } from 'node:module'
import { types } from 'node:util'
import { runInNewContext } from 'node:vm'
import type { ModuleCode } from './types.js'

/** What Node adds to the language's globals, in its main thread and in workers alike. */
const NODE_GLOBALS =
  'global process Buffer console performance crypto navigator fetch require module exports __filename __dirname ' +
  'setTimeout setInterval setImmediate clearTimeout clearInterval clearImmediate queueMicrotask structuredClone atob btoa ' +
  'AbortController AbortSignal Event EventTarget CustomEvent MessageChannel MessagePort MessageEvent BroadcastChannel ' +
  'URL URLSearchParams URLPattern TextEncoder TextDecoder TextEncoderStream TextDecoderStream Blob File FormData Headers Request Response ' +
  'WebSocket EventSource CloseEvent Storage WebAssembly DOMException Crypto CryptoKey SubtleCrypto Navigator Performance ' +
  'PerformanceEntry PerformanceMark PerformanceMeasure PerformanceObserver PerformanceObserverEntryList PerformanceResourceTiming ' +
  'ReadableStream ReadableStreamDefaultReader ReadableStreamBYOBReader ReadableStreamBYOBRequest ReadableStreamDefaultController ' +
  'ReadableByteStreamController WritableStream WritableStreamDefaultWriter WritableStreamDefaultController TransformStream ' +
  'TransformStreamDefaultController ByteLengthQueuingStrategy CountQueuingStrategy CompressionStream DecompressionStream ' +
  'ErrorEvent QuotaExceededError localStorage sessionStorage'

/** Of a CommonJS module, not of the world. */
const MODULE_NAMES = new Set(['require', 'module', 'exports', '__filename', '__dirname'])

let globals: Set<string> | null = null

/** Whether every thread has a global of that name. */
export function isGlobal(name: string): boolean {
  globals ??= new Set([
    ...(runInNewContext('Object.getOwnPropertyNames(globalThis)') as string[]),
    ...NODE_GLOBALS.split(' ').filter((given) => given in globalThis && !MODULE_NAMES.has(given)),
  ])
  return globals.has(name)
}

let paths: Map<unknown, string[]> | null = null

/** How a function or object is reached from the global object: ['Math', 'sqrt']; undefined if it is not. */
export function globalPath(value: unknown): string[] | undefined {
  if (!paths) {
    paths = new Map()
    for (const name of Object.getOwnPropertyNames(globalThis)) if (isGlobal(name)) reach(paths, globalThis, [name], 3)
    paths.set(globalThis, ['globalThis'])
  }
  return paths.get(value)
}

/** Notes what `path` leads to, and what is in it. Asks no getter. */
function reach(found: Map<unknown, string[]>, holder: object, path: string[], depth: number): void {
  const value: unknown = Object.getOwnPropertyDescriptor(holder, path.at(-1)!)?.value
  if (typeof value !== 'function' && (typeof value !== 'object' || value === null)) return
  if (found.has(value)) return
  found.set(value, path)
  // `process` and the like have data of their own below.
  if (depth === 1 || value === globalThis) return
  for (const name of Object.getOwnPropertyNames(value)) {
    const inner = Object.getOwnPropertyDescriptor(value, name)?.value
    if (typeof inner === 'function' || name === 'prototype' || (path[0] === 'process' && name === 'env'))
      if (name !== 'constructor') reach(found, value, [...path, name], depth - 1)
  }
}

const require = createRequire(import.meta.url)
const NATIVE = 'NativeModule '
/** Deprecated ones warn when they are asked for. */
const SILENT = /^(_|punycode$|sys$|constants$|internal\/)/

/** Modules of Node's whose export of a name is a getter's, such as `AsyncLocalStorage` from Node 24 on. */
type Gotten = Map<string, [module: string, exports: object][]>

let builtins: Map<unknown, ModuleCode> | null = null
let gotten: Gotten = new Map()
let builtinsLoaded = 0

/** Which export of a module of Node's a value is. */
export function builtinExports(): (value: unknown) => ModuleCode | undefined {
  const { moduleLoadList = [] } = process as { moduleLoadList?: string[] }
  if (!builtins || moduleLoadList.length !== builtinsLoaded) {
    const loaded = new Set(['fs/promises'])
    for (const entry of moduleLoadList) if (entry.startsWith(NATIVE)) loaded.add(entry.slice(NATIVE.length))
    builtins = new Map()
    gotten = new Map()
    // The list of them lacks some of those that only `node:` names, such as node:sqlite.
    for (const id of new Set([...builtinModules, ...loaded]))
      if (loaded.has(id) && !SILENT.test(id) && isBuiltin(`node:${id}`)) addBuiltin(builtins, gotten, id)
    builtinsLoaded = moduleLoadList.length
  }
  const found = builtins
  return (value) => {
    if (!types.isModuleNamespaceObject(value)) return found.get(value) ?? behindGetter(value)
    const whole = found.get((value as { default?: unknown }).default)
    return whole?.name === 'default' ? { ...whole, name: '*' } : undefined
  }
}

/** Only the getter of its name is asked: others load what nobody uses. */
function behindGetter(value: unknown): ModuleCode | undefined {
  if (typeof value !== 'function') return undefined
  const { name } = value
  for (const [module, exports] of gotten.get(name) ?? [])
    if ((exports as Record<string, unknown>)[name] === value) return { kind: 'module', module, name }
  return undefined
}

function addBuiltin(found: Map<unknown, ModuleCode>, gotten: Gotten, id: string): void {
  const module = `node:${id}`
  const exports = require(module) as object
  found.set(exports, { kind: 'module', module, name: 'default' })
  // Those that are hidden warn that they are deprecated.
  for (const [name, { value, get, enumerable }] of Object.entries(Object.getOwnPropertyDescriptors(exports)))
    if (get && enumerable) gotten.set(name, [...(gotten.get(name) ?? []), [module, exports]])
    else if ((typeof value === 'function' || (typeof value === 'object' && value !== null)) && !found.has(value))
      found.set(value, { kind: 'module', module, name })
}
