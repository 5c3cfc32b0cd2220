/** Which files make up which split, by their paths, as Python's `datasets` guesses it (its data_files.py). */

/** How the Hub names the pieces of a split. */
const SHARD = /^data\/([^/]+)-\d{5}-of-\d{5}[^/]*\.[^/]*$/

const WORDS: Record<string, string[]> = {
  train: ['train', 'training'],
  validation: ['validation', 'valid', 'dev', 'val'],
  test: ['test', 'testing', 'eval', 'evaluation'],
}

/** What may stand beside a word. */
const GAP = '[-._ 0-9]'
const IN_FOLDERS = (word: string) => [
  `**/${word}/**`,
  `**/${word}${GAP}*/**`,
  `**/*${GAP}${word}/**`,
  `**/*${GAP}${word}${GAP}*/**`,
]
const IN_NAMES = (word: string) => [`**/${word}${GAP}*`, `**/*${GAP}${word}${GAP}*`]

/**
 * Files by split: by `data/NAME-00000-of-00001…`, else by a word such as `train`, `valid` or `test` in the name of a folder, else
 * in the name of the file, else all of them as `train`. What one of these rules gives files to leaves the other files out; a
 * file with two words belongs to two splits.
 * @param paths from the data set's root, with `/`
 */
export function splitsOf(paths: readonly string[]): Map<string, string[]> {
  const sorted = [...paths].sort()
  const pieces = inOrder(group(sorted, (path) => SHARD.exec(path)?.[1]))
  const rules = [() => pieces, () => byWords(sorted, IN_FOLDERS), () => byWords(sorted, IN_NAMES)]
  for (const rule of rules) {
    const splits = rule()
    if (splits.size > 0) return splits
  }
  return new Map(sorted.length > 0 ? [['train', sorted]] : [])
}

/** In the order of the patterns, then of the paths. */
function byWords(paths: readonly string[], patternsOf: (word: string) => string[]): Map<string, string[]> {
  const splits = Object.entries(WORDS).map(([split, words]): [string, string[]] => {
    const some = paths.filter((path) => words.some((word) => path.includes(word)))
    const patterns = some.length > 0 ? words.flatMap(patternsOf) : []
    return [split, [...new Set(patterns.flatMap((pattern) => some.filter(fitting(pattern))))]]
  })
  return new Map(splits.filter(([, files]) => files.length > 0))
}

/** The same of the Hub's own conversion, whose paths are `CONFIGURATION/SPLIT/0000.parquet`; of the first rows of a large split `partial-SPLIT`. */
export function convertedSplitsOf(paths: readonly string[]): Map<string, string[]> {
  return group([...paths].sort(), (path) => /^[^/]+\/(?:partial-)?([^/]+)\/[^/]+$/.exec(path)?.[1])
}

/** Whether a file of the conversion is of the first rows alone of a split. */
export const isPartial = (path: string): boolean => /^[^/]+\/partial-/.test(path)

function group(paths: string[], splitOf: (path: string) => string | undefined): Map<string, string[]> {
  const groups = new Map<string, string[]>()
  for (const path of paths) {
    const split = splitOf(path)
    if (split === undefined) continue
    const files = groups.get(split)
    if (files) files.push(path)
    else groups.set(split, [path])
  }
  return groups
}

/** Python's order: the splits that have a word, then the others by their names. */
function inOrder(groups: Map<string, string[]>): Map<string, string[]> {
  const known = Object.keys(WORDS)
  const rank = (split: string) => (known.includes(split) ? known.indexOf(split) : known.length)
  return new Map([...groups].sort(([a], [b]) => rank(a) - rank(b) || (a < b ? -1 : 1)))
}

/**
 * Tells of a path whether it fits a pattern with `*` (within a name), `**` (any folders), `?`, `[0-9]` and `[!0-9]`.
 *
 * Of all places where what stands between two `**` fits, the first leaves the most to what follows, and so does that of what
 * stands between two `*` within a name: no other is tried, so that a stranger's pattern takes no longer than others.
 */
export function fitting(pattern: string): (path: string) => boolean {
  if (pattern.length > LONGEST) return () => false
  const parts = pattern.replace(/(?<=^|\/)(?:\*\*\/)+/g, '**/').match(PART) ?? []
  let groups = 0
  const first = (source: string) => `(?=(?<g${++groups}>${source}))\\k<g${groups}>`
  const names = (part: string[]) => {
    const chunks = chunksOf(part, (wildcard) => wildcard === '*').map((chunk) => chunk.map(formOf).join(''))
    return chunks.map((form, i) => (i === 0 || i === chunks.length - 1 ? form : first(form))).join('')
  }
  const chunks = chunksOf(parts, (wildcard) => wildcard.startsWith('**')).map(names)
  if (groups + chunks.length > MOST_WILDCARDS) return () => false
  const form = new RegExp(`^${chunks.map((form, i) => (i === chunks.length - 1 ? form : first(form))).join('')}$`)
  return (path) => form.test(path)
}

/** What stands before the first wildcard of a kind, if anything does, then each of them with what follows it. */
function chunksOf(parts: string[], isWildcard: (part: string) => boolean): string[][] {
  const chunks: string[][] = []
  for (const part of parts) {
    if (chunks.length === 0 || isWildcard(part)) chunks.push([])
    chunks.at(-1)!.push(part)
  }
  return chunks
}

/** Characters of a path at most. */
const LONGEST = 4096

/** What compiles a pattern needs room for each on the stack, and a thread may have little left. */
const MOST_WILDCARDS = 300

const PART = /(?<=^|\/)\*\*\/|\*\*|\*|\[!?[^\]]+\]|[\s\S]/g

const GLOB: Record<string, string> = { '**/': '(?:.*?/)??', '**': '.*?', '*': '[^/]*?', '?': '[^/]' }

function formOf(part: string): string {
  const [, not, set] = /^\[(!?)(.+)\]$/.exec(part) ?? []
  if (set === undefined) return GLOB[part] ?? part.replace(/[.+^${}()|[\]\\/]/, '\\$&')
  return `(?!/)[${not ? '^' : ''}${oneOf(set)}]`
}

/** As in Python's fnmatch: a range that runs backwards holds nothing, and only ranges are special. */
function oneOf(set: string): string {
  return set.replace(/(.)-(.)/g, (range, from, to) => (from > to ? '' : range)).replace(/[\\^[]/g, '\\$&')
}
