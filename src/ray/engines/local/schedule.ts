import { Line } from '../../../core/line.js'
import type { Actor } from '../../actor.js'
import { collect } from '../../collect.js'
import { ActorDiedError } from '../../errors.js'
import { KIND } from '../../protocol.js'
import type { Task } from '../../task.js'
import type { Cpus } from './cpus.js'
import { actorUnstarted, taskUnstarted } from './unstarted.js'
import type { LocalWorker } from './worker.js'
import type { Workers } from './workers.js'

export interface ScheduleEvents {
  /** A worker is to run a task. */
  send(worker: LocalWorker, task: Task, kind: number): void
  /** There is room for an actor. */
  placeActor(actor: Actor): void
  /** A call comes back that had not started. */
  tookBack(task: Task): void
}

/** Milliseconds after which work that waits while nothing runs is told of. */
const PATIENCE = 5_000
/** How often it is found out before, after twice the time each, whether what it waits for is garbage: what a worker lets go the driver can. */
const COLLECTIONS = 4
const FIRST = PATIENCE / (2 ** (COLLECTIONS + 1) - 1)

/** CPUs that must be free where an actor is placed: what it asked for, which it holds, otherwise one. */
export function placementOf(numCpus: number | undefined, total: number): number {
  return numCpus ?? Math.min(1, total)
}

/** What waits for CPUs: tasks, and actors to be placed. */
export class Schedule {
  /** By the CPUs that it takes, each in order; the size whose turn it is comes first. */
  readonly #lines = new Map<number, Line<Task | Actor>>()
  #scheduling = false
  #ended = false
  #stuck: NodeJS.Timeout | null = null

  constructor(
    private readonly cpus: Cpus,
    private readonly workers: Workers,
    private readonly events: ScheduleEvents,
  ) {}

  get length(): number {
    let length = 0
    for (const line of this.#lines.values()) length += line.length
    return length
  }

  add(next: Task | Actor): void {
    this.#push(next)
    this.soon()
  }

  #push(next: Task | Actor): void {
    const need = this.#need(next)
    let line = this.#lines.get(need)
    if (!line) {
      line = new Line()
      this.#lines.set(need, line)
    }
    line.push(next)
  }

