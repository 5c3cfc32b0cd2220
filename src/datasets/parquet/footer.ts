import type { FileReader } from './file-reader.js'
import { endOfStruct } from './thrift.js'

/** The end of a Parquet file: its metadata, their length in four bytes and a word of four. Reads nothing else. */
export function readFooter(file: FileReader): Promise<Uint8Array> {
  const { byteLength } = file
  return file.reading(async (read) => {
    const tail = Buffer.from(await read(Math.max(0, byteLength - 8), byteLength))
    if (tail.toString('latin1', 4) === 'PARE') throw new Error('encrypted metadata, not supported')
    if (tail.length < 8 || tail.toString('latin1', 4) !== 'PAR1') throw new Error('it does not end as one')
    const length = tail.readUInt32LE()
    if (length > byteLength - 8) throw new Error(`its footer of ${length} bytes is longer than the file`)
    const footer = await read(byteLength - 8 - length, byteLength)
    endOfStruct(footer.subarray(0, length))
    return footer
  })
}
