import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { inspect } from 'node:util'
import { findService, measureLatency, readSettings, ServiceClient } from '#src/lab/index.js'
import { ray } from '#src/ray/index.js'
import { serve } from '#src/serve/index.js'
import { bee, ibis } from '../ray-server/pictures.js'
import { MediaWikiStandIn } from '../stand-ins/mediawiki.js'
import { root } from './tiny-hub.js'

/** An address at which nothing listens. */
const NOBODY = 'http://127.0.0.1:1'
const model = join(root, 'test', 'fixtures', 'models', 'tiny-vit')
const folder = mkdtempSync(join(tmpdir(), 'rayito-service-'))
let wiki: MediaWikiStandIn

before(async () => {
  wiki = await MediaWikiStandIn.start({ pages: { Ibis: 'The ibis is a bird.' } })
  Object.assign(process.env, { RAYITO_CACHE: folder, RAYITO_WIKIPEDIA: wiki.endpoint })
})
after(async () => {
  await wiki.close()
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
})
const settings = (service: string, changes = {}) => ({
  ...readSettings({ RAYITO_SERVICE: service, RAYITO_MODEL: model }),
  ...changes,
})
const answers = (url: string) =>
  fetch(url).then(
    () => true,
    () => false,
  )

describe('a service for the notebook', () => {
  test('is started where none runs, with the settings’ model, and ended', async () => {
    const starting = findService(settings(NOBODY))
    const service = await findService(settings(NOBODY))
    assert.equal(await starting, service, 'there is one, also for who asks while it starts')
    assert.ok(service.started)
    assert.match(
      inspect(service),
      /^The service at http:\/\/127\.0\.0\.1:\d+, started for this notebook \(process \d+\)$/,
    )
    const client = new ServiceClient(service.url)
    const { status, response } = await client.whatIs({ name: 'ibis.png', bytes: await ibis() }, { details: true })
    assert.deepEqual([status, response.prediction, response.model], [200, 'ibis', 'tiny-vit'])
    // A cell that runs again takes the one that it started.
    assert.equal(await findService(settings(NOBODY)), service)
    await service.stop()
    await service.stop()
    assert.equal(await answers(service.url), false)
  })

  test('is started where something else answers', async () => {
    const server = createServer((_, response) => response.end('<h1>Hello</h1>'))
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const service = await findService(settings(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
    server.close()
    assert.ok(service.started)
    await service.stop()
  })

  test('that cannot be started says why', async () => {
    await assert.rejects(findService(settings(NOBODY, { model: './no-such-model' })), (error: Error) => {
      assert.match(error.message, /no-such-model/)
      assert.equal((error as { code?: string }).code, 'SERVE_DEPLOY_FAILED')
      return true
    })
  })

  test('neither holds the notebook’s process nor outlives it, however that ends', async () => {
    const program = join(folder, 'notebook.mjs')
    const lab = pathToFileURL(join(root, 'dist', 'lab', 'index.js')).href
    writeFileSync(
      program,
      `import { findService, readSettings } from '${lab}'
       const service = await findService(readSettings())
       console.log(service.url)
       if (process.argv[2] === 'stay') setInterval(() => {}, 1000)`,
    )
    for (const how of ['leave', 'stay']) {
      const env = { ...process.env, RAYITO_SERVICE: NOBODY, RAYITO_MODEL: model }
      const child = spawn(process.execPath, [program, how], { env, stdio: ['ignore', 'pipe', 'inherit'] })
      const ended = once(child, 'exit')
      const [url] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string]
      if (how === 'stay') child.kill('SIGKILL')
      const [code] = await ended
      assert.equal(code, how === 'leave' ? 0 : null)
      while (await answers(url.trim())) await sleep(20)
    }
  })
})

describe('a service that runs', () => {
  let client: ServiceClient
  before(async () => {
    process.env.RAYITO_MODEL = model
    const { info } = await import('#src/ray-server.js')
    await serve.run(info, { port: 0 })
    client = new ServiceClient(`${serve.status().url}/`)
  })
  after(async () => {
    await serve.shutdown()
    await ray.shutdown()
  })

  test('is used, and goes on', async () => {
    const service = await findService(settings(serve.status().url!))
    assert.equal(service.started, false)
    assert.equal(inspect(service), `The service at ${serve.status().url}, which was running already`)
    await service.stop()
    assert.ok(await answers(`${service.url}/-/healthz`))
  })

  test('is asked directly, though the environment names a proxy', async () => {
    const before = ['http_proxy', 'no_proxy', 'NO_PROXY'].map((name) => [name, process.env[name]] as const)
    try {
      delete process.env.no_proxy
      Object.assign(process.env, { http_proxy: NOBODY, NO_PROXY: 'intranet.example' })
      const { url } = await findService(settings(serve.status().url!))
      const { status } = await new ServiceClient(url).whatIs({ name: 'ibis.png', bytes: await ibis() })
      assert.equal(status, 200)
      assert.equal(process.env.no_proxy, 'intranet.example,127.0.0.1')
    } finally {
      for (const [name, value] of before)
        if (value === undefined) delete process.env[name]
        else process.env[name] = value
    }
  })

  test('is used below its prefix, if it has one', async () => {
    const { info } = await import('#src/ray-server.js')
    const address = serve.status().url!
    await serve.run(info, { name: 'below', routePrefix: '/below' })
    await serve.delete('default')
    try {
      const { url } = await findService(settings(address))
      assert.equal(url, `${address}/below`)
      assert.equal((await new ServiceClient(url).whatIs({ name: 'ibis.png', bytes: await ibis() })).status, 200)
    } finally {
      await serve.run(info)
      await serve.delete('below')
    }
  })

  test('answers the client, which remembers question and answer', async () => {
    const path = join(folder, 'my ibis.png')
    writeFileSync(path, await ibis())
    const plain = await client.whatIs(path)
    assert.deepEqual(plain, {
      picture: 'my ibis.png',
      status: 200,
      response: { prediction: 'ibis', 'wikipedia info': 'The ibis is a bird.' },
      milliseconds: plain.milliseconds,
    })
    const detailed = await client.whatIs({ name: 'x', bytes: await bee() }, { details: true })
    assert.equal(detailed.response.classes?.[0]?.label, 'bee')
    const refused = await client.whatIs({ name: 'a.png', bytes: new Uint8Array(9) })
    assert.equal(refused.status, 415)
    await assert.rejects(client.whatIs(join(folder, 'none.png')), {
      code: 'IMAGE_NOT_FOUND',
      message: /none\.png.*ENOENT/,
    })
    const many = await client.whatIsAll([
      { name: '1', bytes: await bee() },
      { name: '2', bytes: await ibis() },
    ])
    assert.deepEqual(
      many.map(({ picture, response }) => [picture, response.prediction]),
      [
        ['1', 'bee'],
        ['2', 'ibis'],
      ],
    )
    assert.equal(client.requests.length, 5)
    assert.deepEqual(client.requests.slice(0, 3), [plain, detailed, refused])
  })

  test('no answer is an answer with status 0', async () => {
    const { status, response } = await new ServiceClient(NOBODY).whatIs({ name: 'x', bytes: await bee() })
    assert.deepEqual({ status, response }, { status: 0, response: { detail: 'ECONNREFUSED' } })
  })

  test('is measured under each number of clients, and not at all when it refuses', async () => {
    const remembered = client.requests.length
    const pictures = [{ name: 'bee', bytes: await bee() }]
    class Counting extends ServiceClient {
      asked = 0
      override send(...question: Parameters<ServiceClient['send']>) {
        this.asked++
        return super.send(...question)
      }
    }
    const counting = new Counting(client.url)
    const levels = await measureLatency(counting, pictures, { clients: [1, 3], requests: 7 })
    assert.equal(counting.asked, 1 + 7 + 3 + 7, 'each client once before it counts')
    assert.deepEqual(
      levels.map(({ clients, milliseconds }) => [clients, milliseconds.length]),
      [
        [1, 7],
        [3, 7],
      ],
    )
    for (const { milliseconds, seconds } of levels)
      assert.ok(milliseconds.every((ms) => ms > 0 && ms <= seconds * 1000 + 0.1))
    assert.deepEqual([client.requests.length, counting.requests.length], [remembered, 0])
    await assert.rejects(measureLatency(client, [{ name: 'x', bytes: new Uint8Array(3) }]), {
      code: 'SERVE_UNREACHABLE',
      message: /answered 415/,
    })
    await assert.rejects(measureLatency(client, []), { code: 'INVALID_ARGUMENT' })
    const third = pictures.concat(pictures, { name: 'x', bytes: new Uint8Array(3) }, Array(30).fill(pictures[0]))
    const before = counting.asked
    await assert.rejects(measureLatency(counting, third, { clients: [2] }), { code: 'SERVE_UNREACHABLE' })
    const { asked } = counting
    assert.ok(asked < before + 2 + 30, `the others asked to the end: ${asked - before}`)
    await client.send(pictures[0]!)
    assert.equal(counting.asked, asked, 'nobody goes on once that is told')
  })
})
