import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { childEnv } from '../../core/child-env.js'
import { type ErrorCode, RayitoError } from '../../core/errors.js'
import { isLoopback } from '../../hub/proxied-fetch.js'
import { uninterrupted } from '../interruption.js'
import type { Settings } from '../settings.js'
import type { ServiceMessage } from './service-process.js'

/** How long a server on this machine may take to say what it serves, in milliseconds. */
const PATIENCE = 2_000
/** How long a service may take to end before it is ended, in milliseconds. */
const END = 35_000

/** The image-information service that a notebook talks to. */
export class Service {
  /** Where it answers, without a slash at the end. */
  readonly url: string
  readonly #child: ChildProcess | null

  constructor(url: string, child: ChildProcess | null) {
    this.url = url
    this.#child = child
  }

  /** Whether it was started here; it ends with this process at the latest. */
  get started(): boolean {
    return this.#child !== null
  }

  /** Whether it was started here and has not ended. */
  get runs(): boolean {
    return this.#child !== null && isRunning(this.#child)
  }

  /** Ends it if it was started here; one that was running already goes on. */
  async stop(): Promise<void> {
    if (this.#child) await end(this.#child)
  }

  [inspect.custom](): string {
    return this.#child
      ? `The service at ${this.url}, started for this notebook (process ${this.#child.pid})`
      : `The service at ${this.url}, which was running already`
  }
}

/**
 * The service that runs at `settings.service`; if none does, one that is started in a process of its own on a free port,
 * with the settings' model, or that was started so before. Rejects with SERVE_DEPLOY_FAILED, or what failed in it, when it cannot be started;
 * one whose cell is interrupted meanwhile ends.
 */
export async function findService(
  settings: Pick<Settings, 'service' | 'source' | 'model' | 'dtype'>,
): Promise<Service> {
  const prefix = await uninterrupted(prefixAt(settings.service))
  if (prefix === null) own = ownService(own, settings)
  const service = prefix === null ? (await own!).service : new Service(settings.service + prefix, null)
  askDirectly(new URL(service.url).hostname)
  return service
}

/** A service that was started here, and with which settings. */
interface Own {
  service: Service
  key: string
}

/** What this process started last, or starts: a cell that runs again does not start another beside it. */
let own: Promise<Own> | null = null

/** axios, with which a notebook asks, would send what is for this machine to the proxy of the environment. */
function askDirectly(hostname: string): void {
  const { no_proxy: hosts = process.env.NO_PROXY ?? '' } = process.env
  if (isLoopback(hostname) && !hosts.split(/[\s,]+/).includes(hostname))
    process.env.no_proxy = hosts ? `${hosts},${hostname}` : hostname
}

async function ownService(
  before: Promise<Own> | null,
  settings: Pick<Settings, 'source' | 'model' | 'dtype'>,
): Promise<Own> {
  const { source, model, dtype } = settings
  const key = JSON.stringify([source, model, dtype])
  const last = await before?.catch(() => null)
  if (last?.service.runs && last.key === key) return last
  await last?.service.stop()
  return { service: await start(settings), key }
}

/** Below which path the service answers there, '' where it has none; null where it does not, or something else. */
async function prefixAt(url: string): Promise<string | null> {
  try {
    const response = await fetch(`${url}/-/status`, { signal: AbortSignal.timeout(PATIENCE) })
    const { applications } = (await response.json()) as {
      applications: Record<string, { status: string; routePrefix: string; deployments: object }>
    }
    const found = Object.values(applications).find(
      ({ status, deployments }) => status === 'RUNNING' && 'ImageClassifier' in deployments,
    )
    return found ? found.routePrefix.replace(/\/$/, '') : null
  } catch {
    return null
  }
}

async function start({ source, model, dtype }: Pick<Settings, 'source' | 'model' | 'dtype'>): Promise<Service> {
  const child = fork(fileURLToPath(new URL('./service-process.js', import.meta.url)), {
    env: childEnv({ RAYITO_SOURCE: source, RAYITO_DTYPE: dtype, ...(model && { RAYITO_MODEL: model }) }),
    execArgv: [],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  let said = ''
  const listen = (text: Buffer) => {
    said = (said + text).slice(-2_000)
    process.stderr.write(text)
  }
  // What it tells while it starts, of a download for instance, belongs to the cell that waits for it.
  child.stderr!.on('data', listen)
  const first = Promise.race([
    once(child, 'message').then(([message]) => message as ServiceMessage),
    once(child, 'exit').then(([code, signal]): ServiceMessage => {
      const last = said.trim().split('\n').at(-1)
      const error = `The service ended (${signal ?? `exit code ${code}`})${last && `: ${last}`}`
      return { error: { code: 'SERVE_DEPLOY_FAILED', message: error } }
    }),
  ])
  const message = await uninterrupted(first, () => void end(child))
  child.stderr!.off('data', listen).resume()
  if ('error' in message) throw new RayitoError(message.error.code as ErrorCode, message.error.message, { remedy: '' })
  // It ends with this process, and does not hold it.
  child.unref()
  child.channel?.unref()
  ;(child.stderr as unknown as { unref(): void }).unref()
  return new Service(message.url, child)
}

const isRunning = ({ exitCode, signalCode }: ChildProcess) => exitCode === null && signalCode === null

async function end(child: ChildProcess): Promise<void> {
  if (!isRunning(child)) return
  child.ref()
  const ended = once(child, 'exit')
  const impatience = setTimeout(() => child.kill('SIGKILL'), END)
  if (child.connected) child.disconnect()
  await ended
  clearTimeout(impatience)
}
