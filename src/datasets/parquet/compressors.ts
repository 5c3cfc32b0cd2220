import { brotliDecompressSync, unzipSync } from 'node:zlib'
import type { CompressionCodec, Compressors } from 'hyparquet'

type Unpack = (input: Uint8Array, outputLength: number) => Uint8Array

/** Node has these; a page that unfolds further than its header says is damaged. */
const OWN: Partial<Record<CompressionCodec, Unpack>> = {
  GZIP: (input, maxOutputLength) => unzipSync(input, { maxOutputLength: Math.max(maxOutputLength, 1) }),
  BROTLI: (input, maxOutputLength) => brotliDecompressSync(input, { maxOutputLength: Math.max(maxOutputLength, 1) }),
}

/** What unpacks a codec's pages: hyparquet's own for SNAPPY, Node's zlib, or hyparquet-compressors, loaded when needed. */
export async function compressorsFor(codec: CompressionCodec): Promise<Compressors | undefined> {
  if (codec === 'UNCOMPRESSED' || codec === 'SNAPPY') return undefined
  const own = OWN[codec]
  if (own) return { [codec]: own }
  return (await import('hyparquet-compressors')).compressors
}
