import { expected, RayitoError } from '../core/errors.js'
import { defined } from '../core/options.js'
import { timerTime } from '../core/timer.js'
import { CallContext, callContext } from './context.js'
import { histogram } from './measured.js'
import { BATCH_DEFAULTS, checkBatchOptions, type FilledBatch } from './options.js'
import type { BatchAnswer, Batched, BatchOptions } from './types.js'

const sizes = histogram('rayito_batch_size', 'Size of the batches that began', {
  buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024],
})

/** A caller that waits for its batch to begin. */
interface Caller {
  readonly value: unknown
  readonly since: number
  readonly context: CallContext | undefined
  /** What is to happen when its call is cancelled need not happen any more. */
  forget: (() => void) | undefined
  resolve(answer: unknown): void
  reject(error: unknown): void
}

/** Those that have callers waiting. */
const queues = new Set<BatchQueue>()
let draining = false

/** In a replica that is being stopped: nobody comes any more whom a batch could wait for. */
export function drainBatches(): void {
  draining = true
  for (const queue of queues) queue.next()
}

/** The callers of a batched function, in the order they came, and the batches that run. */
class BatchQueue {
  readonly #waiting: Caller[] = []
  /** How many of them the next batch has, and its size. */
  #count = 0
  #size = 0
  #running = 0
  #timer: NodeJS.Timeout | null = null

  constructor(
    private readonly name: string,
    private readonly work: (values: unknown[]) => unknown,
    private readonly options: FilledBatch,
  ) {}

  change(options: Partial<FilledBatch>): void {
    Object.assign(this.options, options)
    this.#fillAnew()
    this.next()
  }

