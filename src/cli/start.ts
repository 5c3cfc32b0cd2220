import { existsSync, rmSync, statSync } from 'node:fs'
import { basename, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command, InvalidArgumentError, Option } from 'commander'
import { RayitoError } from '../core/errors.js'
import { fromHere } from '../core/paths.js'
import { isLively } from '../core/progress.js'
import { SOURCES } from '../core/source.js'
import { EXERCISE_FILE, readExercise1 } from '../lab/exercise-1/exercise-file.js'
import { EXERCISE_2_FILE } from '../lab/exercise-2/exercise-2-file.js'
import { notebookToHtml } from '../lab/notebook/html.js'
import { readNotebook } from '../lab/notebook/nbformat.js'
import { runNotebook } from '../lab/notebook/run.js'
import { DTYPES, ROWS, readSettings, VERSIONS } from '../lab/settings.js'
import { makeFolder, replaceFile, writeWhole } from '../lab/write-whole.js'
import { shown } from '../ray/engines/nats/address.js'
import { findNatsServer } from '../ray/engines/nats/server/nats-server.js'
import { cellLines } from './cell-lines.js'
import { addressOf } from './cluster.js'
import { folder } from './folder.js'
import { findOrInstall, type HeadOptions, startHead } from './head.js'
import { model } from './model.js'
import { withOut } from './out-lock.js'
import { report } from './report.js'
import { stopSignal } from './stop-signal.js'

interface StartOptions {
  source?: string
  model?: string
  dtype?: string
  images?: string
  versions?: string
  actors?: string
  notebook?: string
  address?: string
  out: string
}

const NOTEBOOKS: Record<string, string> = {
  1: '1-parallel-classification.ipynb',
  2: '2-image-info-service.ipynb',
  3: '3-past-one-machine.ipynb',
}
/** What a notebook leaves beside its copies. */
const RESULTS: Record<string, string> = { 1: EXERCISE_FILE, 2: EXERCISE_2_FILE }
/** What a plain `npm start` executes. */
const DEFAULT_NOTEBOOKS = ['1', '2']
const FOLDER = fileURLToPath(new URL('../../notebooks/', import.meta.url))

/** `rayito start`: executes the notebooks and leaves what they made in a folder, out/. */
export function startCommand(): Command {
  return new Command('start')
    .description(
      'execute the notebooks; leaves executed notebooks, HTML copies and results in out/ once they are complete. With --head: start a cluster',
    )
    .addOption(new Option('--source <name>', 'where data set and model come from (default: "auto")').choices(SOURCES))
    .option('--model <id>', 'model of the Hub, or a folder (default: the one transformers.pipeline takes)', model)
    .addOption(new Option('--dtype <type>', 'weights of the model (default: "fp32")').choices(DTYPES))
    .option('--images <n>', `how many pictures, 1 to ${ROWS} (default: 250)`, count(ROWS))
    .option('--versions <list>', 'versions of exercise 1 that run (default: "A,B,C1,C2")', versionList)
    .option(
      '--actors <n>',
      'how many actors, and workers for tasks (default: one a core, or one for each CPU of a cluster)',
      count(1_024),
    )
    .addOption(new Option('--notebook <n>', 'execute this notebook only').choices(Object.keys(NOTEBOOKS)))
    .option('--address <url>', 'run on the cluster at nats://HOST:PORT (default: RAY_ADDRESS, else this machine)')
    .option('--out <folder>', 'where they leave what they made', folder, 'out')
    .addHelpText(
      'after',
      '\nWhere an option is not given, RAYITO_SOURCE, _MODEL, _DTYPE, _IMAGES, _VERSIONS\nor _ACTORS holds if it is set.',
    )
    .argument('[none...]') // refused with a word of npm's
    .usage('[options]')
    .action(start)
}

/** Options of a head; the others are of the notebooks. */
const OF_HEAD = ['host', 'port', 'data', 'token', 'install']
const LIST = '`rayito start --help` lists the options.'

async function start(
  none: string[],
  options: StartOptions & Partial<HeadOptions> & { head?: boolean },
  command: Command,
): Promise<void> {
  refuseArguments(none, command)
  const given = Object.keys(options).filter((name) => command.getOptionValueSource(name) === 'cli' && name !== 'head')
  // A cluster of its own is what notebook 3 starts.
  const own = options.notebook === '3' && options.install
  const alien = given.find((name) => OF_HEAD.includes(name) !== Boolean(options.head) && !(own && name === 'install'))
  if (alien)
    throw new RayitoError('USAGE', `--${alien} goes ${options.head ? 'without' : 'with'} --head`, { remedy: LIST })
  if (options.head) return startHead(options as HeadOptions)
  const out = resolve(options.out)
  // A wrong variable is told at once, as the same wrong option is.
  readSettings({ ...process.env, ...settingsOf(options) })
  await makeFolder(out)
  await withOut(out, () => executeAll(options, out, own === true))
}

