import { readFileSync } from 'node:fs'
import { join } from 'node:path'
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
