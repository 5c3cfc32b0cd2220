import { inspect } from 'node:util'
import { type ErrorCode, RayitoError } from '../core/errors.js'
import { fromUser } from '../core/user-stack.js'

/** What every error of `ray` is. They keep class, fields and cause on their way between workers. */
export class RayError extends RayitoError {}

/** A reason without its full stop: a remedy follows. */
const clause = (reason: string): string => reason.replace(/\.$/, '')

/** What a RayTaskError is made of. */
export interface RayTaskErrorInit {
  /** What the task threw, as it was: an Error with its remote stack, or any other value. */
  cause: unknown
  /** The function's name, or Class.method. */
  task: string
  /** `worker#1`, `InferenceEngine#2`. */
  worker: string
  /** 1 at the first try. */
  attempt: number
}

/**
 * A task or an actor's method threw. `cause` is what it threw; where that is an error, its own fields can be read here too
 * (as with Ray's error, which is also an instance of the cause's class), and `stack` is the remote one.
 *
 * An error of a class of one's own comes as an instance of the class below it that every worker has (`Error`, `TypeError` …) and keeps its
 * name: compare `error.cause.name`. Where a task passes on what its own `ray.get` threw, the cause is that RayTaskError, with a cause in turn.
 */
export class RayTaskError extends RayError {
  declare readonly task: string
  declare readonly worker: string
  declare readonly attempt: number

  constructor({ cause, task, worker, attempt }: RayTaskErrorInit) {
    const remote = cause instanceof Error ? cause : null
    const message = remote ? remote.message : inspect(cause, { depth: 2 })
    const what = remote ? `${remote.name}: ${message}` : message
    super('RAY_TASK_ERROR', `${task} (${worker}, attempt ${attempt}) threw ${clause(what)}`, {
      cause,
      task,
      worker,
      attempt,
    })
    if (cause === undefined)
      Object.defineProperty(this, 'cause', { value: undefined, configurable: true, writable: true })
    if (!remote) return
    for (const [field, value] of Object.entries(remote)) if (!(field in this)) Object.assign(this, { [field]: value })
    Object.defineProperty(this, 'stack', {
      value: `${this.name}: ${this.message}${frames(remote)}`,
      configurable: true,
      writable: true,
    })
  }
}

/** The frames of an error's stack, each on a line of its own. */
function frames({ stack = '' }: Error): string {
  const at = stack.search(/\n\s+at /)
  return at < 0 ? '' : stack.slice(at)
}

/** How a worker ended. */
export interface WorkerDeath {
  exitCode?: number | null
  signal?: string | null
  /** The error that ended it, if it threw one outside any call. */
  error?: unknown
  /** Megabytes. */
  heapLimit?: number | null
  /** The last lines it wrote to stderr. */
  lastOutput?: readonly string[]
}

function deathNote({ exitCode, signal, error, lastOutput = [] }: WorkerDeath): string {
  const parts: string[] = []
  if (typeof exitCode === 'number') parts.push(`exit code ${exitCode}`)
  if (signal) parts.push(`signal ${signal}`)
  if (error) parts.push(error instanceof Error ? `${error.name}: ${error.message}` : inspect(error, { depth: 1 }))
  if (lastOutput.length) parts.push(`last output: ${lastOutput.slice(-3).join(' | ')}`)
  return parts.length ? ` (${parts.join('; ')})` : ''
}

function deathFields({ exitCode = null, signal = null, error, heapLimit = null, lastOutput = [] }: WorkerDeath) {
  return { exitCode, signal, heapLimit, lastOutput: [...lastOutput], cause: error ?? undefined }
}

/** What a worker did. */
const doing = (task: string) => (task ? `ran ${task}` : 'was idle')

/** The worker that ran a task ended, and the task may not run again. */
export class WorkerCrashedError extends RayError {
  /** The function's name; of an actor, methods that ran, and empty where none did. */
  declare readonly task: string
  /** `worker#1`. */
  declare readonly worker: string
  /** Null where a signal ended it, or nobody could see how it ended. */
  declare readonly exitCode: number | null
  /** `SIGKILL`; of a process alone. */
  declare readonly signal: string | null
  /** Its heap limit in megabytes, if it reached it. */
  declare readonly heapLimit: number | null
  /** The last lines it wrote to stderr. */
  declare readonly lastOutput: string[]

  /** What happened to it, as the rest of a sentence: `ended while it ran f (exit code 3)`. */
  declare readonly reason: string

  constructor(
    task: string,
    worker: string,
    death: WorkerDeath,
    {
      code = 'RAY_WORKER_CRASHED',
      reason = `ended while it ${doing(task)}${deathNote(death)}`,
      ...remedy
    }: { code?: ErrorCode; reason?: string; remedy?: string } = {},
  ) {
    super(code, `${worker} ${reason}`, {
      task,
      worker,
      reason,
      ...deathFields(death),
      ...remedy,
    })
  }
}

/** The worker reached its heap limit. */
export class OutOfMemoryError extends WorkerCrashedError {
  constructor(task: string, worker: string, death: WorkerDeath) {
    const limit = death.heapLimit ? ` of ${death.heapLimit} MB` : ''
    super(task, worker, death, {
      code: 'RAY_OUT_OF_MEMORY',
      reason: `reached its heap limit${limit} while it ${doing(task)}`,
    })
  }
}

type Which = { id: string; label: string }

interface ActorDeath extends WorkerDeath {
  cause?: unknown
  /** What to do next. @default the table's */
  remedy?: string
}

