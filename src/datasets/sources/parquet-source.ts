import { inspect } from 'node:util'
import { RayitoError } from '../../core/errors.js'
import { type Feature, type Features, isText, LIKELY_IMAGE, parquetFeatures } from '../features.js'
import { isPicture } from '../image/decode.js'
import { Image } from '../image/image.js'
import { parseJson } from '../parquet/json.js'
import { PageCache } from '../parquet/page-cache.js'
import { ParquetFile } from '../parquet/parquet-file.js'
import type { Place, Source } from './source.js'
import { canFollow } from './type-order.js'

/** Under which `datasets` notes the features. */
const NOTE = 'huggingface'

/** Under which pyarrow notes its schema. */
const ARROW = 'ARROW:schema'

type Column = ParquetFile['columns'][number]
type ParquetPlace = Extract<Place, { kind: 'parquet' }>

/** Rows of one or several Parquet files, one after the other. */
export class ParquetSource implements Source {
  readonly numRows: number
  readonly features: Features
  /** First row of each file. */
  readonly #starts: number[] = []
  /** Columns that are pictures or JSON, or hold some inside of lists and records; and those of classes by their names. */
  readonly #encoded: ReadonlySet<string>
  /** In the order of the first file. */
  readonly #names: readonly string[]
  /** Each file's columns: as in Python names count, whatever their order, and one that a later file lacks is null in its rows. */
  readonly #columns: ReadonlyMap<string, Column>[] = []

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
    this.features = parquetFeatures(first.columns, first.note(NOTE), first.note(ARROW), place.told)
    const names = namesOf(first)
    this.#names = names
    const known = new Set(names)
    const twice = known.size < names.length ? names.find((name, i) => names.indexOf(name) < i) : undefined
    if (twice !== undefined)
      throw new RayitoError(
        'DATASET_UNSUPPORTED',
        `Expected ${first.file.path} to have one column ${twice}, got several`,
        {
          remedy: 'Write it again with a name for each column.',
        },
      )
    const isEncodedAt = (name: string, i: number) =>
      isEncoded(this.features[name]!) || isNamed(this.features[name]!, first, i)
    this.#encoded = new Set(names.filter(isEncodedAt))
    for (const file of files) {
      const own = namesOf(file)
      const isEmpty = own.length === 0 && names.length > 0
      if (isEmpty || new Set(own).size < own.length || !own.every((name) => known.has(name)))
        throw new RayitoError(
          'DATASET_BROKEN',
          `Expected ${file.file.path} to have the columns ${names.join(', ')}, got ${own.join(', ')}`,
          { remedy: 'Load files with other columns apart, with dataFiles.' },
        )
      checkTypes(this.features, first, file)
      this.#columns.push(new Map(own.map((name, i) => [name, file.columns[i]!])))
    }
  }

  /**
   * Reads the metadata of the files and nothing else.
   * @param tell what is known of the columns elsewhere, which goes before what the files say
   */
  static async open(
    place: ParquetPlace,
    cache = new PageCache(place.options.cacheBytes),
    tell?: () => Promise<Record<string, unknown> | null>,
  ): Promise<ParquetSource> {
    const files = await Promise.all(place.files.map((path) => ParquetFile.open(path, cache)))
    const told = await tell?.()
    return new ParquetSource(told ? { ...place, told } : place, files)
  }

  async row(index: number, columns?: readonly string[]): Promise<Record<string, unknown>> {
    let which = this.#starts.length - 1
    while (this.#starts[which]! > index) which--
    const file = this.files[which]!
    const inFile = index - this.#starts[which]!
    const wanted = columns && new Set(columns)
    const chosen = wanted ? this.#names.filter((name) => wanted.has(name)) : this.#names
    const entries = chosen.map(async (name) => {
      const column = this.#columns[which]!.get(name)
      if (!column) return [name, null]
      const feature = this.features[name]!
      if (feature.type === 'Image' && feature.decode) return [name, await this.#image(file, inFile, column)]
      const value = await file.value(inFile, column)
      return [name, this.#encoded.has(name) ? await this.#decoded(value, feature) : value]
    })
    return Object.fromEntries(await Promise.all(entries))
  }

  column(name: string, rows: Uint32Array | null): Promise<unknown[]> | null {
    return this.#encoded.has(name) ? null : this.#values(name, rows)
  }

  async #values(name: string, rows: Uint32Array | null): Promise<unknown[]> {
    const values: unknown[] = []
    let at = 0
    for (const [which, file] of this.files.entries()) {
      const start = this.#starts[which]!
      const from = at
      while (rows && at < rows.length && rows[at]! < start + file.numRows) at++
      const inFile = rows?.subarray(from, at).map((row) => row - start) ?? null
      const column = this.#columns[which]!.get(name)
      // Where the file lacks it, another tells how many rows there are: the footer may claim any number.
      for (const value of await file.values(inFile, column ?? file.leanest)) values.push(column ? value : null)
    }
    return values
  }

  /** A picture lies in its row, or as a file that the row names; null stays null. */
  async #image(file: ParquetFile, row: number, column: Column): Promise<unknown> {
    const feature = this.features[column.element.name]!
    const nested = column.children.length > 0
    const bytes = nested ? await file.field(row, column, 'bytes') : await file.value(row, column)
    const path = nested && !isPictureFor(feature, bytes) ? await file.field(row, column, 'path') : null
    return isNoPicture({ bytes, path }, feature) ? { bytes, path } : this.#open(bytes ?? path, feature)
  }

  /** The pictures and the JSON inside of lists and records, or alone. */
  async #decoded(value: unknown, of: Feature): Promise<unknown> {
    const { type, feature, fields, decode } = of
    if (value === null || value === undefined) return null
    if (type === 'Image') {
      const record = pictureRecord(value)
      return decode && !isNoPicture(record, of) ? this.#open(record.bytes ?? record.path, of) : record
    }
    if (type === 'ClassLabel' && typeof value === 'string') return of.str2int(value.trim())
    if (type === 'Json') return decode ? parsedJson(value) : value
    if (feature) return Promise.all((value as unknown[]).map((item) => this.#decoded(item, feature)))
    if (!fields) return value
    const parts = Object.entries(value as object).map(async ([name, part]) => {
      const field = fields[name]
      return [name, field ? await this.#decoded(part, field) : part] as const
    })
    return Object.fromEntries(await Promise.all(parts))
  }

  async #open(source: unknown, { mode }: Feature): Promise<Image | null> {
    if (source === null) return null
    const image = await Image.open(source as Uint8Array | string, { maxPixels: this.place.options.maxPixels })
    if (mode === null || mode === image.mode) return image
    if (mode === 'RGB') return image.toRgb()
    throw new RayitoError('DATASET_UNSUPPORTED', `Expected a picture of the mode ${mode}, got ${image.mode}`, {
      remedy: "Write the data set with Image(mode='RGB'), or without a mode.",
    })
  }
}

/** Whether bytes are those of a picture, or called so by somebody. */
const isPictureFor = (feature: Feature, bytes: unknown) =>
  bytes instanceof Uint8Array && (feature !== LIKELY_IMAGE || isPicture(bytes))

/** Whether what nobody calls a picture is none, or the name of a file alone: it is given as it lies in the file then, as in Python. */
const isNoPicture = ({ bytes, path }: PictureRecord, feature: Feature) =>
  feature === LIKELY_IMAGE && !isPictureFor(feature, bytes) && (bytes !== null || path !== null)

interface PictureRecord {
  bytes: unknown
  path: unknown
}

/** What `datasets` gives of a picture that is not to be decoded: bytes, or a path, in a record of both. */
function pictureRecord(value: unknown): PictureRecord {
  if (value instanceof Uint8Array) return { bytes: value, path: null }
  if (typeof value === 'string') return { bytes: null, path: value }
  const { bytes = null, path = null } = value as { bytes?: unknown; path?: unknown }
  return { bytes, path }
}

function parsedJson(json: unknown): unknown {
  try {
    return parseJson(String(json))
  } catch (error) {
    throw new RayitoError('DATASET_BROKEN', `Expected a text of JSON, got ${inspect(json, { maxStringLength: 100 })}`, {
      cause: error,
    })
  }
}

function isEncoded({ type, feature, fields }: Feature): boolean {
  const isIt = type === 'Image' || type === 'Json'
  return isIt || (feature !== null && isEncoded(feature)) || Object.values(fields ?? {}).some(isEncoded)
}

/** Whether a column of classes has their names, which a card alone may call classes: in Python numbers come of them, too. */
function isNamed({ type }: Feature, { columns }: ParquetFile, index: number): boolean {
  return type === 'ClassLabel' && isText(columns[index]!.element)
}

const namesOf = ({ columns }: ParquetFile) => columns.map(({ element }) => element.name)

/** What a file itself says of its columns. */
const ownFeatures = (file: ParquetFile) => parquetFeatures(file.columns, null, file.note(ARROW))

/** Values are given as they lie in their file: another file's, of another type, would not be what `features` promises. */
function checkTypes(features: Features, first: ParquetFile, file: ParquetFile): void {
  const note = file.note(ARROW)
  if (file === first || (note !== null && note === first.note(ARROW))) return
  const [wanted, own] = [ownFeatures(first), ownFeatures(file)]
  const other = namesOf(file).find((name) => features[name]!.type !== 'Image' && !canFollow(wanted[name]!, own[name]!))
  if (other === undefined) return
  const [type, got] = [wanted, own].map((of) => inspect(of[other], { breakLength: Number.POSITIVE_INFINITY }))
  throw new RayitoError(
    'DATASET_BROKEN',
    `Expected ${file.file.path} to hold ${type} in the column ${other}, as ${first.file.path} does, got ${got}`,
    { remedy: 'Load files with other types apart, with dataFiles.' },
  )
}
