import { createRequire } from 'node:module'

type Parse = typeof import('acorn').parse

// Written so that tools which gather a server's files find the package.
const require = createRequire(import.meta.url)
let known: Parse | undefined

/**
 * acorn's `parse`, loaded when it is first needed: most workers never do, and it is a tenth of what they import. To be asked
 * for where nothing catches that it cannot be loaded, which says nothing of a text.
 */
export function parser(): Parse {
  known ??= (require('acorn') as typeof import('acorn')).parse
  return known
}
