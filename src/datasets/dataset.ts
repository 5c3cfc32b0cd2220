import { inspect } from 'node:util'
import { expected, RayitoError } from '../core/errors.js'
import { span } from '../core/spans.js'
import { serialize, type Travel, via } from '../core/travel.js'
import type { Features } from './features.js'
import type { Image } from './image.js'
import type { Place, Source } from './source.js'
import { missing } from './strict-record.js'

/** What a row of a data set of pictures holds. Name other columns by giving loadDataset your own type. */
export interface ImageRow {
  image: Image
  label: number
  [column: string]: unknown
}

/** A function from a row (and its index) to the columns it adds or replaces. */
export type RowFunction<In, Out> = (row: In, index: number) => Out | Promise<Out>

/** A row with the columns of `Out` added or replaced. */
export type Mapped<Row, Out> = { [Name in keyof Row as Name extends keyof Out ? never : Name]: Row[Name] } & Out

interface Step {
  fn: RowFunction<never, object>
  /** Of each row its place in the data set that map was called on; null for the place it has. */
  places: Uint32Array | null
}

interface View {
  /** Rows of the source in the order of this data set; null for all as they are. */
  indices: Uint32Array | null
  /** Applied in turn to each row that is read. */
  maps: readonly Step[]
  features: Features
}

/** Rows read ahead while one is being used: decoding pictures goes on beside it. */
const READ_AHEAD = 4

/**
 * Rows with named columns, as Python's `Dataset`. Nothing is read before it is asked for: a row costs the pages that hold
 * it, and what was decoded is kept within `cacheBytes`. Holds no file open.
 *
 * A value is a picture, a string, a boolean, a number (a bigint where it is whole and beyond 2^53; a decimal of more digits is a
 * text), a Date, bytes, a list, a record, or null.
 */
export class Dataset<Row extends object = ImageRow> {
  readonly #source: Source
  readonly #view: View

  /** Made by loadDataset. */
  constructor(source: Source, view: View = { indices: null, maps: [], features: source.features }) {
    this.#source = source
    this.#view = view
  }

  get numRows(): number {
    return this.#view.indices?.length ?? this.#source.numRows
  }

  get features(): Features {
    return this.#view.features
  }

  get columnNames(): string[] {
    return Object.keys(this.#view.features)
  }

  /**
   * Row `index`, pictures decoded.
   * Rejects with DATASET_INDEX unless the index is whole and from 0 to `numRows` − 1, and with DATASET_BROKEN or IMAGE_*
   * when the file or the picture is damaged.
   */
  async at(index: number): Promise<Row> {
    this.#check(index)
    return span('read', `row ${index}`, () => this.#read(index))
  }

  async #read(index: number): Promise<Row> {
    let row = await this.#sourceRow(index)
    for (const { fn, places } of this.#view.maps) {
      const columns = await (fn as RowFunction<object, object>)(row, places?.[index] ?? index)
      // Nothing changes nothing, as in Python.
      if ((typeof columns !== 'object' && columns !== undefined) || Array.isArray(columns))
        throw new RayitoError(
          'INVALID_ARGUMENT',
          `Expected \`fn\` to return columns, got ${Array.isArray(columns) ? 'a list' : `a ${typeof columns}`}`,
        )
      row = { ...row, ...columns }
    }
    return row as Row
  }

  async #sourceRow(index: number, columns?: readonly string[]): Promise<object> {
    const at = this.#view.indices?.[index] ?? index
    try {
      return await this.#source.row(at, columns)
    } catch (error) {
      if (!(error instanceof RayitoError && error.code.startsWith('IMAGE_'))) throw error
      const file = this.#source.fileOf?.(at)
      const where = file ? `Row ${index} (${file})` : `Row ${index}`
      throw new RayitoError(error.code, `${where}: ${error.message}`, { remedy: '', cause: error, row: index, file })
    }
  }

