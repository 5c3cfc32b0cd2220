import { inspect } from 'node:util'
import { expected, RayitoError } from '../core/errors.js'
import { knownOptions } from '../core/options.js'
import { span } from '../core/spans.js'
import { offer, serialize, type Travel, via } from '../core/travel.js'
import { DatasetDict } from './dataset-dict.js'
import type { Features } from './features.js'
import type { ImageRow, Mapped, Renamed, RowFunction, RowPredicate, Without } from './row.js'
import { removing, renaming, selecting } from './rows/column-change.js'
import { distinct } from './rows/distinct.js'
import { Generator } from './rows/generator.js'
import { placesOf } from './rows/row-filter.js'
import { orderBy, type SortOptions } from './rows/row-order.js'
import { range, type ShardOptions, shardRange, wholeFrom } from './rows/row-range.js'
import { type Seed, seedOf } from './rows/seed.js'
import { type TrainTestSplitOptions, trainTestPlaces } from './rows/train-test-split.js'
import { type SourceNames, View } from './rows/view.js'
import { openSource } from './sources/open-source.js'
import type { Place, Source } from './sources/source.js'
import { missing, withoutIndices } from './strict-record.js'

/** What tells one data set from another: a symbol, since it is no part of its JSON. */
const CONTENT = Symbol('content')

/** Rows read ahead while one is being used: decoding pictures goes on beside it. */
const READ_AHEAD = 4

/**
 * Rows with named columns, as Python's `Dataset`. Nothing is read before it is asked for: a row costs the pages that hold
 * it, and what was decoded is kept within `cacheBytes`. Holds no file open.
 *
 * A value is a picture, a string, a boolean, a number (a bigint where it is whole and beyond 2^53; a decimal of more digits is a
 * text), a Date (to the millisecond), bytes, a list, a record, or null. A time of day and a duration are numbers of the unit that
 * the column's `dtype` names: `time64[us]`, `duration[s]`.
 */
export class Dataset<Row extends object = ImageRow> {
  readonly #view: View
  /** @internal For whoever compares two by what they hold. */
  readonly [CONTENT]: Luggage & Pick<View, 'steps'>

  /** Made by loadDataset. */
  constructor(of: Source | View) {
    this.#view = of instanceof View ? of : View.of(of)
    const { source, indices, names, steps } = this.#view
    this[CONTENT] = { place: source.place, indices, names, steps }
  }

  /** Rows of this view. */
  get numRows(): number {
    return this.#view.numRows
  }

  /** The columns and their types, in their order. */
  get features(): Features {
    return this.#view.features
  }

