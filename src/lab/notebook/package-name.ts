import Module from 'node:module'
import { fileURLToPath } from 'node:url'

/** What cells import by name: this package, with its types. */
const FILES = new Map([
  ['rayito', fileURLToPath(new URL('../../index.js', import.meta.url))],
  ['rayito/lab', fileURLToPath(new URL('../index.js', import.meta.url))],
])
const COMPILER = '@tslab/typescript-for-tslab'

interface Compiler {
  createWatchCompilerHost(files: string[], options: object, ...others: unknown[]): unknown
}
interface Loader {
  _resolveFilename(request: string, ...others: unknown[]): string
}

/** Lets cells import this package by its name, in whatever folder their notebook lies. To be called before tslab's converter is loaded. */
export function resolvePackageName(tslab: NodeJS.Require): void {
  const compiler: Compiler = tslab(COMPILER)
  const paths = Object.fromEntries([...FILES].map(([name, file]) => [name, [file.replace(/js$/, 'd.ts')]]))
  // The compiler's own exports cannot be assigned to.
  tslab.cache[tslab.resolve(COMPILER)]!.exports = {
    ...compiler,
    createWatchCompilerHost: (files: string[], options: object, ...others: unknown[]) =>
      compiler.createWatchCompilerHost(files, { ...options, paths }, ...others),
  }
  const loader = Module as unknown as Loader
  const resolve = loader._resolveFilename
  loader._resolveFilename = (request, ...others) => FILES.get(request) ?? resolve.call(loader, request, ...others)
}
