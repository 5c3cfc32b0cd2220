import { loadavg, constants as osConstants } from 'node:os'
import { join, relative } from 'node:path'
import { Argument, Command, CommanderError, InvalidArgumentError } from 'commander'
import { RayitoError } from '#src/core/errors.js'
import { machine } from '#src/lab/exercise-1/exercise-file.js'
import { writeJson } from '#src/lab/write-json.js'
import { makeFolder, writeWhole } from '#src/lab/write-whole.js'
import { endAll, stoppedBy } from './children.js'
import { keptOf, type Run, readFigures, withKept } from './figures.js'
import { actors } from './groups/actors.js'
import { cluster } from './groups/cluster.js'
import { data } from './groups/data.js'
import { exercise } from './groups/exercise.js'
import { chartOf, type Group, type Bench as GroupBench, type Prepared } from './groups/group.js'
import { q8 } from './groups/q8.js'
import { serve } from './groups/serve.js'
import { tasks } from './groups/tasks.js'
import { openHub } from './hub.js'
import { measureAll } from './measure.js'
import { runProgram } from './program.js'
import type { Places } from './programs/prepare.js'
import { installRay, openRay, type Ray } from './python.js'
import { writeReadme } from './readme.js'
import { type Row, verdictsOf } from './row.js'
import { machineLine, table } from './table.js'

const GROUPS: readonly Group[] = [tasks, data, actors, q8, exercise, serve, cluster]

interface Options {
  quick?: boolean
  withRay?: boolean
  repetitions?: number
  readme?: boolean
  out: string
}

const program = new Command('npm run bench --')
  .description(
    'measure rayito against what is under it and beside it, and leave out/bench.json and a chart for each group',
  )
  .addArgument(new Argument('[groups...]', 'what to measure (default: all)').choices(GROUPS.map(({ name }) => name)))
  .option('--quick', 'few pictures and repetitions: to see that all works, not how fast it is')
  .option('--with-ray', 'measure Ray itself too: installs it once into rayito’s cache (Python 3.10 to 3.13, 6 GB)')
  .option('--repetitions <n>', 'how often each thing is measured (default: as its group says)', whole)
  .option('--readme', 'measure nothing: write the README’s table and charts from out/bench.json')
  .option('--out <folder>', 'where to leave figures and charts', 'out')
  .action(bench)
  .exitOverride()

function whole(text: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= 1) return value
  throw new InvalidArgumentError('Expected a whole number from 1.')
}

async function bench(names: string[], options: Options): Promise<void> {
  const { quick = false, withRay = false, repetitions, out } = options
  if (options.readme) return writeReadme(out)
  const chosen = GROUPS.filter(({ name }) => names.length === 0 || names.includes(name))
  await makeFolder(out, 'Choose another folder: `npm run bench -- --out FOLDER`.')
  // ours is measured on this machine, whatever cluster the environment names
  delete process.env.RAY_ADDRESS
  const here = machine()
  process.stdout.write(`${machineLine(here)}\n`)
  const notes: string[] = []
  const [load] = loadavg() as [number]
  if (load > here.cores / 4)
    notes.push(`Other work was running (load ${load.toFixed(1)} on ${here.cores} cores): trust ratios, not seconds.`)
  const needsModel = withRay || chosen.some(({ needsModel }) => needsModel)
  const { model, ray } = needsModel ? await prepare(withRay) : { model: null, ray: null }
  const bench: GroupBench = {
    quick,
    repetitions: (normal, few) => repetitions ?? (quick ? few : normal),
    model,
    ray,
    note: (line) => notes.push(line),
  }
  const file = join(out, 'bench.json')
  const before = await readFigures(file)
  const rows: Row[] = []
  const runs: Record<string, Run> = {}
  const run = (): Run => ({ made: new Date().toISOString(), command: commandLine(names, options), quick, load })
  const save = () => writeJson(out, 'bench.json', withKept(before, { ...run(), machine: here, runs, rows }))
  const failures = await measureAll(chosen, bench, async (group, measured) => {
    await writeWhole(join(out, `bench-${group.name}.svg`), chartOf(group, measured, here))
    process.stdout.write(`\n${group.title}\n${table(measured)}\n`)
    rows.push(...measured.map((row) => ({ ...row, id: `${group.name}.${row.id}` })))
    runs[group.name] = run()
    // a long run that is ended half way leaves what it has
    await save()
  }).finally(() => ray?.close())
  if (stoppedBy()) return
  if (failures.length > 0) process.exitCode = 1
  await save()
  const held = rows.flatMap(verdictsOf)
  process.stdout.write(
    [
      '',
      ...notes,
      ...failures,
      `${held.filter(({ holds }) => holds).length} of ${held.length} targets hold.${quick ? ' A quick run proves nothing.' : ''}`,
      ...Object.entries(keptOf(before, Object.keys(runs), { machine: here, quick }).runs).map(
        ([group, { made, command }]) => `Kept from ${made.slice(0, 10)}: ${group} (${command}).`,
      ),
      `Figures and charts: ${relative('', file)}, ${relative('', join(out, 'bench-*.svg'))}\n`,
    ].join('\n'),
  )
}

/** What makes the same figures again, wherever they are left. */
function commandLine(names: string[], { quick, withRay, repetitions }: Options): string {
  const flags = [quick && '--quick', withRay && '--with-ray', repetitions && `--repetitions ${repetitions}`]
  const args = [...names, ...flags.filter(Boolean)]
  return `npm run bench${args.length > 0 ? ` -- ${args.join(' ')}` : ''}`
}

/** Everything the programs need, in the caches, so that none of them downloads. */
async function prepare(withRay: boolean): Promise<{ model: Prepared; ray: Ray | null }> {
  if (withRay) await installRay()
  const hub = await openHub()
  try {
    const places = async (env: NodeJS.ProcessEnv) =>
      (await runProgram<Places>('prepare', {}, { env, loud: true })).value
    const { paths, rows } = await places(hub.env)
    const embedded = { env: { ...hub.env, RAYITO_SOURCE: 'embedded' } }
    const model = { env: hub.env, paths, rows, embedded: { ...embedded, paths: (await places(embedded.env)).paths } }
    return { model, ray: withRay ? await openRay(hub, paths.fp32) : null }
  } finally {
    hub.close()
  }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, endAll)

const failed = (error: unknown) => {
  process.exitCode = 1
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2
  else if (error instanceof RayitoError) {
    process.stderr.write(`bench: ${error.message}\n`)
    if (error.code === 'USAGE') process.exitCode = 2
  } else console.error(error)
}

await program.parseAsync().catch((error: unknown) => {
  if (!stoppedBy()) failed(error)
})
const signal = stoppedBy()
if (signal) {
  process.stderr.write(`bench: ended by ${signal}; what was measured before is kept\n`)
  process.exitCode = 128 + osConstants.signals[signal]
}
