import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { packageFile } from '../../core/package-file.js'
import { COPIED, FREE, TOUCHING } from './fresh.js'
import type { Help } from './prefault-thread.js'

/**
 * Bytes from which on memory is always fresh: the kernel zeroes each page when it is first written to, which takes three times as
 * long as the copying. Up to here glibc keeps what was freed.
 */
const LARGE = 32 * 1024 * 1024
/** Bytes of a piece: some tenths of a millisecond. */
const PIECE = 1024 * 1024
/** Milliseconds after which nobody waits any longer for memory to be let go: it takes five. */
const PATIENCE = 100

interface Helper {
  readonly thread: Worker
  /** An Int32: how often it has let go of all memory that it was given. */
  readonly times: Int32Array<SharedArrayBuffer>
}

/**
 * Copies into shared memory. Where that is large, a thread goes ahead from the end, so that most pages are there when the copy
 * comes to them.
 */
export class Prefault {
  #sessions = 0
  #helper: Helper | null = null

  constructor(
    private readonly large = LARGE,
    private readonly piece = PIECE,
  ) {}

  /** A session begins: large copies have help from now on. The thread starts with the first of them. */
  begin(): void {
    this.#sessions++
  }

  /** A session is over. With the last one the thread goes. */
  async end(): Promise<void> {
    if (--this.#sessions > 0) return
    const helper = this.#helper
    this.#helper = null
    await helper?.thread.terminate()
  }

  /** Bytes in shared memory of their own. */
  copy(bytes: Uint8Array): SharedArrayBuffer {
    const memory = new SharedArrayBuffer(bytes.byteLength)
    const helper = bytes.byteLength > this.large ? this.#help() : null
    if (helper) this.#together(bytes, memory, helper)
    else new Uint8Array(memory).set(bytes)
    return memory
  }

  #together(bytes: Uint8Array, memory: SharedArrayBuffer, { thread }: Helper): void {
    const { piece } = this
    const pieces = new SharedArrayBuffer(4 * Math.ceil(bytes.byteLength / piece))
    thread.postMessage({ memory, piece, pieces } satisfies Help)
    const target = new Uint8Array(memory)
    const states = new Int32Array(pieces)
    for (let i = 0; i < states.length; i++) {
      // Between taking a piece and telling that it is there the thread does nothing that can fail.
      if (Atomics.compareExchange(states, i, FREE, COPIED) === TOUCHING) Atomics.wait(states, i, TOUCHING)
      target.set(bytes.subarray(i * piece, (i + 1) * piece), i * piece)
    }
  }

  /** Has the thread let go of all memory that it was given. @returns what waits until it has */
  letGo(): () => void {
    if (!this.#helper) return () => {}
    const { thread, times } = this.#helper
    const before = Atomics.load(times, 0)
    thread.postMessage(times.buffer satisfies Help)
    return () => Atomics.wait(times, 0, before, PATIENCE)
  }

  /** Who helps: nobody without a session or a second processor, or where the process may not start a thread. */
  #help(): Helper | null {
    if (this.#helper || this.#sessions === 0 || availableParallelism() < 2) return this.#helper
    try {
      // Without this process's flags, and the modules that they preload: here is nothing for them.
      const thread = new Worker(packageFile('ray/pack/prefault-thread.js'), {
        name: 'rayito prefault',
        execArgv: [],
        env: {},
      })
      thread.unref()
      // The copy is the same without it.
      thread.on('error', () => {})
      this.#helper = { thread, times: new Int32Array(new SharedArrayBuffer(4)) }
    } catch {}
    return this.#helper
  }
}

/** The driver's: workers, who copy beside each other, have no session and so no help. */
export const prefault = new Prefault()