/** The actor was killed, could not be made, or its worker ended and it may not restart. */
export class ActorDiedError extends RayError {
  /** `InferenceEngine#2`. */
  declare readonly actor: string
  /** No other actor has it. */
  declare readonly actorId: string
  /** What happened to it, as the rest of a sentence: `it was killed with ray.kill`. */
  declare readonly reason: string
  /** Null where it was killed, a signal ended it, or nobody could see how it ended. */
  declare readonly exitCode: number | null
  /** `SIGKILL`; of a process alone. */
  declare readonly signal: string | null
  /** Its heap limit in megabytes, if it reached it. */
  declare readonly heapLimit: number | null
  /** The last lines it wrote to stderr. */
  declare readonly lastOutput: string[]

  constructor({ id, label }: Which, reason: string, { cause, remedy, ...death }: ActorDeath = {}) {
    const fields = { actor: label, actorId: id, reason, ...deathFields(death), cause }
    // Where its own code failed, or cannot cross, it does so again: another try is no remedy.
    const thrown = cause instanceof RayTaskError
    const fault = thrown || cause instanceof NotSerializableError ? String(thrown ? cause.cause : cause) : null
    const why = fault === null ? reason : `${reason}: ${fault.split('\n')[0]}`
    const next = fault === null ? remedy : 'Mend that, then make another actor.'
    super('RAY_ACTOR_DIED', `${label} is dead: ${clause(why)}`, { ...fields, remedy: next })
  }
}

/** The actor is restarting; whether the call ran is not known. */
export class ActorUnavailableError extends RayError {
  /** `InferenceEngine#2`. */
  declare readonly actor: string
  /** No other actor has it. */
  declare readonly actorId: string
  /** Why it restarts, as the rest of a sentence. */
  declare readonly reason: string
  constructor({ id, label }: Which, reason: string, { cause }: { cause?: unknown } = {}) {
    const which = { actor: label, actorId: id }
    super('RAY_ACTOR_UNAVAILABLE', `${label} is restarting: ${clause(reason)}`, { ...which, reason, cause })
  }
}

/** The task was cancelled: by `ray.cancel`, with the task that began it, or by Ctrl-C in a notebook. */
export class TaskCancelledError extends RayError {
  declare readonly task: string
  constructor(task: string) {
    super('RAY_TASK_CANCELLED', `${task} was cancelled`, { task })
  }
}

/** `ray.get` waited long enough; the tasks go on. */
export class GetTimeoutError extends RayError {
  /** Milliseconds. */
  declare readonly timeout: number
  constructor(timeout: number, missing: number, total: number) {
    const what = total === 1 ? 'The value was' : `${missing} of ${total} values were`
    super('RAY_GET_TIMEOUT', `${what} not ready within ${timeout} ms`, { timeout, missing, total })
  }
}

/** A task ran longer than its `timeout` option and was ended. */
export class TaskTimeoutError extends RayError {
  declare readonly task: string
  /** Milliseconds. */
  declare readonly timeout: number
  constructor(task: string, timeout: number) {
    super('RAY_TASK_TIMEOUT', `${task} ran longer than its timeout of ${timeout} ms`, { task, timeout })
  }
}

/** The object was freed, or its session was shut down. */
export class ObjectLostError extends RayError {
  /** The object's id. */
  declare readonly object: string
  declare readonly reason: string
  constructor(object: string, reason: string) {
    super('RAY_OBJECT_LOST', `ObjectRef(${object}) is lost: ${clause(reason)}`, { object, reason })
  }
}

/** The object does not fit into what `objectStoreMemory` allows. */
export class ObjectStoreFullError extends RayError {
  /** Bytes asked for. */
  declare readonly needed: number
  /** Bytes that live objects hold. */
  declare readonly held: number
  /** Bytes allowed. */
  declare readonly limit: number
  constructor(needed: number, held: number, limit: number) {
    const [n, h, l] = [needed, held, limit].map((bytes) => `${(bytes / 1e6).toFixed(1)} MB`)
    super('RAY_OBJECT_STORE_FULL', `${n} do not fit: objects hold ${h} of ${l}`, { needed, held, limit })
  }
}

/** A value cannot cross to a worker: `path` says where it is (`args[0].session.fn`), `reason` why. */
export class NotSerializableError extends RayError {
  declare readonly path: string
  declare readonly reason: string
  constructor(path: string, reason: string, remedy?: string) {
    super('RAY_NOT_SERIALIZABLE', `${path} ${reason}`, { path, reason, ...(remedy ? { remedy } : {}) })
    fromUser(this)
  }
}

/** A task or actor asks for more than any machine has: its result, or the actor's calls, reject with it. */
export class InfeasibleError extends RayError {
  /** By name, `{ CPU: 5 }`. */
  declare readonly requested: Readonly<Record<string, number>>
  /** What the machine with the most has. */
  declare readonly available: Readonly<Record<string, number>>
  constructor(
    what: string,
    requested: Readonly<Record<string, number>>,
    available: Readonly<Record<string, number>>,
    remedy = 'Ask for less with .options({ numCpus }), or give ray.init more.',
  ) {
    const list = (amounts: Readonly<Record<string, number>>) =>
      Object.entries(amounts)
        .map(([name, amount]) => `${amount} ${name}`)
        .join(', ')
    super('RAY_INFEASIBLE', `${what} asks for ${list(requested)}, all there is: ${list(available)}`, {
      requested,
      available,
      remedy,
    })
  }
}

/** The name is taken, or no actor has it. */
export class ActorNameError extends RayError {
  /** The actor's name. */
  declare readonly actor: string
  constructor(actor: string, reason: string, remedy?: string) {
    super('RAY_ACTOR_NAME', `Actor '${actor}': ${clause(reason)}`, { actor, reason, ...(remedy ? { remedy } : {}) })
  }
}

/** The session was shut down. */
export class NotInitializedError extends RayError {
  constructor() {
    super('RAY_NOT_INITIALIZED', 'The session was shut down')
  }
}
