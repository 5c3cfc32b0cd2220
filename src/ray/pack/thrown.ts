import { inspect } from 'node:util'

/** What was thrown, in one line. */
export function told(thrown: unknown): string {
  if (!(thrown instanceof Error)) return inspect(thrown, { depth: 0, breakLength: Infinity })
  return `${thrown.name}: ${thrown.message}`
}

/** Why a value cannot travel that throws when it is looked at. */
export function unreadable(thrown: unknown): string {
  return `cannot be read: looking at it threw ${told(thrown)}`
}
