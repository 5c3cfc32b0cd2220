import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Writes a value as JSON into a folder, whole or not at all; returns the file's path. */
export async function writeJson(folder: string, name: string, value: unknown): Promise<string> {
  await mkdir(folder, { recursive: true })
  const path = join(folder, name)
  await writeFile(`${path}.${process.pid}.partial`, `${JSON.stringify(value, null, 2)}\n`)
  await rename(`${path}.${process.pid}.partial`, path)
  return path
}
