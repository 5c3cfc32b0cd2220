/**
 * Data sets and pictures: rows of the Hub, of Parquet files and of picture folders, read lazily; pictures as Pillow gives them.
 * @module
 */

export { Dataset } from './dataset.js'
export { DatasetDict } from './dataset-dict.js'
export { Feature, type Features } from './features.js'
export { type Channels, Image, type ImageOptions, type ImageSource } from './image/image.js'
export { RESIZE_FILTERS, type ResizeFilter, resize } from './image/resize.js'
export { type LoadOptions, loadDataset } from './load-dataset.js'
export type { DataFiles } from './repository/configurations.js'
export type { ImageRow, Mapped, Renamed, RowFunction, RowPredicate, Without } from './row.js'
export type { SortOptions } from './rows/row-order.js'
export type { ShardOptions } from './rows/row-range.js'
export type { Seed } from './rows/seed.js'
export type { TrainTestSplitOptions } from './rows/train-test-split.js'
