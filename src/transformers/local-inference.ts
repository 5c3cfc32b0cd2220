import type { InferenceSession } from 'onnxruntime-node'
import pLimit from 'p-limit'
import { RayitoError } from '../core/errors.js'
import { native } from '../core/gate.js'
import { span } from '../core/spans.js'
import type { Inference } from './inference.js'
import type { ModelFiles } from './model-files.js'
import { refusal } from './model-source.js'
import type { Plan } from './plan.js'
import { type Answering, type Classification, postprocess } from './postprocess.js'
import { type Pixels, preprocess } from './preprocess.js'
import { CHOOSE_ANOTHER } from './processors.js'
import { loadWeights } from './weights.js'

/**
 * A model in this thread: `run` and the making of a session hold the thread while they work, so this is for worker
 * threads. Every call into onnxruntime passes the thread's gate.
 */
export class LocalInference implements Inference {
  alive = true
  readonly #runtime: typeof import('onnxruntime-node')
  readonly #session: InferenceSession
  readonly #plan: Plan
  readonly #files: ModelFiles
  readonly #input: string
  readonly #output: string
  /** An input to be filled again: half a megabyte for each picture would wait for the garbage collector. */
  #spare: Float32Array | undefined
  /** A picture is prepared in its turn only. */
  readonly #turn = pLimit(1)

