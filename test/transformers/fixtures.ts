import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { fileURLToPath } from 'node:url'

/** The project's root, from .build/test/transformers. */
export const root = fileURLToPath(new URL('../../..', import.meta.url))

/** A path below test/fixtures/models. */
export const fixture = (...parts: string[]) => join(root, 'test', 'fixtures', 'models', ...parts)

export const readFixture = <T>(...parts: string[]) => JSON.parse(readFileSync(fixture(...parts), 'utf8')) as T

/** A classifier of ten animals for pictures of 32 pixels, with random weights. */
export const tinyVit = fixture('tiny-vit')

/** Where the stand-in for the Hub and Python's answers are, on machines that have them. */
export const shared = process.env.RAYITO_SHARED ?? join(root, '..', 'shared')

/** Points RAYITO_CACHE to a folder of its own until the tests of this file are done. */
export function ownCache(): { folder: string; weights: string } {
  const folder = mkdtempSync(join(tmpdir(), 'rayito-weights-'))
  process.env.RAYITO_CACHE = folder
  after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
  return { folder, weights: join(folder, 'weights') }
}

/** A copy of the tiny classifier, for a test to change, away when the test is done. */
export function copyOfTinyVit(t: { after(work: () => void): void }): string {
  const folder = mkdtempSync(join(tmpdir(), 'rayito-model-'))
  cpSync(tinyVit, folder, { recursive: true })
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Changes a JSON file. */
export function edit(file: string, change: (value: Record<string, unknown>) => unknown): void {
  const value = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
  writeFileSync(file, JSON.stringify(change(value) ?? value))
}
