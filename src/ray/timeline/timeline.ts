import { now } from '../../core/clock.js'
import { SPANS, type Span } from '../../core/spans.js'
import type { Tally } from '../tally.js'
import type { TraceEvent } from '../types.js'
import { CallRing } from './call-ring.js'
import type { Called, Recorder, RunningCall, Try } from './recorder.js'
import { type Row, traceEvents } from './trace.js'
import { since } from './turn-clock.js'

/** Workers that are remembered after their end. */
const MOST_WORKERS = 1_000

const DRIVER = 0

/** What the workers of a session, and its driver, did: the newest calls, and the newest spans, as many of each as asked for. */
export class Timeline implements Recorder {
  readonly calls: CallRing
  readonly #spans: { worker: number; span: Span }[] = []
  /** Where the next span goes once the list is full. */
  #oldest = 0
  /** The latest end among the spans that are no longer there. */
  #horizon = Number.NEGATIVE_INFINITY
  readonly #rows = new Map<number, Row>()
  readonly #process = `driver (${process.pid})`
  #lastRow = DRIVER

  constructor(private readonly capacity: number) {
    this.calls = new CallRing(capacity)
    this.#rows.set(DRIVER, { name: 'driver', process: this.#process, began: now(), ended: Infinity, idles: false })
    SPANS.subscribe(this.#own)
  }

  #own = (span: unknown): void => this.#keep(DRIVER, span as Span)

  started(name: string, process: string | null, began = now()): number {
    if (this.#rows.size > MOST_WORKERS)
      for (const [number, { ended }] of this.#rows)
        if (ended !== Infinity) {
          this.#rows.delete(number)
          break
        }
    this.#rows.set(++this.#lastRow, { name, process: process ?? this.#process, began, ended: Infinity, idles: true })
    return this.#lastRow
  }

  ended(worker: number, at = now()): void {
    const row = this.#rows.get(worker)
    if (row) row.ended = at
  }

  call(worker: number, { submitted, tally }: Called, call: Try): void {
    this.calls.add(call, call.ended - since(submitted, call.ended), tally.id, worker)
  }

  spans(worker: number, spans: readonly Span[]): void {
    for (const span of spans) this.#keep(worker, span)
  }

  #keep(worker: number, span: Span): void {
    const one = { worker, span }
    if (this.#spans.length < this.capacity) return void this.#spans.push(one)
    this.#horizon = Math.max(this.#horizon, this.#spans[this.#oldest]!.span.ended)
    this.#spans[this.#oldest] = one
    this.#oldest = (this.#oldest + 1) % this.capacity
  }

  /** @param running null where something may run and nobody knows where */
  events(tallies: readonly Tally[], running: readonly RunningCall[] | null): TraceEvent[] {
    const time = now()
    return traceEvents({
      rows: this.#rows,
      calls: this.calls,
      spans: this.#spans,
      running: (running ?? []).map(({ worker, task, began }) => {
        const submitted = time - since(task.submitted, time)
        return { worker, label: task.label, submitted, began, attempt: task.attempt, bytesIn: task.bytesIn }
      }),
      idleUntil: running ? time : Number.NEGATIVE_INFINITY,
      labelOf: (tally) => tallies[tally]!.label,
      horizon: Math.max(this.#horizon, this.calls.horizon),
      now: time,
    })
  }

  /** Listens no more. */
  end(): void {
    SPANS.unsubscribe(this.#own)
  }
}
