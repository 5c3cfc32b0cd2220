import { Worker } from 'node:worker_threads'
import { RayitoError } from '../core/errors.js'
import { Gate } from '../core/gate.js'
import { packageFile } from '../core/package-file.js'
import type { Inference } from './inference.js'
import type { ModelFiles } from './model-files.js'
import type { Answering, Classification } from './postprocess.js'
import type { Pixels } from './preprocess.js'
import { fromFailure, type Reply, type Request, type ThreadStart } from './thread-protocol.js'

/** The id under which `open` waits. */
const OPENING = 0
/** How long `close` waits for the thread to leave onnxruntime; a first loading may be at work for a while. */
const PATIENCE = 600_000

interface Waiting {
  resolve(answer: Classification[]): void
  reject(error: Error): void
}

/**
 * A model in a thread of its own, so that the caller's event loop stays free. The thread holds the process only while
 * something is asked of it, and is never ended inside onnxruntime: its gate is closed and empty first.
 */
export class PrivateThread implements Inference {
  readonly #gate = new Gate()
  readonly #worker: Worker
  readonly #waiting = new Map<number, Waiting>()
  readonly #name: string
  #asked = OPENING
  /** Why nothing can be asked any more. */
  #end: { code: 'PIPELINE_CLOSED' | 'PIPELINE_WORKER_DIED'; message: string; cause?: unknown } | null = null
  #error: unknown

  private constructor(files: ModelFiles, numThreads: number, note: (line: string) => void) {
    const start: ThreadStart = { gate: this.#gate.shared, files, numThreads }
    this.#name = files.model
    this.#worker = new Worker(packageFile('transformers/inference-thread.js'), {
      workerData: start,
      execArgv: [],
      name: 'rayito inference',
    })
    this.#worker.on('message', (reply: Reply) => {
      if (reply.kind === 'note') note(reply.line)
      else if (reply.kind === 'ready') this.#settle(OPENING)?.resolve([])
      else if (reply.kind === 'answer') this.#settle(reply.id)?.resolve(reply.answer)
      else this.#settle(reply.id ?? OPENING)?.reject(fromFailure(reply.failure))
    })
    this.#worker.on('error', (error) => {
      this.#error = error
    })
    this.#worker.on('exit', (exitCode) => {
      const why = this.#error instanceof Error ? `: ${this.#error.message}` : ` with exit code ${exitCode}`
      this.#stop('PIPELINE_WORKER_DIED', `The thread that inferred with ${this.#name} ended${why}`, this.#error)
      this.#gate.release()
    })
  }

  /** Starts a thread and loads the model there; rejects as LocalInference.open does. */
  static async open(files: ModelFiles, numThreads: number, note: (line: string) => void): Promise<PrivateThread> {
    const thread = new PrivateThread(files, numThreads, note)
    try {
      await thread.#expect(OPENING)
    } catch (error) {
      await thread.close()
      throw error
    }
    return thread
  }

  get alive(): boolean {
    return this.#end === null
  }

  async classify(picture: Pixels, how: Answering): Promise<Classification[]> {
    if (this.#end) throw this.#ended()
    const id = ++this.#asked
    // what cannot be sent is not waited for
    this.#worker.postMessage({ id, picture: alone(picture), how } satisfies Request)
    return this.#expect(id)
  }

  async close(): Promise<void> {
    this.#stop('PIPELINE_CLOSED', `The classifier with ${this.#name} was closed`)
    this.#worker.ref()
    this.#gate.close()
    if (await this.#gate.empty(PATIENCE)) await this.#worker.terminate()
    else this.#worker.unref()
  }

  /** The answer to `id`, holding the process until it is there. */
  #expect(id: number): Promise<Classification[]> {
    this.#worker.ref()
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }))
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    // while it is being closed, a late answer must not let the process go
    if (this.#waiting.size === 0 && !this.#end) this.#worker.unref()
    return waiting
  }

  #stop(code: 'PIPELINE_CLOSED' | 'PIPELINE_WORKER_DIED', message: string, cause?: unknown): void {
    this.#end ??= { code, message, cause }
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const { reject } of waiting) reject(this.#ended())
  }

  #ended(): RayitoError {
    const { code, message, cause } = this.#end!
    return new RayitoError(code, message, { cause })
  }
}

/** The picture in memory of its own: of a view, all that it is a view of would be sent. */
function alone(picture: Pixels): Pixels {
  const { data } = picture
  const isView = data.buffer instanceof ArrayBuffer && data.byteLength < data.buffer.byteLength
  return isView ? { ...picture, data: new Uint8Array(data) } : picture
}
