import { getHeapStatistics } from 'node:v8'
import type { Finding } from '../../../core/findings.js'
import type { SessionInfo } from '../../options.js'
import type { ToDriver, ToWorker } from '../../protocol.js'
import type { CallStates } from './slots.js'

/** How a worker ended. */
export interface Death {
  exitCode: number | null
  /** The signal that ended it, where it was a process. */
  signal?: string | null
  /** The error that ended it, if it threw one too late. */
  error: unknown
  /** Its heap limit in megabytes, if it reached it. */
  heapLimit: number | null
  /** The last lines of its stderr. */
  lastOutput: string[]
}

export interface ConnectionEvents {
  message(message: ToDriver): void
  /** It sent what cannot be read here. */
  unreadable(error: unknown): void
  /** All that it sent before its end has been told. */
  ended(death: Omit<Death, 'lastOutput'>): void
}

/** Limits of a worker's heap, as node:worker_threads has them (megabytes). */
export interface HeapLimits {
  maxOldGenerationSizeMb?: number
  maxYoungGenerationSizeMb?: number
  stackSizeMb?: number
}

/** The limit of a worker's heap: the one it was given, else what Node gives to each, this process among them. */
export function heapLimit(limits: HeapLimits | undefined): number {
  return limits?.maxOldGenerationSizeMb ?? Math.round(getHeapStatistics().heap_size_limit / 2 ** 20)
}

export interface WorkerOptions {
  name: string
  maxConcurrency: number
  actorId: string | null
  namespace: string
  session: SessionInfo
  resourceLimits: HeapLimits | undefined
  /** Of a worker that serves other machines: folders whose modules may run there, besides this package. */
  allow: readonly string[] | null
  /** Whether its spans are wanted. */
  spans: boolean
  /** Environment variables that differ from this process's. */
  env: Readonly<Record<string, string>> | null
  /** What its driver found out so far. */
  findings: readonly Finding[]
}

/** A worker thread or process, and the way to it. */
export interface Connection {
  readonly states: CallStates
  /** Whether it says of every call when it starts. */
  readonly announces: boolean
  /** What its process is called; null for this one. */
  readonly process: string | null
  post(message: ToWorker): void
  /** Whether it keeps this process alive. */
  hold(held: boolean): void
  /** Ends it; resolves when it has ended. */
  stop(): Promise<void>
}

/** What starts workers. */
export interface Connector {
  /** A worker. @throws if none can be started */
  connect(options: WorkerOptions, events: ConnectionEvents): Connection
  /** Starts one ahead that `connect` will give; false where there are as many as there should be. */
  prepare?(resourceLimits: HeapLimits | undefined): boolean
  /** Ends those that nobody was given. */
  close?(): Promise<void>
}
