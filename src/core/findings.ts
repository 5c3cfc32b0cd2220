/**
 * What a program found out once and holds to from then on, so that all its parts take the same side: whether the Hub answers, what was
 * told already. Its worker threads, processes and nodes are told of it, when they start and later; what they were told
 * goes before what they would find themselves. What is so for a while only, as which replicas a deployment has, they are told the same way.
 */
import { channel } from 'node:diagnostics_channel'
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads'

/** A value is plain data, which may have to go through JSON. */
export type Finding = readonly [key: string, value: unknown]

/** Every finding of this thread that is new, to whoever subscribes. */
export const FINDINGS = channel('rayito:finding')

/** In a worker: everything that its driver tells, as it comes. */
export const TOLD = channel('rayito:told')

const own = new Map<string, unknown>()
const given = new Map<string, unknown>()
const name = (key: string) => `rayito: ${key}`

/** What was found or told. */
export function finding(key: string): boolean | undefined {
  return (given.get(key) ?? own.get(key) ?? getEnvironmentData(name(key))) as boolean | undefined
}

/** What others told. */
export function toldFinding<T = boolean>(key: string): T | undefined {
  return given.get(key) as T | undefined
}

export function found(key: string, value: boolean): void {
  if (own.get(key) === value) return
  // for threads that are not ray's
  setEnvironmentData(name(key), value)
  tell(key, value)
}

/** What is so now: ray's workers hear of it. */
export function tell(key: string, value: unknown): void {
  own.set(key, value)
  FINDINGS.publish([key, value] satisfies Finding)
}

/** In a worker: what its driver found. */
export function adoptFindings(findings: Iterable<Finding>): void {
  for (const finding of findings) {
    given.set(...finding)
    TOLD.publish(finding)
  }
}

/** All of this thread. */
export function findings(): Finding[] {
  return [...new Map([...own, ...given])]
}
