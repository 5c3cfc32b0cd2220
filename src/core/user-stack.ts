import { fileURLToPath } from 'node:url'
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
export function fromUser(error: Error): void {
  const { stackTraceLimit } = Error
  const called: { stack?: string } = {}
  Reflect.set(Error, 'stackTraceLimit', DEEP)
  Error.captureStackTrace(called, fromUser)
  Reflect.set(Error, 'stackTraceLimit', stackTraceLimit)
  const lines = called.stack?.split('\n') ?? []
  const first = lines.findIndex((line) => isUsers(line) && !HOUSE.some((place) => line.includes(place)))
  if (first < 0) return
  const frames = lines.slice(first, first + stackTraceLimit)
  Reflect.set(error, 'stack', [`${error.name}: ${error.message}`, ...frames].join('\n'))
}

/** Where in its user's code an error was made, `FILE:LINE`, rather than in a package of theirs; empty where that is not told. */
export function userPlace(error: unknown): string {
  const lines = error instanceof Error ? (error.stack ?? '').split('\n') : []
  const places = lines
    .filter((line) => isUsers(line) && !HOUSE.some((place) => line.includes(place)))
    .flatMap((line) => /(?:\(|at (?:async )?)((?:file:|\/|[A-Za-z]:\\).*:\d+):\d+\)?$/.exec(line)?.[1] ?? [])
  const place = places.find((one) => !/[\\/]node_modules[\\/]/.test(one)) ?? places[0] ?? ''
  return place.replace(/^file:.*(?=:\d+$)/, (url) => fileURLToPath(url))
}

const isUsers = (line: string) => /^\s+at /.test(line) && !/\bnode:|<anonymous>\)?$/.test(line)

function placesOf(folder: string): string[] {
  const { href } = new URL(folder, HOME)
  return [href, fileURLToPath(href)]
}