  call(value: unknown): Promise<unknown> {
    const context = callContext.getStore()
    const answer = new Promise((resolve, reject) => {
      const caller: Caller = { value, since: performance.now(), context, forget: undefined, resolve, reject }
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(caller), 1)
        reject(new RayitoError('SERVE_CANCELLED', `A call was cancelled before ${this.name} began`))
        this.#fillAnew()
        this.next()
      }
      this.#waiting.push(caller)
      if (context?.aborted) return leave()
      caller.forget = context?.whenAborted(leave)
      this.next()
    })
    // Told to whoever listens: of several that fail together a method may have met the first, and ended by it.
    answer.catch(() => {})
    return answer
  }

  /** Begins the batches that may begin now. */
  next(): void {
    if (this.#timer) clearTimeout(this.#timer)
    this.#timer = null
    while (this.#running < this.options.maxConcurrentBatches) {
      const full = this.#fill()
      if (this.#count === 0) break
      const left = this.#waiting[0]!.since + this.options.batchWaitTimeout - performance.now()
      if (left > 0 && !full && !draining) {
        this.#timer = setTimeout(() => this.next(), timerTime(left))
        break
      }
      void this.#run(this.#waiting.splice(0, this.#count), this.#size)
      this.#fillAnew()
    }
    if (this.#waiting.length > 0) queues.add(this)
    else queues.delete(this)
  }

  #fillAnew(): void {
    this.#count = 0
    this.#size = 0
  }

  /** Takes those into the next batch that fit; who fits into none is rejected. @returns whether it is full */
  #fill(): boolean {
    const waiting = this.#waiting
    const { maxBatchSize, batchSizeFn } = this.options
    if (!batchSizeFn) {
      this.#count = this.#size = Math.min(waiting.length, maxBatchSize)
      return this.#size === maxBatchSize
    }
    while (this.#count < waiting.length && this.#size < maxBatchSize) {
      let refused: unknown
      try {
        const size = batchSizeFn(waiting.slice(0, this.#count + 1).map(({ value }) => value))
        if (typeof size !== 'number' || !(size >= 0))
          expected('batchSizeFn(values)', 'a number from 0 and up', size, 'It answers the size of them all together.')
        if (size <= maxBatchSize) {
          this.#count++
          this.#size = size
          continue
        }
        refused = tooLarge(this.name, size, maxBatchSize)
      } catch (error) {
        refused = error
      }
      // It may be for those before it that it cannot come along.
      if (this.#count > 0) return true
      const { forget, reject } = waiting.shift()!
      forget?.()
      reject(refused)
    }
    return this.#size >= maxBatchSize
  }

  async #run(callers: Caller[], size: number): Promise<void> {
    this.#running++
    // What it calls elsewhere belongs to all of them: it is cancelled when the last one has gone.
    const context = new CallContext()
    let left = callers.length
    for (const caller of callers) {
      caller.forget?.()
      caller.forget = caller.context?.whenAborted(() => --left === 0 && context.abort())
    }
    try {
      sizes.observe(size)
      const answers = await callContext.run(context, () => this.work(callers.map(({ value }) => value)))
      if (!Array.isArray(answers) || answers.length !== callers.length)
        throw otherLength(this.name, callers.length, answers)
      for (const [i, { resolve, reject }] of callers.entries())
        if (answers[i] instanceof Error) reject(answers[i])
        else resolve(answers[i])
    } catch (error) {
      for (const { reject } of callers) reject(error)
    } finally {
      for (const { forget } of callers) forget?.()
      this.#running--
      this.next()
    }
  }
}

function otherLength(name: string, length: number, answers: unknown): RayitoError {
  const got = Array.isArray(answers) ? `with a list of ${answers.length}` : 'without a list'
  return new RayitoError('SERVE_BATCH_LENGTH', `A list of ${length} was answered ${got} by ${name}`)
}

function tooLarge(name: string, size: number, most: number): RayitoError {
  return new RayitoError(
    'SERVE_BATCH_SIZE',
    `A value of size ${size} is too large for ${name}, whose maxBatchSize is ${most}`,
  )
}

/**
 * Makes of a function that takes a list and answers a list one that takes a value and answers a value, and works on those
 * together that come at the same time: Ray's `@serve.batch`. For a field of a deployment's class, which its methods (or
 * handles) call, and for a function by itself, which a thread's callers share.
 *
 *     class Classifier {
 *       classify = serve.batch(async (pictures: Image[]) => …, { maxBatchSize: 10, batchWaitTimeout: 10 })
 *     }
 *
 * A batch begins when it is full, or its first value has waited for `batchWaitTimeout`. An error of the batch goes to all its
 * callers, an Error among its answers to the one whose answer it is (where Ray hands it over as a value). Who leaves before
 * the batch begins is not in it; what the batch calls elsewhere is cancelled once all have left. A replica that is being
 * stopped waits for no further values.
 *
 * Calls reject with SERVE_BATCH_LENGTH (not as many answers as values), SERVE_BATCH_SIZE (larger alone than `maxBatchSize`),
 * SERVE_CANCELLED.
 * @param work answers a list: an answer, or an Error, for each value, in their order. It is no generator: batches that stream, as Ray has
 * them, there are none
 * @throws RayitoError INVALID_ARGUMENT
 */
export function batch<T, R>(
  work: (values: T[]) => readonly R[] | Promise<readonly R[]>,
  options: BatchOptions<T> = {},
): Batched<T, BatchAnswer<R>> {
  if (typeof work !== 'function') expected('work', 'a function that takes a list', work)
  checkBatchOptions(options)
  const filled = { ...BATCH_DEFAULTS, ...defined(options) } as FilledBatch
  const queue = new BatchQueue(
    work.name ? `the batch of ${work.name}` : 'the batch',
    work as (values: unknown[]) => unknown,
    filled,
  )
  const change = (changed: BatchOptions<never>) => {
    checkBatchOptions(changed)
    queue.change(defined(changed) as Partial<FilledBatch>)
  }
  return Object.assign((value: T) => queue.call(value) as Promise<BatchAnswer<R>>, {
    setMaxBatchSize: (maxBatchSize: number) => change({ maxBatchSize }),
    setBatchWaitTimeout: (batchWaitTimeout: number) => change({ batchWaitTimeout }),
  })
}
