import * as zlib from 'node:zlib'
import type { CompressionCodec, Compressors } from 'hyparquet'

type Unpack = (input: Uint8Array, outputLength: number) => Uint8Array

/** A page that unfolds further than its header says is damaged. */
const limited =
  (unpack: (input: Uint8Array, options: zlib.ZlibOptions) => Uint8Array): Unpack =>
  (input, outputLength) =>
    unpack(input, { maxOutputLength: Math.max(outputLength, 1) })

/** Node has it from 22.15 on. */
const { zstdDecompressSync } = zlib as { zstdDecompressSync?: typeof zlib.unzipSync }

/** What Node brings. */
const OWN: Partial<Record<CompressionCodec, Unpack>> = {
  GZIP: limited(zlib.unzipSync),
  BROTLI: limited(zlib.brotliDecompressSync),
  ...(zstdDecompressSync && { ZSTD: limited(zstdDecompressSync) }),
}

/** Bytes, packed and unpacked together, up to which pages share one instance of hysnappy: its memory never shrinks. */
const SHARED = 4 << 20

/**
 * What unpacks a codec's pages: hysnappy, Node's zlib, zstddec or hyparquet-compressors, loaded when needed. Pages of more than a
 * gigabyte are refused.
 */
export async function compressorsFor(codec: CompressionCodec): Promise<Compressors | undefined> {
  const compressors = await unpackersFor(codec)
  const entries = Object.entries(compressors ?? {}).map(([name, unpack]): [string, Unpack] => [name, within(unpack)])
  return compressors && Object.fromEntries(entries)
}

/** Bytes of a page at most, packed and unpacked together: zstddec has memory for no more, and writes over its own where it has none. */
const MOST = 1 << 30

export function checkSize(bytes: number): void {
  if (bytes > MOST) throw new Error('pages larger than a gigabyte are not supported')
}

const within =
  (unpack: Unpack): Unpack =>
  (input, outputLength) => {
    checkSize(input.length + outputLength)
    return unpack(input, outputLength)
  }

async function unpackersFor(codec: CompressionCodec): Promise<Compressors | undefined> {
  if (codec === 'UNCOMPRESSED') return undefined
  if (codec === 'SNAPPY') return { SNAPPY: await snappy() }
  const own = OWN[codec]
  if (own) return { [codec]: own }
  if (codec === 'ZSTD') return { ZSTD: await zstd() }
  const { compressors } = await import('hyparquet-compressors')
  return codec === 'LZ4' || codec === 'LZ4_RAW' ? { [codec]: lz4(compressors, codec) } : compressors
}

function lz4(compressors: Compressors, codec: 'LZ4' | 'LZ4_RAW'): Unpack {
  return (input, outputLength) => {
    // The block of nothing, a dictionary without values for one, it takes for damaged.
    if (outputLength === 0) return new Uint8Array()
    const blocks = codec === 'LZ4' ? framed(input) : null
    // It fills up what blocks lack, unsaid.
    const length = (blocks ?? [input]).reduce((sum, block) => sum + lz4Length(block), 0)
    if (length !== outputLength) throw new Error('a page is not as long as its header says')
    return compressors[blocks ? 'LZ4' : 'LZ4_RAW']!(input, outputLength)
  }
}

/** Bytes that an LZ4 block unpacks to. @see https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md */
function lz4Length(block: Uint8Array): number {
  let [at, length] = [0, 0]
  const more = (nibble: number) => {
    let count = nibble
    for (let byte = nibble === 15 ? 255 : 0; byte === 255; count += byte) byte = block[at++] ?? 0
    return count
  }
  while (at < block.length) {
    const token = block[at++]!
    const literals = more(token >> 4)
    at += literals
    length += literals
    // The last sequence has no match: two bytes of how far back, and at least four.
    if (at < block.length) {
      at += 2
      length += more(token & 15) + 4
    }
  }
  return at === block.length ? length : Number.NaN
}

/** hyparquet-compressors' never ends where a tree of Huffman codes has been damaged. */
async function zstd(): Promise<Unpack> {
  const { ZSTDDecoder } = await import('zstddec')
  const decoder = new ZSTDDecoder()
  await decoder.init()
  return (input, outputLength) => {
    // Told of no length, it would believe the frame's.
    const output = decoder.decode(input, Math.max(outputLength, 1))
    if (output.length !== outputLength) throw new Error('a page is not as long as its header says')
    return output
  }
}

let loaded: Promise<Unpack> | null = null

/** hyparquet's own takes three times as long, and never ends where a damaged length is negative. */
function snappy(): Promise<Unpack> {
  loaded ??= import('hysnappy').then(({ snappyUncompress, snappyUncompressor }) => {
    const shared = snappyUncompressor()
    return (input, outputLength) => {
      // hysnappy believes that the caller knows.
      if (lengthIn(input) !== outputLength) throw new Error('a page is not as long as its header says')
      return input.length + outputLength > SHARED ? snappyUncompress(input, outputLength) : shared(input, outputLength)
    }
  })
  return loaded
}

/** The length that a Snappy block begins with; NaN where it begins with none. @see https://github.com/google/snappy/blob/main/format_description.txt */
function lengthIn(input: Uint8Array): number {
  let length = 0
  for (let at = 0; at < 5; at++) {
    const byte = input[at] ?? Number.NaN
    length += (byte & 127) * 2 ** (7 * at)
    if (byte < 128) return length
  }
  return Number.NaN
}

/**
 * LZ4 blocks that stand in Hadoop's frames, as old writers left them: unpacked length, packed length, block; null where they do
 * not. A length that is negative sends hyparquet-compressors back, for ever.
 */
function framed(input: Uint8Array): Uint8Array[] | null {
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength)
  const blocks: Uint8Array[] = []
  let at = 0
  while (at + 8 <= input.length) {
    const length = view.getInt32(at + 4)
    if (length < 0) return null
    blocks.push(input.subarray(at + 8, at + 8 + length))
    at += 8 + length
  }
  return at === input.length ? blocks : null
}
