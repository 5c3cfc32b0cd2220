import { createRequire } from 'node:module'
import { runInThisContext } from 'node:vm'
import { kernel } from '../../core/notebook.js'
import type { AnyFunction } from './types.js'

/** Variables around a function, innermost first. */
export interface Scope {
  /** 'Module', 'Closure', 'Block', 'Script' … as V8 calls them. */
  type: string
  /** The name of the function whose scope it is, if it has one. */
  owner: string
  variables: Readonly<Record<string, unknown>>
}

export interface Surroundings {
  scopes: Scope[]
  script: Script
  /** Counted from 0. */
  line: number
  column: number
}

/** A piece of program that was compiled at once. */
export class Script {
  constructor(
    readonly id: string,
    /** Whether it is an ES module. */
    readonly isModule: boolean,
  ) {}

  /**
   * URL of its file; '' for what is in no file.
   *
   * V8 tells it only while debugging begins, for all scripts, which takes long where the compiler of a notebook's kernel is
   * among them. There, what is no ES module is a cell, or CommonJS whose exports are known otherwise.
   */
  get url(): string {
    if (!this.isModule && kernel()) return ''
    return withSession((session) => session.url(this.id)) ?? ''
  }

  get source(): string {
    const { id: scriptId } = this
    const read = (session: Session) =>
      session.debugging(() => session.post('Debugger.getScriptSource', { scriptId }).scriptSource)
    return withSession(read) ?? ''
  }
}

interface RemoteObject {
  objectId?: string
  description?: string
  value?: { scriptId: string; lineNumber: number; columnNumber: number }
}
interface Property {
  name: string
  value?: RemoteObject
}
interface Answers {
  'Runtime.evaluate': { result: RemoteObject }
  'Runtime.getProperties': { result: Property[]; internalProperties?: Property[] }
  'Runtime.callFunctionOn': object
  'Runtime.releaseObjectGroup': object
  'Debugger.enable': object
  'Debugger.disable': object
  'Debugger.getScriptSource': { scriptSource: string }
}

type Inspector = typeof import('node:inspector')

const GROUP = 'rayito'
const HAND = Symbol.for('rayito.hand')
/** The global object of Node itself, where the inspector looks: a test runner's modules (Jest's) have another. */
const hands = runInThisContext('globalThis') as { [HAND]?: unknown }

const scripts = new Map<string, string>()
/** Those of them that are ES modules, in the order in which they were loaded: what imports before what is imported. */
const modules: string[] = []

/**
 * What V8 knows about a function's surroundings: the debugger's view of its closure, through an inspector session of this
 * thread with itself (about a millisecond). Null where this Node has no inspector, or forbids it.
 */
export function surroundings(fn: AnyFunction): Surroundings | null {
  return withSession((session) => {
    const found = session.internals(fn)
    const location = found.get('[[FunctionLocation]]')?.value
    const list = found.get('[[Scopes]]')?.objectId
    if (!location || !list) return null
    const scopes = session
      .post('Runtime.getProperties', { objectId: list, ownProperties: true })
      .result.filter(({ value }) => value?.objectId && value.description !== 'Global')
      .map(({ value }) => ({
        type: value!.description!.split(' ')[0]!,
        owner: /\((.*)\)$/.exec(value!.description!)?.[1] ?? '',
        // What V8 lists is a description with the scope in it.
        variables: (session.object(value!.objectId!) as { object: Record<string, unknown> }).object,
      }))
    const { scriptId, lineNumber, columnNumber } = location
    return {
      scopes,
      script: new Script(
        scriptId,
        scopes.some(({ type }) => type === 'Module'),
      ),
      line: lineNumber,
      column: columnNumber,
    }
  })
}

/** URL of the ES module that a function is written in; undefined for any other, and where it cannot be known. */
export function moduleUrl(fn: AnyFunction): string | undefined {
  const script = surroundings(fn)?.script
  return script?.isModule ? script.url : undefined
}

/** URLs of the ES modules below a URL that are loaded, what imports before what is imported. */
export function loadedModules(below: string): string[] {
  const all = () => modules.filter((url) => url.startsWith(below))
  return withSession((session) => session.debugging(all)) ?? []
}

/** The keys of a WeakMap, or the members of a WeakSet. Null where this Node has no inspector, or forbids it. */
export function weakMembers(collection: object): unknown[] | null {
  return withSession((session) => {
    const entries = session.internals(collection).get('[[Entries]]')?.objectId
    if (!entries) return null
    const list = session.object(entries) as ArrayLike<{ key?: unknown; value: unknown }>
    return Array.from(list, (entry) => ('key' in entry ? entry.key : entry.value))
  })
}

class Session {
  readonly #session: import('node:inspector').Session

  constructor({ Session }: Inspector) {
    this.#session = new Session()
    this.#session.connect()
    this.#session.on('Debugger.scriptParsed', ({ params: { scriptId, url, isModule } }) => {
      // A function that came here by source may have a space before its file, see revive.ts.
      scripts.set(scriptId, url.trimStart())
      if (isModule) modules.push(url)
    })
  }

  /** In-process sessions answer at once. */
  post<K extends keyof Answers>(method: K, params: object = {}): Answers[K] {
    let answer: Answers[K] | undefined
    let failure: Error | null = null
    this.#session.post(method, params, (error: Error | null, result?: object) => {
      failure = error
      answer = result as Answers[K]
    })
    if (failure) throw failure
    return answer!
  }

  internals(object: object): Map<string, RemoteObject> {
    hands[HAND] = object
    const { result } = this.post('Runtime.evaluate', {
      expression: `globalThis[Symbol.for('rayito.hand')]`,
      objectGroup: GROUP,
    })
    const { internalProperties = [] } = this.post('Runtime.getProperties', {
      objectId: result.objectId,
      ownProperties: true,
    })
    return new Map(internalProperties.flatMap(({ name, value }) => (value ? [[name, value]] : [])))
  }

  /** The real object behind an id. */
  object(objectId: string): unknown {
    this.post('Runtime.callFunctionOn', {
      objectId,
      functionDeclaration: `function () { globalThis[Symbol.for('rayito.hand')] = this }`,
    })
    return hands[HAND]
  }

  /** A script's URL is told once, when a debugger comes. */
  url(scriptId: string): string {
    if (!scripts.has(scriptId)) this.debugging(() => {})
    const url = scripts.get(scriptId) ?? ''
    scripts.set(scriptId, url)
    return url
  }

  debugging<T>(work: () => T): T {
    // All that are there are told of.
    scripts.clear()
    modules.length = 0
    this.post('Debugger.enable')
    try {
      return work()
    } finally {
      this.post('Debugger.disable')
    }
  }

  close(): void {
    delete hands[HAND]
    this.post('Runtime.releaseObjectGroup', { objectGroup: GROUP })
    this.#session.disconnect()
  }
}

function withSession<T>(work: (session: Session) => T): T | null {
  let session: Session
  try {
    session = new Session(createRequire(import.meta.url)('node:inspector') as Inspector)
  } catch {
    // A Node built without it, or whose permissions forbid it.
    return null
  }
  try {
    return work(session)
  } finally {
    session.close()
  }
}
