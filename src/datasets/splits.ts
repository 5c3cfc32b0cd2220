/** Which files make up which split, by their paths, as Python's `datasets` guesses it (its data_files.py). */

import { basename, dirname } from 'node:path/posix'

/** How the Hub names the pieces of a split. */
const SHARD = /^data\/(\w+(?:\.\w+)*)-\d{5}-of-\d{5}[^/]*$/

const WORDS: Record<string, string[]> = {
  train: ['train', 'training'],
  validation: ['validation', 'valid', 'dev', 'val'],
  test: ['test', 'testing', 'eval', 'evaluation'],
}
const SPLIT_OF_WORD = new Map(Object.entries(WORDS).flatMap(([split, words]) => words.map((word) => [word, split])))

/**
 * Files by split, each sorted: by `data/NAME-00000-of-00001…`, else by a word such as `train`, `valid` or `test` in the name
 * of a folder (the nearest counts), else in the name of the file, else all of them as `train`. What one of these rules
 * gives files to leaves the other files out.
 * @param paths from the data set's root, with `/`
 */
export function splitsOf(paths: readonly string[]): Map<string, string[]> {
  const sorted = [...paths].sort()
  const sharded = group(sorted, (path) => SHARD.exec(path)?.[1])
  if (sharded.size > 0) return sharded
  const byFolder = group(sorted, (path) => wordOf(dirname(path)))
  if (byFolder.size > 0) return inOrder(byFolder)
  const byName = group(sorted, (path) => wordOf(basename(path)))
  if (byName.size > 0) return inOrder(byName)
  return new Map(sorted.length > 0 ? [['train', sorted]] : [])
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
