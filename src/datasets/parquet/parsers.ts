import type { ParquetParsers } from 'hyparquet'
import type { Hyparquet } from './hyparquet.js'

const asTheyAre = (bytes: Uint8Array) => bytes

/** What values become where Parquet says more of them than their bytes: what pyarrow makes of them. hyparquet would make objects of JSON and of places, and texts of UUIDs. */
export function parsersOf({ DEFAULT_PARSERS }: Hyparquet): ParquetParsers {
  return {
    ...DEFAULT_PARSERS,
    jsonFromBytes: DEFAULT_PARSERS.stringFromBytes,
    geometryFromBytes: asTheyAre as never,
    geographyFromBytes: asTheyAre as never,
    uuidFromBytes: asTheyAre as never,
  }
}
