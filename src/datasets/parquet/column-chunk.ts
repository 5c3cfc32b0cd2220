import type { ColumnChunk, DataReader, DecodedArray, PageHeader, SchemaTree } from 'hyparquet'
import type { ColumnDecoder } from 'hyparquet/src/types.js'
import { lastAtMost } from './bisect.js'
import { compressorsFor } from './compressors.js'
import { readDataPage } from './data-page.js'
import { unscaled } from './decimals.js'
import type { FileReader } from './file-reader.js'
import { type Hyparquet, readerOf } from './hyparquet.js'
import type { PageCache } from './page-cache.js'
import { locatePages, type PageTable, wholeChunk } from './page-table.js'
import { parsersOf } from './parsers.js'

/** What a chunk's pages are read with. */
export interface ChunkContext {
  hyparquet: Hyparquet
  file: FileReader
  cache: PageCache
  /** From the schema's root to the column. */
  schemaPath: SchemaTree[]
  /** Rows of the row group. */
  rows: number
  /** Names the column in the cache, whichever group or file it is of. */
  column: string
  /** Names the chunk in the cache. */
  key: string
}

/** The values of successive rows. */
interface Values {
  values: DecodedArray
  /** Roughly what they hold in memory. */
  bytes: number
}

/** A page's values, and which rows of the group they are: from `firstRow` to before `end`. */
export interface Page {
  values: DecodedArray
  firstRow: number
  end: number
}

/** Values in the lists of a column chunk at most: half a gigabyte, and that again for what holds them. */
const MOST_VALUES = 2 ** 26

const bytesOf = ({ bytes }: Values) => bytes

/** One column of one row group: finds the page that holds a row and decodes that alone. */
export class ColumnChunkReader {
  readonly #chunk: ColumnChunk
  readonly #context: ChunkContext
  #table: Promise<PageTable> | null = null
  #decoder: Promise<ColumnDecoder> | null = null

  constructor(chunk: ColumnChunk, context: ChunkContext) {
    this.#chunk = chunk
    this.#context = context
  }

