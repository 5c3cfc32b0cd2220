import type { Finding } from '../core/findings.js'
import type { Actor } from './actor.js'
import type { ToWorker } from './protocol.js'
import type { Task } from './task.js'
import type { Recorder, RunningCall } from './timeline/recorder.js'
import type { NodeInfo, Resources } from './types.js'

export type EngineName = 'threads' | 'processes' | 'nats'

/**
 * The seam between the model and where it runs. The model (driver.ts) makes tasks, actors and objects, prepares their
 * arguments and keeps their results; an engine places and runs them and settles each task exactly once
 * (`task.succeed`, `task.fail`). Retries after a death are the engine's, since only it knows what was running.
 */
export interface Engine {
  readonly name: EngineName
  /** Before the ids of objects and actors, where other drivers have theirs too. */
  readonly id?: string
  /** Rejects when the work cannot be done at all; absent where there is nothing to wait for. */
  readonly ready?: Promise<void>
  /** Runs a task whose arguments are ready. */
  submit(task: Task): void
  /** Places an actor and runs its constructor. */
  createActor(actor: Actor): void
  /** Looks at the actor's queue of calls again: one was added, became ready or was dropped. */
  pump(actor: Actor): void
  /** Ends the actor's worker; its calls reject at once. With `restart` it comes back as after a death. */
  kill(actor: Actor, restart: boolean): void
  /**
   * Ends a task: dropped if it has not started, interrupted otherwise. Its refs reject with `error`.
   * @param force ends its worker at once
   * @param recursive whether what its code begins until it hears of it is not wanted either
   */
  cancel(task: Task, error: Error, force: boolean, recursive: boolean): void
  /**
   * A generator waits for its reader: where nothing else is to be done, the process need not go on.
   * @returns to be called when it goes on
   */
  pause(task: Task): () => void
  /** An object that nobody can ask for any more, or a function that nobody can call: workers may drop their copies. */
  release(id: string): void
  /**
   * Refs and handles that are garbage in workers are to be let go.
   * @param beside whether work goes on there: it does not wait for that too often
   * @default false
   */
  collect(beside?: boolean): void
  /** The driver found something out that all workers are to hold to. */
  tell(finding: Finding): void
  /** A named actor that another driver made. */
  findActor?(name: string, namespace: string): Promise<Actor | null>
  total(): Resources
  available(): Resources
  nodes(): NodeInfo[]
  /** Finished calls by worker, of workers that live or lived; of many, the latest thousand. */
  perWorker(): Record<string, number>
  /** Calls that run at this moment; null where some may and it is not known which. */
  running(): RunningCall[] | null
  /** Why nothing can be done any more; absent or null while something can. */
  readonly failure?: Error | null
  /** Resolves with that, should it come to it. */
  readonly failed?: Promise<Error>
  /** Resolves when these actors go on without the driver, or are not to be waited for any longer, which is said. */
  outlast?(actors: readonly Actor[]): Promise<void>
  /** Ends all workers; resolves when they have ended. */
  shutdown(): Promise<void>
}

/** What an engine needs of the model. */
export interface EngineHost {
  readonly namespace: string
  /** The session's: 'local', or the cluster's, without a password. */
  readonly address: string
  /** A request of code in a worker, to be answered with `worker.post(['answer', …])`. */
  request(worker: WorkerPlace, request: number, operation: string, payload: unknown): void
  /** An object or a function went to a worker: `release` is to be called when nobody can ask for it any more. */
  sent(thing: { readonly id: string }): void
  /** Refs and handles by id, as results name them. */
  carried(worker: WorkerPlace, ids: readonly string[]): object[]
  /** @param worker its name, where `label` is what it runs */
  output(label: string, stream: 'stdout' | 'stderr', text: string, worker: string): void
  /** Bytes that crossed: copied, and handed over in shared memory; how many of these were allocated for it. */
  copied(bytes: number, shared: number, fresh?: number): void
  /** Where what workers do is told; null where nobody wants to know. */
  readonly recorder: Recorder | null
}

/** A call that began another: its number in its worker, or its id on a cluster. */
export type Parent = number | string | null

/** A worker as the model sees it, to answer what its code asks for: refs and handles that it holds stay alive. */
export interface WorkerPlace {
  readonly held: { get(id: string): { readonly thing: object } | undefined }
  /** Who holds them: itself, or its node. */
  readonly holder: object
  post(message: ToWorker): void
  /** A ref or handle is in the worker's hands now, once more. */
  holdOne(id: string, thing: object): void
  /** A call that runs there began the task. */
  adopt(parent: number | string, task: Task): void
}
