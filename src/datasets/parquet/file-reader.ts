import { type FileHandle, open, stat } from 'node:fs/promises'

/** Reads ranges of a file, opening it for each: nothing stays open, so nothing leaks and nothing holds the process. */
export class FileReader {
  /** Bytes read so far. */
  bytesRead = 0

  private constructor(
    readonly path: string,
    readonly byteLength: number,
  ) {}

  static async open(path: string): Promise<FileReader> {
    const { size } = await stat(path)
    return new FileReader(path, size)
  }

  /** The bytes from `start` to before `end`. Rejects when the file ends before. */
  async read(start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    if (!(start >= 0 && end >= start && end <= this.byteLength))
      throw new RangeError(`bytes ${start} to ${end} lie outside a file of ${this.byteLength} bytes`)
    const bytes = new Uint8Array(end - start)
    let handle: FileHandle | undefined
    try {
      handle = await open(this.path)
      for (let done = 0; done < bytes.length; ) {
        const { bytesRead } = await handle.read(bytes, done, bytes.length - done, start + done)
        if (bytesRead === 0) throw new RangeError(`the file ends at byte ${start + done}, before ${end}`)
        done += bytesRead
        this.bytesRead += bytesRead
      }
    } finally {
      await handle?.close()
    }
    return bytes
  }
}
