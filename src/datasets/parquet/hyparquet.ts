import type { DataReader } from 'hyparquet'
import { endOfStruct } from './thrift.js'

let loaded: Promise<Hyparquet> | null = null

/** hyparquet's inner functions beside its public ones: those read whole column chunks, these one page. */
export type Hyparquet = typeof import('hyparquet') &
  typeof import('hyparquet/src/assemble.js') &
  typeof import('hyparquet/src/column.js') &
  typeof import('hyparquet/src/convert.js') &
  Pick<typeof import('hyparquet/src/encoding.js'), 'readRleBitPackedHybrid'> &
  Pick<typeof import('hyparquet/src/datapage.js'), 'decompressPage'> &
  Pick<typeof import('hyparquet/src/delta.js'), 'deltaBinaryUnpack'> &
  typeof import('hyparquet/src/schema.js')

/** Loads hyparquet with the first Parquet file: a program that reads none does not pay for it. */
export function loadHyparquet(): Promise<Hyparquet> {
  loaded ??= Promise.all([
    import('hyparquet'),
    import('hyparquet/src/assemble.js'),
    import('hyparquet/src/column.js'),
    import('hyparquet/src/convert.js'),
    import('hyparquet/src/datapage.js'),
    import('hyparquet/src/delta.js'),
    import('hyparquet/src/encoding.js'),
    import('hyparquet/src/schema.js'),
  ]).then(
    ([
      main,
      assemble,
      column,
      convert,
      { decompressPage },
      { deltaBinaryUnpack },
      { readRleBitPackedHybrid },
      schema,
    ]) => ({
      ...main,
      ...assemble,
      ...column,
      ...convert,
      decompressPage,
      deltaBinaryUnpack,
      parquetHeader: checked(column.parquetHeader),
      readOffsetIndex: checked(main.readOffsetIndex),
      readRleBitPackedHybrid,
      ...schema,
    }),
  )
  return loaded
}

/** Reads a struct only once it is known to claim nothing that is not there. */
function checked<T>(read: (reader: DataReader) => T): (reader: DataReader) => T {
  return (reader) => {
    const { buffer, byteOffset, byteLength } = reader.view
    endOfStruct(new Uint8Array(buffer, byteOffset, byteLength), reader.offset)
    return read(reader)
  }
}

/** hyparquet reads on from `offset` and moves it. */
export function readerOf(bytes: Uint8Array): DataReader {
  return { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 }
}
