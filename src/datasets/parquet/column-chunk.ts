import type { ColumnChunk, ColumnMetaData, DataReader, DecodedArray, PageHeader } from 'hyparquet'
import type { ColumnDecoder } from 'hyparquet/src/types.js'
import { compressorsFor } from './compressors.js'
import type { FileReader } from './file-reader.js'
import type { PageCache } from './page-cache.js'

/** Where a page lies and which rows of its row group it holds. */
interface Page {
  offset: number
  /** Its header included. */
  length: number
  firstRow: number
}

interface PageTable {
  pages: Page[]
  /** Where the dictionary lies, if there is one. */
  dictionary: { offset: number; length: number } | null
}

/** The values of some successive rows. */
export interface Run {
  firstRow: number
  values: DecodedArray
  /** Roughly what it holds in memory. */
  bytes: number
}

/** hyparquet's inner functions, which read one page; loaded with the first Parquet file. */
export type Hyparquet = typeof import('hyparquet') &
  typeof import('hyparquet/src/column.js') &
  typeof import('hyparquet/src/convert.js')

/** Page headers are some 30 bytes, up to about 16 KB where they hold the least and greatest value of long values. */
const HEADER_WINDOW = 4096
const HEADER_LIMIT = 1 << 24

/** One column of one row group: finds the page that holds a row and decodes it alone. */
export class ColumnChunkReader {
  readonly #meta: ColumnMetaData
  #table: Promise<PageTable> | null = null

  constructor(
    readonly hyparquet: Hyparquet,
    readonly file: FileReader,
    readonly cache: PageCache,
    /** Names this chunk in the cache. */
    readonly key: string,
    readonly chunk: ColumnChunk,
    readonly decoder: Omit<ColumnDecoder, 'codec' | 'type'>,
    /** Rows of the row group. */
    readonly rows: number,
    /** How deep lists are nested in the column. */
    readonly repetition: number,
  ) {
    if (!chunk.meta_data) throw new Error('a column chunk lacks its metadata')
    this.#meta = chunk.meta_data
  }

