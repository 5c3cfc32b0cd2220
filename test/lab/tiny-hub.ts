import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { Image } from '#src/datasets/index.js'
import { folderFiles, HubStandIn } from '../stand-ins/hub.js'

/** The project's root, from .build/test/lab. */
export const root = fileURLToPath(new URL('../../..', import.meta.url))

const ROWS = 10_000
const DIFFERENT = 50

/**
 * A stand-in for the Hub that has exercise 1's data set (10,000 rows of 50 made-up pictures) and, under the name of its
 * model, the tiny classifier of the fixtures; `env` leads there, with caches of its own.
 */
export async function tinyHub(): Promise<{ env: NodeJS.ProcessEnv; close(): Promise<void> }> {
  const hub = await HubStandIn.start({
    'datasets/Maysee/tiny-imagenet': {
      'data/train-00000-of-00001.parquet': await table(ROWS),
      'data/valid-00000-of-00001.parquet': await table(100),
    },
    'models/Xenova/vit-base-patch16-224': folderFiles(join(root, 'test', 'fixtures', 'models', 'tiny-vit')),
  })
  const home = mkdtempSync(join(tmpdir(), 'rayito-home-'))
  const { HF_HUB_CACHE: _, HF_TOKEN: __, HF_HUB_OFFLINE: ___, RAY_ADDRESS: ____, ...rest } = process.env
  return {
    env: {
      ...rest,
      HF_ENDPOINT: hub.endpoint,
      HF_HOME: home,
      RAYITO_CACHE: join(home, 'rayito'),
      RAYITO_ACTORS: '2',
    },
    async close() {
      await hub.close()
      rmSync(home, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

async function table(rows: number): Promise<Uint8Array> {
  const pictures = await Promise.all(Array.from({ length: Math.min(rows, DIFFERENT) }, (_, seed) => picture(seed)))
  const image = Array.from({ length: rows }, (_, i) => ({ bytes: pictures[i % pictures.length], path: null }))
  const label = Array.from({ length: rows }, (_, i) => BigInt(i % 200))
  const buffer = parquetWriteBuffer({
    schema: [
      { name: 'root', num_children: 2 },
      { name: 'image', repetition_type: 'OPTIONAL', num_children: 2 },
      { name: 'bytes', type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL' },
      { name: 'path', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
      { name: 'label', type: 'INT64', repetition_type: 'OPTIONAL' },
    ],
    columnData: [
      { name: 'image', data: image },
      { name: 'label', data: label },
    ],
  })
  return new Uint8Array(buffer)
}

/** A picture of 64 × 64 pixels that no other seed gives. */
async function picture(seed: number): Promise<Uint8Array> {
  const data = Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * (seed + 3) + (i >> 6) * seed * 7) & 0xff)
  return new Image(data, 64, 64).toPng()
}
