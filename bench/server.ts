import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import autocannon from 'autocannon'
import { RayitoError } from '#src/core/errors.js'
import { end, GROUP, owned } from './children.js'
import { watchTree } from './memory.js'
import type { Ray } from './python.js'

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
/** What a server may take to end. */
const GRACE = 30_000

/** The command `rayito serve run …`, ready when it says so. */
export function serveRun(args: string[], env: NodeJS.ProcessEnv): Promise<Server> {
  const command = [process.execPath, COMMAND, 'serve', 'run', ...args, '--port', '0']
  return start(command, { ...process.env, ...env }, /is ready at (http:\S+)\/\.\n/)
}

/** A program of programs/ that prints its address when it is ready. */
export function serveProgram(name: string, env: NodeJS.ProcessEnv = {}): Promise<Server> {
  const file = fileURLToPath(new URL(`./programs/${name}.js`, import.meta.url))
  return start([process.execPath, file], { ...process.env, ...env }, /^(http:\S+)\n/m)
}

/** An application of ray/ray-server.py. */
export async function serveRay(ray: Ray, application: string): Promise<Server> {
  const { command, env } = ray.serve(application, await freePort())
  // a notebook's interrupt is what Ray Serve ends well on
  return start(command, env, /^ready at (http:\S+)\n/m, 'SIGINT')
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function start(
  [file, ...args]: string[],
  env: NodeJS.ProcessEnv,
  pattern: RegExp,
  ending: NodeJS.Signals = 'SIGTERM',
): Promise<Server> {
  const began = performance.now()
  const child: ChildProcess = owned(spawn(file!, args, { ...GROUP, env, stdio: ['ignore', 'pipe', 'pipe'] }))
  const memory = watchTree(child.pid!)
  child.once('exit', memory.stop)
  const url = await new Promise<string>((resolve, reject) => {
    const limit = setTimeout(() => end(child, 'SIGKILL'), PATIENCE)
    let last = ''
    for (const stream of [child.stdout!, child.stderr!]) {
      let said = ''
      stream.on('data', (text: Buffer) => {
        // read on when ready, or the server would wait
        if (said.length > 1_000_000) return
        said += text
        last = said.trim().split('\n').at(-1) ?? ''
        const found = pattern.exec(said)?.[1]
        if (!found) return
        said = ' '.repeat(1_000_001)
        clearTimeout(limit)
        resolve(found)
      })
    }
    child.once('exit', (code) => {
      clearTimeout(limit)
      reject(new RayitoError('BENCH_FAILED', `A server ended with ${code} before it was ready. ${last}`))
    })
  })
  const readySeconds = (performance.now() - began) / 1e3
  return {
    url,
    pid: child.pid!,
    readySeconds,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill(ending)
        const limit = setTimeout(() => end(child, 'SIGKILL'), GRACE)
        await once(child, 'exit')
        clearTimeout(limit)
      }
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
  const options = { url, connections, timeout: 300, ...request, ...extent }
  const running = autocannon(options) as Promise<autocannon.Result> & Pick<autocannon.Instance, 'on'>
  // its own histogram counts whole milliseconds
  const latencies: number[] = []
  running.on('response', (_client, _status, _bytes, milliseconds) => {
    last = performance.now()
    latencies.push(milliseconds)
  })
  const result = await running
  // It looks at the clock once a second only: the last answer says when it was over.
  const seconds = (last - began) / 1e3
  if (result.errors + result.non2xx > 0)
    throw new RayitoError(
      'BENCH_FAILED',
      `${result.errors + result.non2xx} of ${result.requests.total} requests to ${url} failed`,
    )
  latencies.sort((a, b) => a - b)
  const percentile = (share: number) => latencies[Math.floor(share * (latencies.length - 1))]!
  return {
    rate: result.requests.total / seconds,
    p50: percentile(0.5),
    p99: percentile(0.99),
    requests: result.requests.total,
  }
}
