/** Ray itself: a venv of its own, made on demand, and the programs of ray/ in it. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync } from 'node:fs'
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { RayitoError } from '#src/core/errors.js'
import { end, GROUP, owned } from './children.js'
import { CACHE, type Hub } from './hub.js'
import { watchTree } from './memory.js'
import type { Outcome } from './program.js'
import type { ModelPaths } from './programs/prepare.js'
import { checkpoint, safetensors } from './vit.js'

const PROGRAMS = fileURLToPath(new URL('../../bench/ray', import.meta.url))
const REQUIREMENTS = join(PROGRAMS, 'requirements.txt')
const VENV = join(CACHE, 'ray')
const PYTHON = join(VENV, ...(process.platform === 'win32' ? ['Scripts', 'python.exe'] : ['bin', 'python']))
/** Beside the venv: what was installed into it, whole. */
const INSTALLED = join(VENV, 'installed.txt')
/** Pythons that the pinned packages are there for. */
const VERSIONS = /^Python 3\.1[0-3]\./
const PATIENCE = 1_800_000

/** What the bench measures Ray with. */
export interface Ray {
  /** Runs ray/`name`.py in a fresh process, as runProgram does those of programs/. */
  run<T>(name: string, args?: object, onStep?: () => void): Promise<Outcome<T>>
  /** The command that serves an application of ray-server.py at a port, and its environment. */
  serve(application: string, port: number): { command: string[]; env: NodeJS.ProcessEnv }
  /** Folder of the model, as Python reads it. */
  model: string
  /** Removes what Ray left in the temporary folder. */
  close(): Promise<void>
}

/** Gives Python the same rows and weights that our programs have. */
export async function openRay(hub: Pick<Hub, 'env' | 'folder'>, paths: ModelPaths): Promise<Ray> {
  const model = await pythonModel(paths)
  const temporary = mkdtempSync(join(tmpdir(), 'ray-'))
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    ...hub.env,
    HF_DATASETS_CACHE: join(CACHE, 'ray-datasets'),
    RAY_TMPDIR: temporary,
    RAY_USAGE_STATS_ENABLED: '0',
    BENCH_MODEL: model,
    // Nothing listens there: Wikipedia costs nothing.
    BENCH_WIKIPEDIA: 'http://127.0.0.1:9/w/api.php',
    PYTHONUNBUFFERED: '1',
  }
  const { folder } = hub
  await runPython('prepare', {}, { env, cwd: folder })
  const offline = { ...env, HF_HUB_OFFLINE: '1', HF_DATASETS_OFFLINE: '1' }
  return {
    model,
    run: (name, args = {}, onStep) => runPython(name, args, { env: offline, cwd: folder }, onStep),
    serve: (application, port) => ({
      command: [PYTHON, join(PROGRAMS, 'serve-app.py'), application, String(port)],
      env: offline,
    }),
    close: () => rm(temporary, { recursive: true, force: true }),
  }
}

/** Makes the venv with the pinned packages, once: 6 GB. Rejects with BENCH_FAILED where Python or the network is missing. */
export async function installRay(): Promise<void> {
  const wanted = await readFile(REQUIREMENTS, 'utf8')
  if (existsSync(PYTHON) && existsSync(INSTALLED) && readFileSync(INSTALLED, 'utf8') === wanted) return
  const python = await findPython()
  process.stderr.write(`Installing Ray, torch and transformers into ${VENV} (6 GB)\n`)
  await rm(VENV, { recursive: true, force: true })
  await mkdir(CACHE, { recursive: true })
  await told([python, '-m', 'venv', VENV], 'A Python environment could not be made', 'Install Python with venv')
  await told(
    [PYTHON, '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-cache-dir', '-r', REQUIREMENTS],
    'Ray could not be installed',
    'See that the package index is reached and 7 GB are free, then run it again',
  )
  await copyFile(REQUIREMENTS, INSTALLED)
}

/** A Python that the pinned packages are there for. Rejects with BENCH_FAILED where there is none. */
async function findPython(): Promise<string> {
  const names = ['python3', 'python', 'python3.13', 'python3.12', 'python3.11', 'python3.10']
  const seen: string[] = []
  for (const name of names) {
    const { stdout } = await promisify(execFile)(name, ['--version']).catch(() => ({ stdout: '' }))
    if (VERSIONS.test(stdout)) return name
    if (stdout) seen.push(stdout.trim())
  }
  throw new RayitoError('BENCH_FAILED', `--with-ray needs Python 3.10 to 3.13, found ${seen[0] ?? 'none'}`, {
    remedy: 'Install one, or leave --with-ray out',
  })
}

/** Runs a command whose last line of stderr says what went wrong. */
async function told([command, ...args]: string[], failed: string, remedy: string): Promise<void> {
  const child = owned(spawn(command!, args, { ...GROUP, stdio: ['ignore', 'ignore', 'pipe'] }))
  let said = ''
  child.stderr.on('data', (text: Buffer) => {
    said = (said + text.toString()).slice(-1_000_000)
  })
  const [code, signal] = await once(child, 'close')
  if (code === 0) return
  const lines = said.trim().split('\n')
  const why = lines.findLast((line) => /error/i.test(line)) || lines.at(-1) || `it ended with ${signal ?? code}`
  throw new RayitoError('BENCH_FAILED', `${failed} (${why.trim()})`, { remedy })
}

/** The folder of the same weights as Python reads them; written once for each model file. */
async function pythonModel({ original }: ModelPaths): Promise<string> {
  const source = join(original, '..', '..')
  const folder = join(CACHE, 'ray-model')
  const stamp = join(folder, 'made-from.txt')
  const from = await readFile(original)
  const made = `${original} ${from.length}\n`
  if (existsSync(stamp) && (await readFile(stamp, 'utf8')) === made) return folder
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  for (const name of ['config.json', 'preprocessor_config.json']) await copyFile(join(source, name), join(folder, name))
  await writeFile(join(folder, 'model.safetensors'), safetensors(checkpoint(from)))
  await writeFile(stamp, made)
  return folder
}

type Said = { kind: 'step' } | { kind: 'result'; value: unknown }

function runPython<T>(
  name: string,
  args: object,
  { env, cwd }: { env: NodeJS.ProcessEnv; cwd: string | undefined },
  onStep?: () => void,
): Promise<Outcome<T>> {
  return new Promise((resolve, reject) => {
    const child = owned(
      spawn(PYTHON, [join(PROGRAMS, `${name}.py`), JSON.stringify(args)], {
        ...GROUP,
        env,
        cwd,
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    )
    const memory = watchTree(child.pid!)
    const limit = setTimeout(() => end(child, 'SIGKILL'), PATIENCE)
    let result: { value: unknown } | null = null
    let complaint = ''
    createInterface(child.stdout).on('line', (line) => {
      if (!line.startsWith('bench:')) return
      const said = JSON.parse(line.slice('bench:'.length)) as Said
      if (said.kind === 'step') onStep?.()
      else result = said
    })
    child.stderr.on('data', (text: Buffer) => {
      complaint = (complaint + text.toString()).slice(-4_000)
    })
    child.on('error', reject)
    child.on('close', (code, signal) => {
      clearTimeout(limit)
      const treeMB = memory.stop() ?? Number.NaN
      if (result && code === 0) return resolve({ value: result.value as T, treeMB, ownMB: treeMB })
      const last = complaint.trim().split('\n').at(-1) ?? ''
      reject(new RayitoError('BENCH_FAILED', `ray/${name}.py ended with ${signal ?? code}. ${last}`))
    })
  })
}
