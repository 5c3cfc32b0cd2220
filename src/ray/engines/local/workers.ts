import type { Finding } from '../../../core/findings.js'
import type { Actor } from '../../actor.js'
import type { SessionInfo } from '../../options.js'
import { Stream } from '../../stream.js'
import { WorkerCounts } from '../../tally.js'
import type { Task } from '../../task.js'
import type { Recorder } from '../../timeline/recorder.js'
import type { Connector, HeapLimits } from './connection.js'
import type { Cpus } from './cpus.js'
import { LocalWorker, type LocalWorkerEvents } from './worker.js'

/** Workers for tasks that take no CPU, beyond the CPUs. */
const EXTRA_WORKERS = 16
/** Milliseconds without work after which a worker that there is no CPU for is ended (Ray's idle_worker_killing_time_threshold_ms). */
export const IDLE = 1_000

export interface WorkersOptions {
  connector: Connector
  namespace: string
  session: SessionInfo
  resourceLimits: HeapLimits | undefined
  allow: readonly string[] | null
  env: Readonly<Record<string, string>> | null
  findings: () => readonly Finding[]
  released?: ((worker: LocalWorker, ids: Iterable<string>) => void) | undefined
  ended?: ((worker: LocalWorker) => void) | undefined
  /** What workers are called before their number. */
  prefix: string
  recorder: Recorder | null
}

/** The workers of a session on this machine: idle, busy with tasks, or an actor's; and the CPUs that they hold. */
export class Workers {
  readonly busy = new Set<LocalWorker>()
  readonly actors = new Map<LocalWorker, Actor>()
  /** Finished calls by worker, of those that live or lived. */
  readonly finished = new WorkerCounts()
  readonly #all = new Set<LocalWorker>()
  readonly #idle: LocalWorker[] = []
  readonly #ending = new Set<Promise<void>>()
  #made = 0

  constructor(
    private readonly cpus: Cpus,
    private readonly options: WorkersOptions,
    private readonly events: LocalWorkerEvents,
  ) {}

  [Symbol.iterator](): Iterator<LocalWorker> {
    return this.#all.values()
  }

  get idle(): number {
    return this.#idle.length
  }

  /** None computes. */
  get resting(): boolean {
    for (const worker of this.#all) if (worker.computes) return false
    return true
  }

  /** Some hold CPUs, or a place, and compute nothing: for ever, should nobody be able to ask anything more of them. */
  get keeping(): boolean {
    for (const worker of this.#all)
      if (!worker.computes && !worker.lent && (this.actors.has(worker) ? worker.cpus > 0 : worker.pauses)) return true
    return false
  }

  /** No further worker for tasks is started. Those that wait for others do not count, or a deep recursion would stand still. */
  get crowded(): boolean {
    let waiting = 0
    for (const worker of this.busy) if (worker.lent) waiting++
    return this.#all.size - this.actors.size - waiting >= Math.ceil(this.cpus.total) + EXTRA_WORKERS
  }

  /** More than there are CPUs for. */
  get surplus(): boolean {
    let workers = -this.actors.size
    for (const worker of this.#all) if (!worker.closing || this.actors.has(worker)) workers++
    return workers > Math.ceil(this.cpus.total)
  }

  /** One of more than there are CPUs for that has had nothing to do for a while; null if there is none. */
  get superfluous(): LocalWorker | null {
    const longest = this.#idle[0]
    return this.surplus && longest && performance.now() - longest.restedAt >= IDLE ? longest : null
  }

  /** An idle worker, best one that has the task's function; else a new one. */
  free(task: Task): LocalWorker | null {
    for (let i = this.#idle.length - 1; i >= 0; i--) {
      const worker = this.#idle[i]!
      if (worker.codes.has(task.definition.id) || i === 0) {
        this.#idle.splice(i, 1)
        return worker
      }
    }
    return this.crowded ? null : this.#start(`${this.options.prefix}worker#${++this.#made}`, 1, null)
  }

  /** A worker for an actor. */
  place(actor: Actor): LocalWorker {
    const worker = this.#start(actor.label, actor.settings.maxConcurrency, actor.id)
    this.hold(worker, actor.settings.numCpus ?? 0)
    this.actors.set(worker, actor)
    return worker
  }

  #start(name: string, maxConcurrency: number, actorId: string | null): LocalWorker {
    const {
      connector,
      prefix: _prefix,
      released: _released,
      ended: _ended,
      recorder,
      findings,
      ...shared
    } = this.options
    const options = { name, maxConcurrency, actorId, spans: recorder !== null, ...shared, findings: findings() }
    const worker = new LocalWorker(connector, options, this.events)
    if (recorder) worker.number = recorder.started(name, worker.process)
    this.#all.add(worker)
    return worker
  }

  hold(worker: LocalWorker, cpus: number): void {
    worker.cpus = cpus
    this.cpus.take(cpus)
  }

  /** A worker's task lends others its CPUs, or has them again. Returns whether that is new. */
  lend(worker: LocalWorker, lent: boolean): boolean {
    if (worker.lent === lent) return false
    worker.lent = lent
    if (lent) this.cpus.give(worker.cpus)
    else this.cpus.take(worker.cpus)
    return true
  }

  /** A worker whose task ended. */
  rest(worker: LocalWorker): void {
    this.busy.delete(worker)
    // A task that ended without waiting for what it had asked for has lent them still.
    const cpus = worker.lent ? 0 : worker.cpus
    worker.lent = false
    worker.cpus = 0
    worker.restedAt = performance.now()
    if (!worker.closing) this.#idle.push(worker)
    this.cpus.give(cpus)
  }

  /** Stops a worker; its CPUs are free once it has ended. Then `then` is told what it still had. */
  end(worker: LocalWorker, then: (lost: [number, Task][]) => void): void {
    const idle = this.#idle.indexOf(worker)
    if (idle >= 0) this.#idle.splice(idle, 1)
    const ended = worker.stop().then(() => {
      worker.tellNoted()
      const lost = [...worker.inflight]
      this.forget(worker)
      this.#ending.delete(ended)
      then(lost)
    })
    this.#ending.add(ended)
    if (this.actors.has(worker)) this.forget(worker)
  }

  /** Refs and handles that are garbage in workers are let go there. */
  collect(beside: boolean): void {
    for (const worker of this.#all) if (!worker.closing && worker.held.size > 0) worker.post(['collect', beside])
  }

  /** A worker let refs and handles go. */
  released(worker: LocalWorker, ids: readonly string[]): void {
    if (ids.length) this.options.released?.(worker, ids)
  }

  /** Whether any worker holds a ref or handle. */
  holds(id: string): boolean {
    for (const worker of this.#all) if (worker.held.has(id)) return true
    return false
  }

  forget(worker: LocalWorker): void {
    if (!this.#all.delete(worker)) return
    this.options.recorder?.ended(worker.number)
    const idle = this.#idle.indexOf(worker)
    if (idle >= 0) this.#idle.splice(idle, 1)
    this.actors.delete(worker)
    this.busy.delete(worker)
    const cpus = worker.lent ? 0 : worker.cpus
    worker.cpus = 0
    const held = worker.held.take()
    for (const [, thing] of held) Stream.left(thing, worker)
    this.released(
      worker,
      held.map(([id]) => id),
    )
    this.options.ended?.(worker)
    this.cpus.give(cpus)
  }

  /** Resolves when all that were stopped have ended. */
  async allEnded(): Promise<void> {
    while (this.#ending.size) await Promise.all(this.#ending)
  }
}
