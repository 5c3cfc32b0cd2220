import { join } from 'node:path'
import { makeFolder, writeWhole } from './write-whole.js'

/** Writes a value as JSON into a folder, whole or not at all; returns the file's path. Rejects with RESULTS_UNWRITABLE. */
export async function writeJson(folder: string, name: string, value: unknown): Promise<string> {
  await makeFolder(folder)
  const path = join(folder, name)
  await writeWhole(path, `${JSON.stringify(value, null, 2)}\n`)
  return path
}
