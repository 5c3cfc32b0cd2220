import type { Actor } from '../../actor.js'
import type { Engine } from '../../engine.js'
import {
  ActorDiedError,
  ActorUnavailableError,
  decodeError,
  InfeasibleError,
  OutOfMemoryError,
  TaskTimeoutError,
  WorkerCrashedError,
} from '../../errors.js'
import type { Content, Entry } from '../../object-ref.js'
import { KIND, SLOT, type ToDriver, type WireContent, type WireResult } from '../../protocol.js'
import type { Task } from '../../task.js'
import type { NodeInfo, Resources } from '../../types.js'
import { type Death, ThreadWorker } from './thread-worker.js'

/** What the engine needs of the driver. */
export interface ThreadsHost {
  readonly namespace: string
  readonly resourceLimits: object | undefined
  /** A request of code in a worker, to be answered with `worker.post(['answer', …])`. */
  request(worker: WorkerPlace, request: number, operation: string, payload: unknown): void
  /** An object went to a worker: `release` is to be called when nobody can ask for it any more. */
  sent(entry: Entry): void
  /** Refs by id, as results name them. */
  carried(worker: WorkerPlace, ids: readonly string[]): object[]
  output(label: string, stream: 'stdout' | 'stderr', text: string): void
  copied(bytes: number, shared: number): void
}

/** What the driver needs of a worker to answer it. */
export type WorkerPlace = ThreadWorker

interface Running {
  worker: ThreadWorker
  call: number
}

interface ActorPlace {
  worker: ThreadWorker
}

/** Milliseconds a cancelled task may take to end by itself before its thread is ended. */
const CANCEL_GRACE = 100
/** Threads for tasks that take no CPU, beyond the CPUs. */
const EXTRA_WORKERS = 16

/** Tasks, actors and objects on worker threads of this process. */
export class ThreadsEngine implements Engine {
  readonly name = 'threads'
  #available: number
  /** What waits for CPUs, in order: tasks, and actors to be placed. */
  #queue: (Task | Actor)[] = []
  #head = 0
  readonly #workers = new Set<ThreadWorker>()
  readonly #idle: ThreadWorker[] = []
  #busy = new Set<ThreadWorker>()
  readonly #actors = new Map<ThreadWorker, Actor>()
  readonly #finished: Record<string, number> = {}
  readonly #timers = new Map<Task, NodeJS.Timeout>()
  #made = 0
  #scheduling = false
  #down = false
  readonly #ending = new Set<Promise<void>>()

  constructor(
    private readonly cpus: number,
    private readonly host: ThreadsHost,
  ) {
    this.#available = cpus
  }

  submit(task: Task): void {
    const { numCpus } = task.settings
    if (numCpus > this.cpus) return task.fail(new InfeasibleError(task.label, { CPU: numCpus }, this.total()))
    this.#queue.push(task)
    this.#scheduleSoon()
  }

  createActor(actor: Actor): void {
    const need = this.#placement(actor)
    if (need > this.cpus) return actor.die(new InfeasibleError(actor.label, { CPU: need }, this.total()))
    this.#queue.push(actor)
    this.#scheduleSoon()
  }

