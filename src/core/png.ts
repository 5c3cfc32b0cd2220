import * as zlib from 'node:zlib'

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)
/** PNG's colour type by channels: grey, RGB, RGBA. */
const COLOUR_TYPE: Record<number, number> = { 1: 0, 3: 2, 4: 6 }

/**
 * Bytes whose memory is not shared, as a Blob and fetch take them. (Uint8Array<ArrayBuffer>, which TypeScript below 5.7 cannot read.)
 */
export type OwnBytes = ReturnType<typeof Uint8Array.from>

/**
 * Packs rows of 8-bit samples as a PNG file, synchronously: what a notebook prints cannot wait for a promise.
 * @see https://www.w3.org/TR/png-3/
 */
export function encodePng(data: Uint8Array, width: number, height: number, channels: 1 | 3 | 4): OwnBytes {
  const row = width * channels
  const lines = Buffer.allocUnsafe((row + 1) * height)
  for (let y = 0; y < height; y++) {
    const from = y * row
    const to = y * (row + 1)
    // Filter 1: each sample less its left neighbour, which suits photographs.
    lines[to] = 1
    for (let i = 0; i < row; i++) lines[to + 1 + i] = data[from + i]! - (i < channels ? 0 : data[from + i - channels]!)
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header[8] = 8
  header[9] = COLOUR_TYPE[channels]!
  const body = zlib.deflateSync(lines, { level: 6 })
  return new Uint8Array(
    Buffer.concat([SIGNATURE, chunk('IHDR', header), chunk('IDAT', body), chunk('IEND', Buffer.alloc(0))]),
  )
}

function chunk(type: string, body: Buffer): Buffer {
  const bytes = Buffer.alloc(body.length + 12)
  bytes.writeUInt32BE(body.length, 0)
  bytes.write(type, 4, 'latin1')
  body.copy(bytes, 8)
  bytes.writeUInt32BE(crc32(bytes.subarray(4, body.length + 8)), body.length + 8)
  return bytes
}

let table: Uint32Array | null = null

/** The checksum of PNG's chunks. */
export function crc32(bytes: Uint8Array): number {
  // It came with Node 20.15, and 20.10, which sharp's imports want, is enough for everything else.
  if (typeof zlib.crc32 === 'function') return zlib.crc32(bytes)
  table ??= Uint32Array.from({ length: 256 }, (_, n) => {
    let c = n
    for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1
    return c
  })
  let crc = -1
  for (const byte of bytes) crc = table[(crc ^ byte) & 255]! ^ (crc >>> 8)
  return ~crc >>> 0
}
