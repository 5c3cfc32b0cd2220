import { expected } from '../../core/errors.js'
import { columns, type Neighbours, rows } from './resize-kernel.js'

/** Pillow's filters, by their names there (`Image.Resampling`). */
export type ResizeFilter = 'nearest' | 'box' | 'bilinear' | 'hamming' | 'bicubic' | 'lanczos'

/** The filters in the order of Pillow's numbers, which a processor's configuration gives as `resample`. */
export const RESIZE_FILTERS: readonly ResizeFilter[] = ['nearest', 'lanczos', 'bilinear', 'bicubic', 'box', 'hamming']

/** A part of a picture, in pixels. */
export interface Area {
  left: number
  top: number
  width: number
  height: number
}

/** Rows of interleaved 8-bit samples. */
interface Picture {
  data: Uint8Array | Uint8ClampedArray
  width: number
  height: number
  channels: number
}

type Smooth = Exclude<ResizeFilter, 'nearest'>

const PRECISION_BITS = 32 - 8 - 2
const HALF = 1 << (PRECISION_BITS - 1)

/** What a picture may hold, and far from what one should. */
export const MAX_SAMPLES = 2 ** 31 - 1

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI))

/** Half the width of each filter and its value at x. */
const FILTERS: Record<Smooth, { support: number; at: (x: number) => number }> = {
  box: { support: 0.5, at: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, at: (x) => Math.max(0, 1 - Math.abs(x)) },
  hamming: {
    support: 1,
    at: (x) => {
      if (x === 0) return 1
      if (Math.abs(x) >= 1) return 0
      const t = Math.abs(x) * Math.PI
      // Pillow writes these two constants in single precision, and it shows.
      return (Math.sin(t) / t) * (Math.fround(0.54) + Math.fround(0.46) * Math.cos(t))
    },
  },
  bicubic: {
    support: 2,
    at: (x) => {
      const a = -0.5
      const t = Math.abs(x)
      if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1
      return t < 2 ? (((t - 5) * t + 8) * t - 4) * a : 0
    },
  },
  lanczos: { support: 3, at: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
}

/** Which inputs make up each output place along one axis, and with which fixed-point weights. */
interface Plan {
  /** Weights kept for each output place. */
  size: number
  /** First input place and number of inputs, for each output place. */
  bounds: Int32Array
  weights: Int32Array
  /** The same for pixels of three channels, made when asked for. */
  neighbours: Neighbours | null
}

const plans = new Map<string, Plan>()
const PLANS_KEPT = 64
/** Weights of one that is kept: of sides of up to some thirty thousand pixels. Those of fifty million are 400 MB. */
const WEIGHTS_KEPT = 1 << 16

function plan(from: number, to: number, filter: Smooth): Plan {
  const key = `${filter} ${from} ${to}`
  let made = plans.get(key)
  if (!made) {
    made = makePlan(from, to, filter)
    if (made.weights.length > WEIGHTS_KEPT) return made
    if (plans.size >= PLANS_KEPT) plans.clear()
    plans.set(key, made)
  }
  return made
}

function makePlan(from: number, to: number, filter: Smooth): Plan {
  const { support: width, at } = FILTERS[filter]
  const scale = from / to
  const filterScale = Math.max(scale, 1)
  const support = width * filterScale
  const size = Math.ceil(support) * 2 + 1
  const bounds = new Int32Array(to * 2)
  const weights = new Int32Array(to * size)
  const k = new Float64Array(size)
  const inverse = 1 / filterScale
  for (let out = 0; out < to; out++) {
    const center = (out + 0.5) * scale
    const first = Math.max(0, Math.trunc(center - support + 0.5))
    const count = Math.min(from, Math.trunc(center + support + 0.5)) - first
    let sum = 0
    for (let i = 0; i < count; i++) {
      k[i] = at((i + first - center + 0.5) * inverse)
      sum += k[i]!
    }
    for (let i = 0; i < count; i++) {
      const weight = (sum !== 0 ? k[i]! / sum : k[i]!) * (1 << PRECISION_BITS)
      weights[out * size + i] = Math.trunc(weight < 0 ? weight - 0.5 : weight + 0.5)
    }
    bounds[out * 2] = first
    bounds[out * 2 + 1] = count
  }
  return { size, bounds, weights, neighbours: null }
}

function neighboursOf(plan: Plan): Neighbours {
  if (plan.neighbours) return plan.neighbours
  const { size, bounds, weights } = plan
  const width = bounds.length / 2
  let most = 0
  for (let x = 0; x < width; x++) most = Math.max(most, bounds[x * 2 + 1]!)
  const groups = Math.ceil(most / 4)
  const parts = new Int16Array(width * groups * 8)
  for (let x = 0; x < width; x++) {
    for (let i = 0; i < bounds[x * 2 + 1]!; i++) {
      const weight = weights[x * size + i]!
      const at = (x * groups + (i >> 2)) * 8 + (i & 3)
      parts[at] = weight >> 11
      parts[at + 4] = weight & 0x7ff
    }
  }
  const starts = Int32Array.from({ length: width }, (_, x) => bounds[x * 2]! * 3)
  plan.neighbours = { starts, weights: parts, groups }
  return plan.neighbours
}

/**
 * Resizes rows of interleaved 8-bit samples exactly as Pillow 13 does (libImaging's Resample.c, and Geometry.c for
 * `nearest`): two passes with weights rounded to 22 bits and 8-bit samples between them. The rows go first where the
 * height shrinks much more than the width, else the columns: the order shows in the last bit.
 *
 * Each channel is resized by itself; with an alpha channel see {@link Image.resize}. Always a new array. Synchronous.
 * @param data `width` × `height` × `channels` samples
 * @param filter default `bilinear`
 * @param keep the part of the resized picture that is wanted, in its pixels; the rest is not computed. All by default
 * @throws RayitoError INVALID_ARGUMENT
 */
export function resize(
  data: Uint8Array | Uint8ClampedArray,
  width: number,
  height: number,
  channels: number,
  newWidth: number,
  newHeight: number,
  filter: ResizeFilter = 'bilinear',
  keep: Area = { left: 0, top: 0, width: newWidth, height: newHeight },
): Uint8Array {
  checkSize('width', newWidth)
  checkSize('height', newHeight)
  if (!RESIZE_FILTERS.includes(filter)) expected('filter', `one of ${RESIZE_FILTERS.join(', ')}`, filter)
  if (newWidth * newHeight * channels > MAX_SAMPLES)
    expected('width × height', `at most ${MAX_SAMPLES} samples`, `${newWidth}×${newHeight}×${channels}`)
  if (data.length !== width * height * channels)
    expected('data.length', `${width}×${height}×${channels} samples`, data.length)
  checkArea(keep, newWidth, newHeight)
  const { left, top } = keep
  const picture = { data, width, height, channels }
  const same = newWidth === width && newHeight === height
  if (same && keep.width === width && keep.height === height) return new Uint8Array(data)
  if (same || filter === 'nearest') return nearest(picture, newWidth, newHeight, keep)
  const rowsFirst = height > newHeight && height - newHeight > 2 * (width - newWidth)
  const along = (of: Picture) => resizeColumns(of, { to: newWidth, first: left, count: keep.width, filter })
  const across = (of: Picture) => resizeRows(of, { to: newHeight, first: top, count: keep.height, filter })
  const { data: resized } = rowsFirst ? along(across(picture)) : across(along(picture))
  return new Uint8Array(resized.buffer, resized.byteOffset, resized.length)
}

function checkArea({ left, top, width, height }: Area, newWidth: number, newHeight: number): void {
  const inside = (first: number, count: number, of: number) =>
    Number.isSafeInteger(first) && Number.isSafeInteger(count) && first >= 0 && count >= 1 && first + count <= of
  if (!inside(left, width, newWidth) || !inside(top, height, newHeight))
    expected('keep', `an area of the ${newWidth}×${newHeight} pixels`, { left, top, width, height })
}

function checkSize(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1) expected(name, 'a whole number of pixels from 1 up', value)
}

