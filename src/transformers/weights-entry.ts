import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline as streamInto } from 'node:stream/promises'
import type { Plan } from './plan.js'

/** The optimised graph, and the weights that every session maps. */
export const GRAPH = 'model.onnx'
export const DATA = 'model.data'
const MANIFEST = 'manifest.json'
/** Places at which a large file is looked at on each load, and bytes read at each. */
const SAMPLES = 64
const SAMPLE_BYTES = 4096
/** Times that differ by less are the same, in milliseconds: one that is set keeps no fractions of them. */
const CLOSE = 2

/** What an entry's folder should hold. */
interface Manifest {
  plan: Plan
  files: Record<string, Fingerprint>
}

interface Fingerprint {
  size: number
  mtimeMs: number
  /** Of the whole content. */
  sha256: string
  /** Of the samples. */
  sampled: string
}

/** Writes down what a finished folder holds. */
export async function seal(folder: string, plan: Plan): Promise<void> {
  const files: Manifest['files'] = {}
  for (const name of [GRAPH, DATA]) {
    const path = join(folder, name)
    const found = await stat(path).catch(() => null)
    if (!found) continue // a tiny model has no data beside its graph
    const { size, mtimeMs } = found
    files[name] = { size, mtimeMs, sha256: await sha256(path), sampled: await sampled(path, size) }
  }
  await writeFile(join(folder, MANIFEST), JSON.stringify({ plan, files } satisfies Manifest))
}

/**
 * The plan of a sound entry; null where there is none or it is damaged: a file is gone, has another size, other samples,
 * or was written to since (by its time) and has another hash.
 */
export async function readEntry(folder: string): Promise<Plan | null> {
  try {
    const { plan, files } = JSON.parse(await readFile(join(folder, MANIFEST), 'utf8')) as Manifest
    // All looks end, whatever one of them finds: Windows removes no folder of which a file is open.
    const looks = Object.entries(files).map(([name, print]) => isSound(join(folder, name), print))
    const sound = (await Promise.allSettled(looks)).every((look) => look.status === 'fulfilled' && look.value)
    return GRAPH in files && sound ? plan : null
  } catch {
    return null
  }
}

async function isSound(path: string, print: Fingerprint): Promise<boolean> {
  const { size, mtimeMs } = await stat(path)
  if (size !== print.size || (await sampled(path, size)) !== print.sampled) return false
  if (Math.abs(mtimeMs - print.mtimeMs) < CLOSE) return true
  if ((await sha256(path)) !== print.sha256) return false
  // a copy of the cache: the next load need not read it all
  await utimes(path, new Date(), new Date(print.mtimeMs)).catch(() => {})
  return true
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256')
  await streamInto(createReadStream(path, { highWaterMark: 1 << 20 }), hash)
  return hash.digest('hex')
}

/** A hash of pieces spread over the whole file, its end included. */
async function sampled(path: string, size: number): Promise<string> {
  const hash = createHash('sha256')
  const file = await open(path, 'r')
  try {
    const buffer = Buffer.alloc(SAMPLE_BYTES)
    for (let i = 0; i < SAMPLES; i++) {
      const position = Math.floor((Math.max(0, size - SAMPLE_BYTES) * i) / (SAMPLES - 1))
      const { bytesRead } = await file.read(buffer, 0, SAMPLE_BYTES, position)
      hash.update(buffer.subarray(0, bytesRead))
    }
  } finally {
    await file.close()
  }
  return hash.digest('hex')
}
