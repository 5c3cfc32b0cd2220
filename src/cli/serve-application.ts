import { existsSync, statSync } from 'node:fs'
import { basename, dirname, extname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { RayitoError } from '../core/errors.js'
import { isOthers } from '../core/travel.js'
import { boundOf } from '../serve/deployment.js'
import type { Application } from '../serve/index.js'

/** This package's compiled files. */
const PACKAGE = fileURLToPath(new URL('../', import.meta.url))
const EXTENSIONS = ['', '.js', '.mjs', '.cjs', '.ts', '.mts']

/**
 * What `module:variable` names, as Ray's `serve run` takes it: a module by its path or name, with or without its extension,
 * from the current folder (its `dist` and `src` too) or from this package.
 * @throws RayitoError USAGE for another form, SERVE_APP_NOT_FOUND
 */
export async function findApplication(path: string): Promise<Application> {
  const [module, variable] = split(path)
  const file = findModule(module)
  let exports: Record<string, unknown>
  try {
    exports = (await import(pathToFileURL(file).href)) as Record<string, unknown>
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    const why =
      code === 'ERR_UNKNOWN_FILE_EXTENSION'
        ? `${file} is TypeScript, which this Node (${process.version}) cannot run: compile it first`
        : `${file} cannot be imported: ${message.split('\n')[0]}`
    throw new RayitoError('SERVE_APP_NOT_FOUND', why, { cause, remedy: '' })
  }
  const app = exports[variable]
  if (boundOf(app)) return app as Application
  if (isOthers(app)) {
    const what = `'${variable}' of ${file} is of another copy of rayito than this command, which is of ${dirname(PACKAGE)}`
    const remedy = `Start it with the command of the copy that it imports: in its folder \`npx rayito serve run ${path}\`.`
    throw new RayitoError('SERVE_APP_NOT_FOUND', what, { remedy })
  }
  const names = Object.keys(exports).filter((name) => boundOf(exports[name]))
  const has = names.length ? `it has ${names.join(', ')}` : 'it exports no application'
  const is = variable in exports ? 'is no application' : 'is not exported'
  throw new RayitoError('SERVE_APP_NOT_FOUND', `'${variable}' ${is} by ${file}: ${has}`)
}

/** @throws RayitoError USAGE */
export function split(path: string): [module: string, variable: string] {
  // The last colon: a path of Windows has one, too.
  const at = path.lastIndexOf(':')
  const [module, variable] = [path.slice(0, at), path.slice(at + 1)]
  if (at < 1 || !/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(variable))
    throw new RayitoError('USAGE', `Expected module:variable, such as ray-server:info, got '${path}'`)
  return [module, variable]
}

/** The module's file. @throws RayitoError SERVE_APP_NOT_FOUND */
export function findModule(module: string): string {
  const folders = [resolve(), resolve('dist'), resolve('src'), PACKAGE]
  for (const folder of folders)
    for (const extension of EXTENSIONS) {
      const file = resolve(folder, `${module}${extension}`)
      if (existsSync(file) && statSync(file).isFile()) return onOurDrive(compiled(file))
    }
  throw new RayitoError('SERVE_APP_NOT_FOUND', `There is no module '${module}' in ${resolve()} or in this package`)
}

/** For a file of `src` what it was compiled to, where that is. */
function compiled(file: string): string {
  if (!/^\.m?ts$/.test(extname(file)) || basename(dirname(file)) !== 'src') return file
  const built = join(dirname(dirname(file)), 'dist', basename(file).replace(/ts$/, 'js'))
  return existsSync(built) ? built : file
}

/** With this package's letter for its drive: to Node modules on c: and C: are two, and each would import a package of its own. */
function onOurDrive(file: string): string {
  const [ours] = /^[a-z]:/i.exec(PACKAGE) ?? []
  return ours && file.toUpperCase().startsWith(ours.toUpperCase()) ? ours + file.slice(ours.length) : file
}

/** The application with so many replicas of the deployment that answers. */
export function scaled(app: Application, numReplicas: number | 'auto' | undefined): Application {
  return numReplicas === undefined ? app : (boundOf(app)!.scaled(numReplicas) as unknown as Application)
}
