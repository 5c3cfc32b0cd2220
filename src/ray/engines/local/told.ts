import { now } from '../../../core/clock.js'
import type { Span } from '../../../core/spans.js'
import { SLOT, type WireContent, type WireResult } from '../../protocol.js'
import type { Task } from '../../task.js'
import type { Recorder, Try } from '../../timeline/recorder.js'
import type { Lost } from './deaths.js'
import type { LocalWorker } from './worker.js'

/** Tells a timeline of the calls of this machine's workers. */
export class Told {
  /** What is told of a call: one for all, since garbage is what a small call pays most for. */
  readonly #call: Try = {
    sent: 0,
    received: 0,
    began: 0,
    ended: 0,
    attempt: 0,
    bytesIn: 0,
    bytesOut: 0,
    failed: false,
  }

  constructor(private readonly recorder: Recorder) {}

  /** @param sent when it was handed over; 0 where the message had others before it */
  result(worker: LocalWorker, task: Task, result: WireResult, since: number, sent: number): void {
    const call = this.#call
    call.sent = sent
    // By index: taken apart by a pattern it takes a tenth longer.
    const ok = result[1]
    call.began = since + result[3] / 1e6
    call.ended = call.began + result[4] / 1e6
    worker.lastEnd = call.ended
    call.received = result[5]
    call.attempt = task.attempt
    call.bytesIn = task.bytesIn
    call.bytesOut = task.bytesYielded + (ok ? sizeOf(result[2] as readonly WireContent[]) : 0)
    task.bytesYielded = 0
    call.failed = !ok
    this.recorder.call(worker.number, task, call)
  }

  /** The first of a worker's spans say how it started. */
  spans(worker: LocalWorker, spans: readonly Span[]): void {
    if (worker.readyAt === 0) worker.readyAt = spans.at(-1)!.ended
    this.recorder.spans(worker.number, spans)
  }

  /**
   * What a worker ran when it ended: nobody knows when that began, but the worker was there, the call had been sent, and what ran
   * before had ended.
   */
  interrupted(worker: LocalWorker, lost: Lost): void {
    const ended = now()
    for (const [call, task] of lost) {
      if (worker.progress(call) !== SLOT.STARTED) continue
      const { attempt, bytesIn, bytesYielded: bytesOut } = task
      task.bytesYielded = 0
      const began = worker.earliest(call)
      const times = { sent: worker.sentAt(call), received: 0, began, ended }
      this.recorder.call(worker.number, task, { ...times, attempt, bytesIn, bytesOut, failed: true })
    }
  }
}

/** Bytes of a result's values. */
function sizeOf(values: readonly WireContent[]): number {
  let size = 0
  for (let i = 0; i < values.length; i++) size += values[i]![2] + values[i]![3]
  return size
}
