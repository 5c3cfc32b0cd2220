import { expected, RayitoError } from '../core/errors.js'
import { finding, found } from '../core/findings.js'
import { tellEmbedded } from '../core/source.js'
import { span } from '../core/spans.js'
import { offer } from '../core/travel.js'
import { atUser } from '../core/user-stack.js'
import { EMBEDDED_MODEL } from '../embedded/index.js'
import { inReach } from '../hub/index.js'
import { ImageClassificationPipeline, type Recipe } from './image-classification.js'
import { findModel, isFolder, type ModelFiles, neededFiles } from './model-files.js'
import { type FilledOptions, fillOptions, type PipelineOptions } from './options.js'
import { lease } from './shared-inference.js'

/** The tasks a pipeline knows. */
export type Task = 'image-classification'

/** The ONNX twin of the model that Python's transformers defaults to. */
export const DEFAULT_MODEL = 'Xenova/vit-base-patch16-224'
const PYTHONS_DEFAULT = 'google/vit-base-patch16-224'

/**
 * Makes a classifier of pictures, as `transformers.pipeline` does in Python, with the same answers.
 *
 * On the main thread the model is loaded in a thread of its own, in a worker thread in place; the weights are optimised
 * once for this processor and shared by all threads and processes.
 * @param task 'image-classification'
 * @param model a repository of the Hub with an onnx folder, or a folder (an absolute path, or one that begins with a dot);
 * default Xenova/vit-base-patch16-224, or the built-in rayito/rayito-pictures (see the option `source`)
 * @returns rejects with PIPELINE_UNKNOWN_TASK, MODEL_INVALID, RUNTIME_UNAVAILABLE (onnxruntime cannot be loaded), INVALID_ARGUMENT, and
 * the codes HUB_* of the download
 */
export async function pipeline(
  task: Task,
  model?: string,
  options?: PipelineOptions,
): Promise<ImageClassificationPipeline> {
  if (task !== 'image-classification') {
    throw new RayitoError(
      'PIPELINE_UNKNOWN_TASK',
      `Expected \`task\` to be 'image-classification', got \`${String(task)}\``,
    )
  }
  if (model !== undefined && (typeof model !== 'string' || !model)) {
    expected('model', "a repository's id or a folder", model, 'Options come third: pipeline(task, undefined, options).')
  }
  const filled = fillOptions(options)
  const loaded = span('load', model ?? 'the default model', async () => {
    const chosen = model ?? (await defaultModel(filled))
    const files = await findModel(chosen, filled)
    if (model === undefined && chosen === DEFAULT_MODEL) tellDefault(files.revision)
    return open(files, filled, options?.numThreads ?? null)
  })
  try {
    return await loaded
  } catch (error) {
    throw atUser(error)
  }
}

/**
 * The model for whoever names none: of the Hub, or built in where the source says so.
 */
export async function defaultModel(options: FilledOptions): Promise<string> {
  const { dtype, source, revision, numThreads: _, topK: __, functionToApply: ___, ...hub } = options
  if (source === 'embedded') return EMBEDDED_MODEL
  const repo = { type: 'model', id: DEFAULT_MODEL, revision } as const
  if (source === 'hub' || (await inReach(repo, dtype, () => neededFiles(dtype), hub))) return DEFAULT_MODEL
  tellEmbedded('model')
  return EMBEDDED_MODEL
}

/** Makes a classifier again from what travelled in its place. */
export async function revivePipeline({
  model,
  asked,
  numThreads,
  ...recipe
}: Recipe): Promise<ImageClassificationPipeline> {
  const options = fillOptions({ ...recipe, revision: recipe.revision || 'main', ...(numThreads && { numThreads }) })
  return span('load', model, async () => open({ ...(await findModel(model, options)), asked }, options, numThreads))
}

offer(revivePipeline)

async function open(
  files: ModelFiles,
  options: FilledOptions,
  numThreads: number | null,
): Promise<ImageClassificationPipeline> {
  const { dtype, revision, asked } = files
  // The place that it travels to, or this program by then, may be in another folder.
  const model = isFolder(files.model) ? files.folder : files.model
  const { topK, functionToApply, source, endpoint, cacheDir } = options
  const answering = { topK, functionToApply }
  const recipe: Recipe = { model, dtype, revision, asked, ...answering, numThreads, source, endpoint, cacheDir }
  return new ImageClassificationPipeline(files, options, await lease(files, options.numThreads), recipe)
}

/** Workers do not say it again. */
const TOLD = 'the default model was told'

function tellDefault(revision: string): void {
  if (finding(TOLD)) return
  found(TOLD, true)
  process.stderr.write(
    `No model was supplied, defaulted to ${DEFAULT_MODEL} (${PYTHONS_DEFAULT} as ONNX) and revision ${revision.slice(0, 7)} (https://huggingface.co/${DEFAULT_MODEL}).\n`,
  )
}