  /** An actor needs a CPU to be placed, and holds only what was asked for. */
  #placement(actor: Actor): number {
    return actor.settings.numCpus || Math.min(1, this.cpus)
  }

  // -- scheduling

  #scheduleSoon(): void {
    if (this.#scheduling || this.#down) return
    this.#scheduling = true
    queueMicrotask(() => {
      this.#scheduling = false
      this.#schedule()
    })
  }

  #schedule(): void {
    while (this.#head < this.#queue.length) {
      const next = this.#queue[this.#head]!
      try {
        if (!this.#place(next)) break
      } catch (error) {
        this.#unplaced(next, error)
      }
      this.#head++
    }
    if (this.#head === this.#queue.length) {
      this.#queue = []
      this.#head = 0
      this.#rebalance()
    } else if (this.#head > 1024) {
      this.#queue = this.#queue.slice(this.#head)
      this.#head = 0
    }
  }

  /** No thread could be started: whoever waits for it must know. */
  #unplaced(next: Task | Actor, error: unknown): void {
    const death = { exitCode: null, error, lastOutput: [] }
    if ('creation' in next)
      next.die(new ActorDiedError(next.label, 'its worker could not be started', { cause: error }))
    else next.fail(new WorkerCrashedError(next.label, 'a worker that could not be started', death))
  }

  #place(next: Task | Actor): boolean {
    if ('creation' in next) {
      if (next.state === 'dead') return true
      if (this.#available < this.#placement(next)) return false
      this.#placeActor(next)
      return true
    }
    if (next.state !== 'queued') return true
    const { numCpus } = next.settings
    if (this.#available >= numCpus) {
      const worker = this.#freeWorker(next)
      if (worker) {
        this.#available -= numCpus
        worker.cpus = numCpus
        this.#busy.add(worker)
        this.#send(worker, next, KIND.TASK)
        return true
      }
    }
    // A fast function's calls may stand in line at a worker that runs the same kind of call.
    const { depth } = next.definition
    if (depth > 1) {
      let best: ThreadWorker | null = null
      for (const worker of this.#busy)
        if (
          !worker.closing &&
          worker.blocked === 0 &&
          worker.cpus === numCpus &&
          worker.inflight.size < depth &&
          worker.inflight.size < (best?.inflight.size ?? Infinity)
        )
          best = worker
      if (best) {
        this.#send(best, next, KIND.TASK)
        return true
      }
    }
    return false
  }

  /** No further worker for tasks is started. Those that wait for others do not count, or a deep recursion would stand still. */
  get #crowded(): boolean {
    let waiting = 0
    for (const worker of this.#busy) if (worker.blocked) waiting++
    return this.#workers.size - this.#actors.size - waiting >= Math.ceil(this.cpus) + EXTRA_WORKERS
  }

  /** An idle worker, best one that has the task's function; else a new one. */
  #freeWorker(task: Task): ThreadWorker | null {
    for (let i = this.#idle.length - 1; i >= 0; i--) {
      const worker = this.#idle[i]!
      if (worker.codes.has(task.definition.id) || i === 0) {
        this.#idle.splice(i, 1)
        return worker
      }
    }
    if (this.#crowded) return null
    return this.#spawn(`worker#${++this.#made}`, 1, null)
  }

  /** Nothing waits: a worker that stands idle takes over what waits behind a long call elsewhere. */
  #rebalance(): void {
    // Only where another would really take it: otherwise it would go round for ever.
    if (this.#available <= 0 || (this.#idle.length === 0 && this.#crowded)) return
    for (const worker of this.#busy) {
      if (worker.inflight.size < 2) continue
      if (this.#available < worker.cpus) continue
      const half = [...worker.inflight].slice(Math.ceil(worker.inflight.size / 2))
      if (this.#takeBack(worker, half)) return this.#scheduleSoon()
    }
  }

  #spawn(name: string, maxConcurrency: number, actorId: string | null): ThreadWorker {
    const worker = new ThreadWorker(
      name,
      { maxConcurrency, actorId, namespace: this.host.namespace, resourceLimits: this.host.resourceLimits },
      {
        message: (from, message) => this.#message(from, message),
        died: (from, death) => this.#died(from, death),
        sent: (entry) => this.host.sent(entry),
        output: (from, stream, text) =>
          this.host.output(this.#actors.has(from) ? from.name : from.lastLabel || from.name, stream, text),
      },
    )
    this.#workers.add(worker)
    return worker
  }

  #send(worker: ThreadWorker, task: Task, kind: number): void {
    const { copied, shared } = worker.send(task, kind)
    if (copied || shared) this.host.copied(copied, shared)
  }

  // -- what workers say

  #message(worker: ThreadWorker, message: ToDriver): void {
    switch (message[0]) {
      case 'results':
        for (const result of message[1]) this.#result(worker, result)
        return
      case 'started': {
        const task = worker.inflight.get(message[1])
        if (task)
          this.#timers.set(
            task,
            setTimeout(() => this.#timedOut(task), task.settings.timeout),
          )
        return
      }
      case 'release':
        for (const [id, count] of message[1]) worker.letGo(id, count)
        return
      case 'blocked':
        return this.#blocked(worker)
      case 'unblocked':
        return this.#unblocked(worker)
      case 'request':
        return this.host.request(worker, message[1], message[2], message[3])
    }
  }

  #result(worker: ThreadWorker, [call, ok, values, milliseconds]: WireResult): void {
    const task = worker.settled(call)
    if (!task) return
    const actor = this.#actors.get(worker)
    this.#clearTimer(task)
    if (task.state !== 'done') {
      worker.finished++
      this.#finished[worker.name] = (this.#finished[worker.name] ?? 0) + 1
      task.definition.measured(milliseconds)
      if (ok) task.succeed((values as readonly WireContent[]).map((value) => this.#content(worker, value)))
      else this.#threw(worker, task, decodeError(values), actor)
    } else if (ok) {
      // Cancelled meanwhile: its refs go again.
      for (const value of values as readonly WireContent[]) this.host.carried(worker, value[4])
    }
    if (actor) this.pump(actor)
    else this.#release(worker)
  }

  #content(worker: ThreadWorker, [data, special, copied, shared, ids]: WireContent): Content {
    if (copied || shared) this.host.copied(copied, shared)
    return { data, special, copied, shared, carried: ids.length ? this.host.carried(worker, ids) : [] }
  }

  #threw(worker: ThreadWorker, task: Task, cause: unknown, actor: Actor | undefined): void {
    if (actor && task === actor.creation) {
      const died = new ActorDiedError(actor.label, 'its constructor threw', { cause: task.thrown(cause, worker.name) })
      for (const call of worker.inflight.values()) call.fail(died)
      actor.die(died)
      this.#end(worker)
      return
    }
    if (task.retriesException(cause)) {
      if (actor) actor.queue.unshift(task)
      else this.submit(task)
    } else task.fail(task.thrown(cause, worker.name))
  }

  /** A worker whose call ended: its CPUs are free when it has no other. */
  #release(worker: ThreadWorker): void {
    if (worker.inflight.size > 0 || !this.#busy.has(worker)) {
      if (this.#head < this.#queue.length) this.#scheduleSoon()
      return
    }
    this.#busy.delete(worker)
    this.#available += worker.cpus
    worker.cpus = 0
    if (worker.closing) return this.#scheduleSoon()
    const tasksWorkers = this.#workers.size - this.#actors.size
    if (tasksWorkers > Math.ceil(this.cpus) && this.#idle.length > 0 && this.#head === this.#queue.length)
      this.#end(worker)
    else this.#idle.push(worker)
    this.#scheduleSoon()
  }

  /** A task that waits for others lends them its CPUs, as in Ray. */
  #blocked(worker: ThreadWorker): void {
    if (this.#actors.has(worker) || worker.blocked++ > 0) return
    this.#available += worker.cpus
    this.#scheduleSoon()
    // What stands in line behind it would wait for it: it goes back.
    this.#takeBack(worker, worker.inflight)
  }

  #unblocked(worker: ThreadWorker): void {
    if (this.#actors.has(worker) || --worker.blocked > 0) return
    this.#available -= worker.cpus
  }

  // -- ends

  #died(worker: ThreadWorker, death: Death): void {
    const actor = this.#actors.get(worker)
    const lost = [...worker.inflight]
    worker.inflight.clear()
    this.#forget(worker)
    const crash = (label: string) =>
      death.heapLimit !== null
        ? new OutOfMemoryError(label, worker.name, { ...death, heapLimit: death.heapLimit })
        : new WorkerCrashedError(label, worker.name, death)
    // One that dies before it ran anything would be started again without end.
    const stillborn = worker.finished === 0 && lost.every(([call]) => worker.progress(call) === SLOT.QUEUED)
    if (actor && stillborn) return this.#stillborn(actor, lost, crash(actor.label))
    if (actor) return this.#actorDied(actor, lost, worker, crash(actor.label))
    for (const [call, task] of lost) {
      this.#clearTimer(task)
      if (task.state === 'done') continue
      const progress = stillborn ? SLOT.STARTED : worker.progress(call)
      // Only what ran is to blame; the others were merely there.
      if (progress !== SLOT.STARTED && (progress === SLOT.QUEUED || task.settings.maxRetries !== 0)) task.attempt--
      if (progress === SLOT.QUEUED || task.retry()) {
        task.state = 'queued'
        task.place = null
        this.submit(task)
      } else task.fail(crash(task.label))
    }
    this.#scheduleSoon()
  }

  #stillborn(actor: Actor, lost: [number, Task][], crash: Error): void {
    const reason = `its worker ended before it could begin: ${crash.message}`
    const died = new ActorDiedError(actor.label, reason, { cause: crash, ...fieldsOf(crash) })
    for (const [, task] of lost) task.fail(died)
    actor.die(died)
  }

  #actorDied(actor: Actor, lost: [number, Task][], worker: ThreadWorker, crash: Error): void {
    if (actor.state === 'dead') return
    const { creation } = actor
    const calls = lost.filter(([, task]) => task !== creation && task.state !== 'done')
    for (const [, task] of lost) this.#clearTimer(task)
    if (!actor.restart()) {
      const died = new ActorDiedError(actor.label, crash.message, { cause: crash, ...fieldsOf(crash) })
      for (const [, task] of calls) task.fail(died)
      return actor.die(died)
    }
    const again: Task[] = []
    for (const [call, task] of calls) {
      if (worker.progress(call) === SLOT.QUEUED) {
        task.attempt--
        task.state = 'queued'
        again.push(task)
      } else if (task.retry()) again.push(task)
      else task.fail(new ActorUnavailableError(actor.label, crash.message, { cause: crash }))
    }
    actor.queue.unshift(...again)
    this.createActor(actor)
  }

  #placeActor(actor: Actor): void {
    const held = actor.settings.numCpus
    const worker = this.#spawn(actor.label, actor.settings.maxConcurrency, actor.id)
    this.#available -= held
    worker.cpus = held
    this.#actors.set(worker, actor)
    actor.place = { worker } satisfies ActorPlace
    actor.state = 'alive'
    this.#send(worker, actor.creation, KIND.CREATE)
    this.pump(actor)
  }

  pump(actor: Actor): void {
    const place = actor.place as ActorPlace | null
    if (!place || actor.state !== 'alive') return
    const { queue } = actor
    let sent = 0
    while (sent < queue.length && place.worker.room > 0) {
      const task = queue[sent]!
      if (task.state === 'preparing') break // it holds those behind it: calls keep their order
      sent++
      if (task.state === 'queued') this.#send(place.worker, task, KIND.METHOD)
    }
    if (sent) queue.splice(0, sent)
  }

  kill(actor: Actor, restart: boolean): void {
    if (actor.state === 'dead') return
    const worker = (actor.place as ActorPlace | null)?.worker
    const why = 'it was killed with ray.kill'
    const lost = worker ? [...worker.inflight] : []
    if (worker) this.#end(worker)
    if (restart) return this.#actorDied(actor, lost, worker!, new ActorUnavailableError(actor.label, why))
    const died = new ActorDiedError(actor.label, why)
    for (const [, task] of lost) {
      this.#clearTimer(task)
      task.fail(died)
    }
    actor.die(died)
  }

  cancel(task: Task, error: Error, force: boolean): void {
    if (task.state === 'done') return
    const running = task.place as Running | null
    this.#clearTimer(task)
    task.fail(error)
    if (!running) return
    const { worker, call } = running
    if (worker.take(call)) return this.#afterTaken(worker)
    const actor = this.#actors.get(worker)
    worker.post(['cancel', call])
    if (actor) return
    const end = () => {
      if (worker.closing || !worker.inflight.has(call)) return
      this.#replace(worker)
    }
    if (force) end()
    else setTimeout(end, CANCEL_GRACE).unref()
  }

  #afterTaken(worker: ThreadWorker): void {
    const actor = this.#actors.get(worker)
    if (actor) this.pump(actor)
    else this.#release(worker)
  }

  #timedOut(task: Task): void {
    this.cancel(task, new TaskTimeoutError(task.label, task.settings.timeout!), false)
  }

  #clearTimer(task: Task): void {
    const timer = this.#timers.get(task)
    if (!timer) return
    clearTimeout(timer)
    this.#timers.delete(task)
  }

  /** Ends a task's worker that does not end by itself; what stood in line behind it goes on elsewhere. */
  #replace(worker: ThreadWorker): void {
    this.#takeBack(worker, worker.inflight)
    this.#end(worker)
  }

  /** Puts calls that have not started back into the queue. */
  #takeBack(worker: ThreadWorker, calls: Iterable<[number, Task]>): boolean {
    let taken = false
    for (const [call, task] of [...calls]) {
      if (task.state === 'done' || !worker.take(call)) continue
      task.attempt--
      task.state = 'queued'
      task.place = null
      this.#queue.push(task)
      taken = true
    }
    return taken
  }

  /** Stops a worker; its CPUs are free once its thread has ended. */
  #end(worker: ThreadWorker): void {
    const idle = this.#idle.indexOf(worker)
    if (idle >= 0) this.#idle.splice(idle, 1)
    const ended = worker.stop().then(() => {
      const lost = [...worker.inflight]
      this.#forget(worker)
      // Results that its end swallowed: what may run again does.
      for (const [, task] of lost) {
        if (task.state === 'done') continue
        if (task.retry()) this.submit(task)
        else task.fail(new WorkerCrashedError(task.label, worker.name, { exitCode: null, error: null, lastOutput: [] }))
      }
      this.#ending.delete(ended)
      this.#scheduleSoon()
    })
    this.#ending.add(ended)
    if (this.#actors.has(worker)) this.#forget(worker)
  }

  #forget(worker: ThreadWorker): void {
    if (!this.#workers.delete(worker)) return
    const idle = this.#idle.indexOf(worker)
    if (idle >= 0) this.#idle.splice(idle, 1)
    this.#actors.delete(worker)
    this.#busy.delete(worker)
    if (worker.blocked === 0) this.#available += worker.cpus
    worker.cpus = 0
    worker.held.clear()
  }

  // -- the rest

  release(id: string): void {
    for (const worker of this.#workers) if (worker.known.delete(id)) worker.post(['free', [id]])
  }

  total(): Resources {
    return { CPU: this.cpus }
  }

  available(): Resources {
    return { CPU: Math.max(0, this.#available) }
  }

  nodes(): NodeInfo[] {
    return [{ id: 'local', name: 'local', alive: true, resources: this.total() }]
  }

  perWorker(): Record<string, number> {
    return { ...this.#finished }
  }

  async shutdown(): Promise<void> {
    this.#down = true
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
    for (const worker of [...this.#workers]) if (!worker.closing) this.#end(worker)
    while (this.#ending.size) await Promise.all(this.#ending)
  }
}

/** What a crash tells, for the error that follows from it. */
function fieldsOf(crash: Error): Record<string, unknown> {
  const { exitCode, signal, heapLimit, lastOutput } = crash as unknown as Record<string, unknown>
  return { exitCode, signal, heapLimit, lastOutput }
}
