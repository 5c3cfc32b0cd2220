import type { FileMetaData, SchemaTree } from 'hyparquet'
import { RayitoError } from '../../core/errors.js'
import { ColumnChunkReader, type Hyparquet } from './column-chunk.js'
import { FileReader } from './file-reader.js'
import type { PageCache } from './page-cache.js'

let loaded: Promise<Hyparquet & Assembly> | null = null
type Assembly = typeof import('hyparquet/src/assemble.js') & typeof import('hyparquet/src/schema.js')

/** hyparquet with the inner functions that read one page; its public ones read whole column chunks. */
function hyparquet(): Promise<Hyparquet & Assembly> {
  loaded ??= Promise.all([
    import('hyparquet'),
    import('hyparquet/src/column.js'),
    import('hyparquet/src/convert.js'),
    import('hyparquet/src/assemble.js'),
    import('hyparquet/src/schema.js'),
  ]).then(([a, b, c, d, e]) => ({ ...a, ...b, ...c, ...d, ...e }))
  return loaded
}

/** A Parquet file, opened by its metadata alone. A value costs the pages that hold it, decoded once while the cache keeps them. */
export class ParquetFile {
  readonly numRows: number
  /** The top-level columns. */
  readonly columns: readonly SchemaTree[]
  /** First row of each row group. */
  readonly #starts: number[] = []
  readonly #chunks = new Map<string, ColumnChunkReader>()

  private constructor(
    readonly file: FileReader,
    readonly metadata: FileMetaData,
    readonly cache: PageCache,
    readonly parquet: Hyparquet & Assembly,
  ) {
    this.columns = parquet.parquetSchema(metadata).children
    let start = 0
    for (const { num_rows } of metadata.row_groups) {
      this.#starts.push(start)
      start += Number(num_rows)
    }
    if (start !== Number(metadata.num_rows))
      throw new Error(`its row groups hold ${start} of ${metadata.num_rows} rows`)
    this.numRows = start
  }

  /** Reads the metadata. Rejects with DATASET_BROKEN when the file is not Parquet or lacks its end. */
  static async open(path: string, cache: PageCache): Promise<ParquetFile> {
    return guard(path, async () => {
      const parquet = await hyparquet()
      const file = await FileReader.open(path)
      const source = {
        byteLength: file.byteLength,
        slice: async (start: number, end = file.byteLength) => (await file.read(start, end)).buffer,
      }
      const metadata = await parquet.parquetMetadataAsync(source, { geoparquet: false })
      return new ParquetFile(file, metadata, cache, parquet)
    })
  }

  /** A note in the file's metadata, as writers leave it. */
  note(key: string): string | null {
    return this.metadata.key_value_metadata?.find((entry) => entry.key === key)?.value ?? null
  }

  /** The value of a column in a row; a copy that may be written to. Whole numbers are numbers as far as they fit. */
  async value(row: number, column: SchemaTree): Promise<unknown> {
    return guard(this.file.path, async () => {
      const leaves = leavesOf(column)
      const values = await Promise.all(leaves.map((leaf) => this.#leaf(row, leaf)))
      if (column.children.length === 0) return values[0]
      const parts = new Map(leaves.map(({ path }, i) => [path.join('.'), [values[i]]]))
      this.parquet.assembleNested(parts, column, this.parquet.DEFAULT_PARSERS)
      return parts.get(column.path.join('.'))?.[0]
    })
  }

  /** The value of one field of a column of records, leaving the other fields unread. */
  async field(row: number, column: SchemaTree, name: string): Promise<unknown> {
    return guard(this.file.path, async () => {
      const leaf = column.children.find(({ element }) => element.name === name)
      if (!leaf) return null
      let value = await this.#leaf(row, leaf)
      // An optional record is a list of none or one.
      while (Array.isArray(value)) value = value[0]
      return value ?? null
    })
  }

  async #leaf(row: number, leaf: SchemaTree): Promise<unknown> {
    const group = lastAtMost(this.#starts, row)
    const inGroup = row - this.#starts[group]!
    const { firstRow, values } = await this.#chunk(group, leaf).run(inGroup)
    return own(values[inGroup - firstRow])
  }

  #chunk(group: number, leaf: SchemaTree): ColumnChunkReader {
    const name = leaf.path.join('.')
    const key = `${this.file.path}:${group}:${name}`
    let chunk = this.#chunks.get(key)
    if (!chunk) {
      const { columns, num_rows } = this.metadata.row_groups[group]!
      const found = columns.find(({ meta_data }) => meta_data?.path_in_schema.join('.') === name)
      if (!found) throw new Error(`row group ${group} lacks the column ${name}`)
      const schemaPath = this.parquet.getSchemaPath(this.metadata.schema, leaf.path)
      const parsers = this.parquet.DEFAULT_PARSERS
      const decoder = { pathInSchema: leaf.path, element: leaf.element, schemaPath, parsers, utf8: false }
      const depth = this.parquet.getMaxRepetitionLevel(schemaPath)
      chunk = new ColumnChunkReader(this.parquet, this.file, this.cache, key, found, decoder, Number(num_rows), depth)
      this.#chunks.set(key, chunk)
    }
    return chunk
  }
}

function leavesOf(column: SchemaTree): SchemaTree[] {
  return column.children.length === 0 ? [column] : column.children.flatMap(leavesOf)
}

function lastAtMost(starts: number[], row: number): number {
  let low = 0
  let high = starts.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    // Empty row groups begin where the next one does: the last of them holds the row.
    if (starts[middle]! <= row) low = middle
    else high = middle - 1
  }
  return low
}

/** A copy that shares nothing with the cached page. */
function own(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value
  if (value instanceof Uint8Array) return value.slice()
  if (value instanceof Date) return new Date(value)
  if (Array.isArray(value)) return value.map(own)
  return value ?? null
}

/** Whatever goes wrong inside a file is the file's fault, and says so. */
async function guard<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof RayitoError) throw error
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT')
      throw new RayitoError('DATASET_NOT_FOUND', `The data file ${path} is not there`, { cause: error })
    throw new RayitoError('DATASET_BROKEN', `Expected ${path} to be a whole Parquet file: ${message}`, { cause: error })
  }
}
