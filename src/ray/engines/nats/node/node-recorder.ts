import { now } from '../../../../core/clock.js'
import type { Span } from '../../../../core/spans.js'
import type { Task } from '../../../task.js'
import type { Recorder, Try } from '../../../timeline/recorder.js'
import type { NetEvents } from '../messages.js'

/** Spans and calls that wait for a result to go with; further ones are not kept. */
const MOST_SPANS = 1_000
const MOST_CALLS = 10_000

const nothing = (): NetEvents => ({ started: [], ended: [], calls: [], spans: [] })

/** What a driver's workers on this node did, until it is told. */
export class NodeRecorder implements Recorder {
  #events = nothing()
  #last = 0
  #late = false

  constructor(
    /** By which the driver knows a task; empty where it is none of its own. */
    private readonly idOf: (task: Task) => string,
    /** Sends what there is, which no result will take along. */
    private readonly tell: () => void,
  ) {}

  started(name: string): number {
    this.#events.started.push([++this.#last, name, now()])
    return this.#last
  }

  ended(worker: number): void {
    this.#events.ended.push([worker, now()])
    this.#tellSoon()
  }

  call(worker: number, task: Task, call: Try): void {
    const id = this.idOf(task)
    // Another driver's, of an actor that is shared.
    if (id && this.#events.calls.length < MOST_CALLS) this.#events.calls.push([id, worker, { ...call }])
    // It was cancelled, or took too long: its driver has been answered.
    if (task.state === 'done') this.#tellSoon()
  }

  #tellSoon(): void {
    if (this.#late) return
    this.#late = true
    queueMicrotask(() => {
      this.#late = false
      this.tell()
    })
  }

  spans(worker: number, spans: readonly Span[]): void {
    const room = MOST_SPANS - this.#events.spans.length
    for (const span of spans.slice(0, room)) this.#events.spans.push([worker, span])
    // A call that goes on makes more than wait for its result.
    if (this.#events.spans.length >= MOST_SPANS / 2) this.#tellSoon()
  }

  take(): NetEvents {
    const events = this.#events
    this.#events = nothing()
    return events
  }
}
