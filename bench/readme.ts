/** The README's figures, from out/bench.json. */
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { RayitoError } from '#src/core/errors.js'
import { type Figures, groupOf, type Run, readFigures } from './figures.js'
import { actors } from './groups/actors.js'
import { cluster } from './groups/cluster.js'
import { data } from './groups/data.js'
import { exercise } from './groups/exercise.js'
import { chartOf, type Group } from './groups/group.js'
import { q8 } from './groups/q8.js'
import { serve } from './groups/serve.js'
import { tasks } from './groups/tasks.js'
import { amount, type Peer, type Row, ratioText } from './row.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const BEGIN = '<!-- made by npm run bench -- --readme -->'
const END = '<!-- end of what it made -->'
/** Where the charts go that the README shows, and what is said of each. */
const CHARTS = 'images/bench'
const SHOWN: readonly (readonly [group: Group, says: string])[] = [
  [exercise, 'Exercise 1: seconds and memory of its versions, beside Ray and what is under them'],
  [tasks, 'Calls and objects, beside Ray and other pools'],
  [serve, 'The server, beside Ray Serve and bare Fastify'],
  [actors, 'Sessions and actors: how soon they are there'],
  [q8, 'A picture in q8, beside one in fp32'],
  [data, 'The data set, beside Python’s datasets'],
  [cluster, 'A cluster of two workers, beside the bare NATS client and threads'],
]

/** What the README tells, in this order: rows of bench.json that were measured. */
const ROWS: readonly (readonly [id: string, title?: string])[] = [
  ...['A', 'A1', 'B', 'C1', 'C2'].map((name) => [`exercise.fp32.${name}`] as const),
  ...['B', 'C1', 'C2'].map((name) => [`exercise.fp32.${name}.memory`] as const),
  ['exercise.fp32.sgemm'],
  ['exercise.q8.best'],
  ['exercise.q8.C2.memory'],
  ['exercise.embedded.C2'],
  ['tasks.no-op'],
  ['tasks.picture'],
  ['tasks.actor-calls'],
  ['tasks.task-round-trip'],
  ['tasks.round-trip'],
  ['tasks.put-get-first'],
  ['tasks.put-get-kept'],
  ['tasks.put-get'],
  ['tasks.put-get-shared'],
  ['tasks.create-kill'],
  ['actors.init'],
  ['actors.idle'],
  ['actors.ready'],
  ['data.open'],
  ['data.rows'],
  ['data.row-50000'],
  ['serve.ready', 'The service: ready after its command, ViT-Base fp32 cached'],
  ['serve.memory', 'The service: highest memory, ViT-Base fp32, two replicas'],
  ['serve.vit-8'],
  ['serve.decode-8'],
  ['serve.decode-32'],
  ['serve.decode-128'],
  ['serve.healthz', 'The service: /-/healthz while both replicas infer, 99th percentile'],
  ['serve.flat', 'The service: highest resident memory, for each 20,000 requests more'],
  ['cluster.no-op'],
  ['cluster.round-trip'],
  ['cluster.object', 'A cluster: an object of 100 MB on two nodes'],
  ['cluster.status', 'A cluster: one look with rayito status'],
  ['cluster.many'],
  ['cluster.fp32.B'],
  ['cluster.fp32.C2'],
]

/** Writes table and charts into the README and beside it. Rejects with BENCH_FAILED where no figures are. */
export async function writeReadme(out: string, root = ROOT): Promise<void> {
  const file = join(out, 'bench.json')
  if (!existsSync(file))
    throw new RayitoError('BENCH_FAILED', `There is no ${file}`, { remedy: 'Measure first: npm run bench' })
  const figures = await readFigures(file)
  if (!figures)
    throw new RayitoError('BENCH_FAILED', `${file} holds no figures`, { remedy: 'Measure again: npm run bench' })
  const readme = join(root, 'README.md')
  const text = await readFile(readme, 'utf8')
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)]
  if (from < 0 || to < from)
    throw new RayitoError('BENCH_FAILED', `Expected ${BEGIN} and ${END} in ${readme}`, { remedy: 'Put them back' })
  await mkdir(join(root, CHARTS), { recursive: true })
  const images: string[] = []
  for (const [group, says] of SHOWN) {
    const rows = rowsOf(group, figures.rows)
    if (rows.length === 0) continue
    const image = `${CHARTS}/${group.name}.svg`
    await writeFile(join(root, image), chartOf(group, rows, figures.machine))
    images.push(`![${says}](${image})`)
  }
  const made = [BEGIN, readmeTable(figures), ...images].join('\n\n')
  await writeFile(readme, `${text.slice(0, from)}${made}\n\n${text.slice(to)}`)
  process.stdout.write(`Written: README.md and ${images.length} charts in ${CHARTS}\n`)
}