  /** The page that holds a row of the group, as the cache has it: its values are not to be handed out. */
  async page(row: number): Promise<Page> {
    this.#table ??= this.#locate().catch((error) => {
      this.#table = null
      throw error
    })
    const { pages } = await this.#table
    if (pages.length === 0) throw new Error('a column has no pages')
    const index = lastAtMost(pages, row, ({ firstRow }) => firstRow)
    const { cache, column, key, rows } = this.#context
    const { values } = await cache.get(`${key}:${index}`, () => this.#read(index), bytesOf, column)
    return { values, firstRow: pages[index]!.firstRow, end: pages[index + 1]?.firstRow ?? rows }
  }

  #locate(): Promise<PageTable> {
    const { hyparquet, file, rows } = this.#context
    if (this.#isWhole) return Promise.resolve(wholeChunk(this.#chunk))
    return locatePages(hyparquet, file, this.#chunk, rows)
  }

  /** Without an index a page of lists does not tell how many rows it holds, and a row may go on in the next page. */
  get #isWhole(): boolean {
    const { hyparquet, schemaPath } = this.#context
    return !this.#chunk.offset_index_offset && hyparquet.getMaxRepetitionLevel(schemaPath) > 0
  }

  async #read(index: number): Promise<Values> {
    const { hyparquet, file } = this.#context
    const { pages } = await this.#table!
    const { offset, length, firstRow } = pages[index]!
    const rows = (pages[index + 1]?.firstRow ?? this.#context.rows) - firstRow
    const bytes = await file.read(offset, offset + length)
    if (this.#isWhole) return this.#readWhole(bytes)
    const reader = readerOf(bytes)
    const header = hyparquet.parquetHeader(reader)
    const { encoding } = header.data_page_header ?? header.data_page_header_v2 ?? {}
    const dictionary = encoding?.endsWith('_DICTIONARY') ? await this.#dictionary() : null
    const data = readDataPage(hyparquet, reader, header, await this.#decode(), dictionary?.values)
    if (data?.length !== rows) throw new Error(`a page holds ${data?.length} rows instead of ${rows}`)
    // Its values keep the dictionary's bytes alive, so they count here too.
    return { values: data, bytes: sizeOf(data, header.uncompressed_page_size) + (dictionary?.bytes ?? 0) }
  }

  async #readWhole(bytes: Uint8Array): Promise<Values> {
    const { hyparquet, rows } = this.#context
    const decoder = await this.#decode()
    let dictionary: DecodedArray | undefined
    let values: DecodedArray = []
    this.#checkLists(readerOf(bytes))
    const reader = readerOf(bytes)
    while (reader.offset < reader.view.byteLength) {
      const header = hyparquet.parquetHeader(reader)
      if (header.type === 'DICTIONARY_PAGE') dictionary = this.#readDictionaryPage(reader, header, decoder)
      else values = readDataPage(hyparquet, reader, header, decoder, dictionary, values) ?? values
    }
    if (values.length !== rows) throw new Error(`a column holds ${values.length} rows instead of ${rows}`)
    return { values, bytes: sizeOf(values, Number(this.#chunk.meta_data!.total_uncompressed_size)) }
  }

  /** All that the pages claim to hold is in memory at once. */
  #checkLists(reader: DataReader): void {
    const { hyparquet } = this.#context
    let count = 0
    while (reader.offset < reader.view.byteLength) {
      const header = hyparquet.parquetHeader(reader)
      if (!(header.compressed_page_size >= 0)) throw new Error('a page is longer than its column')
      reader.offset += header.compressed_page_size
      count += (header.data_page_header ?? header.data_page_header_v2)?.num_values ?? 0
    }
    if (count > MOST_VALUES) throw new Error(`lists of ${count} values in a row group are not supported`)
  }

  /** Kept as a page is: the dictionary of a column of pictures can be a megabyte. */
  #dictionary(): Promise<Values> {
    const { cache, column, key } = this.#context
    return cache.get(`${key}:dictionary`, () => this.#readDictionary(), bytesOf, `${column}:dictionary`)
  }

  async #readDictionary(): Promise<Values> {
    const { hyparquet, file } = this.#context
    const { dictionary } = await this.#table!
    if (!dictionary) throw new Error('a column lacks its dictionary')
    const { offset, length } = dictionary
    const reader = readerOf(await file.read(offset, offset + length))
    const header = hyparquet.parquetHeader(reader)
    if (header.type !== 'DICTIONARY_PAGE') throw new Error('a column lacks its dictionary')
    const values = this.#readDictionaryPage(reader, header, await this.#decode())
    return { values, bytes: sizeOf(values, header.uncompressed_page_size) }
  }

  #readDictionaryPage(reader: DataReader, header: PageHeader, decoder: ColumnDecoder): DecodedArray {
    const { hyparquet } = this.#context
    if (header.dictionary_page_header!.num_values > header.uncompressed_page_size)
      throw new Error('a dictionary claims more values than it has bytes')
    const { data } = hyparquet.readPage(reader, header, decoder, undefined, undefined, 0)
    return hyparquet.convert(data ?? [], decoder)
  }

  #decode(): Promise<ColumnDecoder> {
    this.#decoder ??= this.#makeDecoder()
    return this.#decoder
  }

  async #makeDecoder(): Promise<ColumnDecoder> {
    const { hyparquet, schemaPath } = this.#context
    const { codec, type, path_in_schema } = this.#chunk.meta_data!
    return {
      pathInSchema: path_in_schema,
      schemaPath,
      element: unscaled(schemaPath.at(-1)!.element),
      type,
      codec,
      compressors: await compressorsFor(codec),
      parsers: parsersOf(hyparquet),
      // Bytes are text only where the schema says so, as in Python.
      utf8: false,
    }
  }
}

/** An array's values are views of the unpacked page or strings made from it, about 96 bytes each beside their content. */
function sizeOf(values: DecodedArray, unpacked: number): number {
  return ArrayBuffer.isView(values) ? values.byteLength : unpacked + values.length * 96
}
