import { inflateSync } from 'node:zlib'
import { crc32 } from '../../core/png.js'
import type { Pixels } from './pixels.js'

/** Pixels up to which decoding here and now takes less than handing it to sharp, whose way costs a millisecond however small the picture. */
const SMALL = 128 * 128
/** Samples of a pixel by PNG's colour type: grey, RGB, RGBA. */
const CHANNELS: Partial<Record<number, 1 | 3 | 4>> = { 0: 1, 2: 3, 6: 4 }
/** Chunks that change no pixel. */
const IGNORED = new Set(['gAMA', 'cHRM', 'sRGB', 'pHYs', 'tIME'])

/**
 * Decodes a small PNG of the plainest kind: 8 bits, not interlaced, grey, RGB or RGBA, nothing in it that changes colours
 * or turns the picture, and whole to the last checksum. Anything else is null, and another's work: also to say what is
 * wrong with it.
 * @see https://www.w3.org/TR/png-3/
 */
export function decodeSmallPng(bytes: Uint8Array, maxPixels: number): Pixels | null {
  if (bytes.length < 57) return null
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (file.toString('latin1', 12, 16) !== 'IHDR' || file.readUInt32BE(8) !== 13) return null
  const [width, height] = [file.readUInt32BE(16), file.readUInt32BE(20)]
  const channels = CHANNELS[file[25]!]
  if (!channels || file[24] !== 8 || file[26] !== 0 || file[27] !== 0 || file[28] !== 0) return null
  if (width < 1 || height < 1 || width * height > Math.min(SMALL, maxPixels)) return null
  const compressed = imageData(file)
  if (!compressed) return null
  const size = (1 + width * channels) * height
  let lines: Uint8Array
  try {
    lines = inflateSync(compressed, { maxOutputLength: size })
  } catch {
    return null
  }
  const data = lines.length === size ? unfilter(lines, width * channels, height, channels) : null
  return data && { data, width, height, channels }
}

/** The compressed pixels; null where a chunk is broken or means more than this knows. */
function imageData(file: Buffer): Buffer | null {
  const parts: Buffer[] = []
  for (let at = 8; at + 12 <= file.length; ) {
    const end = at + 8 + file.readUInt32BE(at)
    if (end + 4 > file.length || crc32(file.subarray(at + 4, end)) !== file.readUInt32BE(end)) return null
    const type = file.toString('latin1', at + 4, at + 8)
    if (type === 'IEND') return parts.length === 1 ? parts[0]! : parts.length ? Buffer.concat(parts) : null
    if (type === 'IDAT') parts.push(file.subarray(at + 8, end))
    else if (!IGNORED.has(type) && !(type === 'IHDR' && at === 8)) return null
    at = end + 4
  }
  return null
}

/** Undoes the filter of each line; null for one that does not exist. */
function unfilter(lines: Uint8Array, stride: number, height: number, channels: number): Uint8Array | null {
  const data = new Uint8Array(stride * height)
  for (let y = 0, from = 0, to = 0; y < height; y++, to += stride) {
    const filter = lines[from++]!
    const line = lines.subarray(from, from + stride)
    from += stride
    if (filter > 4) return null
    // Above the first line all is 0.
    if (filter === 0 || (filter === 2 && y === 0)) data.set(line, to)
    else if (filter === 1 || (filter === 4 && y === 0)) unfilterSub(data, to, line, channels)
    else if (filter === 2) for (let x = 0; x < stride; x++) data[to + x] = line[x]! + data[to + x - stride]!
    else if (filter === 3) unfilterAverage(data, to, line, channels, y > 0)
    else unfilterPaeth(data, to, line, channels)
  }
  return data
}

function unfilterSub(data: Uint8Array, to: number, line: Uint8Array, channels: number): void {
  data.set(line.subarray(0, channels), to)
  for (let x = channels; x < line.length; x++) data[to + x] = line[x]! + data[to + x - channels]!
}

function unfilterAverage(data: Uint8Array, to: number, line: Uint8Array, channels: number, hasUp: boolean): void {
  for (let x = 0; x < line.length; x++) {
    const left = x >= channels ? data[to + x - channels]! : 0
    const up = hasUp ? data[to + x - line.length]! : 0
    data[to + x] = line[x]! + ((left + up) >> 1)
  }
}

function unfilterPaeth(data: Uint8Array, to: number, line: Uint8Array, channels: number): void {
  const stride = line.length
  for (let x = 0; x < channels; x++) data[to + x] = line[x]! + data[to + x - stride]!
  for (let x = channels; x < stride; x++) {
    const left = data[to + x - channels]!
    const up = data[to + x - stride]!
    const corner = data[to + x - stride - channels]!
    const a = Math.abs(up - corner)
    const b = Math.abs(left - corner)
    const c = Math.abs(left + up - 2 * corner)
    data[to + x] = line[x]! + (a <= b && a <= c ? left : b <= c ? up : corner)
  }
}
