/**
 * Data sets and pictures: rows of the Hub, of Parquet files and of picture folders, read lazily; pictures as Pillow gives them.
 * @module
 */
export type { DataFiles } from './configurations.js'
export { Dataset } from './dataset.js'
export { DatasetDict } from './dataset-dict.js'
export { Feature, type Features } from './features.js'
export { type Channels, Image, type ImageOptions, type ImageSource } from './image.js'
export { type LoadOptions, loadDataset } from './load-dataset.js'
export { RESIZE_FILTERS, type ResizeFilter, resize } from './resize.js'
export type { ImageRow, Mapped, Renamed, RowFunction, RowPredicate, Without } from './row.js'
export type { SortOptions } from './row-order.js'
export type { ShardOptions } from './row-range.js'
export type { Seed } from './seed.js'
export type { TrainTestSplitOptions } from './train-test-split.js'