  #need(next: Task | Actor): number {
    return 'creation' in next ? placementOf(next.settings.numCpus, this.cpus.total) : next.settings.numCpus
  }

  /** Looks at the queue at the end of this turn. */
  soon(): void {
    if (this.#scheduling || this.#ended) return
    this.#scheduling = true
    queueMicrotask(() => {
      this.#scheduling = false
      this.#run()
      this.#watch()
    })
  }

  #run(): void {
    if (this.#ended) return
    // In turn by size: what there is no room for keeps nothing of another size waiting.
    for (let missed = 0; missed < this.#lines.size; ) {
      const [size, line] = this.#lines.entries().next().value!
      const placed = this.#placeFirst(line)
      missed = placed ? 0 : missed + 1
      if (line.length && this.#lines.size === 1) continue
      this.#lines.delete(size)
      if (line.length) this.#lines.set(size, line)
    }
    this.#rebalance()
  }

  #placeFirst(line: Line<Task | Actor>): boolean {
    const next = line.first!
    try {
      if (!this.#place(next)) return false
    } catch (error) {
      if ('creation' in next) next.die(actorUnstarted(next, error))
      else next.fail(taskUnstarted(next, error))
    }
    line.shift()
    return true
  }

  #place(next: Task | Actor): boolean {
    if ('creation' in next) {
      if (next.state === 'dead') return true
      const { creation } = next
      if (creation.lost) {
        next.die(new ActorDiedError(next, 'it could not be made', { cause: creation.lost.error }))
        return true
      }
      if (!this.cpus.have(this.#need(next))) return false
      this.events.placeActor(next)
      return true
    }
    if (next.state !== 'queued' || !next.whole()) return true
    const { numCpus } = next.settings
    if (this.cpus.have(numCpus)) {
      const worker = this.workers.free(next)
      if (worker) {
        this.workers.hold(worker, numCpus)
        this.workers.busy.add(worker)
        this.events.send(worker, next, KIND.TASK)
        return true
      }
    }
    const busy = this.#shortestLine(next)
    if (busy) this.events.send(busy, next, KIND.TASK)
    return busy !== null
  }

  /** A fast function's calls may stand in line at a worker that runs the same kind of call. */
  #shortestLine({ definition: { depth }, settings: { numCpus, numReturns } }: Task): LocalWorker | null {
    // A generator may pause for as long as its reader likes.
    if (depth <= 1 || typeof numReturns !== 'number') return null
    let best: LocalWorker | null = null
    for (const worker of this.workers.busy)
      if (
        worker.room > 0 &&
        worker.blocked === 0 &&
        !worker.pauses &&
        worker.cpus === numCpus &&
        worker.inflight.size < depth &&
        worker.inflight.size < (best?.inflight.size ?? Infinity)
      )
        best = worker
    return best
  }

  /** Nothing that waits has room: a worker that stands idle takes over what waits behind a long call elsewhere. */
  #rebalance(): void {
    // Only where another would really take it: otherwise it would go round for ever.
    if (this.cpus.available <= 0 || (this.workers.idle === 0 && this.workers.crowded)) return
    for (const worker of this.workers.busy) {
      if (worker.inflight.size < 2) continue
      if (this.cpus.available < worker.cpus) continue
      const half = [...worker.inflight].slice(Math.ceil(worker.inflight.size / 2))
      if (this.takeBack(worker, half)) return this.soon()
    }
  }

  /** Work that waits while nothing runs: it holds the process, as running work does, and what it waits for is said once. */
  #watch(): void {
    const stuck = this.length > 0 && !this.#ended && this.workers.resting
    if (stuck) this.#stuck ??= setTimeout(() => this.#collect(1), FIRST)
    else this.#unstuck()
  }

  /** Actors, and generators that pause, hold CPUs until V8 collects their handles, for which it has no reason while nothing runs. */
  #collect(time: number): void {
    if (!this.workers.resting) return this.#unstuck()
    const next = time < COLLECTIONS ? () => this.#collect(time + 1) : () => this.#tell()
    this.#stuck = setTimeout(next, FIRST * 2 ** time)
    this.#sweep()
  }

  #sweep(): void {
    collect()
    this.workers.collect()
  }

  #unstuck(): void {
    if (this.#stuck) clearTimeout(this.#stuck)
    this.#stuck = null
  }

  #tell(): void {
    const [line] = this.#lines.values()
    const next = line?.first
    if (!next || !this.workers.resting) return this.#unstuck()
    const need = this.#need(next)
    const actors = [...this.workers.actors.values()].filter(({ settings }) => settings.numCpus)
    const generators = [...this.workers.busy].filter(({ pauses }) => pauses)
    const names = (holders: readonly { label: string }[]) => holders.map(({ label }) => label).join(', ')
    const held = [
      actors.length && `actors: ${names(actors)}. ray.kill one of them, or make them with numCpus: 0`,
      generators.length &&
        `generators that wait for their readers: ${names(generators.flatMap(({ inflight }) => [...inflight.values()]))}. Read on, or ray.cancel one of them`,
    ].filter(Boolean)
    process.stderr.write(
      `rayito: ${next.label} waits for ${need} CPU; of ${this.cpus.total}, ${Math.max(0, this.cpus.available)} are free` +
        `${held.length ? `, the others are held by ${held.join('; by ')}` : ''}.\n`,
    )
    // Said once; what is left holds the process, and looks on.
    this.#stuck = setInterval(() => this.#sweep(), PATIENCE)
  }

  /** Puts calls that have not started back into the queue; false if there was none. */
  takeBack(worker: LocalWorker, calls: Iterable<[number, Task]>): boolean {
    let taken = false
    for (const [call, task] of [...calls]) {
      if (task.state === 'done' || !worker.take(call)) continue
      this.events.tookBack(task)
      task.attempt--
      task.state = 'queued'
      task.place = null
      this.#push(task)
      taken = true
    }
    return taken
  }

  end(): void {
    this.#ended = true
    this.#unstuck()
  }
}
