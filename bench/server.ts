import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import autocannon from 'autocannon'
import { RayitoError } from '#src/core/errors.js'
import { watchTree } from './memory.js'

/** A server in a process of its own. */
export interface Server {
  url: string
  pid: number
  /** From the start of the process to its word that it is ready. */
  readySeconds: number
  /** Ends it; the most memory it and those below it had, in MB (Linux), else null. */
  stop(): Promise<number | null>
}

const COMMAND = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const PATIENCE = 120_000

/** The command `rayito serve run …`, ready when it says so. */
export function serveRun(args: string[], env: NodeJS.ProcessEnv): Promise<Server> {
  return start([COMMAND, 'serve', 'run', ...args, '--port', '0'], env, 'stderr', /is ready at (http:\S+)\/\.\n/)
}

/** A program of programs/ that prints its address when it is ready. */
export function serveProgram(name: string, env: NodeJS.ProcessEnv = {}): Promise<Server> {
  const file = fileURLToPath(new URL(`./programs/${name}.js`, import.meta.url))
  return start([file], env, 'stdout', /^(http:\S+)\n/)
}

async function start(
  args: string[],
  env: NodeJS.ProcessEnv,
  stream: 'stdout' | 'stderr',
  pattern: RegExp,
): Promise<Server> {
  const began = performance.now()
  const child: ChildProcess = spawn(process.execPath, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const memory = watchTree(child.pid!)
  child.once('exit', memory.stop)
  let said = ''
  const url = await new Promise<string>((resolve, reject) => {
    const limit = setTimeout(() => child.kill('SIGKILL'), PATIENCE)
    child[stream]!.on('data', (text: Buffer) => {
      said += said.length < 100_000 ? text : ''
      const found = pattern.exec(said)?.[1]
      if (!found) return
      clearTimeout(limit)
      resolve(found)
    })
    child[stream === 'stdout' ? 'stderr' : 'stdout']!.resume()
    child.once('exit', (code) => {
      clearTimeout(limit)
      const last = said.trim().split('\n').at(-1) ?? ''
      reject(new RayitoError('BENCH_FAILED', `A server ended with ${code} before it was ready. ${last}`))
    })
  })
  const readySeconds = (performance.now() - began) / 1e3
  return {
    url,
    pid: child.pid!,
    readySeconds,
    async stop() {
      child.kill('SIGTERM')
      await once(child, 'exit')
      return memory.stop()
    },
  }
}

const BOUNDARY = '----------------------------rayito'

/** A multipart form with a picture in its field `file`. */
function form(picture: Uint8Array): { body: Buffer; headers: Record<string, string> } {
  const head = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="x.png"\r\nContent-Type: image/png\r\n\r\n`
  return {
    body: Buffer.concat([Buffer.from(head), picture, Buffer.from(`\r\n--${BOUNDARY}--\r\n`)]),
    headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` },
  }
}

export interface Load {
  connections: number
  /** So many requests, or requests for so many seconds. */
  amount?: number
  duration?: number
}

export interface Loaded {
  /** Requests a second. */
  rate: number
  /** Milliseconds. */
  p50: number
  p99: number
  requests: number
}

/** Posts a picture again and again (without one: GET) and rejects with BENCH_FAILED if an answer is no success. */
export async function load(url: string, picture: Uint8Array | null, { connections, ...extent }: Load): Promise<Loaded> {
  const request = picture ? { method: 'POST' as const, ...form(picture) } : { method: 'GET' as const }
  const began = performance.now()
  let last = began
  const options = { url, connections, timeout: 60, ...request, ...extent }
  const running = autocannon(options) as Promise<autocannon.Result> & Pick<autocannon.Instance, 'on'>
  running.on('response', () => {
    last = performance.now()
  })
  const result = await running
  // It looks at the clock once a second only: the last answer says when it was over.
  const seconds = (last - began) / 1e3
  if (result.errors + result.non2xx > 0)
    throw new RayitoError(
      'BENCH_FAILED',
      `${result.errors + result.non2xx} of ${result.requests.total} requests to ${url} failed`,
    )
  const { p50, p99 } = result.latency
  return { rate: result.requests.total / seconds, p50, p99, requests: result.requests.total }
}
