import type { DataReader } from 'hyparquet'

let loaded: Promise<Hyparquet> | null = null

/** hyparquet's inner functions beside its public ones: those read whole column chunks, these one page. */
export type Hyparquet = typeof import('hyparquet') &
  typeof import('hyparquet/src/assemble.js') &
  typeof import('hyparquet/src/column.js') &
  typeof import('hyparquet/src/convert.js') &
  Pick<typeof import('hyparquet/src/encoding.js'), 'readRleBitPackedHybrid'> &
  Pick<typeof import('hyparquet/src/datapage.js'), 'decompressPage'> &
  typeof import('hyparquet/src/schema.js')

/** Loads hyparquet with the first Parquet file: a program that reads none does not pay for it. */
export function loadHyparquet(): Promise<Hyparquet> {
  loaded ??= Promise.all([
    import('hyparquet'),
    import('hyparquet/src/assemble.js'),
    import('hyparquet/src/column.js'),
    import('hyparquet/src/convert.js'),
    import('hyparquet/src/datapage.js'),
    import('hyparquet/src/encoding.js'),
    import('hyparquet/src/schema.js'),
  ]).then(([main, assemble, column, convert, { decompressPage }, { readRleBitPackedHybrid }, schema]) => ({
    ...main,
    ...assemble,
    ...column,
    ...convert,
    decompressPage,
    readRleBitPackedHybrid,
    ...schema,
  }))
  return loaded
}

/** hyparquet reads on from `offset` and moves it. */
export function readerOf(bytes: Uint8Array): DataReader {
  return { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 }
}
