import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { ResizeFilter } from '#src/datasets/index.js'

const root = fileURLToPath(new URL('../../../', import.meta.url))
export const FIXTURES = join(root, 'test', 'fixtures')
export const PICTURES = join(FIXTURES, 'pictures')
export const TABLES = join(FIXTURES, 'parquet')

/** The shared folder of golden answers, or null where it is absent. */
export function shared(...parts: string[]): string | null {
  const path = join(process.env.RAYITO_SHARED || join(root, '..', 'shared'), ...parts)
  return existsSync(path) ? path : null
}

/** A test's `skip`: false, or why. */
export const without = (path: string | null, what: string) => (path ? false : `${what} is not here`)

export const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

export function temporary(t: TestContext): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'rayito-data-')))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

type Answers = Record<ResizeFilter, string[]>

/** What Pillow answers on the fixtures' pictures; see test/fixtures/make.py. */
export interface Manifest {
  sizes: [number, number][]
  pictures: {
    file: string
    mode: string
    width: number
    height: number
    rgb: string
    resized: Answers
    own?: { data: string; resized: Answers }
  }[]
}

export function readJson<T>(...path: string[]): T {
  return JSON.parse(readFileSync(join(...path), 'utf8')) as T
}

export const manifest = readJson<Manifest>(PICTURES, 'manifest.json')
