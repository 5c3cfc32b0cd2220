import { availableParallelism } from 'node:os'
import { inspect } from 'node:util'
import pLimit from 'p-limit'
import { RayitoError } from '../core/errors.js'
import { knownOptions } from '../core/options.js'
import { span } from '../core/spans.js'
import { serialize, type Travel, via } from '../core/travel.js'
import { Callable } from './callable.js'
import type { ModelFiles } from './model-files.js'
import { type CallOptions, checkAnswering, type Dtype, type FilledOptions } from './options.js'
import { gathered, type Picture, toPixels } from './pictures.js'
import type { FunctionToApply } from './plan.js'
import type { Answering, Classification } from './postprocess.js'
import type { Lease } from './shared-inference.js'

/** What travels in a classifier's place. A token does not: the place that needs one has its own. */
export interface Recipe extends Pick<FilledOptions, 'source' | 'endpoint' | 'cacheDir'>, Answering {
  /** A repository, or a folder's absolute path. */
  model: string
  dtype: Dtype
  /** The commit, so that every place has the same. */
  revision: string
  /** What was asked for, by which the weights are kept. */
  asked: string
  /** Null where the default of the place counts. */
  numThreads: number | null
}

export interface ImageClassificationPipeline {
  /**
   * Classifies a picture: the best classes, best first. A list of pictures gives a list of such lists, one picture at a
   * time (a batch is no faster on a processor). Rejects with IMAGE_* or INVALID_ARGUMENT for what is no picture, PIPELINE_CLOSED after
   * close(), PIPELINE_WORKER_DIED should the thread that infers end.
   */
  (picture: Picture, options?: CallOptions): Promise<Classification[]>
  (pictures: readonly Picture[], options?: CallOptions): Promise<Classification[][]>
  (input: Picture | readonly Picture[], options?: CallOptions): Promise<Classification[] | Classification[][]>
}

/**
 * Pictures of a classifier that lie decoded at once: as many as processors decode, and the one that is inferred. A
 * thousand files that are asked for at once are small, and their pixels are not.
 */
const MOST_DECODED = availableParallelism() + 1

/** A classifier that is garbage gives its part in the model back, as if it had been closed. */
const forgotten = new FinalizationRegistry<Lease>((lease) => void lease.release().catch(() => {}))

/** An image classifier, made by `pipeline('image-classification')` and called like a function. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: Callable makes the objects functions, which a class cannot declare
export class ImageClassificationPipeline extends Callable {
  readonly task = 'image-classification'
  /** The model's repository or folder. */
  readonly model: string
  readonly dtype: Dtype
  /** The commit of the repository; empty for a folder. */
  readonly revision: string
  /** Threads that compute one picture. */
  readonly numThreads: number
  /** How many classes an answer has; null for all. */
  readonly topK: number | null
  /** From logits to scores; null for what suits the model. */
  readonly functionToApply: FunctionToApply | null
  readonly #lease: Lease
  readonly #recipe: Recipe
  readonly #pending = new Set<(error: Error) => void>()
  readonly #atOnce = pLimit(MOST_DECODED)
  #closed = false

  /** @internal */
  constructor(files: ModelFiles, options: FilledOptions, lease: Lease, recipe: Recipe) {
    super((input: Picture | readonly Picture[], options?: CallOptions) => this.#call(input, options))
    this.model = files.model
    this.dtype = files.dtype
    this.revision = files.revision
    this.numThreads = options.numThreads
    this.topK = options.topK
    this.functionToApply = options.functionToApply
    this.#lease = lease
    this.#recipe = recipe
    forgotten.register(this, lease, lease)
  }

  async #call(input: Picture | readonly Picture[], options: CallOptions = {}): Promise<unknown> {
    knownOptions(options, ['topK', 'functionToApply'])
    const { topK = this.topK, functionToApply = this.functionToApply } = options
    const how = { topK, functionToApply }
    checkAnswering(how)
    if (!Array.isArray(input)) return this.#classify(input as Picture, how)
    const answers: Classification[][] = []
    for (const [index, picture] of (input as readonly Picture[]).entries())
      answers.push(await this.#classify(picture, how).catch((error) => Promise.reject(ofPicture(index, error))))
    return answers
  }

  #classify(picture: Picture, how: Answering): Promise<Classification[]> {
    return span('infer', this.model, () => this.#infer(picture, how))
  }

  async #infer(picture: Picture, how: Answering): Promise<Classification[]> {
    if (this.#closed) throw this.#closedError()
    // a stream comes when it pleases, and holds up no other picture
    const whole = await gathered(picture)
    return this.#atOnce(() => this.#inferNow(whole, how))
  }

  async #inferNow(picture: Picture, how: Answering): Promise<Classification[]> {
    if (this.#closed) throw this.#closedError()
    const pixels = await toPixels(picture)
    if (this.#closed) throw this.#closedError()
    return new Promise((resolve, reject) => {
      this.#pending.add(reject)
      const settle = () => this.#pending.delete(reject)
      this.#lease.inference.classify(pixels, how).finally(settle).then(resolve, reject)
    })
  }

  /** Frees the model, unless another classifier of this thread uses it too. Calls under way reject with PIPELINE_CLOSED. Safe to repeat. */
  async close(): Promise<void> {
    this.#closed = true
    for (const reject of this.#pending) reject(this.#closedError())
    forgotten.unregister(this.#lease)
    await this.#lease.release()
  }

  #closedError(): RayitoError {
    return new RayitoError('PIPELINE_CLOSED', `The classifier with ${this.model} was closed`)
  }

  /** A classifier travels as the name or folder of its model; a worker makes its own on the shared weights. */
  [serialize](): Travel {
    if (this.#closed) throw this.#closedError()
    return via(new URL('./pipeline.js', import.meta.url).href, 'revivePipeline', this.#recipe)
  }

  [inspect.custom](): string {
    const revision = this.revision && ` @ ${this.revision.slice(0, 7)}`
    const threads = `${this.numThreads} thread${this.numThreads === 1 ? '' : 's'}`
    return `ImageClassificationPipeline(${this.model}${revision}, ${this.dtype}, ${threads}${this.#closed ? ', closed' : ''})`
  }
}

/** What is wrong with one of several pictures names it. */
function ofPicture(index: number, error: unknown): unknown {
  if (!(error instanceof RayitoError) || !/^(IMAGE_|INVALID_ARGUMENT)/.test(error.code)) return error
  return new RayitoError(error.code, `Picture ${index}: ${error.message}`, { remedy: '', cause: error, index })
}
