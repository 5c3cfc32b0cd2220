/**
 * The pictures of a class are kept in a file of their own as soon as they are made, so that a build that was interrupted
 * goes on where it was: each PNG behind its length (32 bits, little-endian), split after split.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { rename } from '../core/rename.js'
import { SPLITS, type Split } from './rows.js'

const pathOf = (folder: string, label: number) => join(folder, `${label}.part`)

/** Written aside and renamed: a part that is there is whole. */
export async function writePart(folder: string, label: number, rows: Record<Split, Uint8Array[]>): Promise<void> {
  const blocks = Object.values(rows)
    .flat()
    .flatMap((png) => {
      const length = Buffer.alloc(4)
      length.writeUInt32LE(png.length)
      return [length, png]
    })
  const path = pathOf(folder, label)
  await writeFile(`${path}.draft`, Buffer.concat(blocks))
  await rename(`${path}.draft`, path)
}

/** The pictures of a class, or null where they must be made. */
export async function readPart(folder: string, label: number): Promise<Record<Split, Uint8Array[]> | null> {
  const bytes = await readFile(pathOf(folder, label)).catch(() => null)
  if (!bytes) return null
  let at = 0
  const next = () => {
    const length = at + 4 <= bytes.length ? bytes.readUInt32LE(at) : 0
    at += 4 + length
    return bytes.subarray(at - length, at)
  }
  const take = (split: Split) => Array.from({ length: SPLITS[split] }, next)
  const rows = { train: take('train'), valid: take('valid') }
  // a machine that lost its power may keep a name without all of its bytes
  return at === bytes.length ? rows : null
}
