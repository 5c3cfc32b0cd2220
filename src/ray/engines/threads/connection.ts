import { fileURLToPath } from 'node:url'
import { MessageChannel, type MessagePort, receiveMessageOnPort, type Worker } from 'node:worker_threads'
import workerpool from 'workerpool'
import { epoch, now } from '../../../core/clock.js'
import { Gate } from '../../../core/gate.js'
import type { ToDriver, ToWorker, WorkerStart } from '../../protocol.js'
import type { Connect, Connection, ConnectionEvents, HeapLimits, WorkerOptions } from '../local/connection.js'
import { SharedStates } from '../local/slots.js'

const SCRIPT = fileURLToPath(new URL('../../worker/main.js', import.meta.url))

/** The part of workerpool's Pool that its types leave out. */
interface PoolInternals {
  workers: { worker: Worker }[]
}

export const connectThread: Connect = (options, events) => new ThreadConnection(options, events)

/**
 * One worker thread: a workerpool pool of one starts it, sees it end and ends it; calls go over a port of their own, many a
 * message. (workerpool itself is never given a second call: one queued behind a dying worker would wait for ever.)
 */
class ThreadConnection implements Connection {
  readonly states = new SharedStates()
  readonly announces = false
  readonly process = null
  readonly #gate = new Gate()
  readonly #port: MessagePort
  readonly #pool: workerpool.Pool
  readonly #thread: Worker
  readonly #exited: Promise<void>
  #error: unknown = null
  #alive = true

  constructor(
    { resourceLimits, env, ...options }: WorkerOptions,
    private readonly events: ConnectionEvents,
  ) {
    const made = now()
    this.#pool = workerpool.pool(SCRIPT, {
      maxWorkers: 1,
      workerType: 'thread',
      workerTerminateTimeout: 100,
      workerThreadOpts: {
        resourceLimits,
        execArgv: execArgv(),
        name: options.name,
        ...(env && { env: { ...process.env, ...env } }),
      } as object,
    })
    const { port1, port2 } = new MessageChannel()
    this.#port = port1
    const start: WorkerStart = {
      ...options,
      gate: this.#gate.shared,
      slots: this.states.memory,
      epoch: epoch(),
      made,
    }
    // This call never returns: it is rejected when the thread ends, which `exit` tells in more detail.
    this.#pool.exec('serve', [start, port2], { transfer: [port2], on: () => {} }).catch(() => {})
    // Begun by the call, not by \`minWorkers\`: with that, workerpool would start another in the place of one that ends.
    this.#thread = (this.#pool as unknown as PoolInternals).workers[0]!.worker
    this.#exited = new Promise((resolve) => {
      this.#thread.on('error', (error) => {
        this.#error = error
      })
      this.#thread.on('exit', (code) => {
        this.#alive = false
        this.#ended(code, resourceLimits)
        resolve()
      })
    })
    port1.on('message', (message: ToDriver) => events.message(message))
    // Idle workers hold no process; busy ones do, through their port.
    this.#thread.unref()
    port1.unref()
  }

  post(message: ToWorker): void {
    if (this.#alive) this.#port.postMessage(message)
  }

  hold(held: boolean): void {
    const hold = held ? 'ref' : 'unref'
    this.#port[hold]()
    this.#thread[hold]()
  }

  /** Native code is left first, then the thread is stopped. */
  async stop(): Promise<void> {
    // Whoever waits for its end holds the process until then.
    if (this.#alive) this.#thread.ref()
    this.#gate.close()
    while (this.#alive && !(await this.#gate.empty())) {
      // A thread that is stopped inside native code takes the process with it: wait on, the event loop stays free.
    }
    if (this.#alive) await this.#thread.terminate()
    await this.#exited
  }

  #ended(exitCode: number, resourceLimits: HeapLimits | undefined): void {
    // What it sent before its end counts: results, and its last words.
    for (let last = receiveMessageOnPort(this.#port); last; last = receiveMessageOnPort(this.#port))
      this.events.message(last.message)
    this.#port.close()
    this.#gate.release()
    void this.#pool.terminate(true).catch(() => {})
    const outOfMemory = (this.#error as { code?: string } | null)?.code === 'ERR_WORKER_OUT_OF_MEMORY'
    const heapLimit = outOfMemory
      ? (this.#thread.resourceLimits?.maxOldGenerationSizeMb ?? resourceLimits?.maxOldGenerationSizeMb ?? 0)
      : null
    this.events.ended({ exitCode, error: this.#error, heapLimit })
  }
}

/**
 * A worker inherits this process's flags (loaders and conditions among them), but it must not run `node -e`'s program, nor
 * take its file for one. Undefined where all may be inherited, which Node does better than a list of them.
 */
function execArgv(): string[] | undefined {
  const program = /^(-e|-p|-pe|--eval|--print|--input-type)\b/
  if (!process.execArgv.some((flag) => program.test(flag))) return undefined
  const kept: string[] = []
  for (let i = 0; i < process.execArgv.length; i++) {
    const flag = process.execArgv[i]!
    if (!program.test(flag)) kept.push(flag)
    else if (!flag.includes('=')) i++
  }
  return kept
}
