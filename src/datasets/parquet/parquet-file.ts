import { readdir, readlink, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { ColumnChunk, FileMetaData, SchemaTree } from 'hyparquet'
import { type ErrorCode, RayitoError } from '../../core/errors.js'
import { lastAtMost } from './bisect.js'
import { ColumnChunkReader, type Page } from './column-chunk.js'
import { decimals } from './decimals.js'
import { FileReader } from './file-reader.js'
import { readFooter } from './footer.js'
import { type Hyparquet, loadHyparquet } from './hyparquet.js'
import { renewLists } from './old-lists.js'
import type { PageCache } from './page-cache.js'
import { NoText } from './parsers.js'
import { refuseTooLarge } from './schema-size.js'

/** A column that has values of its own, behind all that it lies in, from the schema's root on. */
type Leaf = SchemaTree[]

/** A Parquet file, opened by its metadata alone. A value costs the page that holds it, decoded once while the cache keeps it. */
export class ParquetFile {
  readonly numRows: number
  /** The top-level columns. */
  readonly columns: readonly SchemaTree[]
  readonly #root: SchemaTree
  /** Of each column that was asked for, the leaves. */
  readonly #leaves = new Map<SchemaTree, readonly Leaf[]>()
  /** Of each row group that was asked for, the chunks by their names. */
  readonly #groups = new Map<number, ReadonlyMap<string, ColumnChunk>>()
  /** First row of each row group. */
  readonly #starts: number[] = []
  readonly #chunks = new Map<string, ColumnChunkReader>()

  private constructor(
    readonly file: FileReader,
    readonly metadata: FileMetaData,
    readonly cache: PageCache,
    readonly hyparquet: Hyparquet,
  ) {
    if (metadata.schema.some(({ name }) => name === undefined)) throw new Error('a column in its schema has no name')
    refuseTooLarge(metadata.schema)
    // hyparquet would make values of a VARIANT's bytes, decimals and missing fields not as they were written: to pyarrow it is a record.
    for (const element of metadata.schema) if (element.logical_type?.type === 'VARIANT') delete element.logical_type
    // fastparquet may write it as a truth instead of a number, which says nothing: to pyarrow no value is missing then.
    for (const element of metadata.schema.slice(1)) element.repetition_type ??= 'REQUIRED'
    renewLists(metadata, hyparquet.parquetSchema(metadata))
    // xitongsys' parquet-go counts no headers in the pages' sizes, and values for the rows of lists: without its index the pages tell.
    if (metadata.created_by === 'parquet-go version latest')
      for (const { columns } of metadata.row_groups) for (const chunk of columns) delete chunk.offset_index_offset
    this.#root = hyparquet.parquetSchema(metadata)
    this.columns = this.#root.children
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
    const hyparquet = await loadHyparquet()
    return guard(path, async () => {
      const file = await FileReader.open(path)
      const metadata = hyparquet.parquetMetadata(await readFooter(file), { geoparquet: false })
      return new ParquetFile(file, metadata, cache, hyparquet)
    })
  }

  /** A note in the file's metadata, as writers leave it. */
  note(key: string): string | null {
    return this.metadata.key_value_metadata?.find((entry) => entry.key === key)?.value ?? null
  }

  /** The top-level column that takes the fewest bytes. */
  get leanest(): SchemaTree {
    const sizes = new Map<string | undefined, number>()
    for (const { meta_data } of this.metadata.row_groups.flatMap(({ columns }) => columns)) {
      const name = meta_data?.path_in_schema[0]
      sizes.set(name, (sizes.get(name) ?? 0) + Number(meta_data?.total_compressed_size))
    }
    const sizeOf = ({ element }: SchemaTree) => sizes.get(element.name) ?? 0
    return this.columns.reduce((least, column) => (sizeOf(column) < sizeOf(least) ? column : least))
  }

  /** The value of a column in a row; a copy that may be written to. Whole numbers are numbers as far as they fit. */
  value(row: number, column: SchemaTree): Promise<unknown> {
    return guard(this.file.path, async () => {
      const group = this.#groupOf(row)
      const inGroup = row - this.#starts[group]!
      const leaves = this.#leavesOf(column)
      return this.#assembled(await this.#pages(group, inGroup, leaves), inGroup, leaves, column)
    })
  }

  /** The values of a column in rows that ascend (null: in all), each as `value` gives it: page after page. */
  values(rows: Uint32Array | null, column: SchemaTree): Promise<unknown[]> {
    const leaves = this.#leavesOf(column)
    const count = rows?.length ?? this.numRows
    const rowAt = (at: number) => (rows ? rows[at]! : at)
    return guard(this.file.path, async () => {
      const values: unknown[] = []
      for (let at = 0; at < count; ) {
        const group = this.#groupOf(rowAt(at))
        const start = this.#starts[group]!
        const pages = await this.#pages(group, rowAt(at) - start, leaves)
        const end = start + Math.min(...pages.map((page) => page.end))
        do values.push(this.#assembled(pages, rowAt(at) - start, leaves, column))
        while (++at < count && rowAt(at) < end)
      }
      return values
    })
  }

  /** Of each leaf the page that holds a row of the group. */
  #pages(group: number, row: number, leaves: readonly Leaf[]): Promise<Page[]> {
    return Promise.all(leaves.map((leaf) => this.#chunk(group, leaf).page(row)))
  }

  /** A column's value in a row of the group, from the pages of its leaves. */
  #assembled(pages: readonly Page[], row: number, leaves: readonly Leaf[], column: SchemaTree): unknown {
    const values = pages.map((page, i) => valueIn(page, row, leaves[i]!))
    if (column.children.length === 0) return values[0]
    const parts = new Map(leaves.map((leaf, i) => [leaf.at(-1)!.path.join('.'), [values[i]]]))
    this.hyparquet.assembleNested(parts, column, this.hyparquet.DEFAULT_PARSERS)
    return withNulls(parts.get(column.path.join('.'))?.[0])
  }

  /** The value of one field of a column of records, leaving the other fields unread. */
  field(row: number, column: SchemaTree, name: string): Promise<unknown> {
    return guard(this.file.path, async () => {
      const leaf = column.children.find(({ element }) => element.name === name)
      let value = leaf ? await this.#leaf(row, [this.#root, column, leaf]) : null
      // An optional record is a list of none or one.
      while (Array.isArray(value)) value = value[0]
      return value ?? null
    })
  }

  async #leaf(row: number, leaf: Leaf): Promise<unknown> {
    const group = this.#groupOf(row)
    const inGroup = row - this.#starts[group]!
    return valueIn(await this.#chunk(group, leaf).page(inGroup), inGroup, leaf)
  }

  #groupOf(row: number): number {
    return lastAtMost(this.#starts, row, (start) => start)
  }

  #leavesOf(column: SchemaTree): readonly Leaf[] {
    const known = this.#leaves.get(column)
    if (known) return known
    const leaves = leavesOf([this.#root, column])
    this.#leaves.set(column, leaves)
    return leaves
  }

  #chunk(group: number, schemaPath: Leaf): ColumnChunkReader {
    const { path } = schemaPath.at(-1)!
    const name = nameOf(path)
    const key = `${this.file.path}:${group}:${name}`
    const known = this.#chunks.get(key)
    if (known) return known
    const { hyparquet, file, cache, metadata } = this
    const chunk = this.#columnsOf(group).get(name)
    if (!chunk) throw new Error(`row group ${group} lacks the column ${path.join('.')}`)
    if (chunk.crypto_metadata) throw new Error(`the encrypted column ${path.join('.')}, not supported`)
    const rows = Number(metadata.row_groups[group]!.num_rows)
    const made = new ColumnChunkReader(chunk, { hyparquet, file, cache, schemaPath, rows, column: name, key })
    this.#chunks.set(key, made)
    return made
  }

  /** The chunks of a row group by the names of their columns; of one that is there twice the first. */
  #columnsOf(group: number): ReadonlyMap<string, ColumnChunk> {
    const known = this.#groups.get(group)
    if (known) return known
    const columns = new Map<string, ColumnChunk>()
    for (const chunk of this.metadata.row_groups[group]!.columns.toReversed())
      if (chunk.meta_data) columns.set(nameOf(chunk.meta_data.path_in_schema), chunk)
    this.#groups.set(group, columns)
    return columns
  }
}

/** A column's name may have a point of its own. */
const nameOf = (path: readonly string[]) => path.join('\0')

function leavesOf(path: Leaf): Leaf[] {
  const { children } = path.at(-1)!
  return children.length === 0 ? [path] : children.flatMap((child) => leavesOf([...path, child]))
}

/** The value that a page has for a row of its group, as a row has it. */
function valueIn({ values, firstRow }: Page, row: number, leaf: Leaf) {
  const { converted_type, scale = 0 } = leaf.at(-1)!.element
  const value = own(values[row - firstRow])
  return converted_type === 'DECIMAL' ? decimals(value, scale) : value
}

/** A copy that shares nothing with the cached page. */
function own(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value
  if (value instanceof Uint8Array) return value.slice()
  if (value instanceof Date) return new Date(value)
  if (Array.isArray(value)) return value.map(own)
  if (value instanceof NoText) throw new Error('a text in it is no UTF-8')
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
    // What hyparquet stumbles over in damaged bytes tells nobody anything.
    const why = error instanceof TypeError ? 'what it says of itself is damaged' : message
    const told = `Expected ${path} to be a whole Parquet file: ${why}`
    throw new RayitoError('DATASET_BROKEN', told, { cause: error, ...(await remedyFor(path)) })
  }
}

/** In the Hub's cache a file is a link: without it alone, the same content would be linked again. */
async function remedyFor(path: string): Promise<{ remedy?: string }> {
  const target = await readlink(path).then(
    (to) => resolve(dirname(path), to),
    () => null,
  )
  if (target !== null) return { remedy: `Delete ${target}, which it is a link to, and load it again.` }
  const blob = await sameFile(path).catch(() => null)
  return blob === null ? {} : { remedy: `Delete it and ${blob}, which is the same file, and load it again.` }
}

/** The name of the same file among the cache's blobs, as where the system makes no symbolic links; null where it is none of them. */
async function sameFile(path: string): Promise<string | null> {
  const [, folder] = /^(.*[\\/]datasets--[^\\/]+)[\\/]snapshots[\\/]/.exec(path) ?? []
  if (!folder) return null
  const identity = async (name: string) => (await stat(name, { bigint: true })).ino
  const wanted = await identity(path)
  for (const name of await readdir(join(folder, 'blobs'))) {
    const blob = join(folder, 'blobs', name)
    if ((await identity(blob)) === wanted) return blob
  }
  return null
}
