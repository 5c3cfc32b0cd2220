import { Line } from '../../../core/line.js'
import type { Actor } from '../../actor.js'
import { ActorDiedError } from '../../errors.js'
import { KIND } from '../../protocol.js'
import type { Task } from '../../task.js'
import type { Cpus } from './cpus.js'
import { actorUnstarted, taskUnstarted } from './unstarted.js'
import { Watch } from './watch.js'
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
  readonly #watch: Watch

  constructor(
    private readonly cpus: Cpus,
    private readonly workers: Workers,
    private readonly events: ScheduleEvents,
  ) {
    this.#watch = new Watch(cpus, workers, () => this.#first)
  }

  get length(): number {
    let length = 0
    for (const line of this.#lines.values()) length += line.length
    return length
  }

  /** Of what waits. */
  get #first(): { label: string; need: number } {
    const [need, line] = this.#lines.entries().next().value!
    return { label: line.first!.label, need }
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
      const moved = this.#run()
      this.#watch.look(this.length > 0 && !this.#ended, moved)
    })
  }

  /** Returns whether anything had its turn. */
  #run(): boolean {
    if (this.#ended) return false
    let moved = false
    // In turn by size: what there is no room for keeps nothing of another size waiting.
    for (let missed = 0; missed < this.#lines.size; ) {
      const [size, line] = this.#lines.entries().next().value!
      const placed = this.#placeFirst(line)
      missed = placed ? 0 : missed + 1
      moved ||= placed
      if (line.length && this.#lines.size === 1) continue
      this.#lines.delete(size)
      if (line.length) this.#lines.set(size, line)
    }
    this.#rebalance()
    return moved
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
        !worker.lent &&
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
    this.#watch.end()
  }
}
