import type { Sharp, SharpOptions } from 'sharp'
import { RayitoError } from '../../core/errors.js'
import { plural } from '../../core/format.js'
import { withoutGainMap } from './gain-map.js'
import { firstFrame } from './gif.js'
import { pngOrientation, xmpOrientation } from './orientation.js'
import type { Pixels } from './pixels.js'
import { decodeSmallJpeg } from './small-jpeg.js'
import { decodeSmallPng } from './small-png.js'

/**
 * Decodes PNG, JPEG, WebP or the first frame of a GIF to the bytes that Pillow 13 gives: colour profiles are ignored,
 * 16 bits of colour, or of grey with alpha, keep their high byte, 16-bit grey is clipped at 255, CMYK becomes RGB, a palette
 * becomes its colours, and the orientation that EXIF tells is applied, or XMP where EXIF tells none.
 * @param maxPixels width × height at most, judged from the header, before anything is unfolded
 */
export async function decode(bytes: Uint8Array, maxPixels: number): Promise<Pixels> {
  if (!isPicture(bytes)) throw invalid(bytes)
  const small =
    bytes[0] === 0x89 ? decodeSmallPng(bytes, maxPixels) : bytes[0] === 0xff ? decodeSmallJpeg(bytes, maxPixels) : null
  if (small) return small
  const { default: sharp } = await import('sharp')
  // failOn 'error' takes what Pillow takes (warnings) and refuses what it refuses (truncation, damage).
  const input = { failOn: 'error', ignoreIcc: true, limitInputPixels: false } as const
  try {
    const picture = sharp(bytes[0] === 0xff ? withoutGainMap(bytes) : bytes, input)
    const { width, height, format, space, hasAlpha, orientation, xmp } = await picture.metadata()
    if (width * height > maxPixels) throw tooLarge(width, height, maxPixels)
    if (format === 'gif') return await gif(sharp, bytes, input, maxPixels)
    // Of PNG's colour types 0 and 2: the one shade or colour that may be transparent there is no alpha to Pillow.
    const isOpaque = !hasAlpha || (format === 'png' && (bytes[25] === 0 || bytes[25] === 2))
    const isGrey16 = space === 'grey16' && isOpaque
    if (isOpaque) picture.removeAlpha()
    if (format === 'png') turn(picture, pngOrientation(bytes))
    else turn(picture, orientation || xmpOrientation(xmp))
    if (space === 'cmyk') picture.pipelineColourspace('cmyk').toColourspace('cmyk')
    else if (isGrey16) picture.toColourspace('grey16')
    else if (space === 'b-w' && isOpaque) picture.toColourspace('b-w')
    else picture.toColourspace('srgb')
    if (isGrey16) return await grey16(picture)
    const { data, info } = await picture.raw().toBuffer({ resolveWithObject: true })
    const size = { width: info.width, height: info.height }
    if (space === 'cmyk') return { data: fromCmyk(data), ...size, channels: 3 }
    return {
      data: new Uint8Array(data.buffer, data.byteOffset, data.length),
      ...size,
      channels: info.channels as 1 | 3 | 4,
    }
  } catch (error) {
    if (error instanceof RayitoError) throw error
    throw isCutShort(bytes) ? truncated(bytes, error) : invalid(bytes, error)
  }
}

/** By how the formats begin. Nothing else gets as far as sharp, which would also parse SVG, PDF and more. */
export function isPicture(bytes: Uint8Array): boolean {
  const head = headOf(bytes)
  if (head.startsWith('RIFF')) return head.endsWith('WEBP')
  return ['\xff\xd8\xff', '\x89PNG\r\n\x1a\n', 'GIF87a', 'GIF89a'].some((beginning) => head.startsWith(beginning))
}

/** Each orientation is a mirroring, which sharp does first, and a turn. */
function turn(picture: Sharp, orientation = 1): void {
  const degrees = { 3: 180, 5: 270, 6: 90, 7: 90, 8: 270 }[orientation]
  if (degrees) picture.rotate(degrees)
  if ([2, 5, 7].includes(orientation)) picture.flop()
  if (orientation === 4) picture.flip()
}