  /** The values of one column, in order. Rejects with DATASET_COLUMN_NOT_FOUND. The other columns are not read. */
  async column<Name extends keyof Row & string>(name: Name): Promise<Row[Name][]> {
    const mapped = this.#view.maps.length > 0
    if (!mapped && !this.columnNames.includes(name))
      throw missing('DATASET_COLUMN_NOT_FOUND', 'a column', name, this.columnNames)
    const values: Row[Name][] = []
    for (let i = 0; i < this.numRows; i++) {
      const row = mapped ? await this.at(i) : await this.#sourceRow(i, [name])
      if (!(name in row)) throw missing('DATASET_COLUMN_NOT_FOUND', 'a column', name, Object.keys(row))
      values.push((row as Row)[name])
    }
    return values
  }

  /** The rows at these indices, in their order, repeated if they are: a view, nothing is read. */
  select(indices: Iterable<number>): Dataset<Row> {
    if (typeof indices !== 'object' || indices === null || !(Symbol.iterator in indices))
      expected('indices', 'row indices, such as [0, 2]', indices)
    const chosen = Array.from(indices, (index) => {
      this.#check(index)
      return index
    })
    const places = Uint32Array.from(chosen)
    const within = (before: Uint32Array | null) => (before ? places.map((index) => before[index]!) : places)
    const maps = this.#view.maps.map((step) => ({ ...step, places: within(step.places) }))
    return new Dataset<Row>(this.#source, { ...this.#view, indices: within(this.#view.indices), maps })
  }

  /**
   * A data set whose rows are these, with the columns that `fn` returns added or replaced. Unlike Python's `map`, which works
   * through all rows at once, it is applied to a row each time that row is read (as that of an `IterableDataset`), and
   * `features` tells of the columns as they were before. The index is the row's in this data set, wherever select takes it.
   */
  map<Out extends object>(fn: RowFunction<Row, Out>): Dataset<Mapped<Row, Out>> {
    if (typeof fn !== 'function') expected('fn', 'a function from a row to columns', fn)
    const maps = [...this.#view.maps, { fn: fn as RowFunction<never, object>, places: null }]
    return new Dataset(this.#source, { ...this.#view, maps })
  }

  /** Row after row; the next ones are read while one is used. No page is decoded twice. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Row, void, undefined> {
    const ahead: Promise<Row>[] = []
    for (let next = 0; next < this.numRows || ahead.length > 0; ) {
      while (ahead.length < READ_AHEAD && next < this.numRows) {
        const row = this.at(next++)
        // Its failure is thrown in its turn, or never if the loop ends before.
        row.catch(() => {})
        ahead.push(row)
      }
      yield (await ahead.shift()) as Row
    }
  }

  #check(index: number): void {
    const { numRows } = this
    if (Number.isSafeInteger(index) && index >= 0 && index < numRows) return
    const range = numRows > 0 ? `a whole number from 0 to ${numRows - 1}` : 'none: the data set has no rows'
    const got = typeof index === 'number' ? String(index) : `${String(index)} (${typeof index})`
    throw new RayitoError('DATASET_INDEX', `Expected a row index to be ${range}, got ${got}`)
  }

  /** What Python prints. */
  toString(): string {
    const columns = this.columnNames.map((name) => `'${name}'`).join(', ')
    return `Dataset({\n    features: [${columns}],\n    num_rows: ${this.numRows}\n})`
  }

  [inspect.custom](): string {
    return String(this)
  }

  /** Crosses to other threads by its files, which are opened anew there. */
  [serialize](): Travel {
    if (this.#view.maps.length > 0)
      throw new RayitoError(
        'RAY_NOT_SERIALIZABLE',
        'A data set with map() cannot cross to a worker: its function stays here',
        {
          remedy: 'Send the data set as it was and call map() there',
        },
      )
    return via(import.meta.url, 'reviveDataset', {
      place: this.#source.place,
      indices: this.#view.indices,
    } satisfies Luggage)
  }
}

interface Luggage {
  place: Place
  indices: Uint32Array | null
}

/** The other end of a Dataset's way. */
export async function reviveDataset({ place, indices }: Luggage): Promise<Dataset> {
  const source = await span('load', 'data set', () => reopen(place))
  return new Dataset(source, { indices, maps: [], features: source.features })
}

/** Opens a source by its place; only the reader that it needs is imported. */
async function reopen(place: Place): Promise<Source> {
  if (place.kind === 'parquet') return (await import('./parquet-source.js')).ParquetSource.open(place)
  return new (await import('./picture-source.js')).PictureSource(place)
}
