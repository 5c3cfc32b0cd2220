import { fileURLToPath } from 'node:url'
import { RayitoError } from './errors.js'
import { HOME } from './package-file.js'

/** Where rayito's own code is: as Node names it, and as what compiles modules as they are loaded (tsx) does with some. */
const HOUSE = placesOf('./')
/** Folders of rayito whose code calls its user's. */
const OURS = ['ray/worker/', 'serve/'].flatMap(placesOf)
/** Frames that are looked at to find the user's, however deep in a value something was found. */
const DEEP = 200

/** What was thrown; an error's stack no longer ends with frames of rayito's own, see `userStack`. */
export function toUser(thrown: unknown): unknown {
  try {
    if (thrown instanceof Error) Reflect.set(thrown, 'stack', userStack(thrown.stack))
  } catch {
    // A stack of a kind of its own stays what it is.
  }
  return thrown
}

/** A stack without the frames of rayito's own that it ends with: they tell how the code was called, not what went wrong. */
export function userStack<Stack extends string | undefined>(stack: Stack): Stack | string {
  const lines = stack?.split('\n') ?? []
  const isOurs = (line: string) => OURS.some((ours) => line.includes(ours))
  const last = lines.findLastIndex((line) => isUsers(line) && !isOurs(line))
  return last >= 0 && lines.slice(last).some(isOurs) ? lines.slice(0, last + 1).join('\n') : stack
}

/**
 * Lets the stack of a refusal that is being made begin with the user's line, which a stack of the usual length need not
 * reach. It stays what it is where none of the user's is in sight.
 */
export function fromUser(error: Error, frames = callers()): void {
  if (frames.length) Reflect.set(error, 'stack', [`${error.name}: ${error.message}`, ...frames].join('\n'))
}

/** The lines of the stack as it is now, from the user's on; none where none of theirs is in sight. */
export function callers(): string[] {
  const { stackTraceLimit } = Error
  const called: { stack?: string } = {}
  Reflect.set(Error, 'stackTraceLimit', DEEP)
  Error.captureStackTrace(called)
  Reflect.set(Error, 'stackTraceLimit', stackTraceLimit)
  const lines = called.stack?.split('\n') ?? []
  const first = lines.findIndex(isCallers)
  return first < 0 ? [] : lines.slice(first, first + stackTraceLimit)
}

/** Errors whose stacks tell who waited for them. */
const awaited = new WeakSet<Error>()

/**
 * An error of ours that an async function met behind its `await`. One that was made in a timer or an event has no line of the
 * user's in its stack: it gets the one that waits for this function, as V8 knows it. Who waits for the same error later gets it with theirs.
 * @param frames who called, where that is not to be seen any more
 */
export function atUser(error: unknown, frames?: string[]): unknown {
  // What a task threw has the stack of the task.
  if (!(error instanceof RayitoError) || error.code === 'RAY_TASK_ERROR') return error
  if (!awaited.has(error) && error.stack?.split('\n').some((line) => isCallers(line) && !isPackages(line))) return error
  awaited.add(error)
  fromUser(error, frames)
  return error
}

/** Where in its user's code an error was made, `FILE:LINE`, rather than in a package of theirs; empty where that is not told. */
export function userPlace(error: unknown): string {
  const lines = error instanceof Error ? (error.stack ?? '').split('\n') : []
  const places = lines
    .filter(isCallers)
    .flatMap((line) => /(?:\(|at (?:async )?)((?:file:|\/|[A-Za-z]:\\).*:\d+):\d+\)?$/.exec(line)?.[1] ?? [])
  const place = places.find((one) => !/[\\/]node_modules[\\/]/.test(one)) ?? places[0] ?? ''
  return place.replace(/^file:.*(?=:\d+$)/, (url) => fileURLToPath(url))
}

const isUsers = (line: string) => /^\s+at /.test(line) && !/\bnode:|<anonymous>\)?$/.test(line)
/** A line of a package, or of no file: `Promise.all (index 0)`. */
const isPackages = (line: string) => /[\\/]node_modules[\\/]| \(index \d+\)$/.test(line)
const isCallers = (line: string) => isUsers(line) && !HOUSE.some((place) => line.includes(place))

function placesOf(folder: string): string[] {
  const { href } = new URL(folder, HOME)
  return [href, fileURLToPath(href)]
}
