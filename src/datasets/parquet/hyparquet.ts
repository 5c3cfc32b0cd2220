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
  loaded ??= load()
  return loaded
}

/** One module after the other: of those that share some, Jest on Node 20 can import no two at once. */
async function load(): Promise<Hyparquet> {
  const main = await import('hyparquet')
  const assemble = await import('hyparquet/src/assemble.js')
  const column = await import('hyparquet/src/column.js')
  const convert = await import('hyparquet/src/convert.js')
  const { decompressPage } = await import('hyparquet/src/datapage.js')
  const { deltaBinaryUnpack } = await import('hyparquet/src/delta.js')
  const { readRleBitPackedHybrid } = await import('hyparquet/src/encoding.js')
  const schema = await import('hyparquet/src/schema.js')
  return {
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
  }
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