/** A group's rows in bench.json, by the names that the group gave them. */
function rowsOf({ name }: Group, rows: readonly Row[]): Row[] {
  return rows
    .filter(({ id }) => id.startsWith(`${name}.`))
    .map((row) => ({ ...row, id: row.id.slice(name.length + 1) }))
}

/** When, on what and by which command; the table; what falls short. */
export function readmeTable({ machine, rows, ...figures }: Figures): string {
  const { cpu, cores, memoryGB, node, platform } = machine
  const byId = new Map(rows.map((row) => [row.id, row]))
  const told = ROWS.flatMap(([id, title]) => {
    const row = byId.get(id)
    return row ? [line(row, title ?? row.title)] : []
  })
  const short = rows.flatMap(shortOf)
  return [
    `Made on ${cores} cores of an ${cpu.replace(/ \d.*/, '')}, ${Math.round(memoryGB)} GB, Node ${node.slice(1)}, ${platform}${howMade(figures, rows)}.`,
    `Medians of runs in turn; a ratio is ours by theirs in the same run, its spread in brackets.${figures.quick ? ' A quick look, no proof.' : ''}`,
    '',
    '| | rayito | reference | ratio | Ray | ratio |',
    '|--|--|--|--|--|--|',
    ...told,
    ...(short.length > 0 ? ['', 'Short of a target:', '', ...short.map((what) => `- ${what}`)] : []),
  ].join('\n')
}

/** The day and the command of each group's run: said once where they are the same. */
function howMade(figures: Omit<Figures, 'machine' | 'rows'>, rows: readonly Row[]): string {
  const parts = new Map<string, string[]>()
  for (const group of new Set(rows.map(groupOf))) {
    const { made, command }: Run = figures.runs[group] ?? figures
    const day = new Date(made).toLocaleDateString('en-GB', { dateStyle: 'long', timeZone: 'UTC' })
    const how = `on ${day} by \`${command}\``
    parts.set(how, [...(parts.get(how) ?? []), group])
  }
  if (parts.size === 1) return `, ${[...parts.keys()].join()}`
  const named = [...parts].map(([how, groups]) => `${groups.map((group) => `\`${group}\``).join(', ')} ${how}`)
  return `: ${named.join('; ')}`
}

/** Which of a row's targets it misses, by how much. */
function shortOf({ title, ours, unit, ratio, ratioSpread, target, holds, peers }: Row): string[] {
  const [reference] = Object.keys(peers)
  // A bound of the ratio is named so; others are in the row's unit.
  const own = target?.endsWith('×') ? against(reference!, { ratio, ratioSpread }) : amount(ours, unit)
  return [
    { holds, target, is: own },
    ...Object.entries(peers).map(([name, peer]) => ({ ...peer, is: against(name, peer) })),
  ]
    .filter((one) => one.holds === false)
    .map(({ is, target }) => `${title}: ${is}; target ${target}`)
}

function against(name: string, compared: Pick<Row, 'ratio' | 'ratioSpread'>): string {
  const ratio = ratioText(compared)
  return `${ratio} ${Number.parseFloat(ratio) ? 'of' : 'from'} ${name}`
}

function line(row: Row, title: string): string {
  const peers = Object.entries(row.peers)
  const ray = peers.filter(([name]) => name.startsWith('Ray')).at(-1)
  const reference = peers.find(([name]) => !name.startsWith('Ray'))
  const cells = (peer: [string, Peer] | undefined, name: (name: string) => string) =>
    peer ? [`${name(peer[0])} ${amount(peer[1].value, row.unit)}`.trim(), ratioText(peer[1])] : ['', '']
  return `| ${[
    title,
    amount(row.ours, row.unit),
    ...cells(reference, (name) => name),
    ...cells(ray, (name) => (name === 'Ray' ? '' : `${name.replace(/^Ray, /, '')}:`)),
  ].join(' | ')} |`
}
