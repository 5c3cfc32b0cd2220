// PLACEHOLDER, only until the real file of branch `travel` lands: on a rebase conflict take the whole file from `travel`.
// stub
import { type ErrorCode, RayitoError } from '../core/errors.js'
export class RayError extends RayitoError {}
export class RayTaskError extends RayError {
  constructor(d: { cause: unknown; task: string; worker: string; attempt: number }) {
    super('RAY_TASK_ERROR', `${d.task} failed on ${d.worker} (attempt ${d.attempt}): ${(d.cause as Error)?.message}`, d)
  }
}
interface D {
  exitCode: number | null
  error: unknown
  lastOutput: string[]
}
export class WorkerCrashedError extends RayError {
  declare exitCode: number | null
  declare lastOutput: string[]
  constructor(label: string, worker: string, d: D, code: ErrorCode = 'RAY_WORKER_CRASHED', extra = '') {
    super(
      code,
      `${label}: ${worker} ended with exit code ${d.exitCode}${extra} ${d.error ? (d.error as Error).message : ''}: ${d.lastOutput.join(' | ')}`,
      { ...d },
    )
  }
}
export class OutOfMemoryError extends WorkerCrashedError {
  declare heapLimit: number
  constructor(label: string, worker: string, d: D & { heapLimit: number }) {
    super(label, worker, d, 'RAY_OUT_OF_MEMORY', ` heap limit ${d.heapLimit} MB`)
  }
}
export class ActorDiedError extends RayError {
  constructor(label: string, why: string, d: Record<string, unknown> = {}) {
    super('RAY_ACTOR_DIED', `${label} died: ${why}`, d)
  }
}
export class ActorUnavailableError extends RayError {
  constructor(label: string, why: string, d: Record<string, unknown> = {}) {
    super('RAY_ACTOR_UNAVAILABLE', `${label} ${why}`, d)
  }
}
export class TaskCancelledError extends RayError {
  constructor(label: string) {
    super('RAY_TASK_CANCELLED', `${label} was cancelled`)
  }
}
export class TaskTimeoutError extends RayError {
  constructor(label: string, ms: number) {
    super('RAY_TASK_TIMEOUT', `${label} ran longer than ${ms} ms`)
  }
}
export class GetTimeoutError extends RayError {
  constructor(ms: number, missing: number, of: number) {
    super('RAY_GET_TIMEOUT', `${missing} of ${of} not ready after ${ms} ms`)
  }
}
export class ObjectLostError extends RayError {
  constructor(id: string, why: string) {
    super('RAY_OBJECT_LOST', `${id} is lost: ${why}`)
  }
}
export class ObjectStoreFullError extends RayError {
  constructor(b: number, h: number, l: number) {
    super('RAY_OBJECT_STORE_FULL', `${b} bytes more than ${h} of ${l}`)
  }
}
export class NotSerializableError extends RayError {
  constructor(path: string, why: string) {
    super('RAY_NOT_SERIALIZABLE', `${path} ${why}`)
  }
}
export class InfeasibleError extends RayError {
  constructor(label: string, need: { CPU: number }, total: { CPU: number }) {
    super('RAY_INFEASIBLE', `${label} asks for ${need.CPU} CPUs of ${total.CPU}`)
  }
}
export class ActorNameError extends RayError {
  constructor(name: string, why: string, remedy: string) {
    super('RAY_ACTOR_NAME', `${name}: ${why}`, { remedy })
  }
}
export class NotInitializedError extends RayError {
  constructor() {
    super('RAY_NOT_INITIALIZED', 'The session was shut down')
  }
}
export function encodeError(e: unknown): unknown {
  return e instanceof Error ? { __e: e, name: e.name, message: e.message, f: JSON.parse(JSON.stringify(e)) } : { v: e }
}
const all: Record<string, any> = {
  RayError,
  RayTaskError,
  WorkerCrashedError,
  ActorDiedError,
  TaskCancelledError,
  ObjectLostError,
  ActorNameError,
}
export function decodeError(e: any): unknown {
  if (!e.name) return e.v
  const err = e.__e
  const C = all[e.name]
  if (C) Object.setPrototypeOf(err, C.prototype)
  Object.assign(err, e.f)
  return err
}
