import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { RayitoError } from '../core/errors.js'
import { rayitoCache } from '../core/paths.js'
import { findNatsServer, installNatsServer } from './nats-server.js'
import { stopSignal } from './stop-signal.js'

export interface HeadOptions {
  host: string
  port: string
  data?: string
  install?: boolean
}

/** Lines of the server's log that are worth a failure's message. */
const LAST_LINES = 3

/** `rayito start --head`: the cluster's NATS server, in the foreground until it is told to stop. */
export async function startHead({
  host,
  port,
  data = join(rayitoCache(), 'head'),
  install,
}: HeadOptions): Promise<void> {
  const stop = stopSignal()
  const say = (line: string) => process.stdout.write(`${line}\n`)
  const program = install ? await findOrInstall(say) : findNatsServer()
  const folder = resolve(data)
  mkdirSync(folder, { recursive: true })
  const child = spawn(program, ['--jetstream', '--store_dir', folder, '--addr', host, '--port', port], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const server = await ready(child)
  const shownHost = host === '0.0.0.0' || host === '::' ? 'THIS-HOST' : host
  const address = `nats://${shownHost}:${port}`
  say(`head at ${address} (nats-server, data in ${folder})`)
  say(`join with     rayito worker --address ${address}`)
  say(`work on it    RAY_ADDRESS=${address}`)
  stop.addEventListener('abort', () => child.kill('SIGTERM'))
  const { code, last } = await server.ended
  if (!stop.aborted) throw new RayitoError('RAY_CLUSTER_LOST', `nats-server ended with ${code}: ${last}`)
}

async function findOrInstall(say: (line: string) => void): Promise<string> {
  try {
    return findNatsServer()
  } catch {
    return installNatsServer(say)
  }
}

interface Ended {
  code: number | string | null
  last: string
}

/** Resolves when the server takes connections. */
function ready(child: ChildProcess): Promise<{ ended: Promise<Ended> }> {
  let log: string[] = []
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code, signal) => resolve({ code: signal ?? code, last: log.join(' | ') }))
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      log = [...log, ...text.split('\n').filter(Boolean)].slice(-LAST_LINES)
      if (text.includes('Server is ready')) resolve({ ended })
    })
    void ended.then(({ code, last }) =>
      reject(
        new RayitoError('RAY_CLUSTER_UNREACHABLE', `nats-server ended with ${code}: ${last}`, {
          remedy: 'Another server may have the port (--port) or the data folder (--data).',
        }),
      ),
    )
  })
}
