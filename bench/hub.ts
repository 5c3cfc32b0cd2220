import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readdir, symlink } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { RayitoError } from '#src/core/errors.js'
import { rayitoCache } from '#src/core/paths.js'
import { inReach } from '#src/hub/reach.js'
import { neededFiles } from '#src/transformers/model-files.js'
import { DEFAULT_MODEL } from '#src/transformers/pipeline.js'
import { GROUP, owned } from './children.js'
import { runProgram } from './program.js'

const SHARED = process.env.RAYITO_SHARED ?? fileURLToPath(new URL('../../../shared', import.meta.url))
const MAKE = join(SHARED, 'hub', 'make.py')
const SERVE = join(SHARED, 'hub', 'serve.mjs')
/** Where make.py puts what serve.mjs serves, unless told otherwise. */
const STAND_IN = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'hub-stand-in')
const MODEL = join('models', 'Xenova', 'vit-base-patch16-224', 'onnx', 'model_quantized.onnx')
const ROWS = join('datasets', 'Maysee', 'tiny-imagenet', 'data')

/** What the bench keeps. Its weights are its own: a page that another process maps too would count as half a page here. */
export const CACHE = join(rayitoCache(), 'bench')

/** A Hub, and the environment in which programs use it. */
export interface Hub {
  name: string
  env: NodeJS.ProcessEnv
  /** Where Python finds the data set as a folder, if not on the Hub. */
  folder?: string
  close(): void
}

/**
 * The Hub that the exercise's data set and model come from: the one of HF_ENDPOINT, else the stand-in beside the project,
 * else the Hub itself; where that is out of reach, built-in pictures and a ViT-Base of random weights. Files of the stand-in
 * and made ones go into caches of their own, or they would pass for the real ones later.
 */
export async function openHub(): Promise<Hub> {
  const own = { RAYITO_CACHE: CACHE, RAYITO_SOURCE: 'hub' }
  const { HF_ENDPOINT } = process.env
  if (HF_ENDPOINT) return { name: HF_ENDPOINT, env: own, close() {} }
  if (!existsSync(SERVE)) {
    const model = { type: 'model', id: DEFAULT_MODEL, revision: 'main' } as const
    const there = await inReach(model, 'fp32', () => neededFiles('fp32'))
    return there ? { name: 'https://huggingface.co', env: own, close() {} } : generated(own)
  }
  for (const needed of [MODEL, ROWS]) {
    if (existsSync(join(STAND_IN, needed))) continue
    throw new RayitoError('BENCH_FAILED', `The stand-in for the Hub lacks ${join(STAND_IN, needed)}`, {
      remedy: `Fill it: python3 ${MAKE}`,
    })
  }
  const { endpoint, close } = await serve(STAND_IN)
  return { name: 'the stand-in', env: { ...own, HF_ENDPOINT: endpoint, HF_HOME: join(CACHE, 'hub') }, close }
}

/** A cache filled without any Hub, once. */
async function generated(own: NodeJS.ProcessEnv): Promise<Hub> {
  const home = join(CACHE, 'generated')
  const hub = join(home, 'hub')
  const env = { ...own, HF_HOME: home, HF_HUB_CACHE: '', HF_HUB_OFFLINE: '1' }
  const folder = join(home, 'datasets')
  const link = join(folder, 'Maysee', 'tiny-imagenet')
  if (!existsSync(link)) {
    process.stderr.write(
      'The Hub is out of reach: built-in pictures and a ViT-Base of random weights stand for its files\n',
    )
    await runProgram('generate', { hub }, { env, loud: true })
    await mkdir(dirname(link), { recursive: true })
    const [commit] = await readdir(join(hub, 'datasets--Maysee--tiny-imagenet', 'snapshots'))
    await symlink(join(hub, 'datasets--Maysee--tiny-imagenet', 'snapshots', commit!), link, 'junction')
  }
  return { name: 'nothing: generated', env, folder, close() {} }
}

/**
 * A stand-in whose data set has 100,000 train rows in groups of `rowGroup`, made if need be (half a minute); null where
 * there is no stand-in to make it with.
 */
export async function openFullHub(rowGroup: number): Promise<Hub | null> {
  if (!existsSync(SERVE)) return null
  const root = join(CACHE, `full-${rowGroup}`)
  if (!existsSync(join(root, ROWS))) {
    process.stderr.write(`Making 100,000 rows in groups of ${rowGroup}\n`)
    const options = ['--full', '--only', 'data', '--row-group', String(rowGroup), '--root', root]
    await promisify(execFile)('python3', [MAKE, ...options]).catch((error: Error & { stderr?: string }) => {
      const why = error.stderr?.trim().split('\n').at(-1) || error.message
      throw new RayitoError('BENCH_FAILED', `The data set of 100,000 rows could not be made (${why})`, {
        cause: error,
        remedy: `Try it: python3 ${MAKE} ${options.join(' ')}`,
      })
    })
  }
  const { endpoint, close } = await serve(root)
  return {
    name: `groups of ${rowGroup}`,
    env: { RAYITO_CACHE: CACHE, HF_ENDPOINT: endpoint, HF_HOME: join(CACHE, `full-${rowGroup}-hub`) },
    close,
  }
}

async function serve(root: string): Promise<{ endpoint: string; close(): void }> {
  const server: ChildProcess = owned(
    spawn(process.execPath, [SERVE, '--port', '0', '--root', root], { ...GROUP, stdio: ['ignore', 'pipe', 'ignore'] }),
  )
  const close = () => void server.kill()
  process.once('exit', close)
  const first = once(createInterface(server.stdout!), 'line') as Promise<[string]>
  const ended = once(server, 'exit').then((): never => {
    throw new RayitoError('BENCH_FAILED', `${SERVE} ended before it served`)
  })
  ended.catch(() => {})
  const [line] = await Promise.race([first, ended])
  const endpoint = /HF_ENDPOINT=(\S+)/.exec(line)?.[1]
  if (endpoint) return { endpoint, close }
  throw new RayitoError('BENCH_FAILED', `Expected ${SERVE} to say its address, got: ${line}`)
}
