import type { Span } from '../../core/spans.js'
import type { Task } from '../task.js'

/** One try of a call, as the engine saw it. Times are those of core/clock.ts, in milliseconds. */
export interface Try {
  /** The message with it was handed over. */
  sent: number
  /** The worker took that message up; 0 for all but the message's first call, and where it is not known. */
  received: number
  began: number
  ended: number
  /** 1 at first. */
  attempt: number
  bytesIn: number
  bytesOut: number
  failed: boolean
}

/** What a timeline keeps of a call's task. */
export type Called = Pick<Task, 'submitted' | 'tally'>

/** A call that has not ended. */
export interface RunningCall {
  worker: number
  task: Task
  /** At the earliest. */
  began: number
}

/** Where an engine tells what its workers do. */
export interface Recorder {
  /**
   * A worker was made.
   * @param process what its process is called; null for this one
   * @param at when. @default now
   * @returns its number
   */
  started(name: string, process: string | null, at?: number): number
  ended(worker: number, at?: number): void
  /** A try of a call ended. `call` is the caller's, who may use it again: copy what is to be kept. */
  call(worker: number, task: Called, call: Try): void
  spans(worker: number, spans: readonly Span[]): void
}
