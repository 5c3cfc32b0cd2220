import type { Features } from '../features.js'

/** Where rows come from. */
export interface Source {
  readonly numRows: number
  readonly features: Features
  /** Enough to open it again in another thread. */
  readonly place: Place
  /** The file that a row lies in, where it has one of its own. */
  fileOf?(index: number): string
  /** A row with these columns (default all). The index is known to lie inside. */
  row(index: number, columns?: readonly string[]): Promise<Record<string, unknown>>
  /** One column's values in these rows, which ascend and lie inside, or in all (null). Null where each row has to be read, as for pictures. */
  column(name: string, rows: Uint32Array | null): Promise<unknown[]> | null
}

export interface ReadOptions {
  /** Bytes of decoded pages to keep. */
  cacheBytes: number
  /** Pixels of a picture at most. */
  maxPixels: number
}

/** Plain data that tells where a source lies, and what is told of its columns beside what the files say. */
export type Place =
  | { kind: 'parquet'; files: string[]; told?: Readonly<Record<string, unknown>>; options: ReadOptions }
  | { kind: 'pictures'; files: string[]; labels: number[]; names: string[]; options: ReadOptions }
