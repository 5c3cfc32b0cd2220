import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ray } from '#src/ray/index.js'
import { type RunOptions, serve } from '#src/serve/index.js'

/** The project's root, from .build/test/ray-server. */
export const root = fileURLToPath(new URL('../../..', import.meta.url))
export const model = join(root, 'test', 'fixtures', 'models', 'tiny-vit')

export const picture = (name: string): Uint8Array<ArrayBuffer> =>
  new Uint8Array(readFileSync(join(root, 'test', 'fixtures', 'pictures', name)))

/** The service with the tiny classifier of the fixtures, for all tests of a suite; weights in a cache of its own. */
export function service(options: RunOptions = {}): void {
  const cache = mkdtempSync(join(tmpdir(), 'rayito-serve-'))
  before(async () => {
    Object.assign(process.env, { RAYITO_MODEL: model, RAYITO_CACHE: cache })
    const { info } = await import('#src/ray-server.js')
    await serve.run(info, { port: 0, ...options })
  })
  after(async () => {
    await serve.shutdown()
    await ray.shutdown()
    rmSync(cache, { recursive: true, force: true, maxRetries: 5 })
  })
}

export function url(path = ''): string {
  return `${serve.status().url}${path}`
}

export interface Told {
  status: number
  body: Record<string, unknown>
}

export async function ask(bytes: Uint8Array<ArrayBuffer>, path = '/whatis', name = 'x.png'): Promise<Told> {
  const form = new FormData()
  form.append('file', new Blob([bytes]), name)
  const response = await fetch(url(path), { method: 'POST', body: form })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}
