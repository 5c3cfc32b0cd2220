import type { FileMetaData, SchemaTree } from 'hyparquet'
import { type ErrorCode, RayitoError } from '../../core/errors.js'
import { lastAtMost } from './bisect.js'
import { ColumnChunkReader } from './column-chunk.js'
import { decimals } from './decimals.js'
import { FileReader } from './file-reader.js'
import { readFooter } from './footer.js'
import { type Hyparquet, loadHyparquet } from './hyparquet.js'
import type { PageCache } from './page-cache.js'

/** A Parquet file, opened by its metadata alone. A value costs the page that holds it, decoded once while the cache keeps it. */
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
    readonly hyparquet: Hyparquet,
  ) {
    this.columns = hyparquet.parquetSchema(metadata).children
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
  static open(path: string, cache: PageCache): Promise<ParquetFile> {
    return guard(path, async () => {
      const hyparquet = await loadHyparquet()
      const file = await FileReader.open(path)
      const metadata = hyparquet.parquetMetadata(await readFooter(file), { geoparquet: false })
      return new ParquetFile(file, metadata, cache, hyparquet)
    })
  }

  /** A note in the file's metadata, as writers leave it. */
  note(key: string): string | null {
    return this.metadata.key_value_metadata?.find((entry) => entry.key === key)?.value ?? null
  }

  /** The value of a column in a row; a copy that may be written to. Whole numbers are numbers as far as they fit. */
  value(row: number, column: SchemaTree): Promise<unknown> {
    return guard(this.file.path, async () => {
      const leaves = leavesOf(column)
      const values = await Promise.all(leaves.map((leaf) => this.#leaf(row, leaf)))
      if (column.children.length === 0) return values[0]
      const parts = new Map(leaves.map(({ path }, i) => [path.join('.'), [values[i]]]))
      this.hyparquet.assembleNested(parts, column, this.hyparquet.DEFAULT_PARSERS)
      return withNulls(parts.get(column.path.join('.'))?.[0])
    })
  }

  /** The values of a column in rows that ascend, each as `value` gives it: page after page. */
  values(rows: Uint32Array, column: SchemaTree): Promise<unknown[]> {
    return guard(this.file.path, async () => {
      const values: unknown[] = []
      if (column.children.length > 0) {
        for (const row of rows) values.push(await this.value(row, column))
        return values
      }
      for (let at = 0; at < rows.length; ) {
        const group = this.#groupOf(rows[at]!)
        const start = this.#starts[group]!
        const { values: inPage, firstRow, end } = await this.#chunk(group, column).page(rows[at]! - start)
        do values.push(handedOut(inPage[rows[at]! - start - firstRow], column))
        while (++at < rows.length && rows[at]! - start < end)
      }
      return values
    })
  }

  /** The value of one field of a column of records, leaving the other fields unread. */
  field(row: number, column: SchemaTree, name: string): Promise<unknown> {
    return guard(this.file.path, async () => {
      const leaf = column.children.find(({ element }) => element.name === name)
      let value = leaf ? await this.#leaf(row, leaf) : null
      // An optional record is a list of none or one.
      while (Array.isArray(value)) value = value[0]
      return value ?? null
    })
  }

  async #leaf(row: number, leaf: SchemaTree): Promise<unknown> {
    const group = this.#groupOf(row)
    const inGroup = row - this.#starts[group]!
    const { values, firstRow } = await this.#chunk(group, leaf).page(inGroup)
    return handedOut(values[inGroup - firstRow], leaf)
  }

  #groupOf(row: number): number {
    return lastAtMost(this.#starts, row, (start) => start)
  }

  #chunk(group: number, leaf: SchemaTree): ColumnChunkReader {
    const name = leaf.path.join('.')
    const key = `${this.file.path}:${group}:${name}`
    const known = this.#chunks.get(key)
    if (known) return known
    const { hyparquet, file, cache, metadata } = this
    const { columns, num_rows } = metadata.row_groups[group]!
    const chunk = columns.find(({ meta_data }) => meta_data?.path_in_schema.join('.') === name)
    if (!chunk) throw new Error(`row group ${group} lacks the column ${name}`)
    const schemaPath = hyparquet.getSchemaPath(metadata.schema, leaf.path)
    const made = new ColumnChunkReader(chunk, { hyparquet, file, cache, schemaPath, rows: Number(num_rows), key })
    this.#chunks.set(key, made)
    return made
  }
}

function leavesOf(column: SchemaTree): SchemaTree[] {
  return column.children.length === 0 ? [column] : column.children.flatMap(leavesOf)
}

/** A value of a page as a row has it. */
function handedOut(value: unknown, { element: { converted_type, scale = 0 } }: SchemaTree): unknown {
  return converted_type === 'DECIMAL' ? decimals(own(value), scale) : own(value)
}

/** A copy that shares nothing with the cached page. */
function own(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value
  if (value instanceof Uint8Array) return value.slice()
  if (value instanceof Date) return new Date(value)
  if (Array.isArray(value)) return value.map(own)
  return value ?? null
}

/** Putting lists and records together leaves undefined where they hold null. */
function withNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withNulls)
  if (value === null || typeof value !== 'object' || Object.getPrototypeOf(value) !== Object.prototype)
    return value ?? null
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, withNulls(part)]))
}

/** How hyparquet says that a file is whole and still beyond it; of a damaged one it says `undefined`. */
const UNSUPPORTED = /unsupported [\w ]+: (?!undefined)|not supported$/

/** Whatever goes wrong inside a file is the file's fault, and says so; not so what the system refuses. */
async function guard<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof RayitoError) throw error
    const { code, syscall, message } = error as NodeJS.ErrnoException
    const fail = (code: ErrorCode, message: string) => new RayitoError(code, message, { cause: error })
    if (code === 'ENOENT') throw fail('DATASET_NOT_FOUND', `The data file ${path} is gone`)
    if (syscall) throw fail('DATASET_UNREADABLE', `Expected to read ${path}, got ${code}`)
    if (UNSUPPORTED.test(message))
      throw fail('DATASET_UNSUPPORTED', `Expected ${path} to hold what can be read here, got ${message}`)
    throw fail('DATASET_BROKEN', `Expected ${path} to be a whole Parquet file: ${message}`)
  }
}
