import { epoch, now } from '../../../core/clock.js'
import { Gate } from '../../../core/gate.js'
import type { ToDriver, ToWorker, WorkerStart } from '../../protocol.js'
import {
  type Connection,
  type ConnectionEvents,
  type HeapLimits,
  heapLimit,
  type WorkerOptions,
} from '../local/connection.js'
import { SharedStates } from '../local/slots.js'
import { Answers } from './answers.js'
import type { Thread } from './thread.js'

/** The way to a worker that is a thread. */
export class ThreadConnection implements Connection {
  readonly states = new SharedStates()
  readonly announces = false
  readonly process = null
  readonly #gate = new Gate()
  readonly #answers: Answers<ToDriver>
  readonly #ended: Promise<void>

  constructor(
    private readonly thread: Thread,
    { resourceLimits, env, ...options }: WorkerOptions,
    private readonly events: ConnectionEvents,
  ) {
    const start: WorkerStart = {
      ...options,
      gate: this.#gate.shared,
      slots: this.states.memory,
      epoch: epoch(),
      made: now(),
    }
    thread.begin(start, { ...process.env, ...env })
    this.#ended = thread.exited.then((code) => this.#told(code, resourceLimits))
    this.#answers = new Answers(
      thread.port,
      options.maxConcurrency === 1,
      (message) => events.message(message),
      (error) => events.unreadable(error),
    )
    // The listener holds the process.
    thread.hold(false)
  }

  post(message: ToWorker): void {
    if (!this.thread.alive) return
    this.thread.port.postMessage(message)
    this.#answers.sent(message[0] === 'calls' && message[1].length === 1)
  }

  hold(held: boolean): void {
    this.thread.hold(held)
    this.#answers.busy(held)
  }

  /** Native code is left first, then the thread is stopped. */
  async stop(): Promise<void> {
    // Whoever waits for its end holds the process until then.
    if (this.thread.alive) this.thread.worker.ref()
    this.#gate.close()
    while (this.thread.alive && !(await this.#gate.empty())) {
      // A thread that is stopped inside native code takes the process with it: wait on, the event loop stays free.
    }
    await this.thread.end()
    await this.#ended
  }

  #told(exitCode: number, resourceLimits: HeapLimits | undefined): void {
    const { port, error } = this.thread
    // What it sent before its end counts: results, and its last words.
    for (let last = this.#answers.next(); last; last = this.#answers.next()) this.events.message(last.message)
    port.close()
    this.#answers.busy(false)
    this.#gate.release()
    const outOfMemory = (error as { code?: string } | null)?.code === 'ERR_WORKER_OUT_OF_MEMORY'
    this.events.ended({ exitCode, error, heapLimit: outOfMemory ? heapLimit(resourceLimits) : null })
  }
}
