import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer as createHttpServer, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { describe, test } from 'node:test'
import { adoptFindings, findings } from '#src/core/findings.js'
import { download, inReach } from '#src/hub/index.js'
import { DATASET, setup, temporary } from './support.js'

const parquet = (paths: string[]) => paths.filter((path) => path.endsWith('.parquet'))

/** A port of this machine on which nobody listens. */
async function nobody(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return `http://127.0.0.1:${port}`
}

describe('a repository is in reach', () => {
  test('when the Hub answers, a busy one and one without that repository included', async (t) => {
    for (const faults of [{}, { busy: 1 }, { error: 1 }, { missing: true }, { gated: 'hf_good' }]) {
      const { hub, options } = await setup(t)
      Object.assign(hub.faults, faults)
      assert.equal(await inReach(DATASET, 'rows', parquet, options), true, JSON.stringify(faults))
    }
  })

  test('when all its files are in the cache, without asking anybody', async (t) => {
    const { hub, options } = await setup(t)
    await download(DATASET, (path) => path.endsWith('.parquet'), options)
    await hub.close()
    assert.equal(await inReach(DATASET, 'rows', parquet, options), true)
    assert.equal(await inReach(DATASET, 'rows', parquet, { ...options, offline: true }), true)
  })

  test('and is not when a needed file is missing in the cache and the Hub does not answer', async (t) => {
    const { hub, options } = await setup(t)
    await download(DATASET, (path) => path === 'data/train.parquet', options)
    await hub.close()
    assert.equal(await inReach(DATASET, 'rows', () => ['data/train.parquet'], options), true)
    assert.equal(await inReach(DATASET, 'rows', parquet, options), false)
  })

  test('and is not when requests are turned off, when nobody listens, or when a login page answers', async (t) => {
    const { hub, options } = await setup(t)
    assert.equal(await inReach(DATASET, 'rows', parquet, { ...options, offline: true }), false)
    assert.equal(hub.requests.length, 0)
    assert.equal(await inReach(DATASET, 'rows', parquet, { ...options, endpoint: await nobody() }), false)
    hub.faults.login = true
    assert.equal(await inReach(DATASET, 'rows', parquet, options), false)
  })

  test('and is not when the Hub takes the connection and stays silent: after 3 s', async (t) => {
    const server = createServer(() => {}).listen(0, '127.0.0.1')
    t.after(() => server.close())
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const cacheDir = temporary(t)
    assert.equal(await inReach(DATASET, 'rows', parquet, { endpoint: `http://127.0.0.1:${port}`, cacheDir }), false)
  })

  test('as it was when the Hub was first asked: one program takes one side', async (t) => {
    const { hub, options } = await setup(t)
    const both = await Promise.all([
      inReach(DATASET, 'rows', parquet, options),
      inReach(DATASET, 'rows', parquet, options),
    ])
    const asked = hub.requests.length
    assert.deepEqual(
      [...both, await inReach({ type: 'model', id: 'a/b' }, 'fp32', () => ['x'], options)],
      [true, true, true],
    )
    assert.equal(hub.requests.length, asked)
    await hub.close()
    assert.equal(await inReach(DATASET, 'rows', parquet, options), true)
  })

  test('whoever gives up asking gives up alone: others get the answer, then and later', async (t) => {
    const { options } = await setup(t)
    const answers: ServerResponse[] = []
    const hub = createHttpServer((_, response) => {
      answers.push(response)
      hub.emit('asked')
    }).listen(0, '127.0.0.1')
    t.after(() => hub.closeAllConnections())
    t.after(() => hub.close())
    await once(hub, 'listening')
    const endpoint = `http://127.0.0.1:${(hub.address() as AddressInfo).port}`
    const ask = (signal?: AbortSignal) => inReach(DATASET, 'rows', parquet, { ...options, endpoint, signal })
    const abort = new AbortController()
    const asked = once(hub, 'asked')
    const first = assert.rejects(ask(abort.signal), /enough/)
    await asked
    const second = ask()
    abort.abort(new Error('enough'))
    await first
    await assert.rejects(ask(abort.signal), /enough/)
    answers[0]!.writeHead(200, { 'content-type': 'application/json' }).end('{}')
    assert.deepEqual([await second, await ask(), answers.length], [true, true, 1])
  })

  test('or as the driver found it, in a worker: though that has the files, or reaches the Hub', async (t) => {
    const { options } = await setup(t)
    const revision = 'main'
    await download({ ...DATASET, revision }, (path) => path.endsWith('.parquet'), options)
    const asked = () => inReach({ ...DATASET, revision }, 'rows told', parquet, options)
    assert.equal(await asked(), true)
    const [key, value] = findings().find(([key]) => key.includes('rows told'))!
    assert.equal(value, true)
    adoptFindings([[key, false]])
    assert.equal(await asked(), false)
  })
})
