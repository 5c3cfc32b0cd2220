import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { RayitoError } from '../core/errors.js'
import { MAX_SAMPLES, RESIZE_FILTERS } from '../datasets/image/resize.js'
import type { Arithmetic, Plan } from './plan.js'
import { CHOOSE_ANOTHER, HOW_TO_PREPARE, OF_MODELS, PROCESSORS, type ProcessorDefaults } from './processors.js'

/** Left out, it is what the class does; null is no, as in Python. */
type Flag = boolean | null

const says = (flag: Flag | undefined, otherwise: boolean) => (flag === undefined ? otherwise : Boolean(flag))

/** preprocessor_config.json, as far as image classification uses it. */
interface Settings {
  image_processor_type?: string
  feature_extractor_type?: string
  do_resize?: Flag
  size?: unknown
  default_to_square?: Flag
  resample?: number
  crop_pct?: number | null
  do_center_crop?: Flag
  crop_size?: unknown
  do_rescale?: Flag
  rescale_factor?: number
  rescale_offset?: Flag
  do_normalize?: Flag
  image_mean?: number | number[] | null
  image_std?: number | number[] | null
  include_top?: Flag
  do_flip_channel_order?: Flag
  do_pad?: Flag
  pad_size?: unknown
  use_square_size?: Flag
}

/** config.json, as far as image classification uses it. */
interface Config {
  model_type?: string
  id2label?: Record<string, string> | null
  num_labels?: number
  problem_type?: string | null
}

/**
 * Reads the configuration of a model in a folder and resolves it: the model's with @huggingface/transformers, the processor's
 * as it is, since the library's processors need what Python's have defaults for, and warn of those that it lacks.
 * Rejects with MODEL_INVALID where the model does not classify pictures, or prepares them in a way that is not known here.
 * @param name how messages call the model
 */
export async function makePlan(folder: string, name: string): Promise<Plan> {
  const { AutoConfig } = await import('@huggingface/transformers')
  const here = { local_files_only: true }
  const read = async <T>(file: string, load: () => Promise<T>): Promise<T> =>
    load().catch((cause: Error) => {
      throw new RayitoError('MODEL_INVALID', `${name}: ${file} cannot be read (${cause.message.split('\n')[0]})`, {
        cause,
      })
    })
  const config = await read('config.json', () => AutoConfig.from_pretrained(folder, here))
  const json = (file: string) =>
    read(file, async () => {
      const value: unknown = JSON.parse(await readFile(join(folder, file), 'utf8'))
      if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('it holds no settings')
      return value
    })
  const whole: { image_processor?: Settings | null } = existsSync(join(folder, 'processor_config.json'))
    ? await json('processor_config.json')
    : {}
  const settings = whole.image_processor ?? (await json('preprocessor_config.json'))
  return resolvePlan(config as unknown as Config, settings, name)
}

/** The steps that Python's transformers takes for these two files. */
export function resolvePlan(config: Config, settings: Settings, name: string): Plan {
  const invalid = (message: string, remedy?: string): never => {
    throw new RayitoError('MODEL_INVALID', `${name}: ${message}`, remedy ? { remedy } : {})
  }
  const named = settings.image_processor_type ?? settings.feature_extractor_type
  const type = named && named !== NO_CLASS ? String(named) : typeOf(config)
  if (!type) return invalid('preprocessor_config.json names no image_processor_type', HOW_TO_PREPARE)
  const kind = type.replace(/(ImageProcessor|FeatureExtractor)(Fast)?$/, '')
  const defaults = Object.hasOwn(PROCESSORS, kind)
    ? PROCESSORS[kind]!
    : invalid(`pictures are prepared by ${type}, which is not known`, HOW_TO_PREPARE)
  if (settings.do_pad && (settings.pad_size ?? null) !== null) invalid(`${type} with a pad_size is not known`)
  if (settings.use_square_size && kind === 'CLIP') invalid(`${type} with use_square_size is not known`)
  const resizes = says(settings.do_resize, true)
  let resize: Plan['resize'] = resizes ? enlarged(kind, meantSize(type, settings, defaults, invalid), settings) : null
  const filter = RESIZE_FILTERS[(resizes ? settings.resample : null) ?? defaults.resample]
  if (!filter) return invalid(`resample ${settings.resample} is not one of Pillow's filters`)
  let crop = cropOf(settings, defaults, invalid)
  if (kind === 'ConvNext' && resize?.kind === 'shortest') {
    // trained at 384 and up: warped to a square; below: resized to more than is needed and cut
    const edge = resize.edge
    if (edge >= 384) resize = { kind: 'exact', width: edge, height: edge }
    else {
      resize = { kind: 'shortest', edge: Math.trunc(edge / (settings.crop_pct ?? 224 / 256)) }
      if (crop && (crop.width !== edge || crop.height !== edge)) invalid(`${type} that crops twice is not known`)
      crop = { width: edge, height: edge }
    }
  }
  const least = resize?.kind === 'shortest' ? { width: resize.edge, height: resize.edge } : resize
  for (const area of [least, crop])
    if (area && 3 * area.width * area.height > MAX_SAMPLES)
      invalid(`Expected a size that memory holds, got ${area.width}×${area.height} by preprocessor_config.json`)
  const labels = labelsOf(config, invalid)
  return {
    processor: `${kind}ImageProcessor`,
    resize,
    filter,
    crop,
    arithmetic: arithmeticOf(kind, settings, defaults, invalid),
    flip: defaults.flip !== null && says(settings.do_flip_channel_order, defaults.flip),
    labels,
    activation: activationOf(config, labels.length),
  }
}

