import { type Finding, findings } from '../../../core/findings.js'
import type { Actor } from '../../actor.js'
import type { Engine, EngineHost, EngineName } from '../../engine.js'
import { InfeasibleError, TaskTimeoutError } from '../../errors.js'
import type { Content } from '../../object-ref.js'
import { decodeError } from '../../pack/error-codec.js'
import { KIND, type ToDriver, type WireContent, type WireResult } from '../../protocol.js'
import type { Task } from '../../task.js'
import type { RunningCall } from '../../timeline/recorder.js'
import type { NodeInfo, Resources } from '../../types.js'
import type { Connector, HeapLimits } from './connection.js'
import { Cpus } from './cpus.js'
import { Ends } from './ends.js'
import { Limits } from './limits.js'
import { placementOf, Schedule } from './schedule.js'
import { Spares } from './spares.js'
import { Told } from './told.js'
import type { LocalWorker, Running } from './worker.js'
import { IDLE, Workers } from './workers.js'

export interface LocalEngineOptions {
  name: EngineName
  connector: Connector
  /** A number, or CPUs shared with other sessions. */
  cpus: number | Cpus
  resourceLimits?: HeapLimits | undefined
  /** What workers are called before their number. @default '' */
  prefix?: string
  /** For work of other machines: the folders whose modules may run, besides this package. */
  allow?: readonly string[]
  /** Environment variables of the workers that differ from this process's. */
  env?: Readonly<Record<string, string>>
  /** What the driver found out so far, where that is another process. @default what this one did */
  findings?: () => readonly Finding[]
  /** Told of refs and handles that a worker let go, or had when it ended. */
  released?: (worker: LocalWorker, ids: Iterable<string>) => void
  /** Told of each worker that has ended. */
  ended?: (worker: LocalWorker) => void
}

