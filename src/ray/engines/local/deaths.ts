import type { Actor } from '../../actor.js'
import { ActorDiedError, ActorUnavailableError, OutOfMemoryError, WorkerCrashedError } from '../../errors.js'
import { SLOT } from '../../protocol.js'
import type { Task } from '../../task.js'
import type { Death } from './connection.js'
import { actorUnstarted, isRefused, taskUnstarted } from './unstarted.js'
import type { LocalWorker } from './worker.js'

/** Where what is to run again goes. */
export interface Again {
  submit(task: Task): void
  createActor(actor: Actor): void
}

/** Calls that a worker had when it ended, by number. */
export type Lost = readonly [call: number, task: Task][]

function crashOf(label: string, worker: LocalWorker, death: Death): WorkerCrashedError {
  return death.heapLimit !== null
    ? new OutOfMemoryError(label, worker.name, { ...death, heapLimit: death.heapLimit })
    : new WorkerCrashedError(label, worker.name, death)
}

/** One that dies before it ran anything would be started again without end. */
function isStillborn(worker: LocalWorker, lost: Lost): boolean {
  return worker.finished === 0 && lost.every(([call]) => worker.progress(call) === SLOT.QUEUED)
}

/** A worker for tasks died: each of its calls runs again or fails. */
export function tasksLost(worker: LocalWorker, lost: Lost, death: Death, again: Again): void {
  const stillborn = isStillborn(worker, lost)
  for (const [call, task] of lost) {
    if (task.state === 'done') continue
    const progress = stillborn ? SLOT.STARTED : worker.progress(call)
    // Only what ran is to blame; the others were merely there.
    if (progress !== SLOT.STARTED && (progress === SLOT.QUEUED || task.settings.maxRetries !== 0)) task.attempt--
    if (progress === SLOT.QUEUED || task.retry()) {
      task.state = 'queued'
      task.place = null
      again.submit(task)
    } else if (stillborn && isRefused(death.error)) task.fail(taskUnstarted(task, death.error))
    else task.fail(crashOf(task.label, worker, death))
  }
}

/** An actor's worker died: the actor starts again, or is dead. */
export function actorLost(actor: Actor, worker: LocalWorker, lost: Lost, death: Death, again: Again): void {
  const ran = lost.filter(([call]) => worker.progress(call) === SLOT.STARTED).map(([, { label }]) => label)
  const crash = crashOf(listed(ran), worker, death)
  const began = (call: number) => worker.progress(call) !== SLOT.QUEUED
  if (!isStillborn(worker, lost)) return restartActor(actor, lost, began, crash, again)
  const reason = `its worker ended before it could begin: it ${crash.reason}`
  const died = isRefused(death.error)
    ? actorUnstarted(actor, death.error)
    : new ActorDiedError(actor, reason, { cause: crash, ...fieldsOf(crash) })
  for (const [, task] of lost) task.fail(died)
  actor.die(died)
}

/** Each once: of one method an actor may have run a thousand calls. */
function listed(labels: readonly string[]): string {
  const times = new Map<string, number>()
  for (const label of labels) times.set(label, (times.get(label) ?? 0) + 1)
  return [...times].map(([label, n]) => (n > 1 ? `${label} (${n} times)` : label)).join(', ')
}

/** Starts an actor again where it may; the calls that ran are told, or run again. */
export function restartActor(
  actor: Actor,
  lost: Lost,
  began: (call: number) => boolean,
  crash: WorkerCrashedError | ActorUnavailableError,
  again: Again,
): void {
  if (actor.state === 'dead') return
  const why = crash instanceof WorkerCrashedError ? `it ${crash.reason}` : crash.reason
  const calls = lost.filter(([, task]) => task !== actor.creation && task.state !== 'done')
  if (!actor.restart()) {
    const died = new ActorDiedError(actor, why, { cause: crash, ...fieldsOf(crash), ...actor.remedy })
    for (const [, task] of calls) task.fail(died)
    return actor.die(died)
  }
  const later: Task[] = []
  for (const [call, task] of calls) {
    if (!began(call)) {
      task.attempt--
      task.state = 'queued'
      task.place = null
      later.push(task)
    } else if (task.retry()) later.push(task)
    else task.fail(new ActorUnavailableError(actor, why, { cause: crash }))
  }
  actor.queue.unshift(later)
  actor.creation.again()
  again.createActor(actor)
}

/** What a crash tells, for the error that follows from it. */
function fieldsOf(crash: Error): Record<string, unknown> {
  const { exitCode, signal, heapLimit, lastOutput } = crash as unknown as Record<string, unknown>
  return { exitCode, signal, heapLimit, lastOutput }
}
