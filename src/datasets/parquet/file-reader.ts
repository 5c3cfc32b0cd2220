import { type FileHandle, open, stat } from 'node:fs/promises'
import { withOpenFile } from '../image/open-files.js'

/** Reads the bytes from `start` to before `end`; rejects when the file ends before. */
export type Read = (start: number, end: number) => Promise<Uint8Array<ArrayBuffer>>

/**
 * Reads ranges of a file, open as long as a piece of work goes on: nothing stays open, so nothing leaks and nothing holds the process.
 * A row of thousands of columns is as many pieces of work at once, which share the file that the first of them opened.
 */
export class FileReader {
  /** Bytes read so far. */
  bytesRead = 0
  #handle: Promise<FileHandle> | null = null
  /** Pieces of work that go on. */
  #users = 0

  private constructor(
    readonly path: string,
    readonly byteLength: number,
  ) {}

  static async open(path: string): Promise<FileReader> {
    const { size } = await stat(path)
    return new FileReader(path, size)
  }

  /** One range. */
  read: Read = (start, end) => this.reading((read) => read(start, end))

  /** Several ranges with one opening. */
  reading<T>(work: (read: Read) => Promise<T>): Promise<T> {
    return withOpenFile(async () => {
      this.#users++
      this.#handle ??= open(this.path)
      const opened = this.#handle
      try {
        const handle = await opened
        return await work((start, end) => this.#range(handle, start, end))
      } finally {
        if (--this.#users === 0) await this.#close(opened)
      }
    })
  }

  async #close(opened: Promise<FileHandle>): Promise<void> {
    this.#handle = null
    const handle = await opened.catch(() => null)
    await handle?.close()
  }

  async #range(handle: FileHandle, start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    if (!(start >= 0 && end >= start && end <= this.byteLength))
      throw new RangeError(`bytes ${start} to ${end} lie outside its ${this.byteLength} bytes`)
    const bytes = new Uint8Array(end - start)
    for (let done = 0; done < bytes.length; ) {
      const { bytesRead } = await handle.read(bytes, done, bytes.length - done, start + done)
      if (bytesRead === 0) throw new RangeError(`it ends before byte ${end}`)
      done += bytesRead
      this.bytesRead += bytesRead
    }
    return bytes
  }
}