/** Tasks, actors and objects on workers of this machine: its threads, or processes of their own. */
export class LocalEngine implements Engine {
  readonly name: EngineName
  readonly #cpus: Cpus
  readonly #workers: Workers
  readonly #schedule: Schedule
  readonly #limits = new Limits((task) =>
    this.cancel(task, new TaskTimeoutError(task.label, task.settings.timeout!), false),
  )
  readonly #forgetCpus: () => void
  readonly #spares: Spares
  /** Calls that were ever sent. */
  #sent = 0
  readonly #told: Told | null
  readonly #ends: Ends
  /** Actors whose queues are being sent. */
  readonly #pumping = new Set<Actor>()
  #trim: NodeJS.Timeout | null = null

  constructor(
    {
      name,
      connector,
      cpus,
      resourceLimits,
      prefix = '',
      allow,
      env,
      findings: known,
      released,
      ended,
    }: LocalEngineOptions,
    private readonly host: EngineHost,
  ) {
    this.name = name
    this.#cpus = typeof cpus === 'number' ? new Cpus(cpus) : cpus
    this.#forgetCpus = this.#cpus.whenGiven(() => this.#schedule.soon())
    this.#workers = new Workers(
      this.#cpus,
      {
        connector: {
          connect: (...worker) => {
            this.#spares.wanted()
            return connector.connect(...worker)
          },
        },
        namespace: host.namespace,
        session: { numCpus: this.#cpus.total, address: host.address },
        resourceLimits,
        prefix,
        allow: allow ?? null,
        env: env ?? null,
        findings: known ?? findings,
        released,
        ended,
        recorder: host.recorder,
      },
      {
        message: (from, message) => this.#message(from, message),
        died: (from, death) => this.#ends.died(from, death),
        sent: (thing) => host.sent(thing),
        failed: (from) => this.#settled(from),
        released: (from, ids) => this.#workers.released(from, ids),
        output: (from, stream, text) =>
          host.output(
            this.#workers.actors.has(from) ? from.name : from.lastLabel || from.name,
            stream,
            text,
            from.name,
          ),
      },
    )
    this.#told = host.recorder && new Told(host.recorder)
    this.#schedule = new Schedule(this.#cpus, this.#workers, {
      send: (worker, task, kind) => this.#send(worker, task, kind),
      placeActor: (actor) => this.#placeActor(actor),
      // Whoever gets it next is sent its arguments again. (Objects stay with the worker.)
      tookBack: (task) => {
        for (const { content } of task.args) if (content) host.copied(-content.copied, -content.shared)
      },
    })
    this.#ends = new Ends(this.#workers, this.#schedule, this.#limits, this.#told, {
      submit: (task) => this.submit(task),
      createActor: (actor) => this.createActor(actor),
      pump: (actor) => this.pump(actor),
      rest: (worker) => this.#release(worker),
    })
    this.#spares = new Spares(connector, resourceLimits, () => this.#calls())
  }

  /** How many calls were ever sent; null while any has not been answered. */
  #calls(): number | null {
    if (this.#schedule.length > 0) return null
    for (const worker of this.#workers) if (worker.inflight.size > 0) return null
    return this.#sent
  }

  submit(task: Task): void {
    const { numCpus } = task.settings
    if (numCpus > this.#cpus.total) return task.fail(new InfeasibleError(task.label, { CPU: numCpus }, this.total()))
    this.#schedule.add(task)
  }

  createActor(actor: Actor): void {
    const need = placementOf(actor.settings.numCpus, this.#cpus.total)
    // Whoever has its handle holds no more of it than that it is dead.
    if (actor.restarts === 0) actor.whenDead(() => actor.creation.letGo())
    if (need > this.#cpus.total) return actor.die(new InfeasibleError(actor.label, { CPU: need }, this.total()))
    this.#schedule.add(actor)
  }

  #send(worker: LocalWorker, task: Task, kind: number): void {
    this.#sent++
    const { copied, shared, fresh } = worker.send(task, kind)
    if (copied || shared) this.host.copied(copied, shared, fresh)
  }

  // -- what workers say

  #message(worker: LocalWorker, message: ToDriver): void {
    switch (message[0]) {
      case 'results':
        for (const result of message[1]) this.#result(worker, result, message[2])
        return
      case 'started': {
        const task = worker.inflight.get(message[1])
        if (task && task.state !== 'done') this.#limits.begin(task)
        return
      }
      case 'stopping':
        worker.stopping = message[1]
        return
      case 'spans':
        return this.#told?.spans(worker, message[1])
      case 'release':
        for (const [id, count] of message[1]) worker.held.letGo(id, count)
        this.#workers.released(
          worker,
          message[1].map(([id]) => id),
        )
        return
      case 'blocked':
        return this.#waits(worker, message[1], 1)
      case 'unblocked':
        return this.#waits(worker, message[1], -1)
      case 'request':
        return this.host.request(worker, message[1], message[2], message[3])
    }
  }

  #result(worker: LocalWorker, result: WireResult, since: number): void {
    const [call, ok, values, , ran, received, before = []] = result
    const sent = received && worker.sentAt(call)
    const task = worker.settled(call)
    if (!task) return
    this.#told?.result(worker, task, result, since, sent)
    const actor = this.#workers.actors.get(worker)
    this.#limits.end(task)
    if (task.state !== 'done') {
      worker.finished++
      this.#workers.finished.add(worker.name)
      task.definition.measured(ran / 1e6)
      if (ok) {
        task.succeed((values as readonly WireContent[]).map((value) => this.#content(worker, value)))
        if (actor?.spent && task === actor.creation) task.letGo()
      } else this.#threw(worker, task, decodeError(values), before, actor)
    } else {
      // Cancelled meanwhile: its refs go again.
      for (const value of ok ? (values as readonly WireContent[]) : before) this.host.carried(worker, value[5])
    }
    this.#settled(worker)
  }

  /** A worker has room for further calls. */
  #settled(worker: LocalWorker): void {
    const actor = this.#workers.actors.get(worker)
    if (actor) this.pump(actor)
    else this.#release(worker)
  }

  #content(worker: LocalWorker, [data, special, copied, shared, fresh, ids]: WireContent): Content {
    if (copied || shared) this.host.copied(copied, shared, fresh)
    return { data, special, copied, shared, fresh, carried: ids.length ? this.host.carried(worker, ids) : [] }
  }

  #threw(
    worker: LocalWorker,
    task: Task,
    cause: unknown,
    before: readonly WireContent[],
    actor: Actor | undefined,
  ): void {
    if (actor && task === actor.creation) {
      this.#ends.constructorThrew(actor, worker, task.thrown(cause, worker.name))
      return
    }
    const contents = before.map((value) => this.#content(worker, value))
    if (task.retriesException(cause)) {
      if (actor) actor.queue.unshift([task])
      else this.submit(task)
    } else task.fail(task.thrown(cause, worker.name), contents)
  }

  /** A worker whose call ended: its CPUs are free when it has no other. */
  #release(worker: LocalWorker): void {
    if (worker.inflight.size === 0 && this.#workers.busy.has(worker)) {
      this.#workers.rest(worker)
      if (this.#workers.surplus) this.#trimLater()
    } else if (this.#schedule.length === 0) return
    this.#schedule.soon()
  }

  /** Ends workers that there are no CPUs for, once they have had nothing to do for a while: the next call may want them. */
  #trimLater(): void {
    this.#trim ??= setTimeout(() => {
      this.#trim = null
      for (let worker = this.#workers.superfluous; worker; worker = this.#workers.superfluous) this.#ends.end(worker)
      if (this.#workers.surplus && this.#workers.idle > 0) this.#trimLater()
    }, IDLE).unref()
  }

  /** A task that waits for others lends them its CPUs, as in Ray; an actor keeps its own. */
  #waits(worker: LocalWorker, call: number, more: 1 | -1): void {
    const waits = worker.waits(call, more)
    if (this.#workers.actors.has(worker)) {
      // Perhaps nothing computes any more.
      if (waits && this.#schedule.length > 0) this.#schedule.soon()
      return
    }
    if (!this.#workers.lend(worker, waits) || !waits) return
    this.#schedule.soon()
    // What stands in line behind it would wait for it: it goes back.
    this.#schedule.takeBack(worker, worker.inflight)
  }

  #placeActor(actor: Actor): void {
    const worker = this.#workers.place(actor)
    actor.place = worker
    actor.state = 'alive'
    this.#send(worker, actor.creation, KIND.CREATE)
    this.pump(actor)
  }

  pump(actor: Actor): void {
    const worker = actor.place as LocalWorker | null
    if (!worker || actor.state !== 'alive') return
    // A call that fails here may end the waiting of others behind it, which then ask for the same.
    if (this.#pumping.has(actor)) return
    this.#pumping.add(actor)
    const { queue } = actor
    for (let task = queue.first; task; task = queue.first) {
      // What is not prepared holds those behind it: calls keep their order. What was cancelled goes, whether there is room or not.
      if (task.state === 'preparing' || (task.state === 'queued' && worker.room === 0)) break
      queue.shift()
      if (task.state === 'queued' && task.whole()) this.#send(worker, task, KIND.METHOD)
    }
    this.#pumping.delete(actor)
  }

  kill(actor: Actor, restart: boolean): void {
    this.#ends.kill(actor, restart)
  }

  cancel(task: Task, error: Error, force: boolean): void {
    this.#ends.cancel(task, error, force)
  }

  pause({ place }: Task): () => void {
    const { worker, call } = place as Running
    const goOn = worker.pause(call)
    // What stands in line behind it would wait for its reader. An actor's calls can be nobody else's.
    if (!this.#workers.actors.has(worker)) this.#schedule.takeBack(worker, worker.inflight)
    this.#schedule.soon()
    return goOn
  }

  // -- the rest

  tell(finding: Finding): void {
    for (const worker of this.#workers) worker.post(['findings', [finding]])
  }

  /** None of its workers computes. */
  get resting(): boolean {
    return this.#workers.resting
  }

  collect(beside = false): void {
    this.#workers.collect(beside)
  }

  release(id: string): void {
    for (const worker of this.#workers) worker.drop(id)
  }

  /** Whether any worker holds a ref or handle. */
  holds(id: string): boolean {
    return this.#workers.holds(id)
  }

  total(): Resources {
    return { CPU: this.#cpus.total }
  }

  available(): Resources {
    return { CPU: Math.max(0, this.#cpus.available) }
  }

  nodes(): NodeInfo[] {
    return [{ id: 'local', name: 'local', alive: true, resources: this.total() }]
  }

  perWorker(): Record<string, number> {
    return this.#workers.finished.all
  }

  running(): RunningCall[] {
    return [...this.#workers].flatMap((worker) =>
      [...worker.running()].map(([task, began]) => ({ worker: worker.number, task, began })),
    )
  }

  async shutdown(): Promise<void> {
    this.#schedule.end()
    if (this.#trim) clearTimeout(this.#trim)
    this.#forgetCpus()
    this.#limits.clear()
    for (const worker of [...this.#workers]) if (!worker.closing) this.#ends.end(worker)
    await Promise.all([this.#workers.allEnded(), this.#spares.close()])
  }
}
