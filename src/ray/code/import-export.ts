import { basename } from 'node:path'
import { importing } from '../../core/imports.js'
import { HOME } from '../../core/package-file.js'
import { span } from '../../core/spans.js'
import { isOffered } from '../../core/travel.js'
import { NotSerializableError, RayError } from '../errors.js'
import { DEFAULT_OF_DEFAULT, isHolder, REMOTE } from './modules.js'
import { isOurs, localModule } from './portable.js'

type Namespace = Record<string, unknown>

interface Imported {
  namespace: Namespace
  /** Others may have only what of it is meant for them. */
  ours: boolean
}

/** Modules that were imported here: what they export is there at once. */
const imported = new Map<string, Imported>()

let ahead: Promise<unknown> | undefined

/** What a thread imports before anybody asks for it. */
export function importAhead(importing: Promise<unknown>): void {
  const done = () => {
    ahead = undefined
  }
  ahead = importing.then(done, done)
}

/** What a call loads comes after that: where CommonJS requires a module that is being imported, Node 20 fails. */
export function importedAhead(): Promise<unknown> | undefined {
  return ahead
}

/**
 * An export of a module; '*' is the module itself. A promise the first time (of what this package exports to everybody: always).
 * @throws NotSerializableError, RayError RAY_CLUSTER_CODE (rejects)
 */
export function importExport(module: string, name: string): unknown {
  const known = imported.get(module)
  return known ? permitted(known, module, name) : load(module).then((loaded) => permitted(loaded, module, name))
}

function permitted({ namespace, ours }: Imported, module: string, name: string): unknown {
  const found = pick(namespace, module, name)
  return !ours || isMeantForOthers(found) ? found : exportedToAll(found, name)
}

/** Whether an export of this package is there for calls from elsewhere. */
function isMeantForOthers(found: unknown): boolean {
  return isHolder(found) && (REMOTE in found || isOffered(found))
}

async function exportedToAll(found: unknown, name: string): Promise<unknown> {
  const door = (await import(new URL('index.js', HOME).href)) as Namespace
  if (isHolder(found) && Object.values(door).includes(found)) return found
  throw new RayError('RAY_CLUSTER_CODE', `${name} is not for other machines: rayito keeps it to itself`, {
    remedy: 'Call it from a function of your own: rayito worker --allow FOLDER.',
  })
}

async function load(module: string): Promise<Imported> {
  let url = module
  try {
    url = localModule(module)
    if (ahead) await span('import', 'rayito', () => ahead)
    const namespace = (await span('import', basename(module), () => importing(() => import(url)))) as Namespace
    const loaded = { namespace, ours: isOurs(url) }
    imported.set(module, loaded)
    return loaded
  } catch (cause) {
    if (cause instanceof RayError) throw cause
    const told = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause)
    const unknown = (cause as { code?: unknown }).code === 'ERR_UNKNOWN_FILE_EXTENSION'
    const remedy = unknown ? (url === module ? COMPILE : NEWER) : undefined
    throw new NotSerializableError(url, `cannot be imported here: ${told}`, remedy)
  }
}

/** Node 20's worker threads do not load modules as tsx and the like made its main thread do; its processes do. */
const COMPILE =
  "What the program is run with (tsx, ts-node …) does not reach worker threads: ray.init({ workers: 'processes' }), or compile it first."

/** On a cluster it is the worker's own Node. */
const NEWER = `The worker's Node, ${process.version}, loads no such files: start it with a newer one (of TypeScript, 22.18), or compile them first.`

function pick(namespace: Namespace, module: string, name: string): unknown {
  if (name === '*') return namespace
  if (name in namespace) return namespace[name]
  // Of CommonJS, what Node's lexer did not see is in the default export; what all functions have (`constructor`) is nobody's export.
  const inside = namespace.default
  const key = name === DEFAULT_OF_DEFAULT ? 'default' : name
  if (isHolder(inside) && Object.hasOwn(inside, key)) return inside[key]
  // Compiled there, and loaded here as the ES module that it is written as.
  if (name === DEFAULT_OF_DEFAULT && inside !== undefined) return inside
  throw new NotSerializableError(`${name} of ${module}`, 'is not exported here')
}
