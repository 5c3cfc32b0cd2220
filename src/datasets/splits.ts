/** Which files make up which split, by their paths, as Python's `datasets` guesses it (its data_files.py). */

import { basename, dirname } from 'node:path/posix'

/** How the Hub names the pieces of a split. */
const SHARD = /^(?:.*\/)?(\w+(?:\.\w+)*)-\d{5}-of-\d{5}[^/]*$/

const WORDS: Record<string, string[]> = {
  train: ['train', 'training'],
  validation: ['validation', 'valid', 'dev', 'val'],
  test: ['test', 'testing', 'eval', 'evaluation'],
}
const SPLIT_OF_WORD = new Map(Object.entries(WORDS).flatMap(([split, words]) => words.map((word) => [word, split])))

/**
 * Files by split, each sorted: by `data/NAME-00000-of-00001…`, else so in any folder where one of the names is a word such
 * as `train`, `valid` or `test`, else by such a word in the name of a folder (the nearest counts), else in the name of the
 * file, else all of them as `train`. What one of these rules gives files to leaves the other files out.
 * @param paths from the data set's root, with `/`
 */
export function splitsOf(paths: readonly string[]): Map<string, string[]> {
  const sorted = [...paths].sort()
  const pieces = group(sorted, (path) => SHARD.exec(path)?.[1])
  const inData = group(sorted, (path) => (dirname(path) === 'data' ? SHARD.exec(path)?.[1] : undefined))
  if (inData.size > 0) return inData
  if ([...pieces.keys()].some((name) => wordOf(name))) return pieces
  const byFolder = group(sorted, (path) => wordOf(dirname(path)))
  if (byFolder.size > 0) return inOrder(byFolder)
  const byName = group(sorted, (path) => wordOf(basename(path)))
  if (byName.size > 0) return inOrder(byName)
  return new Map(sorted.length > 0 ? [['train', sorted]] : [])
}

/** The same of the Hub's own conversion, whose paths are `CONFIGURATION/SPLIT/0000.parquet`; of the first rows of a large split `partial-SPLIT`. */
export function convertedSplitsOf(paths: readonly string[]): Map<string, string[]> {
  return group([...paths].sort(), (path) => /^[^/]+\/(?:partial-)?([^/]+)\/[^/]+$/.exec(path)?.[1])
}

/**
 * The folders above what names a split, where a split has files from several: configurations, which do not belong together.
 * @param converted whether the paths are those of the Hub's own conversion
 */
export function configurationsOf(splits: ReadonlyMap<string, readonly string[]>, converted: boolean): string[] {
  const of = converted ? topFolder : folderAbove
  const folders = [...splits].map(([split, paths]) => new Set(paths.map((path) => of(path, split)).filter(Boolean)))
  return [...new Set(folders.filter(({ size }) => size > 1).flatMap((names) => [...names]))].sort()
}

const topFolder = (path: string) => path.split('/')[0]!

function folderAbove(path: string, split: string): string {
  const folders = path.split('/').slice(0, -1)
  const named = folders.findIndex((folder) => wordOf(folder))
  if (named >= 0) return folders.slice(0, named).join('/')
  // What has no split's name is a piece of the only one.
  return wordOf(basename(path)) || SHARD.exec(path)?.[1] === split ? folders.join('/') : ''
}

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

function wordOf(path: string): string | undefined {
  const words = path.split(/[-._ 0-9/]+/).reverse()
  return words.map((word) => SPLIT_OF_WORD.get(word)).find((split) => split !== undefined)
}

function inOrder(groups: Map<string, string[]>): Map<string, string[]> {
  return new Map(Object.keys(WORDS).flatMap((split) => (groups.has(split) ? [[split, groups.get(split)!]] : [])))
}

/** Whether a path fits a pattern with `*` (within a name), `**` (any folders) and `?`. */
export function fits(path: string, pattern: string): boolean {
  const source = pattern.replace(/\*\*\/|\*\*|\*|\?|[.+^${}()|[\]\\]/g, (part) => GLOB[part] ?? `\\${part}`)
  return new RegExp(`^${source}$`).test(path)
}

const GLOB: Record<string, string> = { '**/': '(?:.*/)?', '**': '.*', '*': '[^/]*', '?': '[^/]' }
