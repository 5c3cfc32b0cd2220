import { createHash } from 'node:crypto'
import { mkdir, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { RayitoError } from '../core/errors.js'
import { packageFile } from '../core/package-file.js'
import { rayitoCache } from '../core/paths.js'

/** The picture set that is built on the machine. */
export const EMBEDDED_DATASET = 'rayito/tiny-pictures'
/** The model that comes with the package. */
export const EMBEDDED_MODEL = 'rayito/rayito-pictures'

/** The model's folder, absolute, laid out as a repository of the Hub. */
export function embeddedModel(): string {
  return packageFile('../models/rayito-pictures')
}

const building = new Map<string, Promise<string>>()

/**
 * The picture set's folder, which holds `data/train-*.parquet` and `data/valid-*.parquet`; made at first use, in less than a
 * minute, once for all threads and processes that ask, and kept in rayito's cache.
 *
 * Rejects with EMBEDDED_CACHE where it cannot be kept, and EMBEDDED_INCOMPLETE where a package it is made from is missing.
 */
export function embeddedDataset(): Promise<string> {
  const root = join(rayitoCache(), 'datasets', 'tiny-pictures')
  const known = building.get(root)
  if (known) return known
  const made = findOrBuild(root).finally(() => building.delete(root))
  building.set(root, made)
  return made
}

async function findOrBuild(root: string): Promise<string> {
  const name = await version()
  const folder = join(root, name)
  const { fileOf } = await import('./rows.js')
  const isWhole = async () =>
    (await Promise.all((['train', 'valid'] as const).map((split) => endsAsTable(join(folder, fileOf(split)))))).every(
      Boolean,
    )
  if (await isWhole()) return folder
  const { withLock } = await import('../core/lock.js')
  try {
    await mkdir(root, { recursive: true })
    await withLock(join(root, `${name}.lock`), async () => {
      if (await isWhole()) return
      const { build } = await import('./build.js')
      await build(root, name)
    })
  } catch (cause) {
    throw explained(root, cause as NodeJS.ErrnoException)
  }
  return folder
}

const MISSING = ['ENOENT', 'ENOTDIR', 'EISDIR']

/** A machine that lost its power may keep a name without all of its bytes. What cannot be read is left to who wants to read it. */
async function endsAsTable(path: string): Promise<boolean> {
  try {
    const file = await open(path)
    try {
      const { size } = await file.stat()
      const { buffer } = await file.read(Buffer.alloc(4), 0, 4, Math.max(size - 4, 0))
      return buffer.toString('latin1') === 'PAR1'
    } finally {
      await file.close()
    }
  } catch (error) {
    return !MISSING.includes((error as NodeJS.ErrnoException).code ?? '')
  }
}

/** Changes when the pixels may: with the builder, the drawings and what renders them (which is not loaded for that: it takes longer than all the rest). */
async function version(): Promise<string> {
  const [{ installedVersion, PACKAGES }, { VERSION }, { SUBJECTS }] = await Promise.all([
    import('./drawings.js'),
    import('./rows.js'),
    import('./subjects.js'),
  ])
  const drawings = await Promise.all(PACKAGES.map((name) => installedVersion(`@iconify-json/${name}`)))
  const { dependencies } = JSON.parse(await readFile(packageFile('../package.json'), 'utf8')) as {
    dependencies: { sharp: string }
  }
  const all = [...drawings, dependencies.sharp, SUBJECTS]
  return `v${VERSION}-${createHash('sha256').update(JSON.stringify(all)).digest('hex').slice(0, 8)}`
}

const UNWRITABLE = ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST', 'ENOENT']

function explained(root: string, cause: NodeJS.ErrnoException): Error {
  const details = { cause, path: root }
  if (cause.code === 'ENOSPC' || cause.code === 'EDQUOT')
    return new RayitoError('EMBEDDED_CACHE', `The disk that holds ${root} is full`, {
      ...details,
      remedy: 'Free 100 MB, or point RAYITO_CACHE to another disk; what was drawn is kept.',
    })
  if (UNWRITABLE.includes(cause.code ?? ''))
    return new RayitoError('EMBEDDED_CACHE', `${root} cannot be written (${cause.message})`, details)
  return cause
}
