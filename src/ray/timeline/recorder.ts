import type { Span } from '../../core/spans.js'
import type { Task } from '../task.js'

/** One try of a call, as the engine saw it. Times are those of core/clock.ts, in milliseconds. */
export interface CallTimes {
  /** The message with it was handed over. */
  sent: number
  /** The worker received that message; 0 for all but the message's first call, and where it is not known. */
  received: number
  began: number
  ended: number
}

/** Where an engine tells what its workers do. */
export interface Recorder {
  /**
   * A worker was made.
   * @param process what its process is called; null for this one
   * @returns its number
   */
  started(name: string, process: string | null): number
  ended(worker: number): void
  /** A try of a call ended on a worker. */
  call(worker: number, task: Task, times: CallTimes, bytesOut: number, failed: boolean): void
  spans(worker: number, spans: readonly Span[]): void
}
