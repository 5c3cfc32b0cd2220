import type { DataReader, DecodedArray, PageHeader } from 'hyparquet'
import type { ColumnDecoder } from 'hyparquet/src/types.js'
import { Claims } from './claims.js'
import { checkSize } from './compressors.js'
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
  const unpacked = unpack(hyparquet, packed, header, decoder)
  const { nulls, missing } = check(hyparquet, unpacked, header, decoder)
  const bytes = missing > 0 ? Buffer.concat([unpacked, new Uint8Array(missing)]) : unpacked
  const { data_page_header_v2: second, uncompressed_page_size: size } = header
  const plain = {
    ...header,
    ...(second && { data_page_header_v2: { ...second, num_nulls: nulls } }),
    compressed_page_size: bytes.length,
    uncompressed_page_size: size + missing,
  }
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

/** Values of a page at most: a run of them takes a few bytes in the file, and eight each in memory, several times over. */
const MOST_VALUES = 2 ** 24

const widthOf = (maximum: number) => 32 - Math.clz32(maximum)

/** What is told of a page by its own bytes. */
interface Told {
  /** Values that are not there. */
  nulls: number
  /** Bytes that some writers leave out at the end, of values that only fill up the last eight. */
  missing: number
}

/** @see https://parquet.apache.org/docs/file-format/data-pages/ */
function check(hyparquet: Hyparquet, bytes: Uint8Array, header: PageHeader, { schemaPath, type }: ColumnDecoder): Told {
  const repetition = widthOf(hyparquet.getMaxRepetitionLevel(schemaPath))
  const highest = hyparquet.getMaxDefinitionLevel(schemaPath)
  const definition = widthOf(highest)
  const { data_page_header: first, data_page_header_v2: second } = header
  const { encoding, num_values: count } = first ?? second ?? {}
  if (encoding === undefined || count === undefined) throw new Error('a page lacks its header')
  if (count > MOST_VALUES) throw new Error(`pages of ${count} values are not supported`)
  const claims = new Claims(bytes, count)
  const nullsFrom = (start: number, length?: number) => {
    if (!definition) return 0
    const levels = new Array<number>(count)
    hyparquet.readRleBitPackedHybrid(readerOf(bytes.subarray(start)), definition, levels, length)
    return levels.filter((level) => level < highest).length
  }
  let nulls = second?.num_nulls ?? 0
  if (!(nulls >= 0 && nulls <= count)) throw new Error(`${nulls} nulls in a page of ${count} values`)
  let start = 0
  if (second) {
    const afterRepetition = second.repetition_levels_byte_length
    const afterDefinition = afterRepetition + second.definition_levels_byte_length
    if (afterRepetition < 0 || afterDefinition < afterRepetition) throw new Error('the values of a page are damaged')
    if (repetition) claims.levels(repetition, afterRepetition)
    claims.at = afterRepetition
    if (definition) claims.levels(definition, afterDefinition)
    claims.at = afterDefinition
    // Whether empty lists and records count as nulls in the header, writers see differently.
    if (repetition || highest > 1) nulls = nullsFrom(afterRepetition, second.definition_levels_byte_length)
  } else {
    if (repetition) claims.prefixedLevels(repetition)
    start = claims.at
    if (definition) claims.prefixedLevels(definition)
    if (encoding === 'DELTA_BYTE_ARRAY') nulls = nullsFrom(start)
  }
  if (claims.at >= bytes.length) return { nulls, missing: 0 }
  if (encoding === 'RLE' || encoding.endsWith('_DICTIONARY')) {
    // hyparquet takes no notice of the length that stands before truth values.
    const areBooleans = second ? encoding === 'RLE' : type === 'BOOLEAN'
    claims.at += areBooleans ? 4 : 1
    const width = areBooleans ? 1 : bytes[claims.at - 1]!
    const seen = claims.runs(width, bytes.length)
    const missing = claims.at - bytes.length
    if (missing > 0) {
      const filled = seen - (count - (second ? nulls : nullsFrom(start)))
      if (missing * 8 <= filled * width) return { nulls, missing }
    }
  } else if (encoding.startsWith('DELTA_')) {
    const lengths = bytes.subarray(claims.at)
    // The beginnings' lengths go before the ends'.
    if (encoding === 'DELTA_BYTE_ARRAY') claims.deltas(count - nulls)
    if (encoding === 'DELTA_BINARY_PACKED' && type === 'INT32') claims.wholeDeltas()
    else claims.deltas()
    if (encoding === 'DELTA_BYTE_ARRAY') checkTexts(hyparquet, lengths, count - nulls)
  }
  return { nulls, missing: 0 }
}

/** Each text begins as the one before it, as far as it claims: what little bytes say can be texts without end. */
function checkTexts(hyparquet: Hyparquet, lengths: Uint8Array, count: number): void {
  const reader = readerOf(lengths)
  const [shared, own] = [new Int32Array(count), new Int32Array(count)]
  hyparquet.deltaBinaryUnpack(reader, count, shared)
  hyparquet.deltaBinaryUnpack(reader, count, own)
  let [length, total] = [0, 0]
  for (let i = 0; i < count; i++) {
    if (shared[i]! < 0 || shared[i]! > length) throw new Error('the texts of a page begin as none before them')
    length = shared[i]! + own[i]!
    total += length
    checkSize(total)
  }
}
