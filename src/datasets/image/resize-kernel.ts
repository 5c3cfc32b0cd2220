import { RayitoError } from '../../core/errors.js'
import { KERNEL } from './resize-kernel-bytes.js'

/** The two passes of a resize in WebAssembly's SIMD: what they do stands in resize-kernel.wat. */
interface Kernel {
  memory: WebAssembly.Memory
  columns(
    from: number,
    to: number,
    rows: number,
    stride: number,
    count: number,
    starts: number,
    weights: number,
    groups: number,
  ): void
  rows(
    from: number,
    to: number,
    length: number,
    count: number,
    bounds: number,
    weights: number,
    sizeInBytes: number,
  ): void
}

/** Bytes of a picture that are worked on at once: they stay in the processor's cache, and the kernel's memory stays small. */
const STRIP = 1 << 18
/** Bytes that the kernel may read or write beyond the last sample. */
const BEYOND = 32
const PAGE = 1 << 16
/** Bytes of the kernel's memory, which never shrinks, that the next picture finds: photographs take a tenth of it. */
const KEPT = 1 << 24

let kernel: Kernel | null = null

/** @throws RayitoError RUNTIME_UNAVAILABLE */
function load(): Kernel {
  try {
    const module = new WebAssembly.Module(Buffer.from(KERNEL, 'base64'))
    return new WebAssembly.Instance(module).exports as unknown as Kernel
  } catch (cause) {
    const why = (cause as Error).message
    throw new RayitoError('RUNTIME_UNAVAILABLE', `WebAssembly, which resizes pictures, cannot be had (${why})`, {
      cause,
      remedy: why.includes('memory')
        ? 'Raise the limit of virtual memory (ulimit -v), of which Node reserves 10 GB for each thread that resizes.'
        : 'Let Node compile it: no --jitless.',
    })
  }
}

/** Lets a memory go that a picture like a thread has made large. */
function tidy(): void {
  if (kernel && kernel.memory.buffer.byteLength > KEPT) kernel = null
}

/** Lays `parts` out in the kernel's memory, each on a multiple of 16 bytes; arrays are copied there, of numbers is so much kept free. */
function layOut(memory: WebAssembly.Memory, ...parts: (Int32Array | Int16Array | number)[]): number[] {
  let end = 0
  const places = parts.map((part) => {
    const place = end
    end = (end + (typeof part === 'number' ? part : part.byteLength) + 15) & ~15
    return place
  })
  const missing = end - memory.buffer.byteLength
  if (missing > 0) memory.grow(Math.ceil(missing / PAGE))
  parts.forEach((part, i) => {
    if (typeof part === 'number') return
    const bytes = new Uint8Array(part.buffer as ArrayBuffer, part.byteOffset, part.byteLength)
    new Uint8Array(memory.buffer, places[i]!).set(bytes)
  })
  return places
}

/** How each pixel of a row of three channels is made. */
export interface Neighbours {
  /** The byte of its first neighbour in a row, for each pixel. */
  starts: Int32Array
  /** For each pixel, `groups` times the weights of four neighbours: their parts above 11 bits, then those below. */
  weights: Int16Array
  groups: number
}

/** Rows of RGB resized along the rows. `data` holds `height` rows of `stride` bytes; what comes, as many of a pixel for each start. */
export function columns(
  data: Uint8Array | Uint8ClampedArray,
  height: number,
  stride: number,
  { starts, weights, groups }: Neighbours,
): Uint8Array {
  kernel ??= load()
  const width = starts.length * 3
  const output = new Uint8Array(width * height)
  const most = Math.min(height, Math.max(1, Math.floor(STRIP / (stride + width))))
  const beyond = groups * 12 + BEYOND
  const [at, of, from, to] = layOut(kernel.memory, starts, weights, most * stride + beyond, most * width) as Four
  const bytes = new Uint8Array(kernel.memory.buffer)
  for (let y = 0; y < height; y += most) {
    const rows = Math.min(most, height - y)
    bytes.set(data.subarray(y * stride, (y + rows) * stride), from)
    kernel.columns(from, to, rows, stride, starts.length, at, of, groups)
    output.set(bytes.subarray(to, to + rows * width), y * width)
  }
  tidy()
  return output
}

type Four = [number, number, number, number]

/** How each row is made. */
export interface Layers {
  /** Its first input row and how many there are, for each. */
  bounds: Int32Array
  /** `size` weights for each, in units of 2^-22. */
  weights: Int32Array
  size: number
}

/** Rows of `length` bytes resized across the rows. */
export function rows(
  data: Uint8Array | Uint8ClampedArray,
  length: number,
  { bounds, weights, size }: Layers,
): Uint8Array {
  kernel ??= load()
  const height = bounds.length / 2
  const output = new Uint8Array(length * height)
  const end = (y: number) => bounds[y * 2]! + bounds[y * 2 + 1]!
  // So much of a row at once that those which make one up are not too many bytes.
  const part = Math.min(length, Math.max(64, Math.floor(STRIP / 2 / size) & ~15))
  const most = Math.max(STRIP, part * size)
  const [at, of, from, to] = layOut(kernel.memory, bounds, weights, most + BEYOND, most + BEYOND) as Four
  const bytes = new Uint8Array(kernel.memory.buffer)
  for (let x = 0; x < length; x += part) {
    const wide = Math.min(part, length - x)
    for (let y = 0, next = 0; y < height; y = next) {
      const first = bounds[y * 2]!
      next = y + 1
      while (next < height && (end(next) - first) * wide <= most && (next + 1 - y) * wide <= most) next++
      if (wide === length) bytes.set(data.subarray(first * length, end(next - 1) * length), from)
      else
        for (let row = first, o = from; row < end(next - 1); row++, o += wide)
          bytes.set(data.subarray(row * length + x, row * length + x + wide), o)
      kernel.rows(from - first * wide, to, wide, next - y, at + y * 8, of + y * size * 4, size * 4)
      if (wide === length) output.set(bytes.subarray(to, to + (next - y) * wide), y * length)
      else
        for (let row = y, o = to; row < next; row++, o += wide)
          output.set(bytes.subarray(o, o + wide), row * length + x)
    }
  }
  tidy()
  return output
}
