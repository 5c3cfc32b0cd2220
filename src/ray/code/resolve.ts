import { existsSync, realpathSync } from 'node:fs'
import { createRequire, isBuiltin } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** A file (that need not exist) in the folder that names are relative to: the URL's, or the working directory. */
export function baseOf(url: string): string {
  return url.startsWith('file:') ? url : pathToFileURL(join(process.cwd(), 'x.js')).href
}

/**
 * The URL of the module that `import specifier` gives in the module at `from`. (`import.meta.resolve` with another parent is
 * behind a flag.) @throws as `require.resolve` does
 */
export function resolveFrom(specifier: string, from: string): string {
  if (isBuiltin(specifier)) return specifier.startsWith('node:') ? specifier : `node:${specifier}`
  const base = baseOf(from)
  if (/^\.{0,2}\//.test(specifier)) return new URL(specifier, base).href
  if (/^[a-z][a-z\d+.-]+:/i.test(specifier)) return specifier
  const require = createRequire(base)
  // A package that rayito finds too is resolved as an import; otherwise as `require` does, which differs for few packages.
  const own = ownResolution(specifier)
  const folder = packageFolder(specifier, require.resolve.paths(specifier) ?? [])
  return own && folder && own.startsWith(folder) ? own : pathToFileURL(require.resolve(specifier)).href
}

function ownResolution(specifier: string): string | null {
  try {
    return import.meta.resolve(specifier)
  } catch {
    return null
  }
}

/** URL of the folder of the package that a specifier names. */
function packageFolder(specifier: string, roots: readonly string[]): string | null {
  const name = /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0]
  for (const root of roots) {
    const folder = join(root, name ?? '')
    if (name && existsSync(folder)) return `${pathToFileURL(realpathSync(folder)).href}/`
  }
  return null
}
