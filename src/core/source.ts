import { expected } from './errors.js'
import { finding, found } from './findings.js'
import { notice } from './progress.js'

/**
 * Where data sets and models come from: `hub`, the Hub or its cache and nothing else; `embedded`, what this package
 * brings; `auto`, the Hub where it can be had, otherwise what is built in.
 */
export type Source = 'auto' | 'hub' | 'embedded'

export const SOURCES: readonly Source[] = ['auto', 'hub', 'embedded']

/** The source that was asked for. Throws INVALID_ARGUMENT for what is none. @default RAYITO_SOURCE, else 'auto' */
export function readSource(given?: unknown): Source {
  const source = given === undefined ? process.env.RAYITO_SOURCE || 'auto' : given
  const name = given === undefined ? 'RAYITO_SOURCE' : 'source'
  return SOURCES.find((known) => known === source) ?? expected(name, "'auto', 'hub' or 'embedded'", source)
}

/** Says once in a program, in a notebook too, what is used in place of the Hub's. */
export function tellEmbedded(what: string): void {
  const key = `told of the built-in ${what}`
  if (finding(key)) return
  found(key, true)
  notice(`The Hub cannot be reached: using the built-in ${what}; the numbers differ from the assignment's.`)
}
