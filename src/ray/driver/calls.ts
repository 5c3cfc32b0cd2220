import { type Actor, ActorCall, calledActor } from '../actor.js'
import type { RemoteDefinition } from '../definition.js'
import type { Engine } from '../engine.js'
import { NotInitializedError, TaskCancelledError } from '../errors.js'
import type { Content, Entry } from '../object-ref.js'
import { TASK_DEFAULTS } from '../options.js'
import { Tallies } from '../tally.js'
import { Task, type TaskSettings } from '../task.js'
import { TurnClock } from '../timeline/turn-clock.js'
import type { TaskOptions } from '../types.js'
import type { ObjectStore } from './object-store.js'
import { wireReturns } from './streams.js'
import { Unread } from './unread.js'

/** What calls need of their session. */
interface Session {
  readonly engine: Engine
  readonly objects: ObjectStore
  readonly sharesMemory: boolean
  alive(): void
}

/** The calls of a session, of functions and of actors' methods: made, kept in sight until they end, counted. */
export class Calls {
  readonly tallies = new Tallies()
  readonly #pending = new Set<Task>()
  readonly #unread = new Unread()
  readonly #clock: TurnClock | null
  #over = false

  /** @param timed when each was asked for is wanted */
  constructor(
    private readonly session: Session,
    timed: boolean,
  ) {
    this.#clock = timed ? new TurnClock() : null
  }

  /** One of a remote function. */
  make(definition: RemoteDefinition, entries: Entry[], options: TaskOptions): Task {
    this.session.alive()
    const settings = {
      label: options.name ?? definition.name,
      method: null,
      numCpus: options.numCpus ?? TASK_DEFAULTS.numCpus,
      maxRetries: options.maxRetries ?? TASK_DEFAULTS.maxRetries,
      retryExceptions: options.retryExceptions ?? TASK_DEFAULTS.retryExceptions,
      timeout: options.timeout,
      numReturns: wireReturns(entries, options),
    }
    return this.makeTask(definition, settings, entries)
  }

  makeTask(definition: RemoteDefinition, settings: TaskSettings, entries: Entry[]): Task {
    return this.#asked(new Task(definition, settings, entries, ...this.#ends(settings)))
  }

  makeActorCall(actor: Actor, settings: TaskSettings, entries: Entry[]): ActorCall {
    return this.#asked(new ActorCall(actor, actor.creation.definition, settings, entries, ...this.#ends(settings)))
  }

  #asked<T extends Task>(task: T): T {
    if (this.#clock) task.submitted = this.#clock.now()
    return task
  }

  #ends({ label }: TaskSettings) {
    return [this.tallies.of(label), this.#cancel, this.#keep] as const
  }

  #cancel = (task: Task, force: boolean, recursive: boolean): void => {
    this.session.engine.cancel(task, new TaskCancelledError(task.label), force, recursive)
  }

  #keep = (entry: Entry, content: Content): void => this.session.objects.keep(entry, content, this.session.sharesMemory)

  start(task: Task): void {
    if (task.state === 'queued') this.session.engine.submit(task)
  }

  /** Runs a preparation that may throw for an argument that cannot cross; keeps the task in sight until it is done. */
  prepared(task: Task, prepare: () => void): void {
    try {
      prepare()
    } catch (error) {
      task.fail(error)
      throw error
    }
    this.track(task)
  }

  track(task: Task): void {
    if (task.state !== 'done') this.#pending.add(task)
    const last = task.returns.at(-1)
    last?.whenSettled(() => {
      this.#pending.delete(task)
      if (last.state === 'failed' && !this.#over) this.#unread.failed(task)
    })
  }

  /** An actor of this session is dead. */
  died(actor: Actor): void {
    if (!this.#over) this.#unread.died(actor)
  }

  /** The last call of an actor that has not ended; null if all have. */
  lastOf(actor: Actor): Task | null {
    let last: Task | null = null
    for (const task of this.#pending) if (calledActor(task) === actor) last = task
    return last
  }

  /** Cancels all that are not done. */
  cancel(): void {
    for (const task of [...this.#pending]) task.cancel(false, true)
  }

  /** Failures that nobody has asked for, a line each. */
  unread(): string[] {
    return this.#unread.tell()
  }

  /** The session is over, and so are they. */
  end(): void {
    this.#over = true
    const over = new NotInitializedError()
    for (const task of this.#pending) task.fail(over)
    this.#pending.clear()
  }
}