  /** Names of the columns, in their order. */
  get columnNames(): string[] {
    return Object.keys(this.#view.features)
  }

  /**
   * Row `index`, pictures decoded; a negative one counts from the end, as in Python: −1 is the last row.
   * Rejects with DATASET_INDEX unless the index is whole and from −`numRows` to `numRows` − 1, and with DATASET_BROKEN or IMAGE_*
   * when the file or the picture is damaged.
   */
  async at(index: number): Promise<Row> {
    const { numRows } = this
    this.#check(index, -numRows)
    return this.#row(index < 0 ? index + numRows : index)
  }

  #row(index: number): Promise<Row> {
    return span('read', `row ${index}`, () => this.#view.row(index) as Promise<Row>)
  }

  /** The values of one column, in order. Rejects with DATASET_COLUMN_NOT_FOUND. The other columns are not read, except after `map`. */
  async column<Name extends keyof Row & string>(name: Name): Promise<Row[Name][]> {
    if (this.#view.steps.length === 0) {
      if (!this.columnNames.includes(name))
        throw missing('DATASET_COLUMN_NOT_FOUND', 'a column', name, this.columnNames)
      return (await this.#view.sourceColumn(name)) as Row[Name][]
    }
    const values: Row[Name][] = []
    for (let i = 0; i < this.numRows; i++) {
      const row = await this.#row(i)
      if (!Object.hasOwn(row, name)) throw missing('DATASET_COLUMN_NOT_FOUND', 'a column', name, Object.keys(row))
      values.push(row[name])
    }
    return values
  }

  /** What values a column has, in the order in which they come first. Rejects as `column` does, and with INVALID_ARGUMENT for lists, records and pictures. */
  async unique<Name extends keyof Row & string>(name: Name): Promise<Row[Name][]> {
    this.#refusePictures(name)
    return distinct(await this.column(name))
  }

  /**
   * The rows at these indices, in their order, repeated if they are: a view, nothing is read.
   * Throws DATASET_INDEX unless they are from 0 to `numRows` − 1: Python's `select` takes no negative ones either.
   */
  select(indices: Iterable<number>): Dataset<Row> {
    if (typeof indices !== 'object' || indices === null || !(Symbol.iterator in indices))
      expected('indices', 'row indices, such as [0, 2]', indices)
    const chosen = Array.from(indices, (index) => {
      this.#check(index, 0)
      return index
    })
    return this.#choose(Uint32Array.from(chosen))
  }

  #choose(places: Uint32Array): Dataset<Row> {
    return new Dataset(this.#view.choose(places))
  }

  /** The first `n` rows, or all where there are fewer: a view, nothing is read. */
  take(n: number): Dataset<Row> {
    return this.#choose(range(0, Math.min(wholeFrom(0, 'n', n), this.numRows)))
  }

  /** The rows without the first `n`: a view, nothing is read. */
  skip(n: number): Dataset<Row> {
    return this.#choose(range(wholeFrom(0, 'n', n), this.numRows))
  }

  /** One of `numShards` parts, which are as good as equally large: a view, nothing is read. */
  shard(options: ShardOptions): Dataset<Row> {
    return this.#choose(shardRange(this.numRows, options))
  }

  /**
   * The rows in random order: a view, nothing is read. With a `seed` (whole and not negative, as a bigint of any length) it is the
   * order that Python's `shuffle` gives for it, which is numpy's; without one it differs each time.
   */
  shuffle(options: { seed?: Seed | undefined } = {}): Dataset<Row> {
    knownOptions(options, ['seed'])
    return this.#choose(new Generator(seedOf(options.seed)).permutation(this.numRows))
  }

  /**
   * Two views, `train` and `test`, of rows drawn at random, the same as Python's for a `seed`; nothing is read. With
   * `stratifyByColumn`, a ClassLabel, both have as large a part of each class as all rows have; that reads the column, and so gives a
   * promise. Throws INVALID_ARGUMENT where the sizes leave no row to one of them, or to a class. Of no rows both are empty.
   */
  trainTestSplit(options?: TrainTestSplitOptions): DatasetDict<Row>
  trainTestSplit(options: TrainTestSplitOptions & { stratifyByColumn: keyof Row & string }): Promise<DatasetDict<Row>>
  trainTestSplit(
    options: TrainTestSplitOptions & { stratifyByColumn?: (keyof Row & string) | undefined },
  ): DatasetDict<Row> | Promise<DatasetDict<Row>>
  trainTestSplit(
    options: TrainTestSplitOptions & { stratifyByColumn?: (keyof Row & string) | undefined } = {},
  ): DatasetDict<Row> | Promise<DatasetDict<Row>> {
    knownOptions(options, ['testSize', 'trainSize', 'shuffle', 'seed', 'stratifyByColumn'])
    const { stratifyByColumn } = options
    return stratifyByColumn === undefined ? this.#split(options) : this.#stratified(stratifyByColumn, options)
  }

  async #stratified(column: keyof Row & string, options: TrainTestSplitOptions): Promise<DatasetDict<Row>> {
    const isClass = this.columnNames.includes(column) && this.features[column]!.type === 'ClassLabel'
    if (!isClass) expected('stratifyByColumn', 'a column of the type ClassLabel', column)
    return this.#split(options, { column, labels: await this.column(column) })
  }

  #split(options: TrainTestSplitOptions, classes?: { column: string; labels: unknown[] }): DatasetDict<Row> {
    if (this.numRows === 0) return new DatasetDict<Row>({ train: this, test: this })
    const { train, test } = trainTestPlaces(this.numRows, options, classes)
    return new DatasetDict<Row>({ train: this.#choose(train), test: this.#choose(test) })
  }

  /**
   * The rows in the order of a column, or of several, the first one first: reads these columns, and resolves to a view. Rows that
   * are alike keep their order; NaN comes after all numbers, text goes by code points, times by their milliseconds. Rejects with DATASET_COLUMN_NOT_FOUND, and
   * with INVALID_ARGUMENT for what has no order: lists, records and pictures.
   */
  async sort(
    columnNames: (keyof Row & string) | readonly (keyof Row & string)[],
    options: SortOptions = {},
  ): Promise<Dataset<Row>> {
    knownOptions(options, ['reverse', 'nullPlacement'])
    const names = typeof columnNames === 'string' ? [columnNames] : columnNames
    if (!Array.isArray(names) || names.length === 0) expected('columnNames', 'a column name or several', columnNames)
    const order = orderBy(names.length, options)
    const columns: unknown[][] = []
    for (const name of names) {
      this.#refusePictures(name)
      const values: unknown[] = await this.column(name)
      // Those of more digits than a number has are texts, which go by another order.
      const isDecimal = this.columnNames.includes(name) && this.features[name]!.dtype?.startsWith('decimal')
      if (isDecimal && values.some((value) => typeof value === 'string'))
        expected('columnNames', 'columns of numbers, or of decimals of few digits', name)
      columns.push(values)
    }
    return this.#choose(order(columns))
  }

  /**
   * The rows for which `fn` returns something true. As Python's it works through all rows at once, one after the other, and resolves
   * to a view; but of each row only those columns are read that `fn` asks for, so that a filter by label decodes no picture. To
   * find out which, `fn` may be stopped where it asks for a column for the first time, and called again for that row. After `map`
   * rows are read whole. The index is the row's in this data set.
   */
  async filter(fn: RowPredicate<Row>): Promise<Dataset<Row>> {
    if (typeof fn !== 'function') expected('fn', 'a function from a row to whether it stays', fn)
    return this.#choose(await placesOf(this.#view, fn))
  }

  /**
   * A data set whose rows are these, with the columns that `fn` returns added or replaced. Unlike Python's `map`, which works
   * through all rows at once, it is applied to a row each time that row is read (as that of an `IterableDataset`), and
   * `features` tells of the columns as they were before. The index is the row's in this data set, wherever select takes it.
   */
  map<Out extends object>(fn: RowFunction<Row, Out>): Dataset<Mapped<Row, Out>> {
    if (typeof fn !== 'function') expected('fn', 'a function from a row to columns', fn)
    return new Dataset(this.#view.map(fn as RowFunction<never, object>))
  }

  /**
   * The same rows with these columns alone, in this order: the others are not read, so that no picture is decoded for nothing (after `map` rows are read whole).
   * Throws DATASET_COLUMN_NOT_FOUND; after `map`, which may add columns, a row that is read does.
   */
  selectColumns<Name extends keyof Row & string>(columnNames: Name | readonly Name[]): Dataset<Pick<Row, Name>> {
    return new Dataset(this.#view.change(selecting(columnNames)))
  }

  /** The same rows without these columns, which are not read any more. Throws as `selectColumns` does. */
  removeColumns<Name extends keyof Row & string>(columnNames: Name | readonly Name[]): Dataset<Without<Row, Name>> {
    return new Dataset(this.#view.change(removing(columnNames)))
  }

  /** The same rows, with another name for a column. Throws as `selectColumns` does, and INVALID_ARGUMENT for a name that another column has. */
  renameColumn<From extends keyof Row & string, To extends string>(
    originalColumnName: From,
    newColumnName: To,
  ): Dataset<Renamed<Row, From, To>> {
    return new Dataset(this.#view.change(renaming(originalColumnName, newColumnName)))
  }

  /** Row after row; the next ones are read while one is used. A page is decoded once. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Row, void, undefined> {
    const ahead: Promise<Row>[] = []
    for (let next = 0; next < this.numRows || ahead.length > 0; ) {
      while (ahead.length < READ_AHEAD && next < this.numRows) {
        const row = this.#row(next++)
        // Its failure is thrown in its turn, or never if the loop ends before.
        row.catch(() => {})
        ahead.push(row)
      }
      yield (await ahead.shift()) as Row
    }
  }

  #refusePictures(name: string): void {
    const isImage = this.columnNames.includes(name) && this.features[name]!.type === 'Image'
    if (isImage) expected('columnNames', 'columns of values that can be compared', name)
  }

  #check(index: number, from: number): void {
    const { numRows } = this
    if (Number.isSafeInteger(index) && index >= from && index < numRows) return
    const range = numRows > 0 ? `a whole number from ${from} to ${numRows - 1}` : 'none: the data set has no rows'
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
    const { steps, ...luggage } = this[CONTENT]
    if (steps.length > 0)
      throw new RayitoError(
        'RAY_NOT_SERIALIZABLE',
        'A data set with map() cannot cross to a worker: its function stays here',
        {
          remedy: 'Send the data set as it was and call map() there',
        },
      )
    return via(import.meta.url, 'reviveDataset', luggage satisfies Luggage)
  }
}
withoutIndices(Dataset.prototype, 'DATASET_INDEX')

interface Luggage {
  place: Place
  indices: Uint32Array | null
  names: SourceNames | null
}

/** The other end of a Dataset's way. */
export async function reviveDataset({ place, indices, names }: Luggage): Promise<Dataset> {
  const source = await span('load', 'data set', () => openSource(place))
  return new Dataset(View.of(source, indices, names))
}

/** The same of a DatasetDict's. */
export async function reviveDatasetDict(splits: [string, Luggage][]): Promise<DatasetDict> {
  const revived = await Promise.all(splits.map(async ([name, data]) => [name, await reviveDataset(data)] as const))
  return new DatasetDict(Object.fromEntries<Dataset>(revived))
}

offer(reviveDataset, reviveDatasetDict)
