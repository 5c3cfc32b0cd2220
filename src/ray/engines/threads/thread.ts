import { pathToFileURL } from 'node:url'
import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads'
import workerpool from 'workerpool'
import { Imports } from '../../../core/imports.js'
import { packageFile } from '../../../core/package-file.js'
import type { WorkerStart } from '../../protocol.js'
import type { HeapLimits } from '../local/connection.js'

/** The part of workerpool's Pool that its types leave out. */
interface PoolInternals {
  workers: { worker: Worker }[]
}

/** The first message to a thread: what it is to be, the environment of the moment in which that was decided, and LOOKING. */
export type ThreadStart = readonly [start: WorkerStart, env: NodeJS.ProcessEnv, looking: SharedArrayBuffer]

/** Milliseconds that a thread which is to end may go on importing: files are read by then; a module may wait for ever. */
const IMPORTS = 300

/** One thread at a time may look for its next message instead of being woken (worker/conversation.ts): its number while it does. */
const LOOKING = new Int32Array(new SharedArrayBuffer(4))

/**
 * A thread that imports what every worker needs and waits to be told what it is to be: a workerpool pool of one starts it, sees it
 * end and ends it; calls go over a port of their own, many a message. (workerpool itself is never given a second call: one
 * queued behind a dying worker would wait for ever.)
 */
export class Thread {
  readonly worker: Worker
  readonly port: MessagePort
  /** Its exit code. */
  readonly exited: Promise<number>
  /** What ended it, if it threw. */
  error: unknown = null
  alive = true
  readonly #pool: workerpool.Pool
  readonly #imports = new Imports()

  /**
   * @param name what debuggers call it
   * @param ahead nobody waits for it yet
   */
  constructor(name: string, resourceLimits: HeapLimits | undefined, ahead: boolean) {
    // It inherits this process's flags (loaders and conditions among them), of which `--input-type` forbids that it begins with a file.
    const typed = process.execArgv.some((flag) => flag.startsWith('--input-type'))
    const script = packageFile('ray/worker/main.js')
    this.#pool = workerpool.pool(typed ? `import('${pathToFileURL(script)}')` : script, {
      maxWorkers: 1,
      workerType: 'thread',
      workerTerminateTimeout: 100,
      workerThreadOpts: { resourceLimits, eval: typed, name } as object,
    })
    const { port1, port2 } = new MessageChannel()
    this.port = port1
    // This call never returns: it is rejected when the thread ends, which `exit` tells in more detail.
    this.#pool.exec('serve', [port2, ahead, this.#imports.shared], { transfer: [port2], on: () => {} }).catch(() => {})
    // Begun by the call, not by `minWorkers`: with that, workerpool would start another in the place of one that ends.
    this.worker = (this.#pool as unknown as PoolInternals).workers[0]!.worker
    const number = this.worker.threadId
    this.exited = new Promise((resolve) => {
      this.worker.on('error', (error) => {
        this.error = error
      })
      this.worker.on('exit', (code) => {
        this.alive = false
        this.#imports.release()
        Atomics.compareExchange(LOOKING, 0, number, 0)
        void this.#pool.terminate(true).catch(() => {})
        resolve(code)
      })
    })
    // Idle threads hold no process; busy ones do, through their port.
    this.hold(false)
  }

  begin(start: WorkerStart, env: NodeJS.ProcessEnv): void {
    this.port.postMessage([start, env, LOOKING.buffer] satisfies ThreadStart)
  }

  /** Ends it, once it imports nothing. */
  async end(): Promise<void> {
    if (!this.alive) return
    // Whoever waits for its end holds the process until then.
    this.worker.ref()
    await this.#imports.end(IMPORTS)
    if (this.alive) await this.worker.terminate()
  }

  hold(held: boolean): void {
    const hold = held ? 'ref' : 'unref'
    this.port[hold]()
    this.worker[hold]()
  }
}
