import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { writeWhole } from './write-whole.js'

/** Writes a value as JSON into a folder, whole or not at all; returns the file's path. */
export async function writeJson(folder: string, name: string, value: unknown): Promise<string> {
  await mkdir(folder, { recursive: true })
  const path = join(folder, name)
  await writeWhole(path, `${JSON.stringify(value, null, 2)}\n`)
  return path
}
