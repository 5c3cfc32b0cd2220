import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { RayitoError } from '../../../core/errors.js'
import { findNatsServer } from './nats-server.js'

export interface HeadPlace {
  /** Where it listens. */
  host: string
  /** 0 takes a free one. */
  port: number
  /** Folder of its queue, made if it is not there. */
  data: string
  /** @default as findNatsServer finds it */
  program?: string
}

export interface HeadEnd {
  code: number | string | null
  /** The last lines of its log. */
  last: string
}

/** Lines of the server's log that are worth a failure's message. */
const LAST_LINES = 3

/** A cluster's NATS server, as a child of this process. */
export class Head {
  private constructor(
    /** What workers and drivers give as address. */
    readonly address: string,
    readonly ended: Promise<HeadEnd>,
    private readonly child: ChildProcess,
  ) {}

  /** Starts it; resolves when it takes connections. @throws RayitoError NATS_SERVER_MISSING, RAY_CLUSTER_UNREACHABLE (rejects) */
  static async start({ host, port, data, program = findNatsServer() }: HeadPlace): Promise<Head> {
    mkdirSync(data, { recursive: true })
    // It calls a free port −1.
    const options = ['--jetstream', '--store_dir', data, '--addr', host, '--port', `${port || -1}`]
    const child = spawn(program, options, { stdio: ['ignore', 'ignore', 'pipe'] })
    let log: string[] = []
    const ended = new Promise<HeadEnd>((resolve) => {
      child.on('close', (code, signal) => resolve({ code: signal ?? code, last: log.join(' | ') }))
    })
    const listening = new Promise<string>((resolve, reject) => {
      let taken = `${port}`
      child.on('error', reject)
      child.stderr!.setEncoding('utf8').on('data', (text: string) => {
        log = [...log, ...text.split('\n').filter(Boolean)].slice(-LAST_LINES)
        taken = /Listening for client connections on \S*:(\d+)/.exec(text)?.[1] ?? taken
        if (text.includes('Server is ready')) resolve(taken)
      })
      void ended.then(({ code, last }) =>
        reject(
          new RayitoError('RAY_CLUSTER_UNREACHABLE', `nats-server ended with ${code}: ${last}`, {
            remedy: 'Another server may have the port (--port) or the data folder (--data).',
          }),
        ),
      )
    })
    const shownHost = host === '0.0.0.0' || host === '::' ? 'THIS-HOST' : host
    return new Head(`nats://${shownHost}:${await listening}`, ended, child)
  }

  /** Asks it to end; `ended` tells when it has. */
  stop(): void {
    this.child.kill('SIGTERM')
  }
}
