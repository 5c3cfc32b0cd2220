import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { Image } from '#src/datasets/index.js'
import type { Lookup } from '#src/encyclopaedia/index.js'
import { ImageClassifier, WikipediaSearch } from '#src/ray-server.js'
import { serve } from '#src/serve/index.js'
import { until } from '../serve/helpers.js'
import { ask, model, service, url } from './helpers.js'
import { ibis } from './pictures.js'

// Nobody answers there.
process.env.RAYITO_WIKIPEDIA = 'http://127.0.0.1:1'

const below = (name: string) => ({ name, routePrefix: `/${name}` })

describe('the service’s deployments, put together otherwise', () => {
  service()

  test('who looks it up is given the first synonym, the whole label, and what else it might be', async () => {
    const Telling = serve.deployment(
      class Telling {
        async call(...given: unknown[]): Promise<Lookup> {
          return { text: JSON.stringify(given), found: true, reachable: true, page: null, cached: false, asked: false }
        }
      },
    )
    const classifier = ImageClassifier.options({ numReplicas: 1 })
    await serve.run(classifier.bind(Telling.bind()), below('telling'))
    const { body } = await ask(await ibis(), '/telling/whatis?details=1')
    const [best, ...others] = (body.classes as { label: string }[]).map(({ label }) => label)
    assert.deepEqual(JSON.parse(body['wikipedia info'] as string), ['ibis', best, others])
    assert.deepEqual([best, others.length], ['ibis, sacred ibis', 4])
    await serve.delete('telling')
  })

  test('without Wikipedia a crane is what its company is', async () => {
    const search = await serve.run(WikipediaSearch.bind(), below('search'))
    const define = async (...company: string[]) =>
      ((await search.remote('crane', 'crane', company)) as Lookup).definition?.text ?? ''
    assert.match(await define('little blue heron, Egretta caerulea', 'bustard'), /wading bird/)
    assert.match(await define('harvester, reaper', 'forklift'), /lifts and moves heavy objects/)
    await serve.delete('search')
  })

  test('five a replica run, 128 wait, the next is refused at once; those that leave free their places', async () => {
    const Silent = serve.deployment(
      class Silent {
        call(): Promise<Lookup> {
          return new Promise(() => {})
        }
      },
      { maxOngoingRequests: 100_000, gracefulShutdownTimeout: 0 },
    )
    await serve.run(ImageClassifier.bind(Silent.bind()), below('silent'))
    const here = () => serve.status().applications.silent!.deployments.ImageClassifier!
    const [bytes, gone] = [await ibis(), new AbortController()]
    const send = (signal?: AbortSignal) => {
      const body = new FormData()
      body.append('file', new Blob([bytes]), 'x.png')
      return fetch(url('/silent/whatis'), { method: 'POST', body, ...(signal && { signal }) })
    }
    const room = 5 * here().replicas.RUNNING
    const sent = Array.from({ length: room + 128 }, () => send(gone.signal).then(String, ({ name }) => name))
    await until(() => here().queued === 128)
    assert.equal(here().ongoing, room)
    const refused = await send()
    assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '1'])
    gone.abort()
    await until(() => here().ongoing + here().queued === 0)
    assert.deepEqual(new Set(await Promise.all(sent)), new Set(['AbortError']))
    await serve.delete('silent')
  })

  test('a picture like a thread is 413 where its shorter edge becomes the model’s', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rayito-narrow-'))
    cpSync(model, folder, { recursive: true })
    const path = join(folder, 'preprocessor_config.json')
    const config = JSON.parse(readFileSync(path, 'utf8')) as object
    const crop = { do_center_crop: true, crop_size: { height: 32, width: 32 } }
    writeFileSync(path, JSON.stringify({ ...config, size: { shortest_edge: 256 }, ...crop }))
    process.env.RAYITO_MODEL = folder
    const classifier = ImageClassifier.options({ numReplicas: 1 })
    await serve.run(classifier.bind(WikipediaSearch.bind()), below('narrow'))
    process.env.RAYITO_MODEL = model
    const thread = await Image.fromPixels(new Uint8Array(3 * 20_000), 20_000, 1).toPng()
    assert.deepEqual(await ask(new Uint8Array(thread), '/narrow/whatis'), {
      status: 413,
      body: { detail: 'The picture is too long and narrow' },
    })
    await serve.delete('narrow')
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  })
})
