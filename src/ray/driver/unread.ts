import { type Actor, type ActorEnd, calledActor } from '../actor.js'
import {
  ActorDiedError,
  ActorUnavailableError,
  NotInitializedError,
  RayTaskError,
  TaskCancelledError,
  WorkerCrashedError,
} from '../errors.js'
import type { Entry } from '../object-ref.js'
import type { Task } from '../task.js'

/** Failures that are kept; of more only the number. */
const MOST = 1_000

/** Of a call, or of an actor, with which all of its calls fail. */
interface Failure {
  label: string
  /** Failures that have this in common are told in one line. */
  kind: string
  error: unknown
  /** The actor's; null for a call's own failure. */
  end: ActorEnd | null
  /** What failed of what the call was to return did so alike, the last too: whoever asked for one knows of it. */
  returns: readonly Entry[]
}

/** Failures that nobody asked for, of calls and of actors: told when the session ends, so that none goes unseen. */
export class Unread {
  #kept: Failure[] = []
  #more = 0

  /** A call has failed. */
  failed(task: Task): void {
    const { label, returns } = task
    const actor = calledActor(task)
    const { error } = returns.at(-1)!
    if (actor && isDeathOf(actor, error)) this.#died(actor, error, returns)
    else this.#keep({ label, kind: label, error, end: null, returns })
  }

  /** An actor is dead. */
  died(actor: Actor): void {
    if (!actor.adopted) this.#died(actor, actor.death, [])
  }

  #died({ label, className, end }: Actor, error: unknown, returns: readonly Entry[]): void {
    this.#keep({ label, kind: `actor ${className}`, error, end, returns })
  }

  #keep(failure: Failure): void {
    if (isKnown(failure) || isOwn(failure.error)) return
    if (this.#kept.length === MOST) {
      this.#sift()
      if (this.#kept.length === MOST) {
        // Its actor's end is told already.
        if (!failure.end || this.#kept.every(({ end }) => end !== failure.end)) this.#more++
        return
      }
    }
    this.#kept.push(failure)
  }

  /** Lets go what was asked for since; of an actor all, where anything was. */
  #sift(): void {
    for (const failure of this.#kept) isKnown(failure)
    this.#kept = this.#kept.filter((failure) => !isKnown(failure))
  }

  /** What is left of them, a line for each function, method or class. */
  tell(): string[] {
    this.#sift()
    const byKind = new Map<string, { first: Failure; all: Set<object> }>()
    for (const failure of this.#kept) {
      const known = byKind.get(failure.kind) ?? { first: failure, all: new Set() }
      byKind.set(failure.kind, known)
      known.all.add(failure.end ?? failure)
    }
    this.#kept = []
    const lines = [...byKind.values()].map(({ first: { label, error, end }, all }) => {
      const what = end ? 'any of its calls since' : 'its result'
      const more = all.size > 1 ? ` (and ${all.size - 1} more)` : ''
      return `rayito: ${label} failed, and nobody asked for ${what}: ${reasonOf(error)}${more}`
    })
    if (this.#more) lines.push(`rayito: ${this.#more.toLocaleString('en')} further calls failed unasked`)
    this.#more = 0
    return lines
  }
}

function isKnown({ end, returns }: Failure): boolean {
  const asked = returns.some(({ asked, state }) => asked && state === 'failed')
  if (end && asked) end.known = true
  return asked || (end?.known ?? false)
}

function isDeathOf(actor: Actor, error: unknown): boolean {
  return error === actor.death || (error instanceof ActorDiedError && error.actorId === actor.id)
}

/** What the session itself ended: cancelled, shut down, or restarted by `ray.kill`. */
function isOwn(error: unknown): boolean {
  if (error instanceof TaskCancelledError || error instanceof NotInitializedError) return true
  if (!(error instanceof ActorDiedError || error instanceof ActorUnavailableError)) return false
  return error.cause instanceof ActorUnavailableError || isOwn(error.cause)
}

function reasonOf(error: unknown): string {
  if (error instanceof RayTaskError) return String(error.cause).split('\n')[0]!
  if (!(error instanceof ActorDiedError)) return (error as Error).message
  const { reason, cause } = error
  return !cause || cause instanceof WorkerCrashedError ? reason : `${reason}: ${reasonOf(cause)}`
}
