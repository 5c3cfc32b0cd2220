import { now } from '../../../core/clock.js'
import type { Code } from '../../code/index.js'
import { SLOTS, slotOf, type ToWorker, type WireCall, type WireObject } from '../../protocol.js'

/** What goes to a worker in one message. */
export interface Load {
  calls: WireCall[]
  objects: WireObject[]
  codes: [string, Code][]
  /** Bytes of shared memory that are allocated for these. */
  fresh: number
}

/** What the calls of one turn need at a worker, to be sent together. */
export class Outbox {
  #load = empty()
  #flushing = false
  /** When the message was begun that brought the call which has or had that slot; null if nobody asks. */
  readonly #sent: Float64Array | null
  #begunAt = 0

  /** @param unsent a message that cannot cross, and why */
  constructor(
    private readonly post: (message: ToWorker) => void,
    private readonly unsent: (load: Load, error: unknown) => void,
    timed: boolean,
  ) {
    this.#sent = timed ? new Float64Array(SLOTS) : null
  }

  code(id: string, code: Code): void {
    this.#load.codes.push([id, code])
  }

  object(object: WireObject): void {
    this.#load.objects.push(object)
  }

  /** Bytes of shared memory that what goes there needs. */
  allocates(bytes: number): void {
    this.#load.fresh += bytes
  }

  /** A call, which the message of this turn is for. */
  call(wire: WireCall): void {
    this.#load.calls.push(wire)
    if (this.#sent) {
      if (!this.#flushing) this.#begunAt = now()
      this.#sent[slotOf(wire[0])] = this.#begunAt
    }
    if (this.#flushing) return
    this.#flushing = true
    queueMicrotask(() => this.flush())
  }

  /** When a call was handed over; 0 if nobody asks. */
  sentAt(call: number): number {
    return this.#sent?.[slotOf(call)] ?? 0
  }

  /** Whether an object waits to be sent. */
  brings(id: string): boolean {
    return this.#load.objects.some(([object]) => object === id)
  }

  /** Sends what there is now: something else is to go behind it. */
  flush(): void {
    this.#flushing = false
    const load = this.#load
    if (load.calls.length === 0) return
    this.#load = empty()
    try {
      this.post(['calls', load.calls, load.objects, load.codes, load.fresh])
    } catch (error) {
      this.unsent(load, error)
    }
  }
}

const empty = (): Load => ({ calls: [], objects: [], codes: [], fresh: 0 })