  /** Number of the page that holds a row of the group. */
  async #pageOf(row: number): Promise<number> {
    const { pages } = await this.#pages()
    let low = 0
    let high = pages.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (pages[middle]!.firstRow <= row) low = middle
      else high = middle - 1
    }
    return low
  }

  /** The page that holds a row of the group, from the cache or decoded now. */
  async run(row: number): Promise<Run> {
    const index = await this.#pageOf(row)
    return this.cache.get(
      `${this.key}:${index}`,
      () => this.#read(index),
      ({ bytes }) => bytes,
    )
  }

  async #read(index: number): Promise<Run> {
    const { pages } = await this.#pages()
    const page = pages[index]
    if (!page) throw new Error('a column chunk has no pages')
    const { firstRow } = page
    const rows = (pages[index + 1]?.firstRow ?? this.rows) - firstRow
    const bytes = await this.file.read(page.offset, page.offset + page.length)
    const reader = readerOf(bytes)
    if (this.#isWhole) return this.#readWhole(reader)
    const header = this.hyparquet.parquetHeader(reader)
    const decoder = await this.#decoder()
    const encoding = (header.data_page_header ?? header.data_page_header_v2)?.encoding
    const dictionary = encoding?.endsWith('_DICTIONARY') ? await this.#readDictionary() : null
    const { data } = this.hyparquet.readPage(reader, header, decoder, dictionary?.values, undefined, 0)
    if (data?.length !== rows) throw new Error(`a page holds ${data?.length} rows instead of ${rows}`)
    // Its values keep the dictionary's bytes alive, so they count.
    return { firstRow, values: data, bytes: sizeOf(data, header.uncompressed_page_size) + (dictionary?.bytes ?? 0) }
  }

  /**
   * Old pages of a list column do not tell how many rows they hold, and a row may go on in the next page: without an index
   * the whole chunk is read as one.
   */
  get #isWhole(): boolean {
    return this.repetition > 0 && !this.chunk.offset_index_offset
  }

  async #readWhole(reader: DataReader): Promise<Run> {
    const select = { groupStart: 0, groupRows: this.rows, selectStart: 0, selectEnd: this.rows }
    const { data } = this.hyparquet.readColumn(reader, select, await this.#decoder())
    const values = this.hyparquet.flatten(data)
    if (values.length !== this.rows) throw new Error(`a column holds ${values.length} rows instead of ${this.rows}`)
    return { firstRow: 0, values, bytes: sizeOf(values, Number(this.#meta.total_uncompressed_size)) }
  }

  async #decoder(): Promise<ColumnDecoder> {
    const { codec, type } = this.#meta
    return { ...this.decoder, type, codec, compressors: await compressorsFor(codec) }
  }

  #pages(): Promise<PageTable> {
    this.#table ??= this.#locate().catch((error) => {
      this.#table = null
      throw error
    })
    return this.#table
  }

  async #locate(): Promise<PageTable> {
    const { data_page_offset, dictionary_page_offset, total_compressed_size } = this.#meta
    const first = Number(data_page_offset)
    const start = dictionary_page_offset ? Math.min(Number(dictionary_page_offset), first) : first
    const end = start + Number(total_compressed_size)
    const { offset_index_offset, offset_index_length } = this.chunk
    if (offset_index_offset && offset_index_length)
      return this.#readIndex(start, Number(offset_index_offset), offset_index_length)
    if (this.#isWhole) return { pages: [{ offset: start, length: end - start, firstRow: 0 }], dictionary: null }
    return this.#walk(start, end)
  }

  async #readIndex(start: number, offset: number, length: number): Promise<PageTable> {
    const reader = readerOf(await this.file.read(offset, offset + length))
    const pages = this.hyparquet.readOffsetIndex(reader).page_locations.map((location) => ({
      offset: Number(location.offset),
      length: location.compressed_page_size,
      firstRow: Number(location.first_row_index),
    }))
    const first = pages[0]?.offset ?? start
    return { pages, dictionary: start < first ? { offset: start, length: first - start } : null }
  }

  /** Without an index: from page header to page header, passing over what lies between. */
  async #walk(start: number, end: number): Promise<PageTable> {
    const pages: Page[] = []
    let dictionary: PageTable['dictionary'] = null
    let row = 0
    for (let offset = start; offset < end && row < this.rows; ) {
      const { header, length: headerLength } = await this.#header(offset, end)
      const length = headerLength + header.compressed_page_size
      if (length <= headerLength - 1 || offset + length > end) throw new Error('a page is longer than its column')
      if (header.type === 'DICTIONARY_PAGE') dictionary = { offset, length }
      else {
        pages.push({ offset, length, firstRow: row })
        row += header.data_page_header_v2?.num_rows ?? header.data_page_header?.num_values ?? 0
      }
      offset += length
    }
    if (row !== this.rows) throw new Error(`the pages of a column hold ${row} rows instead of ${this.rows}`)
    return { pages, dictionary }
  }

  async #header(offset: number, end: number): Promise<{ header: PageHeader; length: number }> {
    for (let window = HEADER_WINDOW; ; window *= 4) {
      const bytes = await this.file.read(offset, Math.min(offset + window, end))
      const reader = readerOf(bytes)
      try {
        const header = this.hyparquet.parquetHeader(reader)
        if (reader.offset <= bytes.length) return { header, length: reader.offset }
      } catch (error) {
        // The header may go on behind the window.
        if (offset + window >= end || window >= HEADER_LIMIT) throw error
      }
    }
  }

  /** Dictionary and size go through the cache: the dictionary of a column of pictures can be a megabyte. */
  #readDictionary(): Promise<{ values: DecodedArray; bytes: number }> {
    return this.cache.get(
      `${this.key}:dictionary`,
      () => this.#loadDictionary(),
      ({ bytes }) => bytes,
    )
  }

  async #loadDictionary(): Promise<{ values: DecodedArray; bytes: number }> {
    const { dictionary } = await this.#pages()
    if (!dictionary) throw new Error('a column lacks its dictionary')
    const reader = readerOf(await this.file.read(dictionary.offset, dictionary.offset + dictionary.length))
    const header = this.hyparquet.parquetHeader(reader)
    const decoder = await this.#decoder()
    const { data } = this.hyparquet.readPage(reader, header, decoder, undefined, undefined, 0)
    if (header.type !== 'DICTIONARY_PAGE' || !data) throw new Error('a column lacks its dictionary')
    const values = this.hyparquet.convert(data, decoder)
    return { values, bytes: sizeOf(values, header.uncompressed_page_size) }
  }
}

function readerOf(bytes: Uint8Array): DataReader {
  return { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 }
}

/** An array's values are views of the unpacked page or strings made from it, about 96 bytes each beside their content. */
function sizeOf(values: DecodedArray, unpacked: number): number {
  return ArrayBuffer.isView(values) ? values.byteLength : unpacked + values.length * 96
}
