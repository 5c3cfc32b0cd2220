import { readdir, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, dirname, isAbsolute, join, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expected, RayitoError } from '../core/errors.js'
import { EMBEDDED_MODEL, embeddedModel } from '../embedded/index.js'
import { download, hubFile, isRepoName } from '../hub/index.js'
import type { Dtype, FilledOptions } from './options.js'
import { HOW_TO_PREPARE } from './processors.js'

/** Where a model's files are; plain data, so that it can be posted to a thread. */
export interface ModelFiles {
  /** As the user named it. */
  model: string
  dtype: Dtype
  /** The commit; empty for a folder. */
  revision: string
  /** Holds config.json, preprocessor_config.json and the onnx folder. */
  folder: string
  /** Absolute path of the weights. */
  onnx: string
  /** What was asked for: a branch, tag or commit. */
  asked: string
}

/** The name of a dtype's file, as Optimum and transformers.js name them. */
const FILES: Readonly<Record<Dtype, string>> = { fp32: 'onnx/model.onnx', q8: 'onnx/model_quantized.onnx' }
/** Whether a file holds weights of a graph beside which it lies, as exporters name it: model.onnx_data, model.onnx.data. */
const isDataOf = (onnx: string, path: string) => path.startsWith(`${onnx}_data`) || path.startsWith(`${onnx}.data`)

/** Absolute paths of the files that hold weights of a graph beside it, sorted. */
export async function dataFiles(onnx: string): Promise<string[]> {
  const names = await readdir(dirname(onnx))
  return names
    .filter((name) => isDataOf(basename(onnx), name))
    .sort()
    .map((name) => join(dirname(onnx), name))
}

const SETTINGS = 'preprocessor_config.json'
/** Where transformers 5 keeps the settings of a processor that reads texts, too; they count before the others. */
const SETTINGS_OF_ALL = 'processor_config.json'
const CONFIGURATION = ['config.json', SETTINGS]
/** All that a model's plan is made of; the last need not be there, or stands for the one before it. */
export const CONFIGURATIONS = [...CONFIGURATION, SETTINGS_OF_ALL]

/** What a model's repository must have. */
export const neededFiles = (dtype: Dtype): string[] => [FILES[dtype], ...CONFIGURATION]

/**
 * Finds a model's files: the built-in ones, in a folder (an absolute path, or one that begins with a dot), else on the Hub, downloading what
 * the cache lacks. Rejects with src/hub's errors, with INVALID_ARGUMENT for what names neither, and with MODEL_INVALID where the model has
 * no weights of that dtype.
 */
export async function findModel(model: string, options: FilledOptions): Promise<ModelFiles> {
  const { dtype } = options
  const folder = model === EMBEDDED_MODEL ? embeddedModel() : isFolder(model) ? resolve(model) : null
  if (!folder) return findByName(model, options).catch(async (error) => Promise.reject(await withFolder(model, error)))
  const onnx = await inFolder(folder, model, dtype)
  return { model, dtype, revision: '', asked: '', folder, onnx }
}

async function findByName(model: string, options: FilledOptions): Promise<ModelFiles> {
  const { dtype, source, revision, numThreads: _, topK: __, functionToApply: ___, ...hub } = options
  if (!isRepoName(model))
    expected(
      'model',
      "a repository's name (owner/name) or a folder (an absolute path, or one that begins with a dot)",
      model,
    )
  if (source === 'embedded')
    throw new RayitoError('MODEL_INVALID', `Expected the built-in model ${EMBEDDED_MODEL} or a folder, got ${model}`, {
      remedy: "Use source 'hub', or name no model.",
    })
  const wanted = FILES[dtype]
  const onnxFiles: string[] = []
  const pick = (path: string) => {
    if (path.endsWith('.onnx')) onnxFiles.push(path)
    return CONFIGURATIONS.includes(path) || path === wanted || isDataOf(wanted, path)
  }
  const snapshot = await download({ type: 'model', id: model, revision }, pick, hub)
  for (const needed of neededFiles(dtype)) {
    if (snapshot.files.includes(needed)) continue
    if (needed === SETTINGS && snapshot.files.includes(SETTINGS_OF_ALL)) continue
    // of what Python left without a list of files, and with the Hub out of reach, nobody knows: that is the failure then
    await hubFile({ type: 'model', id: model, revision }, needed, hub)
    missing(model, needed, onnxFiles)
  }
  const onnx = join(snapshot.folder, ...wanted.split('/'))
  return { model, dtype, revision: snapshot.commit, asked: revision, folder: snapshot.folder, onnx }
}

