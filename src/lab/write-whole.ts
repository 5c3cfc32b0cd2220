import { access, constants, mkdir, rm, writeFile } from 'node:fs/promises'
import { RayitoError } from '../core/errors.js'
import { rename } from '../core/rename.js'

/**
 * Makes a folder in which files can be made, with those above it. Rejects with RESULTS_UNWRITABLE.
 * @param remedy how to name another. @default the table's
 */
export async function makeFolder(folder: string, remedy?: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true })
    await access(folder, constants.W_OK)
  } catch (cause) {
    // Where the disk is read-only Node says of several folders that there is no such folder; of one it says why.
    const why = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? await mkdir(folder).catch((one) => one) : null
    throw unwritable(folder, why ?? cause, remedy)
  }
}

/** Writes a file whole or not at all: who reads it meanwhile sees the one before. Rejects with RESULTS_UNWRITABLE. */
export async function writeWhole(path: string, text: string): Promise<void> {
  const partial = `${path}.${process.pid}.partial`
  try {
    await writeFile(partial, text)
    await rename(partial, path)
  } catch (cause) {
    await rm(partial, { force: true })
    throw unwritable(path, cause)
  }
}

/** Puts a file into another's place. Rejects with RESULTS_UNWRITABLE. */
export async function replaceFile(file: string, place: string): Promise<void> {
  await rename(file, place).catch((cause) => {
    throw unwritable(place, cause)
  })
}

/** RESULTS_UNWRITABLE, with the system's reason. */
export function unwritable(path: string, cause: unknown, remedy?: string): RayitoError {
  const { code } = cause as NodeJS.ErrnoException
  return new RayitoError('RESULTS_UNWRITABLE', `${path} cannot be written (${code})`, { cause, remedy })
}
