import { SPANS, type Span } from '../../core/spans.js'
import type { ToDriver, WireContent, WireResult, WorkerStart } from '../protocol.js'

/** Milliseconds from which on the making of arguments is told as a span of its own. */
const SPAN = 0.1
/** Spans that wait for a result to go with. */
const MOST_SPANS = 256

/** What goes to the driver: results, several a message, and spans with them. */
export class Outbox {
  #results: WireResult[] = []
  /** What the times of #results count from. */
  #since = 0
  #flushAt = 0
  #spans: Span[] = []

  constructor(
    private readonly start: WorkerStart,
    private readonly send: (message: ToDriver) => void,
  ) {
    if (start.spans) SPANS.subscribe((message) => this.#span(message as Span))
  }

  /** Any other message: after the results that wait. */
  post(message: ToDriver): void {
    this.flush()
    this.send(message)
  }

  /** A call's end. @param began milliseconds of core/clock.ts, as `ended` */
  result(
    call: number,
    ok: boolean,
    values: WireContent[] | unknown,
    began: number,
    ended: number,
    received: number,
    before?: readonly WireContent[],
  ): void {
    if (this.#results.length === 0) this.#since = began
    const after = Math.round((began - this.#since) * 1e6)
    const ran = Math.round((ended - began) * 1e6)
    this.#results.push(
      before?.length ? [call, ok, values, after, ran, received, before] : [call, ok, values, after, ran, received],
    )
    // Short tasks share a message, but nobody waits for a long one's neighbours; and an actor's results leave at once:
    // a later call that ends the thread must not take them along.
    if (this.#results.length === 1) this.#flushAt = ended + 1
    if (ended >= this.#flushAt || ended - began > 1 || this.start.actorId !== null) this.flush()
  }

  flush(): void {
    if (this.#results.length === 0) return
    const results = this.#results
    this.#results = []
    this.#tellSpans()
    this.send(['results', results, this.#since])
  }

  /** How the worker itself began. */
  spans(...spans: Span[]): void {
    this.#spans.push(...spans)
    this.#tellSpans()
  }

  #span(one: Span): void {
    if (one.category === 'deserialise' && one.ended - one.began < SPAN) return
    this.#spans.push(one)
    // A module is imported once: the call that wanted it, or the worker, may end without a result.
    if (one.category === 'import' || this.#spans.length >= MOST_SPANS) this.#tellSpans()
  }

  #tellSpans(): void {
    if (this.#spans.length === 0) return
    this.send(['spans', this.#spans])
    this.#spans = []
  }
}