/** The error, and where a folder may have been meant, as Python takes its name, how to write it here. */
async function withFolder(model: string, error: unknown): Promise<unknown> {
  if (!(error instanceof RayitoError)) return error
  const path = model.startsWith('~') ? join(homedir(), model.slice(1)) : model
  const folder = URL.canParse(path) && path.startsWith('file:') ? fileURLToPath(path) : path
  const found = await stat(folder).catch(() => null)
  if (!found?.isDirectory()) return error
  const remedy = `There is a folder ${model}: write ${isFolder(folder) ? folder : `./${folder}`}`
  return new RayitoError(error.code, error.message.replace(/\.$/, ''), { ...error, cause: error.cause, remedy })
}

/** Whether a model is named by its folder. */
export const isFolder = (model: string) => isAbsolute(model) || /^\.{1,2}([\\/]|$)/.test(model)

async function inFolder(folder: string, model: string, dtype: Dtype): Promise<string> {
  const found = await stat(folder).catch(() => null)
  if (!found?.isDirectory()) {
    const [which, remedy] = found
      ? ['which is a file', 'Give the folder that holds its config.json.']
      : ['where there is none', 'Check the path.']
    throw new RayitoError('MODEL_INVALID', `Expected the folder of a model, got ${model}, ${which}`, { remedy, model })
  }
  const exists = (path: string) =>
    stat(join(folder, ...path.split('/'))).then(
      (found) => found.isFile(),
      () => false,
    )
  for (const needed of neededFiles(dtype)) {
    if ((await exists(needed)) || (needed === SETTINGS && (await exists(SETTINGS_OF_ALL)))) continue
    missing(model, needed, await graphsIn(folder))
  }
  return join(folder, ...FILES[dtype].split('/'))
}

function missing(model: string, file: string, onnxFiles: string[]): never {
  const remedy = file === SETTINGS ? HOW_TO_PREPARE : file.endsWith('.onnx') ? howToGet(file, model, onnxFiles) : null
  throw new RayitoError('MODEL_INVALID', `${model} has no file ${file}`, { ...(remedy && { remedy }), model, file })
}

/** The graphs beside a model's configuration and below its folder onnx, where exporters put them. */
async function graphsIn(folder: string): Promise<string[]> {
  const none = () => []
  const [beside, below] = await Promise.all([
    readdir(folder).catch(none),
    readdir(join(folder, 'onnx'), { recursive: true }).catch(none),
  ])
  const paths = [...beside, ...below.map((path) => `onnx/${path.replaceAll(sep, '/')}`)]
  return paths.filter((path) => path.endsWith('.onnx')).sort()
}

function howToGet(file: string, model: string, onnxFiles: readonly string[]): string {
  const own = isFolder(model) ? '' : 'Download the model into a folder. '
  // Python's Optimum exports without a folder onnx.
  if (onnxFiles.includes(basename(file))) return `${own}Move its ${basename(file)} to ${file}.`
  const dtypes = Object.entries(FILES).map(([dtype, path]) => ({ dtype, path, base: basename(path) }))
  const other = dtypes.find(({ path }) => onnxFiles.includes(path))
  if (other) return `Use dtype '${other.dtype}' (${other.path}).`
  const beside = dtypes.find(({ base }) => onnxFiles.includes(base))
  if (beside) return `${own}Move its ${beside.base} to ${beside.path} and use dtype '${beside.dtype}'.`
  const read = dtypes.map(({ dtype, path }) => `${path} (${dtype})`).join(' and ')
  if (onnxFiles.length > 0) return `It has ${someOf(onnxFiles)}; what is read here is ${read}.`
  return "Choose an image-classification model with an onnx folder, or make one with Python's Optimum: optimum-cli export onnx --model MODEL FOLDER, then move model.onnx into a folder onnx there."
}

/** The first few by name, and how many more. */
function someOf(names: readonly string[], most = 4): string {
  const more = names.length - most
  return more > 0 ? `${names.slice(0, most).join(', ')} and ${more} more` : names.join(', ')
}
