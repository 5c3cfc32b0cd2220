import { RayitoError } from '../core/errors.js'
import { type Area, MAX_SAMPLES, resize } from '../datasets/image/resize.js'
import type { Plan } from './plan.js'

/** A decoded RGB picture: rows of pixels, three bytes each. */
export interface Pixels {
  width: number
  height: number
  data: Uint8Array
}

/** A model's input: channels of rows of 32-bit floats. */
export interface Prepared {
  data: Float32Array
  width: number
  height: number
}

/**
 * From a picture to the model's input, as transformers' Python processors over Pillow do it: resize, crop from the
 * middle, rescale and normalise in 32-bit floats, channels first. Every byte of a channel meets the same arithmetic, so
 * it is looked up in a table of 256.
 * @param spare an array to fill, if it has the right length
 */
export function preprocess(plan: Plan, picture: Pixels, spare?: Float32Array): Prepared {
  const { width, height, data } = centerCrop(plan, scaled(plan, picture))
  const area = width * height
  const prepared = spare?.length === 3 * area ? spare : new Float32Array(3 * area)
  const tables = tablesOf(plan)
  for (let channel = 0; channel < 3; channel++) {
    const table = tables[channel]!
    const first = (plan.flip ? 2 - channel : channel) * area
    for (let i = 0, from = channel; i < area; i++, from += 3) prepared[first + i] = table[data[from]!]!
  }
  return { data: prepared, width, height }
}

/**
 * Resized, of which only what the crop keeps is computed.
 * @throws RayitoError IMAGE_TOO_LARGE for a picture like a thread, whose shorter edge becomes the model's
 */
function scaled(plan: Plan, picture: Pixels): Pixels {
  if (!plan.resize) return picture
  const { width, height } = newSize(plan.resize, picture)
  if (width === picture.width && height === picture.height) return picture
  if (3 * width * height > MAX_SAMPLES)
    throw new RayitoError(
      'IMAGE_TOO_LARGE',
      `Expected a picture that is not so long and narrow, got ${picture.width}×${picture.height}, for the model ${width}×${height}`,
      { remedy: 'Cut a part of it out.' },
    )
  const keep = kept(plan, width, height)
  const data = resize(picture.data, picture.width, picture.height, 3, width, height, plan.filter, keep)
  return { width: keep.width, height: keep.height, data }
}

/** What the crop keeps of a picture of that size: all of it along an axis where the crop adds black. */
function kept({ crop }: Plan, width: number, height: number): Area {
  const along = (size: number, to: number): [first: number, count: number] =>
    to < size ? [Math.floor((size - to) / 2), to] : [0, size]
  const [left, across] = along(width, crop?.width ?? width)
  const [top, down] = along(height, crop?.height ?? height)
  return { left, top, width: across, height: down }
}

/** The size after the resize; `shortest` truncates the longer edge, as get_resize_output_image_size in Python's transformers does. */
function newSize(
  how: NonNullable<Plan['resize']>,
  { width, height }: { width: number; height: number },
): { width: number; height: number } {
  if (how.kind === 'exact') return how
  const long = (short: number, other: number) => Math.trunc((how.edge * other) / short)
  return width <= height
    ? { width: how.edge, height: long(width, height) }
    : { width: long(height, width), height: how.edge }
}

/** Python's center_crop: what is cut away leaves the odd pixel below and right, what is filled in adds it above and left. */
function centerCrop(plan: Plan, picture: Pixels): Pixels {
  if (!plan.crop) return picture
  const { width, height } = plan.crop
  if (width === picture.width && height === picture.height) return picture
  const left = Math.floor((picture.width - width) / 2)
  const top = Math.floor((picture.height - height) / 2)
  const data = new Uint8Array(width * height * 3)
  const fromX = Math.max(0, left)
  const toX = Math.min(picture.width, left + width)
  for (let y = Math.max(0, top); y < Math.min(picture.height, top + height); y++) {
    const row = picture.data.subarray((y * picture.width + fromX) * 3, (y * picture.width + toX) * 3)
    data.set(row, ((y - top) * width + fromX - left) * 3)
  }
  return { width, height, data }
}

const tables = new WeakMap<Plan, Float32Array[]>()

function tablesOf(plan: Plan): Float32Array[] {
  const known = tables.get(plan)
  if (known) return known
  const made = [0, 1, 2].map((channel) => Float32Array.from({ length: 256 }, (_, byte) => value(plan, byte, channel)))
  tables.set(plan, made)
  return made
}

/** A byte's value in the model's input, each step rounded as numpy's float32 does it. */
function value({ arithmetic: { rescale, offset, normalize } }: Plan, byte: number, channel: number): number {
  let value = Math.fround(rescale === null ? byte : byte * rescale)
  if (offset) value = Math.fround(value + offset)
  for (const { mean, std } of normalize) {
    value = Math.fround(Math.fround(value - Math.fround(mean[channel]!)) / Math.fround(std[channel]!))
  }
  return value
}
