/**
 * Data sets and pictures: rows of the Hub, of Parquet files and of picture folders, read lazily; pictures as Pillow gives them.
 * @module
 */
export { Dataset, type ImageRow, type Mapped, type RowFunction } from './dataset.js'
export { DatasetDict } from './dataset-dict.js'
export { Feature, type Features } from './features.js'
export { type Channels, Image, type ImageOptions, type ImageSource } from './image.js'
export { type LoadOptions, loadDataset } from './load-dataset.js'
export { RESIZE_FILTERS, type ResizeFilter, resize } from './resize.js'
