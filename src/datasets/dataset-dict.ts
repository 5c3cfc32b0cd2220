import { inspect } from 'node:util'
import { serialize, type Travel, via } from '../core/travel.js'
import { type Dataset, type ImageRow, reviveDataset } from './dataset.js'
import { strict } from './strict-record.js'

/**
 * The splits of a data set by name, as Python's `DatasetDict`. A split that is not there throws DATASET_SPLIT_NOT_FOUND, so
 * the usual names can be written without a check.
 */
export class DatasetDict<Row extends object = ImageRow> {
  declare readonly train: Dataset<Row>
  declare readonly valid: Dataset<Row>
  declare readonly validation: Dataset<Row>
  declare readonly test: Dataset<Row>
  readonly [split: string]: Dataset<Row>

  constructor(splits: Record<string, Dataset<Row>>) {
    Object.assign(this, splits)
    // biome-ignore lint/correctness/noConstructorReturn: the strict view is the object
    return strict(this, 'DATASET_SPLIT_NOT_FOUND', 'a split')
  }

  /** What Python prints. */
  [inspect.custom](): string {
    const splits = Object.entries(this).map(
      ([name, split]) => `    ${name}: ${inspect(split).replaceAll('\n', '\n    ')}\n`,
    )
    return `DatasetDict({\n${splits.join('')}})`
  }

  /** Crosses to other threads by its files. */
  [serialize](): Travel {
    const splits = Object.entries(this).map(([name, split]) => [name, split[serialize]().data])
    return via(import.meta.url, 'reviveDatasetDict', splits)
  }
}

/** The other end of a DatasetDict's way. */
export async function reviveDatasetDict(splits: [string, Parameters<typeof reviveDataset>[0]][]): Promise<DatasetDict> {
  const revived = await Promise.all(splits.map(async ([name, data]) => [name, await reviveDataset(data)] as const))
  return new DatasetDict(Object.fromEntries<Dataset>(revived))
}
