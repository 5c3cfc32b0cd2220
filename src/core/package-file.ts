import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { RayitoError } from './errors.js'

/** The folder of this package's code. In CommonJS that a bundler made of it no module knows where it lies. */
export const HOME = folderOf(import.meta.url)

function folderOf(module: string | undefined): URL {
  if (!module)
    throw new RayitoError('PACKAGE_BUNDLED', 'Expected `import.meta.url` to be where rayito lies, got nothing')
  return new URL('../', module)
}

/**
 * A file or folder of the package that is not imported but begun or read, absolute.
 * @param path from the folder of its code
 * @throws RayitoError PACKAGE_BUNDLED if it is not there
 */
export function packageFile(path: string): string {
  const file = fileURLToPath(new URL(path, HOME))
  if (existsSync(file)) return file
  // This code lies where it says it does: it is in no bundle.
  const remedy = existsSync(new URL('core/package-file.js', HOME)) ? GATHERED : undefined
  throw new RayitoError('PACKAGE_BUNDLED', `Expected rayito to have ${file}, got no such file`, remedy && { remedy })
}

/** What gathers a server's files follows imports only. */
const GATHERED =
  "Where a server's files are gathered, all of rayito must come along: outputFileTracingIncludes: { '/**': ['node_modules/rayito/**', 'node_modules/@iconify-json/*/*.json', 'node_modules/onnxruntime-node/bin/**'] } (Next.js), externals: { trace: false } (Nitro; Nuxt's under nitro)."
