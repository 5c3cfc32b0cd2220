import { inspect } from 'node:util'
import { serialize, type Travel, via } from '../core/travel.js'
import type { Dataset } from './dataset.js'
import type { ImageRow, Mapped, Renamed, RowFunction, RowPredicate, Without } from './row.js'
import type { SortOptions } from './rows/row-order.js'
import type { Seed } from './rows/seed.js'
import { strict } from './strict-record.js'

/** What can be done with all splits at once; each method is {@link Dataset}'s, which tells more. */
class AllSplits<Row extends object> {
  constructor(splits: Record<string, Dataset<Row>>) {
    // Defined, not assigned: a split may be called as a method is.
    for (const [name, value] of Object.entries(splits))
      Object.defineProperty(this, name, { value, enumerable: true, writable: true, configurable: true })
    // biome-ignore lint/correctness/noConstructorReturn: the strict view is the object
    return strict(this, 'DATASET_SPLIT_NOT_FOUND', 'a split')
  }

  /** How many rows, by split. */
  get numRows(): Record<string, number> {
    return eachOf(this, (split) => split.numRows)
  }

  /** Names of the columns, by split. */
  get columnNames(): Record<string, string[]> {
    return eachOf(this, (split) => split.columnNames)
  }

  /** Each split's rows in random order; as in Python one seed goes for all. */
  shuffle(options: { seed?: Seed | undefined } = {}): DatasetDict<Row> {
    return new DatasetDict(eachOf(this, (split) => split.shuffle(options)))
  }

  /** Each split's rows for which `fn` returns something true, one split after the other: {@link Dataset.filter}. */
  async filter(fn: RowPredicate<Row>): Promise<DatasetDict<Row>> {
    return new DatasetDict(await inTurn(this, (split) => split.filter(fn)))
  }

  /** Each split in the order of these columns: {@link Dataset.sort}. */
  async sort(
    columnNames: (keyof Row & string) | readonly (keyof Row & string)[],
    options: SortOptions = {},
  ): Promise<DatasetDict<Row>> {
    return new DatasetDict(await inTurn(this, (split) => split.sort(columnNames, options)))
  }

  /** What values a column has, by split. */
  unique<Name extends keyof Row & string>(name: Name): Promise<Record<string, Row[Name][]>> {
    return inTurn(this, (split) => split.unique(name))
  }

  /** Each split with the columns that `fn` returns, which is called when a row is read: {@link Dataset.map}. */
  map<Out extends object>(fn: RowFunction<Row, Out>): DatasetDict<Mapped<Row, Out>> {
    return new DatasetDict(eachOf(this, (split) => split.map(fn)))
  }

  /** Each split with these columns alone. */
  selectColumns<Name extends keyof Row & string>(columnNames: Name | readonly Name[]): DatasetDict<Pick<Row, Name>> {
    return new DatasetDict(eachOf(this, (split) => split.selectColumns(columnNames)))
  }

  /** Each split without these columns. */
  removeColumns<Name extends keyof Row & string>(columnNames: Name | readonly Name[]): DatasetDict<Without<Row, Name>> {
    return new DatasetDict(eachOf(this, (split) => split.removeColumns(columnNames)))
  }

  /** Each split with another name for a column. */
  renameColumn<From extends keyof Row & string, To extends string>(
    originalColumnName: From,
    newColumnName: To,
  ): DatasetDict<Renamed<Row, From, To>> {
    return new DatasetDict(eachOf(this, (split) => split.renameColumn(originalColumnName, newColumnName)))
  }

  /** What Python prints. */
  toString(): string {
    return printed(this)
  }

  [inspect.custom](): string {
    return printed(this)
  }

  /** Crosses to other threads by its files. */
  [serialize](): Travel {
    const splits = splitsOf(this).map(([name, split]) => [name, split[serialize]().data])
    return via(new URL('./dataset.js', import.meta.url).href, 'reviveDatasetDict', splits)
  }
}

/**
 * The splits of a data set by name, as Python's `DatasetDict`. A split that is not there throws DATASET_SPLIT_NOT_FOUND, so
 * the usual names can be written without a check.
 */
export type DatasetDict<Row extends object = ImageRow> = AllSplits<Row> & {
  readonly train: Dataset<Row>
  readonly valid: Dataset<Row>
  readonly validation: Dataset<Row>
  readonly test: Dataset<Row>
  readonly [split: string]: Dataset<Row>
}

/** TypeScript's classes cannot have splits of any name beside methods; their types can. */
export const DatasetDict = AllSplits as {
  new <Row extends object = ImageRow>(splits: Record<string, Dataset<Row>>): DatasetDict<Row>
}

const splitsOf = <Row extends object>(dict: AllSplits<Row>) => Object.entries(dict) as [string, Dataset<Row>][]

function printed<Row extends object>(dict: AllSplits<Row>): string {
  const splits = splitsOf(dict).map(([name, split]) => `    ${name}: ${String(split).replaceAll('\n', '\n    ')}\n`)
  return `DatasetDict({\n${splits.join('')}})`
}

function eachOf<Row extends object, T>(dict: AllSplits<Row>, made: (split: Dataset<Row>) => T): Record<string, T> {
  return Object.fromEntries(splitsOf(dict).map(([name, split]) => [name, made(split)]))
}

async function inTurn<Row extends object, T>(
  dict: AllSplits<Row>,
  made: (split: Dataset<Row>) => Promise<T>,
): Promise<Record<string, T>> {
  const all: [string, T][] = []
  for (const [name, split] of splitsOf(dict)) all.push([name, await made(split)])
  return Object.fromEntries(all)
}