/** @param installs whether notebook 3 may have its NATS server installed */
async function executeAll(options: StartOptions, out: string, installs: boolean): Promise<void> {
  const settings = { ...process.env, ...settingsOf(options), RAYITO_OUT: relative(FOLDER, out) || '.' }
  const env = fromHere(settings)
  const signal = stopSignal()
  const numbers = chosen(options.notebook)
  if (env.RAY_ADDRESS && env.RAY_ADDRESS !== 'local') await expectWorkers(addressOf(options.address))
  else if (installs && !(await findOrInstall((line) => process.stdout.write(`${line}\n`), signal)))
    throw new RayitoError('NOTEBOOK_STOPPED', 'Stopped before the first cell')
  else if (numbers.includes('3')) findNatsServer() // the notebook starts one
  const results = numbers.flatMap((number) => RESULTS[number] ?? [])
  const before = new Map(results.map((result) => [result, written(join(out, result))]))
  const isNew = (result: string) => written(join(out, result)) !== before.get(result)
  // What notebooks say of, nobody need open them for; what both say is said once.
  const notices = new Set<string>()
  try {
    for (const number of numbers) await execute(join(FOLDER, NOTEBOOKS[number]!), out, env, signal, notices)
  } finally {
    // What one notebook has found is shown though the next fails.
    tellResults(out, results.filter(isNew))
  }
}

function tellResults(out: string, results: readonly string[]): void {
  const { stdout } = process
  for (const result of results) stdout.write(`Results:           ${relative('', join(out, result))}\n`)
  const exercise = results.includes(EXERCISE_FILE) ? readExercise1(out) : null
  if (!exercise) return
  const columns = Math.min(stdout.columns || 80, 100)
  stdout.write(`\n${report(exercise, { colour: isLively(stdout), columns })}`)
}

/** When a file was written, in nanoseconds; undefined where there is none. */
const written = (path: string) => statSync(path, { bigint: true, throwIfNoEntry: false })?.mtimeNs

/** There are none; and `npm start --images 50`, without `--`, hands on the 50 alone, or nothing at all. */
function refuseArguments(args: string[], { options }: Command): void {
  const { env } = process
  const taken = options.find(({ long }) => env[`npm_config_${long?.slice(2)}`] !== undefined)?.long
  if (taken && env.npm_lifecycle_event === 'start')
    throw new RayitoError('USAGE', `npm took ${taken} for itself`, {
      remedy: `Write \`npm start -- ${taken} …\`, with a -- before the options.`,
    })
  if (args.length > 0) throw new RayitoError('USAGE', `Expected no argument, got ${args[0]}`, { remedy: LIST })
}

/** A cluster that cannot be used is told before anything is executed. @throws RayitoError RAY_CLUSTER_… */
async function expectWorkers(address: string): Promise<void> {
  const { Observer } = await import('../ray/engines/nats/status/observe.js')
  const observer = await Observer.open(address)
  const { nodes } = await observer.status().finally(() => observer.close())
  if (nodes.length === 0)
    throw new RayitoError('RAY_CLUSTER_EMPTY', `No worker has joined the cluster at ${shown(address)}`)
}

/** Executes a notebook beside the copies that a run before left: they stay until this one is complete. */
async function execute(
  notebook: string,
  out: string,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
  notices: Set<string>,
): Promise<void> {
  const copies = copiesIn(out, basename(notebook, '.ipynb'))
  const unfinished = copiesIn(out, `${basename(notebook, '.ipynb')}.unfinished`)
  for (const old of [unfinished.notebook, unfinished.page]) rmSync(old, { force: true })
  const lines = cellLines(basename(notebook), process.stdout, notices)
  let left = unfinished
  try {
    await runNotebook({ notebook, output: unfinished.notebook, cwd: FOLDER, env, signal, onCell: lines.onCell })
    left = copies
  } finally {
    lines.end()
    // Also what a failure left: it is easier to read there than in a terminal.
    if (existsSync(unfinished.notebook)) {
      await writeWhole(unfinished.page, notebookToHtml(await readNotebook(unfinished.notebook), { folder: FOLDER }))
      if (left === copies) {
        await replaceFile(unfinished.notebook, copies.notebook)
        await replaceFile(unfinished.page, copies.page)
      }
      const [file, page] = [left.notebook, left.page].map((path) => relative('', path))
      process.stdout.write(`Executed notebook: ${file}\nAs a page:         ${page}\n`)
    }
  }
}

const copiesIn = (out: string, name: string) => ({
  notebook: join(out, `${name}.ipynb`),
  page: join(out, `${name}.html`),
})

/** The numbers of the notebooks that are to run and are there. */
function chosen(number: string | undefined): string[] {
  const present = (number ? [number] : DEFAULT_NOTEBOOKS).filter((n) => existsSync(join(FOLDER, NOTEBOOKS[n]!)))
  if (present.length === 0) throw new RayitoError('USAGE', `There is no notebook ${number ?? ''} in ${FOLDER}`)
  return present
}

/** The options as the settings' environment variables: what is not said stays as the environment has it. */
function settingsOf(options: StartOptions): NodeJS.ProcessEnv {
  const variables = {
    RAYITO_SOURCE: options.source,
    RAYITO_MODEL: options.model,
    RAYITO_DTYPE: options.dtype,
    RAYITO_IMAGES: options.images,
    RAYITO_VERSIONS: options.versions,
    RAYITO_ACTORS: options.actors,
    RAY_ADDRESS: options.address,
  }
  return Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== undefined))
}

function count(most: number): (text: string) => string {
  return (text) => {
    const value = Number(text)
    if (!Number.isInteger(value) || value < 1 || value > most)
      throw new InvalidArgumentError(`Expected a whole number from 1 to ${most}.`)
    return String(value)
  }
}

function versionList(text: string): string {
  const names = text.split(',').map((name) => name.trim().toUpperCase())
  const wrong = names.find((name) => !(VERSIONS as readonly string[]).includes(name))
  if (wrong !== undefined) throw new InvalidArgumentError(`Expected a list of ${VERSIONS.join(', ')}.`)
  return names.join(',')
}
