import { randomBytes } from 'node:crypto'
import { join, resolve } from 'node:path'
import { RayitoError } from '../core/errors.js'
import { rayitoCache } from '../core/paths.js'
import { Head } from '../ray/engines/nats/server/head.js'
import { findNatsServer, installNatsServer } from '../ray/engines/nats/server/nats-server.js'
import { stopSignal } from './stop-signal.js'

export interface HeadOptions {
  host: string
  port: number
  data?: string
  /** Given without a word it is made up. */
  token?: string | true
  install?: boolean
}

/** `rayito start --head`: the cluster's NATS server, in the foreground until it is told to stop. */
export async function startHead({
  host,
  port,
  data = join(rayitoCache(), 'head'),
  token,
  install,
}: HeadOptions): Promise<void> {
  const stop = stopSignal()
  const say = (line: string) => process.stdout.write(`${line}\n`)
  const program = install ? await findOrInstall(say, stop) : findNatsServer()
  if (!program) return
  const folder = resolve(data)
  const secret = token === true ? randomBytes(16).toString('hex') : token
  const head = await Head.start({ host, port, data: folder, token: secret, program, say })
  const { address } = head
  say(`head at ${address} (nats-server, data in ${folder})`)
  say(`join with     rayito worker --address ${address}`)
  say(`work on it    rayito start --address ${address}, or ray.init({ address: '${address}' })`)
  stop.addEventListener('abort', () => head.stop())
  if (stop.aborted) head.stop()
  const { code, last } = await head.ended
  if (!stop.aborted) throw new RayitoError('RAY_CLUSTER_LOST', `nats-server ended with ${code}: ${last}`)
}

/** The program nats-server, installed first where there is none; null where a signal came meanwhile. */
export async function findOrInstall(say: (line: string) => void, signal: AbortSignal): Promise<string | null> {
  try {
    return findNatsServer()
  } catch {
    return installNatsServer(say, signal)
  }
}
