import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Pixels } from './pixels.js'

/** Pixels up to which decoding here and now takes less than handing it to sharp, whose way costs half a millisecond however small the picture. */
const SMALL = 128 * 128

/** What libjpeg-turbo's TurboJPEG interface is made of, compiled to WebAssembly (the package @cwasm/jpeg-turbo). */
interface TurboJpeg {
  memory: WebAssembly.Memory
  malloc(size: number): number
  free(place: number): void
  tjInitDecompress(): number
  tjDestroy(handle: number): number
  tjDecompress2(
    handle: number,
    jpeg: number,
    size: number,
    to: number,
    width: number,
    pitch: number,
    height: number,
    format: number,
    flags: number,
  ): number
}

/** TurboJPEG's pixel formats. */
const FORMAT = { 1: 6, 3: 0 } as const

let module: WebAssembly.Module | null = null
let instance: TurboJpeg | null = null

/**
 * Decodes a small JPEG of the plainest kind: baseline, 8 bits, grey or YCbCr in 4:4:4 or 4:2:0, without EXIF or another's colours, and
 * nothing in it to complain of. Anything else is null, and another's work: also to say what is wrong with it. It is the
 * library that sharp and Pillow decode with, so the pixels are theirs to the last bit. (Only where damage makes coefficients beyond 16 bits
 * may they differ: that is where libjpeg-turbo's arithmetic differs between processors, too.)
 */
export function decodeSmallJpeg(bytes: Uint8Array, maxPixels: number): Pixels | null {
  const frame = plainFrame(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
  if (!frame || frame.width * frame.height > Math.min(SMALL, maxPixels)) return null
  try {
    instance ??= load()
    const data = decompress(instance, bytes, frame)
    return data && { data, ...frame }
  } catch {
    // It cannot jump out of itself: what it held is lost with it.
    instance = null
    return null
  }
}

function load(): TurboJpeg {
  module ??= new WebAssembly.Module(
    readFileSync(createRequire(import.meta.url).resolve('@cwasm/jpeg-turbo/jpeg-turbo.wasm')),
  )
  const refuse = () => {
    throw new Error('libjpeg-turbo gave up')
  }
  const nothing = () => 0
  const imports: WebAssembly.Imports = {}
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    imports[from] ??= {}
    imports[from][name] = name === 'setjmp' || name === 'environ_sizes_get' ? nothing : refuse
  }
  return new WebAssembly.Instance(module, imports).exports as unknown as TurboJpeg
}

type Frame = Pick<Pixels, 'width' | 'height'> & { channels: 1 | 3 }

/** Null where it has any complaint. */
function decompress(turbo: TurboJpeg, bytes: Uint8Array, { width, height, channels }: Frame): Uint8Array | null {
  const size = width * height * channels
  const handle = turbo.tjInitDecompress()
  const from = turbo.malloc(bytes.length)
  const to = turbo.malloc(size)
  new Uint8Array(turbo.memory.buffer).set(bytes, from)
  const status = turbo.tjDecompress2(
    handle,
    from,
    bytes.length,
    to,
    width,
    width * channels,
    height,
    FORMAT[channels],
    0,
  )
  const data = status === 0 ? new Uint8Array(turbo.memory.buffer).slice(to, to + size) : null
  turbo.free(to)
  turbo.free(from)
  turbo.tjDestroy(handle)
  return data
}

/** Segments that change no pixel: APP0 (JFIF), APP2 (a colour profile, which is ignored), a comment, tables, restart interval. */
const HARMLESS = new Set([0xe0, 0xe2, 0xfe, 0xdb, 0xc4, 0xdd])

/**
 * Size and channels of a picture of the plain kind; null of any other.
 * @see ITU-T T.81, annex B
 */
function plainFrame(file: Buffer): Frame | null {
  let frame: Frame | null = null
  for (let at = 2; at + 4 <= file.length; ) {
    if (file[at] !== 0xff) return null
    const marker = file[at + 1]!
    const end = at + 2 + file.readUInt16BE(at + 2)
    if (end > file.length) return null
    if (marker === 0xda) return frame
    if (marker === 0xc0) {
      if (frame) return null
      frame = baselineFrame(file.subarray(at + 4, end))
      if (!frame) return null
    } else if (!HARMLESS.has(marker)) return null
    at = end
  }
  return null
}

function baselineFrame(segment: Buffer): Frame | null {
  if (segment.length < 6 || segment[0] !== 8) return null
  const [height, width, channels] = [segment.readUInt16BE(1), segment.readUInt16BE(3), segment[5]!]
  if (width < 1 || height < 1 || segment.length !== 6 + 3 * channels) return null
  const samplings = Array.from({ length: channels }, (_, i) => segment[7 + 3 * i]!)
  if (channels === 1) return { width, height, channels }
  if (channels !== 3) return null
  // Components called R, G and B are no YCbCr.
  if (segment[6] !== 1 || segment[9] !== 2 || segment[12] !== 3) return null
  const [luma, ...chroma] = samplings as [number, number, number]
  if ((luma !== 0x11 && luma !== 0x22) || chroma.some((one) => one !== 0x11)) return null
  return { width, height, channels }
}
