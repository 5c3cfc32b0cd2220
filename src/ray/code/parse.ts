import { createRequire } from 'node:module'

type Parse = typeof import('acorn').parse

let known: Parse | undefined

/** acorn's `parse`, loaded when it is first needed: most workers never do, and it is a tenth of what they import. */
export const parse: Parse = (input, options) => {
  known ??= (createRequire(import.meta.url)('acorn') as typeof import('acorn')).parse
  return known(input, options)
}