/** An axis resized to `to` places, of which `count` from `first` on are wanted. */
interface Axis {
  to: number
  first: number
  count: number
  filter: Smooth
}

/** Along the rows. Pictures of three channels, the usual ones, by the kernel. */
function resizeColumns(picture: Picture, { to, first, count, filter }: Axis): Picture {
  const { data, width, height, channels } = picture
  if (to === width && count === width) return picture
  const made = plan(width, to, filter)
  if (channels === 3) {
    const { starts, weights, groups } = neighboursOf(made)
    const end = first + count
    const wanted = {
      starts: starts.subarray(first, end),
      weights: weights.subarray(first * groups * 8, end * groups * 8),
      groups,
    }
    return { data: columns(data, height, width * 3, wanted), width: count, height, channels }
  }
  const { size, bounds, weights } = made
  const output = new Uint8ClampedArray(count * height * channels)
  const stride = width * channels
  let o = 0
  for (let row = 0; row < height * stride; row += stride) {
    for (let x = first; x < first + count; x++) {
      const start = row + bounds[x * 2]! * channels
      const w = x * size
      const end = w + bounds[x * 2 + 1]!
      for (let c = 0; c < channels; c++) {
        let sum = HALF
        for (let i = w, from = start + c; i < end; i++, from += channels)
          sum = (sum + Math.imul(data[from]!, weights[i]!)) | 0
        output[o++] = sum >> PRECISION_BITS
      }
    }
  }
  return { data: output, width: count, height, channels }
}

/** Across the rows. */
function resizeRows(picture: Picture, { to, first, count, filter }: Axis): Picture {
  const { data, width, height, channels } = picture
  if (to === height && count === height) return picture
  const { size, bounds, weights } = plan(height, to, filter)
  const end = first + count
  const wanted = {
    bounds: bounds.subarray(first * 2, end * 2),
    weights: weights.subarray(first * size, end * size),
    size,
  }
  return { data: rows(data, width * channels, wanted), width, height: count, channels }
}

/** Each wanted pixel from the nearest one. */
function nearest(
  { data, width, height, channels }: Picture,
  newWidth: number,
  newHeight: number,
  keep: Area,
): Uint8Array {
  const output = new Uint8Array(keep.width * keep.height * channels)
  const xs = nearestPlaces(width, newWidth).subarray(keep.left, keep.left + keep.width)
  const ys = nearestPlaces(height, newHeight).subarray(keep.top, keep.top + keep.height)
  let o = 0
  for (const y of ys) {
    for (const x of xs) {
      const from = (y * width + x) * channels
      for (let c = 0; c < channels; c++) output[o++] = data[from + c]!
    }
  }
  return output
}

function nearestPlaces(from: number, to: number): Int32Array {
  // Pillow adds the step up as it goes: the same sums give the same rounding.
  const step = from / to
  const places = new Int32Array(to)
  let x = step * 0.5
  for (let i = 0; i < to; i++, x += step) places[i] = Math.min(from - 1, Math.trunc(x))
  return places
}
