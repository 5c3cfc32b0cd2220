import { mkdir, writeFile } from 'node:fs/promises'
import { loadavg } from 'node:os'
import { join, relative } from 'node:path'
import { Argument, Command, CommanderError } from 'commander'
import { RayitoError } from '#src/core/errors.js'
import { machine } from '#src/lab/exercise-file.js'
import { chart } from './chart.js'
import { actors } from './groups/actors.js'
import { cluster } from './groups/cluster.js'
import { data } from './groups/data.js'
import { exercise } from './groups/exercise.js'
import type { Bench, Group, Prepared } from './groups/group.js'
import { q8 } from './groups/q8.js'
import { serve } from './groups/serve.js'
import { tasks } from './groups/tasks.js'
import { openHub } from './hub.js'
import { runProgram } from './program.js'
import type { Row } from './row.js'
import { machineLine, table } from './table.js'

const GROUPS: readonly Group[] = [tasks, data, actors, q8, exercise, serve, cluster]

interface Options {
  quick?: boolean
  withRay?: boolean
  out: string
}

const program = new Command('npm run bench --')
  .description('measure rayito against what is under it, and leave out/bench.json and a chart for each group')
  .addArgument(new Argument('[groups...]', 'what to measure (default: all)').choices(GROUPS.map(({ name }) => name)))
  .option('--quick', 'few pictures and repetitions: to see that all works, not how fast it is')
  .option('--with-ray', 'measure Ray itself too (not here yet)')
  .option('--out <folder>', 'where to leave figures and charts', 'out')
  .action(bench)
  .exitOverride()

async function bench(names: string[], { quick = false, withRay = false, out }: Options): Promise<void> {
  if (withRay) throw new RayitoError('USAGE', '--with-ray is not here yet: Ray itself cannot be measured')
  const chosen = GROUPS.filter(({ name }) => names.length === 0 || names.includes(name))
  const here = machine()
  process.stdout.write(`${machineLine(here)}\n`)
  const notes: string[] = []
  const [load] = loadavg() as [number]
  if (load > here.cores / 4)
    notes.push(`Other work was running (load ${load.toFixed(1)} on ${here.cores} cores): trust ratios, not seconds.`)
  const model = chosen.some(({ needsModel }) => needsModel) ? await prepare() : null
  const bench: Bench = { quick, model, note: (line) => notes.push(line) }
  const rows: Row[] = []
  await mkdir(out, { recursive: true })
  for (const group of chosen) {
    const measured = await group.measure(bench)
    if (measured.length === 0) continue
    await writeFile(join(out, `bench-${group.name}.svg`), chart(group.title, measured, machineLine(here)))
    process.stdout.write(`\n${group.title}\n${table(measured)}\n`)
    rows.push(...measured.map((row) => ({ ...row, id: `${group.name}.${row.id}` })))
  }
  const file = join(out, 'bench.json')
  await writeFile(
    file,
    `${JSON.stringify({ made: new Date().toISOString(), machine: here, quick, load, rows }, null, 2)}\n`,
  )
  const held = rows.filter(({ holds }) => holds !== null)
  process.stdout.write(
    [
      '',
      ...notes,
      `${held.filter(({ holds }) => holds).length} of ${held.length} targets hold.${quick ? ' A quick run proves nothing.' : ''}`,
      `Figures and charts: ${relative('', file)}, ${relative('', join(out, 'bench-*.svg'))}\n`,
    ].join('\n'),
  )
}

/** Everything the programs need, in the caches, so that none of them downloads. */
async function prepare(): Promise<Prepared> {
  const hub = await openHub()
  try {
    const { value } = await runProgram<Prepared['paths']>('prepare', {}, { env: hub.env, loud: true })
    return { env: hub.env, paths: value }
  } finally {
    hub.close()
  }
}

program.parseAsync().catch((error: unknown) => {
  process.exitCode = 1
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2
  else if (error instanceof RayitoError) {
    process.stderr.write(`bench: ${error.message}\n`)
    if (error.code === 'USAGE') process.exitCode = 2
  } else console.error(error)
})
