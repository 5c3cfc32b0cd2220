import { RayitoError } from '../core/errors.js'
import { type Feature, type Features, parquetFeatures } from './features.js'
import { Image } from './image.js'
import { PageCache } from './parquet/page-cache.js'
import { ParquetFile } from './parquet/parquet-file.js'
import type { Place, Source } from './source.js'

/** Under which `datasets` notes the features. */
const NOTE = 'huggingface'

type ParquetPlace = Extract<Place, { kind: 'parquet' }>

/** Rows of one or several Parquet files, one after the other. */
export class ParquetSource implements Source {
  readonly numRows: number
  readonly features: Features
  /** First row of each file. */
  readonly #starts: number[] = []
  /** Columns that are pictures, or hold some inside of lists and records. */
  readonly #withImages: ReadonlySet<string>
  /** Each file's columns, in the order of the first file's: as in Python, names count. */
  readonly #columns: ParquetFile['columns'][] = []

  private constructor(
    readonly place: ParquetPlace,
    readonly files: readonly ParquetFile[],
  ) {
    let start = 0
    for (const { numRows } of files) {
      this.#starts.push(start)
      start += numRows
    }
    this.numRows = start
    const [first] = files
    if (!first) throw new RayitoError('DATASET_NOT_FOUND', 'Expected at least one Parquet file, got none')
    this.features = parquetFeatures(first.columns, first.note(NOTE), first.note('ARROW:schema'), place.told)
    const names = namesOf(first)
    this.#withImages = new Set(names.filter((name) => hasImages(this.features[name]!)))
    for (const file of files) {
      const own = namesOf(file)
      if (own.length !== names.length || !names.every((name) => own.includes(name)))
        throw new RayitoError(
          'DATASET_BROKEN',
          `Expected ${file.file.path} to have the columns ${names.join(', ')}, got ${own.join(', ')}`,
          { remedy: 'Load files with other columns apart, with dataFiles.' },
        )
      this.#columns.push(names.map((name) => file.columns[own.indexOf(name)]!))
    }
  }

  /**
   * Reads the metadata of the files and nothing else.
   * @param tell what is known of the columns elsewhere: asked where the first file does not say
   */
  static async open(
    place: ParquetPlace,
    cache = new PageCache(place.options.cacheBytes),
    tell?: () => Promise<Record<string, unknown> | null>,
  ): Promise<ParquetSource> {
    const files = await Promise.all(place.files.map((path) => ParquetFile.open(path, cache)))
    const told = files[0]?.note(NOTE) === null ? await tell?.() : null
    return new ParquetSource(told ? { ...place, told } : place, files)
  }

  async row(index: number, columns?: readonly string[]): Promise<Record<string, unknown>> {
    let which = this.#starts.length - 1
    while (this.#starts[which]! > index) which--
    const file = this.files[which]!
    const inFile = index - this.#starts[which]!
    const chosen = this.#columns[which]!.filter(({ element }) => !columns || columns.includes(element.name))
    const entries = chosen.map(async (column) => {
      const { name } = column.element
      const feature = this.features[name]!
      if (feature.type === 'Image') return [name, await this.#image(file, inFile, column)]
      const value = await file.value(inFile, column)
      return [name, this.#withImages.has(name) ? await this.#decoded(value, feature) : value]
    })
    return Object.fromEntries(await Promise.all(entries))
  }

  column(name: string, rows: Uint32Array | null): Promise<unknown[]> | null {
    return this.#withImages.has(name) ? null : this.#values(name, rows)
  }

  async #values(name: string, rows: Uint32Array | null): Promise<unknown[]> {
    const values: unknown[] = []
    let at = 0
    for (const [which, file] of this.files.entries()) {
      const start = this.#starts[which]!
      const from = at
      while (rows && at < rows.length && rows[at]! < start + file.numRows) at++
      const inFile = rows?.subarray(from, at).map((row) => row - start) ?? null
      const column = this.#columns[which]!.find(({ element }) => element.name === name)!
      for (const value of await file.values(inFile, column)) values.push(value)
    }
    return values
  }

  /** A picture lies in its row, or as a file that the row names; null stays null. */
  async #image(file: ParquetFile, row: number, column: ParquetFile['columns'][number]): Promise<Image | null> {
    const nested = column.children.length > 0
    const bytes = nested ? await file.field(row, column, 'bytes') : await file.value(row, column)
    const source = bytes ?? (nested ? await file.field(row, column, 'path') : null)
    return this.#open(source)
  }

  /** The pictures inside of lists and records. */
  async #decoded(value: unknown, { type, feature, fields }: Feature): Promise<unknown> {
    if (value === null || value === undefined) return null
    if (type === 'Image') return this.#open(pictureIn(value))
    if (feature) return Promise.all((value as unknown[]).map((item) => this.#decoded(item, feature)))
    if (!fields) return value
    const parts = Object.entries(value as object).map(async ([name, part]) => {
      const field = fields[name]
      return [name, field ? await this.#decoded(part, field) : part] as const
    })
    return Object.fromEntries(await Promise.all(parts))
  }

  #open(source: unknown): Promise<Image> | null {
    if (source === null) return null
    return Image.open(source as Uint8Array | string, { maxPixels: this.place.options.maxPixels })
  }
}

/** Bytes as they are, or in a record beside the path that is meant without them. */
function pictureIn(value: unknown): unknown {
  if (typeof value !== 'object' || value instanceof Uint8Array) return value
  const { bytes, path } = value as { bytes?: unknown; path?: unknown }
  return bytes ?? path ?? null
}

function hasImages({ type, feature, fields }: Feature): boolean {
  return type === 'Image' || (feature !== null && hasImages(feature)) || Object.values(fields ?? {}).some(hasImages)
}

const namesOf = ({ columns }: ParquetFile) => columns.map(({ element }) => element.name)
