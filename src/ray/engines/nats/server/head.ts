import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { RayitoError } from '../../../../core/errors.js'
import { HeadLock } from './head-lock.js'
import { findNatsServer } from './nats-server.js'

export interface HeadPlace {
  /** Where it listens. */
  host: string
  /** 0 takes a free one. */
  port: number
  /** Folder of its queue, made if it is not there. */
  data: string
  /** What everyone must bring who connects, in the address: letters, digits and `._~-`. @default undefined: nothing */
  token?: string | undefined
  /** @default as findNatsServer finds it */
  program?: string
  /** What happens, in words. */
  say?(line: string): void
}

export interface HeadEnd {
  code: number | string | null
  /** The last lines of its log. */
  last: string
}

/** Lines of the server's log that are worth a failure's message: those that tell of one, if any does. */
const LAST_LINES = 3
const worth = (log: readonly string[]) => {
  const failures = log.flatMap((line) => /\[(?:ERR|FTL)\] (.*)/.exec(line)?.[1] ?? [])
  return (failures.length ? failures : log).slice(-LAST_LINES).join(' | ')
}

/** A cluster's NATS server, as a child of this process. */
export class Head {
  private constructor(
    /** What workers and drivers give as address. */
    readonly address: string,
    readonly ended: Promise<HeadEnd>,
    private readonly child: ChildProcess,
  ) {}

  /**
   * Starts it; resolves when it takes connections.
   * @throws RayitoError NATS_SERVER_MISSING, RAY_HEAD_RUNNING, RAY_CLUSTER_UNREACHABLE (rejects)
   */
  static async start({
    host,
    port,
    data,
    token,
    program = findNatsServer(),
    say = () => {},
  }: HeadPlace): Promise<Head> {
    const lock = await locked(data, say)
    // It calls a free port −1.
    const options = ['--jetstream', '--store_dir', data, '--addr', host, '--port', `${port || -1}`]
    if (token !== undefined) options.push('--config', configOf(token, data))
    const child = spawn(program, options, { stdio: ['ignore', 'ignore', 'pipe'] })
    let log: string[] = []
    const ended = new Promise<HeadEnd>((resolve) => {
      child.on('close', (code, signal) => {
        lock.release()
        resolve({ code: signal ?? code, last: worth(log) })
      })
    })
    const listening = new Promise<{ taken: string; id: string }>((resolve, reject) => {
      let taken = `${port}`
      let id = ''
      child.on('error', (error) => {
        lock.release()
        reject(error)
      })
      child.stderr!.setEncoding('utf8').on('data', (text: string) => {
        log = [...log, ...text.split('\n').filter(Boolean)].slice(-10)
        taken = /Listening for client connections on \S*:(\d+)/.exec(text)?.[1] ?? taken
        id = /\bID: +(\w+)/.exec(text)?.[1] ?? id
        if (text.includes('Server is ready')) resolve({ taken, id })
      })
      void ended.then(({ code, last }) =>
        reject(
          new RayitoError('RAY_CLUSTER_UNREACHABLE', `nats-server ended with ${code}: ${last}`, {
            remedy: 'Another server may have the port (--port) or the data folder (--data).',
          }),
        ),
      )
    })
    const { taken, id } = await listening
    lock.serves({ pid: child.pid!, address: addressOf(local(host), taken), id })
    return new Head(addressOf(reachable(host), taken, token), ended, child)
  }

  /** Asks it to end; `ended` tells when it has. */
  stop(): void {
    this.child.kill('SIGTERM')
  }
}

async function locked(data: string, say: (line: string) => void): Promise<HeadLock> {
  try {
    mkdirSync(data, { recursive: true })
    return await HeadLock.take(data, say)
  } catch (cause) {
    if (cause instanceof RayitoError) throw cause
    const message = `The data folder ${data} cannot be used: ${(cause as Error).message}`
    throw new RayitoError('INVALID_ARGUMENT', message, {
      cause,
      remedy: 'Name one that can be written: --data FOLDER.',
    })
  }
}

/** A file that only its owner reads: arguments of a process are seen by everyone on the machine. */
function configOf(token: string, data: string): string {
  const file = join(data, 'rayito-head.conf')
  rmSync(file, { force: true })
  writeFileSync(file, `authorization { token: "${token}" }\n`, { mode: 0o600 })
  return file
}

const addressOf = (host: string, port: string, token?: string) =>
  `nats://${token === undefined ? '' : `${token}@`}${host.includes(':') ? `[${host}]` : host}:${port}`

const isAny = (host: string) => host === '0.0.0.0' || host === '::'

const local = (host: string) => (host === '::' ? '::1' : host === '0.0.0.0' ? '127.0.0.1' : host)

/** By which other machines find it: one that listens on all its addresses has no name of its own. */
function reachable(host: string): string {
  if (!isAny(host)) return host
  const outward = Object.values(networkInterfaces()).flatMap((all) => all ?? [])
  return outward.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? hostname()
}