  private constructor(
    runtime: typeof import('onnxruntime-node'),
    session: InferenceSession,
    plan: Plan,
    files: ModelFiles,
  ) {
    this.#files = files
    this.#runtime = runtime
    this.#session = session
    this.#plan = plan
    ;[this.#input, this.#output] = checkedNames(session, plan, files.model)
  }

  /**
   * Makes a session on the weights that all workers share.
   * Rejects with MODEL_INVALID where onnxruntime refuses the file or the model does not classify pictures,
   * RUNTIME_UNAVAILABLE where onnxruntime itself cannot be loaded.
   */
  static async open(files: ModelFiles, numThreads: number, note: (line: string) => void): Promise<LocalInference> {
    const load = () => native(() => import('onnxruntime-node'))
    const runtime = await span('import', 'onnxruntime-node', load).catch((cause: Error) => {
      const isForbidden = (cause as NodeJS.ErrnoException).code === 'ERR_DLOPEN_DISABLED'
      const remedy = isForbidden
        ? { remedy: 'Let Node load addons: --allow-addons beside --permission, no --no-addons.' }
        : {}
      const message = `onnxruntime-node cannot be loaded (${cause.message.replace(/\.$/, '')})`
      throw new RayitoError('RUNTIME_UNAVAILABLE', message, { cause, ...remedy })
    })
    const { plan, session } = await loadWeights(runtime, files, numThreads, note)
    try {
      return new LocalInference(runtime, session, plan, files)
    } catch (error) {
      await native(() => session.release())
      throw error
    }
  }

  classify(picture: Pixels, how: Answering): Promise<Classification[]> {
    return this.#turn(() => this.#infer(picture, how))
  }

  async #infer(picture: Pixels, how: Answering): Promise<Classification[]> {
    const { model } = this.#files
    if (!this.alive) throw new RayitoError('PIPELINE_CLOSED', `The classifier with ${model} was closed`)
    const { data, width, height } = preprocess(this.#plan, picture, this.#spare)
    const [input] = this.#session.inputMetadata
    if (input?.isTensor) checkSize(input.shape[2], input.shape[3], { height, width }, this.#plan, model)
    const pixels = new this.#runtime.Tensor('float32', data, [1, 3, height, width])
    const outputs = await native(() => this.#session.run({ [this.#input]: pixels }, [this.#output])).catch(
      (cause: Error) => {
        throw refusal(this.#files, 'run', cause)
      },
    )
    this.#spare = data
    const logits = outputs[this.#output]!.data as Float32Array
    const { labels } = this.#plan
    if (logits.length !== labels.length) throw otherLabels(logits.length, labels, model)
    return postprocess(this.#plan, logits, how)
  }

  async close(): Promise<void> {
    this.alive = false
    await this.#turn(() => native(() => this.#session.release()))
  }
}

/** The input for pixels and the output of logits, where the model's form is that of an image classifier. */
function checkedNames(session: InferenceSession, plan: Plan, name: string): [input: string, output: string] {
  const inputs = session.inputMetadata
  const [input] = inputs
  if (inputs.length !== 1 || !input?.isTensor || input.shape.length !== 4 || input.type !== 'float32') {
    const got = inputs.map(
      (each) => `${each.name}${each.isTensor ? ` [${each.shape.join(', ')}] in ${each.type}` : ''}`,
    )
    const isOfOtherNumbers = inputs.length === 1 && input?.isTensor && input.shape.length === 4
    return invalid(
      name,
      `Expected one input of pixels, [batch, 3, height, width] in float32, got ${got.join(' and ')}`,
      isOfOtherNumbers ? IN_32_BITS : CHOOSE_ANOTHER,
    )
  }
  const [batch, channels, height, width] = input.shape
  if (typeof channels === 'number' && channels !== 3)
    return invalid(name, `Expected an input of three channels first, got [${input.shape.join(', ')}]`)
  if (isFixed(batch) && batch !== 1)
    return invalid(
      name,
      `Expected an input for one picture, got [${input.shape.join(', ')}]`,
      'Export it with a dynamic batch.',
    )
  const prepared = plan.crop ?? (plan.resize?.kind === 'exact' ? plan.resize : null)
  if (prepared) checkSize(height, width, prepared, plan, name)
  const outputs = session.outputMetadata
  const output = outputs.find(({ name }) => name === 'logits') ?? outputs[0]
  const classes = output?.isTensor && output.shape.length === 2 ? output.shape[1] : undefined
  if (!output?.isTensor || classes === undefined)
    return invalid(name, 'Expected an output of logits, [batch, classes]', CHOOSE_ANOTHER)
  // those of 16 bits come as whole numbers
  if (!['float32', 'float64'].includes(output.type))
    return invalid(
      name,
      `Expected logits in float32, got ${output.type}`,
      output.type === 'float16' ? IN_32_BITS : CHOOSE_ANOTHER,
    )
  if (typeof classes === 'number' && classes !== plan.labels.length) throw otherLabels(classes, plan.labels, name)
  return [input.name, output.name]
}

const IN_32_BITS = 'Export it with inputs and outputs in 32 bits.'

function invalid(name: string, message: string, remedy = ''): never {
  throw new RayitoError('MODEL_INVALID', `${name}: ${message}`, { remedy })
}

type Axis = number | string | undefined

/** Axes that may be of any size have names, or none. */
const isFixed = (axis: Axis): axis is number => typeof axis === 'number' && axis > 0

/** @throws RayitoError MODEL_INVALID where the model takes pictures of one size only, and they are prepared to another */
function checkSize(height: Axis, width: Axis, got: { height: number; width: number }, plan: Plan, name: string): void {
  const fits = (axis: Axis, pixels: number) => !isFixed(axis) || axis === pixels
  if (fits(height, got.height) && fits(width, got.width)) return
  const setting = plan.crop ? 'crop_size' : 'size'
  return invalid(
    name,
    `Expected pictures of ${height}×${width} (height × width), which the model takes, got ${got.height}×${got.width} by ${plan.processor}`,
    `Write ${setting} into preprocessor_config.json: {"height": ${height}, "width": ${width}}, or export the model with a dynamic height and width.`,
  )
}

function otherLabels(classes: number, { length }: readonly string[], name: string): RayitoError {
  const message = `${name}: Expected ${classes} labels in config.json, one for each output, got ${length}`
  return new RayitoError('MODEL_INVALID', message, { remedy: 'Write its id2label with a name for each.' })
}
