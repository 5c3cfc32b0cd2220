import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, test } from 'node:test'
import { Image } from '#src/datasets/image/image.js'
import { InferenceProtocol } from '#src/ray-server/inference-protocol.js'
import { type HttpRequest, serve } from '#src/serve/index.js'
import { picture, service, url } from './helpers.js'
import { bee, ibis } from './pictures.js'

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')
const image = (...data: unknown[]) => ({ name: 'image', datatype: 'BYTES', shape: [data.length], data })

async function get(path: string, options: RequestInit = {}) {
  const response = await fetch(url(path), options)
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

async function infer(body: unknown, name = 'tiny-vit') {
  const response = await fetch(url(`/v2/models/${name}/infer`), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

const params = { model: 'model' }
const scored = (label: string) => ({ label, score: 0.1 })

/** A model of its own behind the protocol, which counts the pictures that it classifies. */
class Model extends InferenceProtocol {
  count = 0
  protected openPicture = Image.open
  protected modelName = async () => params.model
  constructor(private readonly classify: () => ReturnType<typeof scored>[]) {
    super()
  }
  async classifyImage() {
    this.count++
    return this.classify()
  }
}

describe('a client of the Open Inference Protocol', () => {
  service({ requestTimeout: 5_000 })

  test('finds the server alive and ready, and its model described', async () => {
    assert.deepEqual(await get('/v2/health/live'), { status: 200, body: { live: true } })
    assert.deepEqual(await get('/v2/health/ready'), { status: 200, body: { ready: true } })
    assert.deepEqual((await get('/v2')).body, { name: 'rayito', version: '2', extensions: [], models: ['tiny-vit'] })
    const { status, body } = await get('/v2/models/tiny-vit')
    assert.equal(status, 200)
    assert.deepEqual([body.name, body.inputs], ['tiny-vit', [{ name: 'image', datatype: 'BYTES', shape: [-1] }]])
    assert.deepEqual(body.outputs, [
      { name: 'label', datatype: 'BYTES', shape: [-1, 5] },
      { name: 'score', datatype: 'FP32', shape: [-1, 5] },
    ])
    assert.deepEqual((await get('/v2/models/tiny-vit/ready')).body, { name: 'tiny-vit', ready: true })
  })

  test('is told of a model with fewer than five classes how many it has', async () => {
    const two = new Model(() => ['yes', 'no'].map(scored))
    const { outputs } = (await two.describeModel({ params })) as {
      outputs: { shape: number[] }[]
    }
    assert.deepEqual(
      outputs.map(({ shape }) => shape),
      [
        [-1, 2],
        [-1, 2],
      ],
    )
  })

  test('is told five classes of a model that has more, which is asked once how many it tells', async () => {
    const seven = new Model(() => [...'abcdefg'].map(scored))
    const told = await seven.describeModel({ params })
    assert.match(JSON.stringify(told), /"shape":\[-1,5\]/)
    assert.deepEqual([await seven.describeModel({ params }), seven.count], [told, 1])
    const body = { inputs: [image(base64(picture('colour.png')))] }
    const request = { params, body, signal: new AbortController().signal }
    const { outputs } = (await seven.infer(request as unknown as HttpRequest)) as { outputs: { data: unknown[] }[] }
    assert.deepEqual(outputs[0]!.data, [...'abcde'])
  })

  test('that is gone has none of its further pictures classified', async () => {
    const gone = new AbortController()
    const seen = new Model(() => {
      gone.abort()
      return []
    })
    const inputs = [image(...Array(3).fill(base64(picture('colour.png'))))]
    const request = { params, body: { inputs }, signal: gone.signal }
    await assert.rejects(seen.infer(request as unknown as HttpRequest), { name: 'AbortError' })
    assert.equal(seen.count, 1)
  })

  test('gets the five best classes of each picture, best first, under the id it gave', async () => {
    const { status, body } = await infer({ id: 'a1', inputs: [image(base64(await ibis()), base64(await bee()))] })
    assert.deepEqual([status, body.id, body.model_name], [200, 'a1', 'tiny-vit'])
    const metrics = await (await fetch(url('/metrics'))).text()
    // The metadata asked for one, too.
    for (const name of ['decode', 'inference'])
      assert.match(metrics, new RegExp(`^rayito_${name}_seconds_count 3$`, 'm'))
    const [label, score] = body.outputs as { name: string; datatype: string; shape: number[]; data: unknown[] }[]
    assert.deepEqual([label!.name, label!.datatype, label!.shape], ['label', 'BYTES', [2, 5]])
    assert.deepEqual([score!.name, score!.datatype, score!.shape], ['score', 'FP32', [2, 5]])
    assert.deepEqual([label!.data[0], label!.data[5]], ['ibis, sacred ibis', 'bee'])
    const scores = score!.data as number[]
    for (const first of [0, 5])
      assert.ok(scores.slice(first, first + 5).every((s, i, all) => i === 0 || s <= all[i - 1]!))
  })

  test('may nest its data, name a version, and ask for one output', async () => {
    const good = base64(await ibis())
    const nested = { ...image([[good]]), shape: [1, 1, 1] }
    const versions = 'tiny-vit/versions/1'
    const { status, body } = await infer({ inputs: [nested], outputs: [{ name: 'score' }] }, versions)
    assert.deepEqual([status, body.model_version], [200, '1'])
    assert.deepEqual(
      (body.outputs as { name: string; shape: number[] }[]).map(({ name, shape }) => [name, shape]),
      [['score', [1, 5]]],
    )
    assert.deepEqual((await get(`/v2/models/${versions}/ready`)).body, { name: 'tiny-vit', ready: true })
    assert.deepEqual((await get(`/v2/models/${versions}`)).body, (await get('/v2/models/tiny-vit')).body)
    assert.deepEqual(await get('/v2/models/tiny-vit/versions/2'), {
      status: 404,
      body: { error: 'There is no version 2 of tiny-vit: this server has 1' },
    })
  })

  test('may send as large a picture as a form may hold, and is told in the protocol’s form what is too large or too slow', async () => {
    const { status, body } = await infer({ inputs: [image(base64(Buffer.alloc(10 << 20, 1)))] })
    assert.deepEqual([status, Object.keys(body)], [415, ['error']])
    assert.deepEqual(await infer(' '.repeat((14 << 20) + 1)), {
      status: 413,
      body: { error: 'The body is larger than 14 MB' },
    })
    const socket = connect(Number(new URL(url()).port), '127.0.0.1')
    const path = '/v2/models/tiny-vit/infer'
    socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{`)
    assert.match(await text(socket), /^HTTP\/1\.1 408 [\s\S]*\{"error":"Request Timeout"\}$/)
  })

  test('is told in the protocol’s form what was wrong', async () => {
    const good = base64(await ibis())
    const wrong: [body: unknown, status: number, error: RegExp][] = [
      [{}, 400, /Expected one input, got none/],
      ['null', 400, /Expected one input, got none/],
      [{ inputs: [image(good), image(good)] }, 400, /Expected one input/],
      [{ inputs: [{ ...image(good), datatype: 'FP32' }] }, 400, /datatype BYTES, got "FP32"/],
      [{ inputs: [{ ...image(good), shape: [2] }] }, 400, /the shape of 1 pictures, got \[2\]/],
      [{ inputs: [{ ...image(good), shape: [-1, -1] }] }, 400, /the shape of 1 pictures, got \[-1,-1\]/],
      [`{"inputs": ${'{"":'.repeat(20_000)}1${'}'.repeat(20_000)}}`, 400, /Expected one input, got \{"":"…"\}/],
      [{ inputs: [{ ...image(good), shape: undefined }] }, 400, /the shape of 1 pictures, got none/],
      [{ inputs: [{ ...image(good), data: undefined }] }, 400, /1 to 16 pictures in data, got none/],
      [{ inputs: [{ ...image(good), data: good.slice(0, 5) }] }, 400, /1 to 16 pictures in data, got ".{5}"/],
      [{ inputs: [null] }, 400, /datatype BYTES, got none/],
      [{ inputs: [image(good)], outputs: [{ name: 'logits' }] }, 400, /outputs among label and score/],
      [{ inputs: [image(good)], outputs: [null] }, 400, /outputs among label and score/],
      [{ inputs: [image(good)], outputs: {} }, 400, /outputs among label and score, got \{\}/],
      [{ inputs: [image()] }, 400, /1 to 16 pictures in data, got 0/],
      [{ inputs: [image(...Array(17).fill(good))] }, 400, /1 to 16 pictures in data, got 17/],
      [{ inputs: [image('not base64!')] }, 400, /a picture's file in base64 in data\[0\], got " " as its character 4$/],
      [{ inputs: [image(good, good.replace(/^.{76}/, '$&\n'))] }, 400, /in data\[1\], got "\\n" as its character 77$/],
      [{ inputs: [image('data:image/png;base64,AA==')] }, 400, /in data\[0\], got ":" as its character 5$/],
      [{ inputs: [image('')] }, 400, /in base64 in data\[0\], got ""$/],
      [{ inputs: [image(null)] }, 400, /in base64 in data\[0\], got null$/],
      [{ inputs: [image(base64(Buffer.from('a text')))] }, 415, /not a picture/],
      [{ inputs: [image(base64(picture('colour.png').subarray(0, 200)))] }, 400, /ends too early/],
    ]
    for (const [body, status, error] of wrong) {
      const told = await infer(body)
      assert.equal(told.status, status, JSON.stringify(body).slice(0, 80))
      assert.match(String(told.body.error), error)
    }
    assert.equal((await infer({ inputs: [image(...Array(16).fill(good))] })).status, 200)
    assert.deepEqual(await infer({ inputs: [image(good)] }, 'other'), {
      status: 404,
      body: { error: 'There is no model other: this server has tiny-vit' },
    })
    assert.deepEqual(await infer('{ no json'), { status: 400, body: { error: 'The body is not JSON' } })
    const binary = { method: 'POST', headers: { 'inference-header-content-length': '2' }, body: Buffer.from('{}xx') }
    assert.deepEqual(await get('/v2/models/tiny-vit/infer', binary), {
      status: 400,
      body: { error: 'Expected a body of content-type application/json, got bytes' },
    })
    // As `curl -d` sends what is not said to be JSON.
    const form = { method: 'POST', body: new URLSearchParams({ [JSON.stringify({ inputs: [image(good)] })]: '' }) }
    assert.deepEqual(await get('/v2/models/tiny-vit/infer', form), {
      status: 400,
      body: { error: 'Expected a body of content-type application/json, got none or a form' },
    })
    assert.deepEqual(await get('/v2/models/tiny-vit/infer'), { status: 405, body: { error: 'Method Not Allowed' } })
    assert.equal(serve.status().applications.default!.status, 'RUNNING')
  })
})