async function grey16(picture: Sharp): Promise<Pixels> {
  const { data, info } = await picture.raw({ depth: 'ushort' }).toBuffer({ resolveWithObject: true })
  const wide = new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2)
  return { data: Uint8Array.from(wide, (v) => Math.min(v, 255)), width: info.width, height: info.height, channels: 1 }
}

/**
 * The first frame as Pillow shows it: a transparent pixel keeps the colour it has in the palette, and the canvas around the
 * frame has one. sharp makes both of them black, so it is asked twice: without transparency for the colours, with it for alpha.
 */
async function gif(
  sharp: typeof import('sharp').default,
  bytes: Uint8Array,
  input: SharpOptions,
  maxPixels: number,
): Promise<Pixels> {
  const frame = firstFrame(bytes)
  if (frame && frame.width * frame.height > maxPixels) throw tooLarge(frame.width, frame.height, maxPixels)
  const opaque = Uint8Array.from(bytes)
  if (frame?.flagsAt) opaque[frame.flagsAt]! &= 0xfe
  const { data, info } = await rawOf(sharp(opaque, input).removeAlpha())
  if (!frame) return { data: Uint8Array.from(data), width: info.width, height: info.height, channels: 3 }
  const { width, height, left, top, right, bottom, around, transparent } = frame
  const alpha = transparent === null ? null : (await rawOf(sharp(bytes, input).ensureAlpha())).data
  const channels = alpha ? 4 : 3
  // The canvas may be a thousand times the frame, and a file of some bytes have one.
  const pixels = new Uint8Array(width * height * channels)
  Buffer.from(pixels.buffer).fill(Uint8Array.from([...around, 0].slice(0, channels)))
  for (let y = top; y < bottom; y++) {
    let o = (y * width + left) * channels
    for (let i = y * info.width + left, end = i + right - left; i < end; i++, o += channels) {
      for (let c = 0; c < 3; c++) pixels[o + c] = data[3 * i + c]!
      if (alpha) pixels[o + 3] = alpha[4 * i + 3]!
    }
  }
  return { data: pixels, width, height, channels }
}

const rawOf = (picture: Sharp) => picture.toColourspace('srgb').raw().toBuffer({ resolveWithObject: true })

/** Pillow's CMYK to RGB (libImaging's Convert.c): clip((255 − K) − (255 − K)·C / 255), rounded as its MULDIV255. */
function fromCmyk(data: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((data.length / 4) * 3)
  let o = 0
  for (let i = 0; i < data.length; i += 4) {
    const light = 255 - data[i + 3]!
    for (let c = 0; c < 3; c++) {
      const t = data[i + c]! * light + 128
      rgb[o++] = Math.max(0, light - (((t >> 8) + t) >> 8))
    }
  }
  return rgb
}

function headOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.subarray(0, 12)).toString('latin1')
}

/** Whether a picture that cannot be read begins as one and lacks its end. */
function isCutShort(bytes: Uint8Array): boolean {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const head = headOf(bytes)
  if (head.startsWith('\xff\xd8')) return view.lastIndexOf('\xff\xd9', undefined, 'latin1') < 2
  if (head.startsWith('\x89PNG')) return !view.includes('IEND', 0, 'latin1')
  if (head.startsWith('GIF8')) return view[view.length - 1] !== 0x3b
  return head.startsWith('RIFF') && head.slice(8, 12) === 'WEBP' && view.length < view.readUInt32LE(4) + 8
}

function invalid(bytes: Uint8Array, cause?: unknown): RayitoError {
  const head = Buffer.from(bytes.subarray(0, 8)).toString('hex')
  const got = bytes.length === 0 ? 'no bytes' : `${plural(bytes.length, 'byte')} beginning with 0x${head}`
  return new RayitoError('IMAGE_INVALID', `Expected a picture, got ${got}`, { cause })
}

function truncated(bytes: Uint8Array, cause: unknown): RayitoError {
  return new RayitoError(
    'IMAGE_TRUNCATED',
    `Expected a whole picture, got one cut short after ${plural(bytes.length, 'byte')}`,
    {
      cause,
    },
  )
}

function tooLarge(width: number, height: number, maxPixels: number): RayitoError {
  const most = maxPixels.toLocaleString('en')
  return new RayitoError('IMAGE_TOO_LARGE', `Expected a picture of at most ${most} pixels, got ${width}×${height}`)
}
