import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { after, before, beforeEach, describe, test } from 'node:test'
import { deflateSync } from 'node:zlib'
import axios from 'axios'
import MultipartForm from 'form-data'
import { serve } from '#src/serve/index.js'
import { MediaWikiStandIn } from '../stand-ins/mediawiki.js'
import { ask, model, picture, root, service, type Told, url } from './helpers.js'
import { almostSure, bee, ibis, justSure, striped } from './pictures.js'

const IBIS = `The ibis is a wading bird with a long bill that is bent downwards. ${'It walks in shallow water. '.repeat(40)}`
const wiki = await MediaWikiStandIn.start({ pages: { Ibis: IBIS } })
process.env.RAYITO_WIKIPEDIA = wiki.endpoint
after(() => wiki.close())

const run = (command: string, args: string[]) =>
  new Promise<string>((resolve, reject) =>
    execFile(command, args, (error, stdout, stderr) => (error ? reject(new Error(stderr)) : resolve(stdout))),
  )
const has = (command: string, ...args: string[]) => spawnSync(command, args).status === 0
const IBIS_ANSWER = { prediction: 'ibis', 'wikipedia info': IBIS.slice(0, 500) }

describe('the image-information service', () => {
  service()
  beforeEach(() => {
    wiki.fault = null
    wiki.faults = []
  })

  test('answers the first synonym of a sure class and the first 500 characters of its page', async () => {
    for (const path of ['/whatis', '/whatis/', '/what-is']) {
      const { status, body } = await ask(await ibis(), path)
      assert.deepEqual([status, body], [200, IBIS_ANSWER], path)
    }
    assert.equal(wiki.searches('ibis'), 1)
  })

  test('answers unknown below 0.80, and nothing else', async () => {
    const bytes = new Uint8Array(readFileSync(join(root, 'test/fixtures/models/pictures/colour-64x64.png')))
    for (const one of [bytes, await almostSure()])
      assert.deepEqual(await ask(one), { status: 200, body: { prediction: 'unknown' } })
    assert.equal((await ask(await justSure())).body.prediction, 'bee')
  })

  test('answers what Wikipedia has no page of', async () => {
    const { body } = await ask(await bee())
    assert.deepEqual(body, { prediction: 'bee', 'wikipedia info': 'No pages found' })
  })

  test('with details=1 the five best classes, the page and times come too', async () => {
    const { body } = await ask(await ibis(), '/whatis?details=1')
    const { classes, milliseconds, page, model, ...answer } = body as never as {
      model: string
      classes: { label: string; score: number }[]
      milliseconds: Record<string, number>
      page: { title: string; url: string }
    }
    assert.deepEqual(answer, IBIS_ANSWER)
    assert.equal(classes.length, 5)
    assert.equal(model, 'tiny-vit')
    assert.equal(classes[0]!.label, 'ibis, sacred ibis')
    assert.ok(classes.every(({ score }, i) => score <= (classes[i - 1]?.score ?? 1)))
    assert.deepEqual(Object.keys(milliseconds), ['decode', 'inference', 'wikipedia', 'total'])
    assert.ok(Object.values(milliseconds).every((time) => time >= 0))
    assert.equal(page.title, 'Ibis')
    const unknown = new Uint8Array(readFileSync(join(root, 'test/fixtures/models/pictures/colour-64x64.png')))
    const { body: other } = await ask(unknown, '/whatis?details=1')
    assert.deepEqual([other.prediction, other.page, (other.classes as unknown[]).length], ['unknown', null, 5])
  })

  test('every kind of picture is read, by its bytes and not its name', async () => {
    for (const name of [
      'colour.png',
      'grey.png',
      'alpha.png',
      'palette.gif',
      'cmyk.jpg',
      'lossy.webp',
      'grey-16-bit.png',
    ]) {
      const { status, body } = await ask(picture(name), '/whatis', 'notes.txt')
      assert.equal(status, 200, `${name}: ${JSON.stringify(body)}`)
    }
  })

  test('what is no picture is 415, an empty file too, whatever its name', async () => {
    const texts = ['', 'hello', '<svg xmlns="http://www.w3.org/2000/svg"/>', '%PDF-1.7', 'BM', '\x89PNG\r\n\x1a\n']
    for (const text of texts) {
      const { status, body } = await ask(new Uint8Array(Buffer.from(text, 'latin1')))
      assert.ok(status === 415 || (text.startsWith('\x89PNG') && status === 400), `${text}: ${status}`)
      assert.equal(typeof body.detail, 'string')
      assert.doesNotMatch(String(body.detail), /maxPixels|node_modules|\/src\//)
    }
  })

  test('a truncated picture is 400', async () => {
    for (const name of ['colour.png', 'colour-420.jpg', 'lossy.webp']) {
      const whole = picture(name)
      const { status, body } = await ask(whole.slice(0, whole.length / 2))
      assert.deepEqual([status, body.detail], [400, 'The picture ends too early: send it again'], name)
    }
  })

  test('too many bytes are 413, and so are too many pixels in a small file', async () => {
    const large = new Uint8Array((10 << 20) + 1)
    assert.deepEqual(await ask(large), { status: 413, body: { detail: 'The body is larger than 10 MB' } })
    const { status, body } = await ask(bomb(20_000, 20_000))
    assert.deepEqual([status, body.detail], [413, 'The picture has more than 50 million pixels'])
  })

  test('no file is 422, another method 405, another path 404', async () => {
    const detail = [{ type: 'missing', loc: ['body', 'file'], msg: 'Field required', input: null }]
    const told = async (response: Response) => [
      response.status,
      ((await response.json()) as { detail: unknown }).detail,
    ]
    assert.deepEqual(await told(await fetch(url('/whatis'), { method: 'POST' })), [422, detail])
    assert.deepEqual(await told(await fetch(url('/whatis'))), [405, 'Method Not Allowed'])
    assert.deepEqual(await told(await fetch(url('/what'), { method: 'POST' })), [404, 'Not Found'])
  })

  test('an unreachable Wikipedia loses no prediction, and its return is noticed', async () => {
    wiki.fault = 'cut'
    const gnu = await striped(579)
    const { status, body } = await ask(gnu, '/whatis?details=1')
    assert.equal(status, 200)
    assert.equal(body.prediction, 'gnu')
    assert.match(String(body['wikipedia info']), /Wikipedia/)
    const { source, text } = body.definition as { source: string; text: string }
    assert.equal(source, 'WordNet 3.1')
    assert.match(text, /antelope/)
    assert.equal(body.page, null)
    wiki.fault = null
    wiki.pages.Gnu = 'The gnu is a large antelope.'
    let again: Told
    do again = await ask(gnu)
    while ('definition' in again.body)
    assert.deepEqual(again.body, { prediction: 'gnu', 'wikipedia info': 'The gnu is a large antelope.' })
  })

  test('many at once are each answered as one alone', async () => {
    const [one, other] = [await ibis(), await bee()]
    const answers = await Promise.all(Array.from({ length: 60 }, (_, i) => ask(i % 2 ? one : other)))
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
    assert.ok(answers.every(({ body }, i) => body.prediction === (i % 2 ? 'ibis' : 'bee')))
  })

  test('axios with form-data, as in the notebook', async () => {
    const form = new MultipartForm()
    form.append('file', Buffer.from(await ibis()), { filename: 'example-image.png', contentType: 'image/png' })
    const { data } = await axios.post(url('/whatis/'), form, { headers: form.getHeaders() })
    assert.deepEqual(data, IBIS_ANSWER)
    const stream = new MultipartForm()
    stream.append('file', Readable.from([Buffer.from(await ibis())]), { filename: 'x.png' })
    assert.deepEqual((await axios.post(url('/whatis'), stream)).data, IBIS_ANSWER)
  })

  const folder = mkdtempSync(join(tmpdir(), 'rayito-clients-'))
  before(async () => writeFileSync(join(folder, 'example-image.png'), await ibis()))
  after(() => rmSync(folder, { recursive: true, force: true }))

  test('curl', { skip: !has('curl', '--version') && 'curl is not here' }, async () => {
    const text = await run('curl', ['-s', '-F', `file=@${join(folder, 'example-image.png')}`, url('/whatis')])
    assert.deepEqual(JSON.parse(text), IBIS_ANSWER)
  })

  test('Python’s requests, as the assignment writes it', {
    skip: !has('python3', '-c', 'import requests') && 'requests is not here',
  }, async () => {
    const program = `
import json, requests
image_path = ${JSON.stringify(join(folder, 'example-image.png'))}
with open(image_path, "rb") as f:
    response = requests.post(${JSON.stringify(url('/whatis/'))}, files={"file": (image_path, f, "image/png")})
print(json.dumps(response.json()))
big = requests.post(${JSON.stringify(url('/whatis/'))}, files={"file": b"x" * (30 << 20)})
assert big.status_code == 413, big.status_code
noted = requests.post(${JSON.stringify(url('/whatis'))}, data={"note": "x" * 70000}, files={"file": b"x" * (9 << 20)}, timeout=20)
assert noted.status_code == 413, noted.status_code
assert requests.post(${JSON.stringify(url('/whatis'))}).status_code == 422
`
    assert.deepEqual(JSON.parse(await run('python3', ['-c', program])), IBIS_ANSWER)
  })

  test('the page is there, whole, with headers that hold it to this server', async () => {
    const response = await fetch(url('/'))
    const text = await response.text()
    assert.ok(text.length > 1000 && Buffer.byteLength(text) < 60_000)
    assert.match(response.headers.get('content-security-policy')!, /default-src 'none'/)
  })

  test('its links lead to pages that are there, below a prefix too', async () => {
    const { info } = await import('#src/ray-server.js')
    await serve.run(info, { name: 'below', routePrefix: '/a/b' })
    try {
      for (const address of [url('/'), url('/a/b/')]) {
        const links = [...(await (await fetch(address)).text()).matchAll(/<a href="([^"]+)"/g)]
        assert.equal(links.length, 2)
        for (const [, link] of links) assert.equal((await fetch(new URL(link!, address))).status, 200, link)
      }
    } finally {
      await serve.delete('below')
    }
  })

  test('/metrics has the times of decoding, inference and Wikipedia, and hits of the cache', async () => {
    await ask(await ibis())
    const text = await (await fetch(url('/metrics'))).text()
    const value = (name: string) => Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1])
    for (const name of ['decode', 'inference', 'wikipedia']) assert.ok(value(`rayito_${name}_seconds_count`) > 0, name)
    assert.ok(value('rayito_wikipedia_cache_hits_total') > 0)
    assert.ok(value('rayito_wikipedia_cache_misses_total') > 0)
    assert.ok(value('rayito_wikipedia_unreachable_total') > 0)
  })

  test('/openapi.json says what it takes and answers', async () => {
    const { paths } = (await (await fetch(url('/openapi.json'))).json()) as { paths: Record<string, { post: object }> }
    const models = ['/v2/models/{model}', '/v2/models/{model}/versions/{version}']
    const protocol = models.flatMap((one) => [one, `${one}/ready`, `${one}/infer`])
    assert.deepEqual(Object.keys(paths), ['/whatis', '/what-is', '/v2', ...protocol])
    const infer = paths['/v2/models/{model}/infer']!.post as {
      requestBody: { content: Record<string, { example: object }> }
      responses: Record<string, object>
    }
    // Its example is one.
    const body = JSON.stringify(infer.requestBody.content['application/json']!.example)
    const headers = { 'content-type': 'application/json' }
    assert.equal((await fetch(url('/v2/models/tiny-vit/infer'), { method: 'POST', headers, body })).status, 200)
    assert.match(JSON.stringify(infer.responses[404]), /"required":\["error"\]/)
    assert.deepEqual(Object.keys(infer.responses), ['200', '400', '404', '408', '413', '415', '503'])
    const { requestBody, responses } = paths['/whatis']!.post as { requestBody: { content: object }; responses: object }
    assert.ok('multipart/form-data' in requestBody.content)
    assert.deepEqual(Object.keys(responses), ['200', '400', '408', '413', '415', '422', '503'])
  })

  test('one replica a processor classifies, on the model that the environment names', () => {
    const { ImageClassifier, WikipediaSearch } = serve.status().applications.default!.deployments
    assert.equal(ImageClassifier!.replicas.RUNNING, availableParallelism())
    assert.equal(WikipediaSearch!.replicas.RUNNING, 1)
    assert.equal(process.env.RAYITO_MODEL, model)
  })

  test('an address of Wikipedia that is none is told at the start, not with each picture', async () => {
    const { WikipediaSearch } = await import('#src/ray-server.js')
    process.env.RAYITO_WIKIPEDIA = 'wiki.example'
    const run = serve.run(WikipediaSearch.bind(), { name: 'wrong', routePrefix: '/wrong' })
    await assert.rejects(run, /`RAYITO_WIKIPEDIA` to be an http or https address, got `wiki\.example`/)
    process.env.RAYITO_WIKIPEDIA = wiki.endpoint
  })

  test('fetchWikipediaPage alone: the first characters, or that there is no page', async () => {
    const { fetchWikipediaPage } = await import('#src/ray-server.js')
    assert.equal(await fetchWikipediaPage('ibis', 8), 'The ibis')
    assert.equal(await fetchWikipediaPage('ibis'), IBIS.slice(0, 500))
    assert.equal(await fetchWikipediaPage('no such thing'), 'No pages found')
  })
})

/** A PNG that says it is so large, with next to nothing in it. */
function bomb(width: number, height: number): Uint8Array<ArrayBuffer> {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 2, 0, 0, 0], 8)
  const chunks = [chunk('IHDR', header), chunk('IDAT', deflateSync(Buffer.alloc(1000))), chunk('IEND', Buffer.alloc(0))]
  return new Uint8Array(Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), ...chunks]))
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)]
  length.writeUInt32BE(data.length)
  check.writeUInt32BE(crc32(body))
  return Buffer.concat([length, body, check])
}

function crc32(bytes: Uint8Array): number {
  let crc = ~0
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  return ~crc >>> 0
}
