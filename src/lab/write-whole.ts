import { rename, rm, writeFile } from 'node:fs/promises'
import { RayitoError } from '../core/errors.js'

/** Writes a file whole or not at all: who reads it meanwhile sees the one before. Rejects with RESULTS_UNWRITABLE. */
export async function writeWhole(path: string, text: string): Promise<void> {
  const partial = `${path}.${process.pid}.partial`
  try {
    await writeFile(partial, text)
    await rename(partial, path)
  } catch (cause) {
    await rm(partial, { force: true })
    const { code } = cause as NodeJS.ErrnoException
    throw new RayitoError('RESULTS_UNWRITABLE', `${path} cannot be written (${code})`, { cause })
  }
}
