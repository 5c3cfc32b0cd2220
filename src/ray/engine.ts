import type { Actor } from './actor.js'
import type { Task } from './task.js'
import type { NodeInfo, Resources } from './types.js'

/**
 * The seam between the model and where it runs. The model (driver.ts) makes tasks, actors and objects, prepares their
 * arguments and keeps their results; an engine places and runs them and settles each task exactly once
 * (`task.succeed`, `task.fail`). Retries after a death are the engine's, since only it knows what was running.
 */
export interface Engine {
  readonly name: 'threads' | 'processes' | 'nats'
  /** Runs a task whose arguments are ready. */
  submit(task: Task): void
  /** Places an actor and runs its constructor. */
  createActor(actor: Actor): void
  /** Looks at the actor's queue of calls again: one was added, became ready or was dropped. */
  pump(actor: Actor): void
  /** Ends the actor's worker; its calls reject at once. With `restart` it comes back as after a death. */
  kill(actor: Actor, restart: boolean): void
  /** Ends a task: dropped if it has not started, interrupted otherwise; `force` ends its worker at once. Its refs reject with `error`. */
  cancel(task: Task, error: Error, force: boolean): void
  /** Objects that nobody can ask for any more: workers may drop their copies. */
  release(id: string): void
  total(): Resources
  available(): Resources
  nodes(): NodeInfo[]
  /** Finished calls by worker, of workers that live or lived. */
  perWorker(): Record<string, number>
  /** Ends all workers; resolves when they have ended. */
  shutdown(): Promise<void>
}
