import type { DataReader, DecodedArray, PageHeader } from 'hyparquet'
import type { ColumnDecoder } from 'hyparquet/src/types.js'
import { type Hyparquet, readerOf } from './hyparquet.js'

/**
 * Decodes the data page that the reader stands at, and moves the reader behind it. What hyparquet takes on trust is checked
 * before: it writes as many values as a run claims to have, and a damaged claim of billions would never end.
 * @param previous of a column of lists, the rows so far: the page may go on with the last of them
 */
export function readDataPage(
  hyparquet: Hyparquet,
  reader: DataReader,
  header: PageHeader,
  decoder: ColumnDecoder,
  dictionary: DecodedArray | undefined,
  previous?: DecodedArray,
): DecodedArray | undefined {
  const { buffer, byteOffset } = reader.view
  const packed = new Uint8Array(buffer, byteOffset + reader.offset, header.compressed_page_size)
  reader.offset += packed.length
  // pyarrow writes such pages between others.
  if ((header.data_page_header ?? header.data_page_header_v2)?.num_values === 0) return previous ?? []
  const bytes = unpack(hyparquet, packed, header, decoder)
  checkRuns(hyparquet, bytes, header, decoder)
  const plain = { ...header, compressed_page_size: bytes.length }
  const asIs = { ...decoder, codec: 'UNCOMPRESSED' as const }
  return hyparquet.readPage(readerOf(bytes), plain, asIs, dictionary, previous, 0).data
}

/** The page with its values unpacked; the levels of a page of version 2 stand before them and are never packed. */
function unpack(hyparquet: Hyparquet, packed: Uint8Array, header: PageHeader, decoder: ColumnDecoder): Uint8Array {
  const { uncompressed_page_size: size, data_page_header_v2: second } = header
  const { codec, compressors } = decoder
  if (!second) return hyparquet.decompressPage(packed, size, codec, compressors)
  if (codec === 'UNCOMPRESSED' || second.is_compressed === false) return packed
  const levels = second.repetition_levels_byte_length + second.definition_levels_byte_length
  // Where all values are null, parquet-java packs none into no bytes, which no codec would unpack.
  if (size === levels) return packed.subarray(0, levels)
  const bytes = new Uint8Array(size)
  bytes.set(packed.subarray(0, levels))
  bytes.set(hyparquet.decompressPage(packed.subarray(levels), size - levels, codec, compressors), levels)
  return bytes
}

const widthOf = (maximum: number) => 32 - Math.clz32(maximum)

/** @see https://parquet.apache.org/docs/file-format/data-pages/ */
function checkRuns(
  hyparquet: Hyparquet,
  bytes: Uint8Array,
  header: PageHeader,
  { schemaPath, type }: ColumnDecoder,
): void {
  const repetition = widthOf(hyparquet.getMaxRepetitionLevel(schemaPath))
  const definition = widthOf(hyparquet.getMaxDefinitionLevel(schemaPath))
  const { data_page_header: first, data_page_header_v2: second } = header
  const { encoding, num_values: count } = first ?? second ?? {}
  if (encoding === undefined || count === undefined) throw new Error('a page lacks its header')
  const runs = new Runs(bytes, count)
  if (second) {
    const afterRepetition = second.repetition_levels_byte_length
    const afterDefinition = afterRepetition + second.definition_levels_byte_length
    if (repetition) runs.check(repetition, afterRepetition)
    runs.at = afterRepetition
    if (definition) runs.check(definition, afterDefinition)
    runs.at = afterDefinition
  } else {
    if (repetition) runs.checkPrefixed(repetition)
    if (definition) runs.checkPrefixed(definition)
  }
  if (encoding === 'RLE' && type === 'BOOLEAN') runs.checkPrefixed(1)
  if (encoding.endsWith('_DICTIONARY') && runs.at < bytes.length) runs.check(bytes[runs.at++]!, bytes.length)
}

/** Passes over runs of equal or bit-packed values. @see https://parquet.apache.org/docs/file-format/data-pages/encodings/ */
class Runs {
  at = 0

  constructor(
    readonly bytes: Uint8Array,
    /** Values in the page. */
    readonly count: number,
  ) {}

  /** Runs behind four bytes that tell their length. */
  checkPrefixed(width: number): void {
    const { buffer, byteOffset, byteLength } = this.bytes
    const end = this.at + 4 + new DataView(buffer, byteOffset, byteLength).getUint32(this.at, true)
    this.at += 4
    this.check(width, end)
    this.at = end
  }

  check(width: number, end: number): void {
    if (width > 32 || end > this.bytes.length) throw new Error('the values of a page are damaged')
    for (let seen = 0; seen < this.count && this.at < end; ) {
      const header = this.#varint()
      const isPacked = header % 2 === 1
      const run = isPacked ? ((header - 1) / 2) * 8 : header / 2
      // Packed values come in eights, and some writers fill up further.
      if (run > this.count - seen + (isPacked ? 512 : 0))
        throw new Error(`a run of ${run} values in a page of ${this.count}`)
      this.at += isPacked ? (run / 8) * width : (width + 7) >> 3
      seen += run
    }
  }

  #varint(): number {
    let value = 0
    for (let scale = 1; scale < 2 ** 35; scale *= 128) {
      const byte = this.bytes[this.at++] ?? 0
      value += (byte & 127) * scale
      if (byte < 128) break
    }
    return value
  }
}
