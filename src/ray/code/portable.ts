import { existsSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { HOME } from '../../core/package-file.js'
import { isInside } from '../../core/paths.js'
import { NotSerializableError, RayError } from '../errors.js'
import { differing, type ModuleHash, moduleHash } from './module-hash.js'
import type { Code } from './types.js'

/**
 * Modules on their way to other machines: not where they are here, but what they are called there, and a hash of what they
 * say. Of this package the path inside it; of others the URL here, whose end is looked for in the folders that are allowed
 * there.
 *
 *     rayito-module:HASH:ray/remote.js      user-module:HASH-PARTS:file:///home/ana/work/tasks.js
 */
const PACKAGE = HOME.href
const PORTABLE = /^(rayito|user)-module:([0-9a-f]*)(?:-([0-9a-f]*))?:(.*)$/s

let travelling = false
let allowed: readonly string[] | null = null

/** Whether what is packed from now on goes to other machines. */
export function setTravelling(on: boolean): void {
  travelling = on
}

/** In a worker for other machines: the folders whose modules may run here, besides this package. */
export function allowModules(folders: readonly string[]): void {
  allowed = folders
}

/**
 * What came from another machine is to be an export of a module here: what sent it need not be the sender of this package.
 * @throws RayError RAY_CLUSTER_CODE
 */
export function refuseSource(name: string): void {
  if (travelling) throw refusal(`${name || 'A function'} came as code, and only exports of modules run here`)
}

/** Whether it matters what of a module is asked for: of this package others may have no more than is meant for them. */
export function isOurs(url: string): boolean {
  if (!allowed || !url.startsWith('file:')) return false
  return url.startsWith(PACKAGE) || isAllowed(fileURLToPath(PACKAGE), fileURLToPath(url))
}

/** The name under which a module travels; as it is where everything stays on this machine. */
export function portableModule(url: string): string {
  if (!travelling || url.startsWith('rayito:') || PORTABLE.test(url)) return url
  if (!url.startsWith('file:'))
    throw new NotSerializableError(url, 'is no file that another machine could have', 'Use a module of your own.')
  const { whole, parts } = hashOf(url)
  // Of the package nobody changes single files.
  if (url.startsWith(PACKAGE)) return `rayito-module:${whole}:${url.slice(PACKAGE.length)}`
  return `user-module:${whole}-${parts}:${url}`
}

/** @throws NotSerializableError for code that has no module */
export function portableCode(code: Code): Code {
  if (!travelling) return code
  if (code.kind === 'module') return { ...code, module: portableModule(code.module) }
  throw new NotSerializableError(
    code.name || 'A function',
    'is defined in a notebook cell or in the first file of a program, and code itself does not travel to other machines',
    'Put it into a module of its own, export it, and allow its folder on the workers (rayito worker --allow FOLDER).',
  )
}

/** The module here that a portable name means. @throws RayError RAY_CLUSTER_CODE */
export function localModule(name: string): string {
  const [, kind, whole, parts = '', path] = PORTABLE.exec(name) ?? []
  if (!kind) {
    if (travelling) throw refusal(`Modules are known here by what they are called elsewhere and a hash, not as ${name}`)
    return name
  }
  const url = kind === 'rayito' ? new URL(path!, PACKAGE).href : userModule(path!)
  if (kind === 'rayito' && !url.startsWith(PACKAGE)) throw refusal(`${name} is no module of rayito`)
  const here = hashOf(url)
  if (here.whole !== whole) {
    const file = (parts && differing(here, parts)) || fileURLToPath(url)
    throw new RayError('RAY_CLUSTER_CODE', `${file} is not what the driver has: their contents differ`, {
      remedy: 'Bring the same files to all machines, and start the worker again.',
      file,
    })
  }
  return url
}

/** The file in a folder that is allowed here whose path ends as the driver's does. */
function userModule(url: string): string {
  if (!allowed) return url
  const steps = new URL(url).pathname.split('/').map(decodeURIComponent).filter(Boolean)
  for (const folder of allowed)
    for (let from = 0; from < steps.length; from++) {
      const file = join(folder, ...steps.slice(from))
      if (existsSync(file) && isAllowed(folder, file)) return pathToFileURL(file).href
    }
  for (const folder of allowed) {
    const file = tryPath(url)
    if (file && existsSync(file) && isAllowed(folder, file)) return pathToFileURL(file).href
  }
  throw new RayError(
    'RAY_CLUSTER_CODE',
    `This worker has no ${steps.at(-1)} in a folder that it may run (${allowed.join(', ') || 'none'}); the driver has ${url}`,
    { file: url },
  )
}

function refusal(message: string): RayError {
  return new RayError('RAY_CLUSTER_CODE', message)
}

function tryPath(url: string): string | null {
  try {
    return fileURLToPath(url)
  } catch {
    return null
  }
}

function isAllowed(folder: string, file: string): boolean {
  return isInside(realpathSync(folder), realpathSync(file))
}

function hashOf(url: string): ModuleHash {
  const file = fileURLToPath(url)
  try {
    return moduleHash(file)
  } catch (cause) {
    throw new RayError('RAY_CLUSTER_CODE', `${file} cannot be read`, { cause, file })
  }
}
