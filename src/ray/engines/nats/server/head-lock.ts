import { closeSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { RayitoError } from '../../../../core/errors.js'
import { withLock } from '../../../../core/lock.js'

/** The server of a head. */
export interface HeadServer {
  pid: number
  address: string
  /** What the server calls itself: process numbers and ports are given again, this is not. */
  id: string
}

interface Holder {
  pid: number
  server: HeadServer | null
}

const FILE = 'rayito-head.json'
/** Milliseconds in which a server on this machine says who it is. */
const ANSWER = 1_000
/** Milliseconds that a server has to end. */
const PATIENCE = 10_000

/** A data folder is one head's: two servers on the same files would spoil them. */
export class HeadLock {
  private constructor(private readonly file: string) {}

  /**
   * Takes the folder. A server there whose head was killed is ended first: its queue goes on with the new one.
   * @throws RayitoError RAY_HEAD_RUNNING (rejects)
   */
  static async take(data: string, say: (line: string) => void): Promise<HeadLock> {
    // One at a time: two that find what a killed one has left would take the folder away from each other.
    return withLock(join(data, `${FILE}.lock`), () => HeadLock.#take(join(data, FILE), data, say))
  }

  static async #take(file: string, data: string, say: (line: string) => void): Promise<HeadLock> {
    for (;;) {
      try {
        const handle = openSync(file, 'wx')
        writeSync(handle, JSON.stringify({ pid: process.pid, server: null } satisfies Holder))
        closeSync(handle)
        return new HeadLock(file)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      }
      const holder = read(file)
      const server = holder?.server
      const answers = server ? (await idAt(server.address)) === server.id : false
      // A number alone may be another process's by now; without a server it is a head that begins.
      if (holder && lives(holder.pid) && (answers || !server))
        throw new RayitoError('RAY_HEAD_RUNNING', `A head (process ${holder.pid}) has the data folder ${data}`, {
          remedy: server
            ? `Use it: its address is ${server.address}. Or give this one a folder of its own: --data FOLDER.`
            : 'Give this one a folder of its own: --data FOLDER.',
        })
      if (server && answers) {
        say(`ends the server at ${server.address}, which a head that was killed has left`)
        await end(server)
      }
      rmSync(file, { force: true })
    }
  }

  /** The folder's server runs. */
  serves(server: HeadServer): void {
    writeFileSync(this.file, JSON.stringify({ pid: process.pid, server } satisfies Holder))
  }

  release(): void {
    rmSync(this.file, { force: true })
  }
}

function read(file: string): Holder | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Holder
  } catch {
    return null
  }
}

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

async function end({ pid, address, id }: HeadServer): Promise<void> {
  process.kill(pid, 'SIGTERM')
  const last = performance.now() + PATIENCE
  while ((await idAt(address)) === id || lives(pid)) {
    if (performance.now() > last) process.kill(pid, 'SIGKILL')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** What a NATS server calls itself: it says so to whoever connects (NATS client protocol, INFO). */
function idAt(address: string): Promise<string | null> {
  const { hostname, port } = new URL(address)
  return new Promise((resolve) => {
    const socket = connect({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port), timeout: ANSWER })
    const done = (id: string | null) => {
      socket.destroy()
      resolve(id)
    }
    socket
      .once('data', (data) => done(/"server_id":"(\w+)"/.exec(data.toString())?.[1] ?? null))
      .once('error', () => done(null))
      .once('timeout', () => done(null))
      .once('close', () => done(null))
  })
}
