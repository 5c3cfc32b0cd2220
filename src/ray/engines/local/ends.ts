import { type Actor, ActorCall, calledActor } from '../../actor.js'
import { killed } from '../../ended.js'
import { ActorDiedError, ActorUnavailableError, WorkerCrashedError } from '../../errors.js'
import type { Task } from '../../task.js'
import type { Death } from './connection.js'
import { type Again, actorLost, type Lost, restartActor, tasksLost } from './deaths.js'
import type { Limits } from './limits.js'
import type { Schedule } from './schedule.js'
import type { Told } from './told.js'
import type { LocalWorker, Running } from './worker.js'
import type { Workers } from './workers.js'

/** Milliseconds in which the worker of a cancelled task must tell it so: one that computes without a pause does not. */
const HEARD = 200
/** Milliseconds that a task which was told may take to end by itself before its worker is ended, as workerpool's may. */
const CLEAN_UP = 1_000

/** What goes on with those that an end leaves behind. */
export interface GoesOn extends Again {
  /** Sends what an actor has in line. */
  pump(actor: Actor): void
  /** A worker for tasks has a call less. */
  rest(worker: LocalWorker): void
}

/** How workers, actors and calls end before their time: by death, by `ray.kill`, by `ray.cancel`, or since nobody needs them. */
export class Ends {
  constructor(
    private readonly workers: Workers,
    private readonly schedule: Schedule,
    private readonly limits: Limits,
    private readonly told: Told | null,
    private readonly goesOn: GoesOn,
  ) {}

  /** A worker ended by itself. */
  died(worker: LocalWorker, death: Death): void {
    const actor = this.workers.actors.get(worker)
    const lost = [...worker.inflight]
    this.#lose(worker, lost)
    this.workers.forget(worker)
    if (actor) actorLost(actor, worker, lost, death, this.goesOn)
    else tasksLost(worker, lost, death, this.goesOn)
    this.schedule.soon()
  }

  kill(actor: Actor, restart: boolean): void {
    // One that is about to start need not start again.
    if (actor.state === 'dead' || (restart && actor.state !== 'alive')) return
    const worker = actor.place as LocalWorker | null
    const lost = worker ? [...worker.inflight] : []
    // It goes on until it has ended: what is to run elsewhere must not begin there.
    const taken = new Set(restart ? lost.map(([call]) => call).filter((call) => worker!.take(call)) : [])
    if (worker) {
      this.#lose(worker, lost)
      this.end(worker)
    } else this.schedule.soon()
    const began = (call: number) => !taken.has(call)
    const died = killed(actor)
    if (restart) return restartActor(actor, lost, began, new ActorUnavailableError(actor, died.reason), this.goesOn)
    for (const [, task] of lost) task.fail(died)
    actor.die(died)
  }

  /** An actor's constructor threw. */
  constructorThrew(actor: Actor, worker: LocalWorker, cause: Error): void {
    const died = new ActorDiedError(actor, 'its constructor threw', { cause })
    for (const call of worker.inflight.values()) call.fail(died)
    actor.die(died)
    this.end(worker)
  }

  /** A call's own end, with that error: wherever it is, nobody waits for it any more. */
  cancel(task: Task, error: Error, force: boolean): void {
    if (task.state === 'done') return
    const running = task.place as Running | null
    this.limits.end(task)
    task.fail(error)
    if (!running) {
      if (task instanceof ActorCall) this.goesOn.pump(task.actor)
      return this.schedule.soon()
    }
    const { worker, call } = running
    const actor = this.workers.actors.get(worker)
    if (worker.take(call)) {
      if (actor) this.goesOn.pump(actor)
      else this.goesOn.rest(worker)
      return
    }
    worker.cancel(call)
    if (actor) return
    const end = () => {
      if (worker.closing || !worker.inflight.has(call)) return
      // What stood in line behind it goes on elsewhere.
      this.schedule.takeBack(worker, worker.inflight)
      this.end(worker)
    }
    if (force) end()
    else {
      const heard = () => {
        if (worker.stopping === call) setTimeout(end, CLEAN_UP).unref()
        else end()
      }
      // It may have told a thread that was busy itself.
      setTimeout(() => setImmediate(heard), HEARD).unref()
    }
  }

  /** Ends a worker; calls of which it has no result by then run again or fail. */
  end(worker: LocalWorker): void {
    this.workers.end(worker, (lost) => {
      this.#lose(worker, lost)
      // Results that its end swallowed: what may run again does.
      for (const [, task] of lost) {
        if (task.state === 'done') continue
        const actor = calledActor(task)
        if (actor) task.fail(actor.death ?? new ActorDiedError(actor, 'its worker was ended'))
        else if (task.retry()) this.goesOn.submit(task)
        else task.fail(new WorkerCrashedError(task.label, worker.name, { exitCode: null, error: null, lastOutput: [] }))
      }
      this.schedule.soon()
    })
  }

  /** These calls are no longer the worker's. */
  #lose(worker: LocalWorker, lost: Lost): void {
    worker.inflight.clear()
    for (const [, task] of lost) this.limits.end(task)
    this.told?.interrupted(worker, lost)
  }
}
