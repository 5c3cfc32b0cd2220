import type { DocumentOptions, ParseOptions, SchemaOptions } from 'yaml'
import { RayitoError } from '../../core/errors.js'
import { asPyYaml } from './pyyaml.js'

/** Where a data set's metadata stand: at the head of the first, and alone in the second, which goes before it. */
const CARDS = ['README.md', '.huggingface.yaml']

/** What is in them, null for one that is not there. */
export function cardsIn(
  paths: readonly string[],
  read: (card: string) => Promise<string | null>,
): Promise<(string | null)[]> {
  return Promise.all(CARDS.map((card) => (paths.includes(card) ? read(card) : null)))
}

/** The metadata as YAML, those that go first in front. @param texts what is in the files of CARDS, null for one that is not there */
export function metadataOf([card, alone]: readonly (string | null)[]): string[] {
  return [alone ?? '', /^\s*---[\r\n]+([\s\S]*?)[\r\n]+---(?:[\r\n]|$)/.exec(card ?? '')?.[1] ?? '']
}

/**
 * What `read` makes of metadata.
 * @param what of them is read
 * @param where what the data set is called in errors
 * @throws RayitoError DATASET_CARD_INVALID (rejects)
 */
export async function parsed<T>(
  text: string,
  what: string,
  where: string,
  read: (metadata: Record<string, unknown>) => T,
): Promise<T> {
  const { parse } = await import('yaml')
  try {
    // Of a key that is there twice, Python takes the last.
    const options: Options = { version: '1.1', uniqueKeys: false, customTags: (tags) => tags.map(asPyYaml) }
    return read(mapping(parse(text, options), 'the metadata'))
  } catch (error) {
    // Below the first line YAML's own shows the place.
    const reason = String((error as Error).message).split(/:?\n/)[0]
    const message = `Expected ${what} of ${where} as Python's datasets has them, ${reason}`
    throw new RayitoError('DATASET_CARD_INVALID', message, { cause: error })
  }
}

type Options = DocumentOptions & ParseOptions & SchemaOptions

export function mapping(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  return got(what, 'names and values', value)
}

export function got(what: string, wanted: string, value: unknown): never {
  throw new TypeError(`for ${what} ${wanted}, got ${JSON.stringify(value) ?? 'nothing'}`)
}
