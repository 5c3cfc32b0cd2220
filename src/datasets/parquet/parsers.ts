import type { ParquetParsers } from 'hyparquet'
import type { Hyparquet } from './hyparquet.js'

const asTheyAre = (bytes: Uint8Array) => bytes

/** Of a text the first character may be U+FEFF, which belongs to it as any other. */
const decoder = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true })

/** Stands for bytes that should be a text and are no UTF-8: only who asks for that row gets an error, as in Python. */
export class NoText {}

function textOf(bytes: Uint8Array): string {
  try {
    return bytes && decoder.decode(bytes)
  } catch {
    return new NoText() as never
  }
}

/** The millisecond that a moment lies in, of those before 1970 too: so that its digits are the first of Python's. */
const dateIn = (perMillisecond: bigint) => (moment: bigint) => {
  const whole = moment / perMillisecond
  return new Date(Number(moment % perMillisecond < 0n ? whole - 1n : whole))
}

/**
 * What values become where Parquet says more of them than their bytes: what pyarrow makes of them. hyparquet would make objects of JSON
 * and of places, and texts of UUIDs.
 */
export function parsersOf({ DEFAULT_PARSERS }: Hyparquet): ParquetParsers {
  return {
    ...DEFAULT_PARSERS,
    timestampFromMicroseconds: dateIn(1000n),
    timestampFromNanoseconds: dateIn(1_000_000n),
    stringFromBytes: textOf,
    jsonFromBytes: textOf,
    geometryFromBytes: asTheyAre as never,
    geographyFromBytes: asTheyAre as never,
    uuidFromBytes: asTheyAre as never,
  }
}
