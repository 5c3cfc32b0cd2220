import type { Actor } from '../../actor.js'
import { ActorDiedError, WorkerCrashedError } from '../../errors.js'
import type { Task } from '../../task.js'

/** What the system was short of, by its error. */
const SHORT: Record<string, string> = {
  EMFILE: 'open files (ulimit -n)',
  ENFILE: 'open files (fs.file-max)',
  EAGAIN: "threads and processes (ulimit -u, or a container's limit of them)",
  ENOMEM: "memory (ulimit -v, or a container's limit of it)",
}

/** Whether it was the system that refused a thread or process. */
export function isRefused(error: unknown): boolean {
  const { code, syscall } = (error ?? {}) as { code?: unknown; syscall?: unknown }
  return code === 'ERR_WORKER_INIT_FAILED' || String(syscall).startsWith('spawn')
}

/** No worker could be started: whoever waits for it must know. */
export function taskUnstarted(task: Task, error: unknown): WorkerCrashedError {
  const details = { reason: `for ${task.label} ${reasonOf(error)}`, remedy: remedyOf(error) }
  return new WorkerCrashedError(task.label, 'A worker', { error }, details)
}

export function actorUnstarted(actor: Actor, error: unknown): ActorDiedError {
  return new ActorDiedError(actor, `its worker ${reasonOf(error)}`, { cause: error, remedy: remedyOf(error) })
}

const reasonOf = (error: unknown) => `could not be started (${String(error).replace(/\.$/, '')})`

function remedyOf(error: unknown): string {
  if ((error as { code?: unknown } | null)?.code === 'ERR_ACCESS_DENIED')
    return 'Give Node --allow-worker, and --allow-child-process where workers are processes, beside --permission.'
  const short = isRefused(error) && SHORT[/\bE[A-Z]{4,}\b/.exec(String(error))?.[0] ?? '']
  return short ? `Allow more ${short}, or give ray.init a smaller numCpus.` : 'Mend that, then try again.'
}