/** What some files name, which is no class of Python's. */
const NO_CLASS = 'ImageFeatureExtractor'

/** Files of the first years name none: Python takes that of the model's kind. */
function typeOf({ model_type: model }: Config): string | undefined {
  const kind = Object.keys(OF_MODELS).find((kind) => OF_MODELS[kind]!.includes(model ?? ''))
  return kind && `${kind}ImageProcessor`
}

type Invalid = (message: string, remedy?: string) => never

const isPixels = (value: unknown): value is number => Number.isInteger(value) && (value as number) > 0

/** A size in the forms that configurations have had over the years (Python's get_size_dict). */
function sizeOf(size: unknown, toSquare: boolean): Plan['resize'] {
  if (isPixels(size)) {
    return toSquare ? { kind: 'exact', width: size, height: size } : { kind: 'shortest', edge: size }
  }
  if (Array.isArray(size) && size.length === 2 && size.every(isPixels)) {
    const [height, width] = size as [number, number]
    return { kind: 'exact', width, height }
  }
  const { height, width, shortest_edge: edge, longest_edge: longest } = (size ?? {}) as Record<string, unknown>
  if (isPixels(edge) && (longest ?? null) === null) return { kind: 'shortest', edge }
  return isPixels(height) && isPixels(width) ? { kind: 'exact', width, height } : null
}

/** What the resize is told, in the forms that the class takes and that are known here. */
function meantSize(
  type: string,
  { size, default_to_square: square }: Settings,
  defaults: ProcessorDefaults,
  invalid: Invalid,
) {
  const meant = sizeOf(size ?? defaults.size, says(square, defaults.sizes === 'exact'))
  const isKnown = meant && (defaults.sizes !== 'shortest' || meant.kind === 'shortest')
  return isKnown ? meant : invalid(`The size ${JSON.stringify(size)} is in no form that is known here for ${type}`)
}

/** Levit and PoolFormer resize to more than their size says, of which the crop then takes the middle. */
function enlarged(
  kind: string,
  size: NonNullable<Plan['resize']>,
  { crop_pct: part = 0.9 }: Settings,
): NonNullable<Plan['resize']> {
  if (kind === 'Levit' && size.kind === 'shortest') {
    return { kind: 'shortest', edge: Math.trunc((256 / 224) * size.edge) }
  }
  if (kind !== 'PoolFormer' || part === null) return size
  const larger = (pixels: number) => Math.trunc(pixels / part)
  if (size.kind === 'shortest') return { kind: 'shortest', edge: larger(size.edge) }
  // Python takes a square for the shorter edge
  if (size.width === size.height) return { kind: 'shortest', edge: larger(size.width) }
  return { kind: 'exact', width: larger(size.width), height: larger(size.height) }
}

function cropOf(settings: Settings, { crop }: ProcessorDefaults, invalid: Invalid): Plan['crop'] {
  if (crop === 'never' || !says(settings.do_center_crop, crop?.do ?? false)) return null
  const size = sizeOf(settings.crop_size ?? (crop && { height: crop.height, width: crop.width }), true)
  if (size?.kind !== 'exact')
    return invalid(`Expected a crop_size of height and width, got ${JSON.stringify(settings.crop_size)}`)
  return { width: size.width, height: size.height }
}

function arithmeticOf(kind: string, settings: Settings, defaults: ProcessorDefaults, invalid: Invalid): Arithmetic {
  const channels = (value: number | number[] | null | undefined, fallback: number[]): number[] => {
    const three = typeof value === 'number' ? [value, value, value] : (value ?? fallback)
    if (!Array.isArray(three) || three.length !== 3 || !three.every(Number.isFinite))
      invalid('image_mean and image_std must have three numbers')
    return three
  }
  const std = () => channels(settings.image_std, defaults.std)
  const mean = () => channels(settings.image_mean, defaults.mean)
  const efficient = kind === 'EfficientNet'
  const normalizes = defaults.normalize !== null && says(settings.do_normalize, defaults.normalize)
  const normalize = normalizes ? [{ mean: mean(), std: std() }] : []
  const rescales = says(settings.do_rescale, true)
  // Python's class divides twice, also where a file does not say so, but always writes `include_top` into its own; a file
  // without it comes from another library's model, whose weights want the values of its image_std once
  if (efficient && settings.include_top) normalize.push({ mean: [0, 0, 0], std: std() })
  return {
    rescale: rescales ? (settings.rescale_factor ?? 1 / 255) : null,
    offset: efficient && rescales && settings.rescale_offset ? -1 : 0,
    normalize,
  }
}

/** Python writes no id2label where it is the default: two classes, or as many as it is told, that have numbers only. */
function labelsOf({ id2label, num_labels = 2 }: Config, invalid: Invalid): string[] {
  if (!id2label) return Array.from({ length: num_labels }, (_, i) => `LABEL_${i}`)
  const entries = Object.entries(id2label)
  if (entries.length === 0) return invalid('id2label of config.json is empty, so it is no classifier', CHOOSE_ANOTHER)
  const labels: string[] = []
  for (const [id, label] of entries) labels[Number(id)] = String(label)
  return labels.length === entries.length
    ? labels
    : invalid('id2label of config.json does not count from 0', 'Number its classes 0, 1, 2 and so on, without a gap.')
}

/** As ImageClassificationPipeline.postprocess chooses it. */
function activationOf({ problem_type: problem }: Config, classes: number): Plan['activation'] {
  if (problem === 'regression') return 'none'
  return problem === 'multi_label_classification' || classes === 1 ? 'sigmoid' : 'softmax'
}
