import { Worker } from 'node:worker_threads'
import { packageFile } from '../../../../core/package-file.js'
import { BEAT } from '../subjects.js'

/** What the thread begins with. */
export interface StandInStart {
  address: string
  /** The driver's id. */
  id: string
  /** An Int32 that grows as long as the driver's event loop turns. */
  turns: SharedArrayBuffer
}

/**
 * Gives a driver's sign of life while the driver computes and cannot: a thread that only looks whether the driver's event loop
 * turns, and goes to the server on its own once it does not. It ends with the process, and stands still with it.
 */
export class StandIn {
  readonly #turns = new Int32Array(new SharedArrayBuffer(4))
  #timer: NodeJS.Timeout | null = null
  #thread: Worker | null = null

  /** Begun before anything may hold the driver's thread, which can start no other then. */
  begin(address: string, id: string): void {
    this.#timer = setInterval(() => Atomics.add(this.#turns, 0, 1), BEAT).unref()
    try {
      this.#thread = new Worker(packageFile('ray/engines/nats/driver/stand-in-thread.js'), {
        name: 'rayito stand-in',
        // Without this process's flags, and the modules that they preload: here is nothing for them.
        execArgv: [],
        workerData: { address, id, turns: this.#turns.buffer } satisfies StandInStart,
      })
      this.#thread.unref()
      // Without it the driver gives signs of life only while it does not compute.
      this.#thread.on('error', () => {})
    } catch {}
  }

  /** Nobody waits for it: what it gives from now on does not count. */
  end(): void {
    if (this.#timer) clearInterval(this.#timer)
    void this.#thread?.terminate()
  }
}
