/**
 * What a program found out once and holds to from then on, so that all its parts take the same side: whether the Hub answers, what was
 * told already. Its worker threads, processes and nodes are told of it, when they start and later; what they were told
 * goes before what they would find themselves.
 */
import { channel } from 'node:diagnostics_channel'
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads'

export type Finding = readonly [key: string, value: boolean]

/** Every finding of this thread that is new, to whoever subscribes. */
export const FINDINGS = channel('rayito:finding')

const own = new Map<string, boolean>()
const given = new Map<string, boolean>()
const name = (key: string) => `rayito: ${key}`

/** What was found or told. */
export function finding(key: string): boolean | undefined {
  return given.get(key) ?? own.get(key) ?? (getEnvironmentData(name(key)) as boolean | undefined)
}

/** What others told. */
export function toldFinding(key: string): boolean | undefined {
  return given.get(key)
}

export function found(key: string, value: boolean): void {
  if (own.get(key) === value) return
  own.set(key, value)
  // for threads that are not ray's
  setEnvironmentData(name(key), value)
  FINDINGS.publish([key, value] satisfies Finding)
}

/** In a worker: what its driver found. */
export function adoptFindings(findings: Iterable<Finding>): void {
  for (const [key, value] of findings) given.set(key, value)
}

/** All of this thread. */
export function findings(): Finding[] {
  return [...new Map([...own, ...given])]
}
