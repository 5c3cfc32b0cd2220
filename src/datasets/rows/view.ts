import { RayitoError } from '../../core/errors.js'
import { type Features, featuresOf } from '../features.js'
import type { RowFunction } from '../row.js'
import type { Source } from '../sources/source.js'
import { type ColumnChange, changed } from './column-change.js'
import { range } from './row-range.js'

/** Done to each row that is read. */
type Step =
  | { readonly change: ColumnChange }
  | {
      readonly fn: RowFunction<never, object>
      /** Of each row its place in the data set that map was called on; null for the place it has. */
      readonly places: Uint32Array | null
    }

/** Each column's name, and the one it has in the source. */
export type SourceNames = Readonly<Record<string, string>>

/** Which rows and columns of a source a data set has, in which order, and what becomes of a row that is read. Never changes. */
export class View {
  private constructor(
    readonly source: Source,
    /** Rows of the source in the order of this view; null for all as they are. */
    readonly indices: Uint32Array | null,
    /** Null for all as they are. */
    readonly names: SourceNames | null,
    readonly steps: readonly Step[],
    /** Of the columns that are known before a row is read. */
    readonly features: Features,
  ) {}

  static of(source: Source, indices: Uint32Array | null = null, names: SourceNames | null = null): View {
    const entries = Object.entries(names ?? {}).map(([name, before]) => [name, source.features[before]!] as const)
    return new View(source, indices, names, [], names ? featuresOf(entries) : source.features)
  }

  get numRows(): number {
    return this.indices?.length ?? this.source.numRows
  }

  /** The rows at these places, which are known to be rows. */
  choose(places: Uint32Array): View {
    const within = (before: Uint32Array | null) => (before ? places.map((place) => before[place]!) : places)
    const steps = this.steps.map((step) => ('fn' in step ? { ...step, places: within(step.places) } : step))
    return new View(this.source, within(this.indices), this.names, steps, this.features)
  }

  map(fn: RowFunction<never, object>): View {
    return new View(this.source, this.indices, this.names, [...this.steps, { fn, places: null }], this.features)
  }

  /** Of columns that map adds it is not known before a row is read whether they are there. */
  change(change: ColumnChange): View {
    if (this.steps.length === 0) {
      const names = this.names ?? Object.fromEntries(Object.keys(this.features).map((name) => [name, name]))
      return View.of(this.source, this.indices, changed(names, change))
    }
    const features = featuresOf(Object.entries(changed(this.features, { ...change, needs: [] })))
    return new View(this.source, this.indices, this.names, [...this.steps, { change }], features)
  }

  async row(index: number): Promise<Record<string, unknown>> {
    let row = await this.sourceRow(index)
    for (const step of this.steps) {
      if ('change' in step) row = changed(row, step.change)
      else row = { ...row, ...columnsIn(await step.fn(row as never, step.places?.[index] ?? index)) }
    }
    return row
  }

  /** A column as it is before map, in order; pages are read in the order of the source, whatever that of this view. */
  async sourceColumn(name: string): Promise<unknown[]> {
    const { source, indices, numRows } = this
    const order = indices && ascending(indices)
    const rows = indices && order ? order.map((place) => indices[place]!) : indices
    const values = await source.column(this.names?.[name] ?? name, rows)
    if (values && order) {
      const placed = new Array<unknown>(numRows)
      for (const [i, place] of order.entries()) placed[place] = values[i]
      return placed
    }
    if (values) return values
    const read: unknown[] = []
    for (let i = 0; i < numRows; i++) read.push((await this.sourceRow(i, [name]))[name])
    return read
  }

  /** The row as it is before map, with these of its columns (default all): the others are not read. */
  async sourceRow(index: number, columns?: readonly string[]): Promise<Record<string, unknown>> {
    const { source, names } = this
    const at = this.indices?.[index] ?? index
    try {
      if (!names) return await source.row(at, columns)
      const wanted = columns ?? Object.keys(names)
      const row = await source.row(at, [...new Set(wanted.map((name) => names[name]!))])
      return Object.fromEntries(wanted.map((name) => [name, row[names[name]!]]))
    } catch (error) {
      if (!(error instanceof RayitoError && error.code.startsWith('IMAGE_'))) throw error
      const file = source.fileOf?.(at)
      const where = file ? `Row ${index} (${file})` : `Row ${index}`
      throw new RayitoError(error.code, `${where}: ${error.message}`, { remedy: '', cause: error, row: index, file })
    }
  }
}

/** The places of ascending indices; null where they ascend already. */
function ascending(indices: Uint32Array): Uint32Array | null {
  if (indices.every((index, i) => i === 0 || indices[i - 1]! <= index)) return null
  return range(0, indices.length).sort((a, b) => indices[a]! - indices[b]!)
}

/** Nothing changes nothing, as in Python. */
function columnsIn(columns: unknown): object | null | undefined {
  if ((typeof columns === 'object' || columns === undefined) && !Array.isArray(columns)) return columns
  throw new RayitoError(
    'INVALID_ARGUMENT',
    `Expected \`fn\` to return columns, got ${Array.isArray(columns) ? 'a list' : `a ${typeof columns}`}`,
  )
}
