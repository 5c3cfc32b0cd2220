import type { ColumnChunk, PageHeader } from 'hyparquet'
import type { FileReader, Read } from './file-reader.js'
import { type Hyparquet, readerOf } from './hyparquet.js'

/** Where a page lies, its header included, and the first row of the group that it holds. */
export interface Page {
  offset: number
  length: number
  firstRow: number
}

/** Where the pages of a column chunk lie. */
export interface PageTable {
  pages: Page[]
  dictionary: { offset: number; length: number } | null
}

/** A page's header has some 30 bytes, and thousands where it holds the least and the greatest of long values. */
const HEADER_WINDOW = 4096
const HEADER_LIMIT = 1 << 24

/** First and last byte of a chunk: its dictionary, if it has one, goes before its data. */
function rangeOf({ meta_data: meta }: ColumnChunk): { start: number; end: number } {
  if (!meta) throw new Error('a column chunk lacks its metadata')
  const [dictionary, data] = [Number(meta.dictionary_page_offset ?? 0), Number(meta.data_page_offset)]
  // Where there is none, some writers tell of one behind the data.
  const start = dictionary > 0 && dictionary < data ? dictionary : data
  return { start, end: start + Number(meta.total_compressed_size) }
}

/** The whole chunk as if it were one page. */
export function wholeChunk(chunk: ColumnChunk): PageTable {
  const { start, end } = rangeOf(chunk)
  return { pages: [{ offset: start, length: end - start, firstRow: 0 }], dictionary: null }
}

/** From the page index where the file has one, else from page header to page header. Reads no page. */
export function locatePages(
  hyparquet: Hyparquet,
  file: FileReader,
  chunk: ColumnChunk,
  rows: number,
): Promise<PageTable> {
  return file.reading((read) =>
    chunk.offset_index_offset ? fromIndex(hyparquet, read, chunk) : fromHeaders(hyparquet, read, chunk, rows),
  )
}

async function fromIndex(hyparquet: Hyparquet, read: Read, chunk: ColumnChunk): Promise<PageTable> {
  const offset = Number(chunk.offset_index_offset)
  const bytes = await read(offset, offset + (chunk.offset_index_length ?? 0))
  const pages = hyparquet.readOffsetIndex(readerOf(bytes)).page_locations.map((location) => ({
    offset: Number(location.offset),
    length: location.compressed_page_size,
    firstRow: Number(location.first_row_index),
  }))
  const { start } = rangeOf(chunk)
  const first = pages[0]?.offset ?? start
  return { pages, dictionary: start < first ? { offset: start, length: first - start } : null }
}

async function fromHeaders(hyparquet: Hyparquet, read: Read, chunk: ColumnChunk, rows: number): Promise<PageTable> {
  const table: PageTable = { pages: [], dictionary: null }
  const { start, end } = rangeOf(chunk)
  const headers = new HeaderReader(hyparquet, read, end)
  let firstRow = 0
  for (let offset = start; offset < end && firstRow < rows; ) {
    const { header, headerLength } = await headers.at(offset)
    const length = headerLength + header.compressed_page_size
    if (!(header.compressed_page_size >= 0) || offset + length > end)
      throw new Error('a page is longer than its column')
    if (header.type === 'DICTIONARY_PAGE') table.dictionary = { offset, length }
    // No list has come here, so that rows are values; fraugster's parquet-go counts one too few.
    const held = (header.data_page_header_v2 ?? header.data_page_header)?.num_values
    if (held !== undefined) {
      table.pages.push({ offset, length, firstRow })
      firstRow += held
    }
    offset += length
  }
  if (firstRow !== rows) throw new Error(`the pages of a column hold ${firstRow} rows instead of ${rows}`)
  return table
}

/** Reads page headers through a window of the file: small pages share one. */
class HeaderReader {
  #start = 0
  #window = new Uint8Array()

  constructor(
    readonly hyparquet: Hyparquet,
    readonly read: Read,
    /** Where the column ends. */
    readonly end: number,
  ) {}

  async at(offset: number): Promise<{ header: PageHeader; headerLength: number }> {
    for (let size = HEADER_WINDOW; ; size *= 4) {
      const inside = offset >= this.#start && offset < this.#start + this.#window.length
      const found = inside ? this.#parse(offset) : null
      if (found) return found
      const isAll = inside && offset === this.#start && this.#start + this.#window.length === this.end
      if (isAll || size > HEADER_LIMIT) throw new Error(`no page begins at byte ${offset}`)
      this.#window = await this.read(offset, Math.min(offset + size, this.end))
      this.#start = offset
    }
  }

  /** The header, or null where it goes on behind the window. */
  #parse(offset: number): { header: PageHeader; headerLength: number } | null {
    const bytes = this.#window.subarray(offset - this.#start)
    const reader = readerOf(bytes)
    try {
      const header = this.hyparquet.parquetHeader(reader)
      return reader.offset <= bytes.length ? { header, headerLength: reader.offset } : null
    } catch {
      return null
    }
  }
}
