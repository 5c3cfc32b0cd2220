import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { childEnv } from '../../core/child-env.js'
import { type ErrorCode, expected, RayitoError } from '../../core/errors.js'
import { shown } from '../../ray/engines/nats/address.js'
import type { ClusterStatus } from '../../ray/engines/nats/status/cluster-status.js'
import { uninterrupted } from '../interruption.js'
import type { Settings } from '../settings.js'
import type { ClusterMessage, ClusterPart } from './cluster-process.js'

const PROCESS = fileURLToPath(new URL('./cluster-process.js', import.meta.url))
/** The workers of a cluster that is started here, one CPU each. */
const WORKERS = ['alpha', 'beta']

/** The cluster that a notebook works on: one that is there, or one of its own on this machine. */
export class Cluster {
  readonly #workers = new Map<string, ChildProcess>()

  constructor(
    /** What `ray.init` takes. */
    readonly address: string,
    private readonly head: ChildProcess | null,
  ) {}

  /** Whether it was started here; it ends with this process at the latest. */
  get started(): boolean {
    return this.head !== null
  }

  /** Names of the workers that this process started. */
  get workers(): string[] {
    return [...this.#workers].filter(([, child]) => isRunning(child)).map(([name]) => name)
  }

  /** Whether the head that was started here runs. */
  get runs(): boolean {
    return this.head !== null && isRunning(this.head)
  }

  /** Starts a worker process on this machine; resolves when it has joined. One of that name that was started here and runs stays as it is. */
  async join(name: string, numCpus = 1): Promise<void> {
    if (this.workers.includes(name)) return
    const { child } = await startPart({ part: 'worker', address: this.address, name, numCpus })
    this.#workers.set(name, child)
  }

  /**
   * Ends a worker that was started here as the plug ends a machine: at once, and it can tell nobody. Rejects with INVALID_ARGUMENT
   * where none of that name was.
   */
  async unplug(name: string): Promise<void> {
    const child = this.#workers.get(name)
    if (!child) expected('name', `one of ${this.workers.join(', ') || 'none: no worker was started here'}`, name)
    this.#workers.delete(name)
    await end(child, 'SIGKILL')
  }

  /** What `rayito status` shows. */
  async status(): Promise<ClusterStatus> {
    const [{ Observer }, { statusText }] = await Promise.all([
      import('../../ray/engines/nats/status/observe.js'),
      import('../../ray/engines/nats/status/status-text.js'),
    ])
    const observer = await Observer.open(this.address)
    const status = await observer.status().finally(() => observer.close())
    return Object.defineProperty(status, inspect.custom, { value: () => statusText(status) })
  }

  /** Ends what was started here. */
  async stop(): Promise<void> {
    await Promise.all([...this.#workers.values()].map((child) => end(child, 'SIGTERM')))
    this.#workers.clear()
    if (this.head) await end(this.head, 'SIGTERM')
  }

  [inspect.custom](): string {
    return this.started
      ? `A cluster of this notebook's own at ${this.address}: workers ${this.workers.join(', ')}`
      : `The cluster at ${shown(this.address)}, which was running already`
  }
}

/** What was started here last, or is being started. */
let own: Promise<Cluster> | null = null

/**
 * The cluster at `settings.address`; without an address one that is started on this machine: a head and two workers of one
 * CPU each, every one a process of its own. Called again (a cell may be) it gives the same one while that runs, and starts
 * the workers anew that have ended. Rejects with NATS_SERVER_MISSING where there is no server to start; one whose cell is
 * interrupted meanwhile ends.
 */
export async function findCluster({ address }: Pick<Settings, 'address'>): Promise<Cluster> {
  if (address) return new Cluster(address, null)
  own = ownCluster(own)
  return own
}

async function ownCluster(before: Promise<Cluster> | null): Promise<Cluster> {
  const last = await before?.catch(() => null)
  const cluster = last?.runs ? last : await startHead()
  try {
    for (const name of WORKERS) await cluster.join(name)
  } catch (error) {
    await cluster.stop()
    throw error
  }
  return cluster
}

async function startHead(): Promise<Cluster> {
  const { child, address } = await startPart({ part: 'head' })
  return new Cluster(address, child)
}

async function startPart(part: ClusterPart): Promise<{ child: ChildProcess; address: string }> {
  const child = fork(PROCESS, [JSON.stringify(part)], {
    env: childEnv(),
    execArgv: [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const first = Promise.race([
    once(child, 'message').then(([message]) => message as ClusterMessage),
    once(child, 'exit').then(([code, signal]): ClusterMessage => {
      const error = `The cluster's ${part.part} ended (${signal ?? `exit code ${code}`})`
      return { error: { code: 'RAY_CLUSTER_LOST', message: error } }
    }),
  ])
  const message = await uninterrupted(first, () => void end(child, 'SIGTERM'))
  if ('error' in message) throw new RayitoError(message.error.code as ErrorCode, message.error.message, { remedy: '' })
  // It ends with this process, and does not hold it.
  child.unref()
  child.channel?.unref()
  return { child, address: message.address }
}

const isRunning = ({ exitCode, signalCode }: ChildProcess) => exitCode === null && signalCode === null

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (!isRunning(child)) return
  child.ref()
  const ended = once(child, 'exit')
  // Windows knows no request to end: there it is the lost channel.
  if (signal === 'SIGTERM' && child.connected) child.disconnect()
  else child.kill(signal)
  await ended
}
