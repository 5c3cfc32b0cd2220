import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { Image } from '#src/datasets/index.js'
import { serve } from '#src/serve/index.js'
import { ask, picture, service, url } from './helpers.js'
import { ibis } from './pictures.js'

process.env.RAYITO_WIKIPEDIA = 'http://127.0.0.1:9'

/** Megabytes that the server may keep of thousands of requests. */
const KEPT = 60

async function isWell(): Promise<void> {
  assert.equal((await ask(await ibis())).body.prediction, 'ibis')
  const { ongoing, queued, restarts } = serve.status().applications.default!.deployments.ImageClassifier!
  assert.deepEqual({ ongoing, queued, restarts }, { ongoing: 0, queued: 0, restarts: 0 })
}

/** Sends bytes as they are and reads the status of each answer. */
async function send(body: Uint8Array, contentType: string): Promise<number> {
  const socket = connect(Number(new URL(url()).port), '127.0.0.1')
  socket.on('error', () => {})
  socket.write(
    `POST /whatis HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: ${contentType}\r\nContent-Length: ${body.length}\r\n\r\n`,
  )
  socket.write(body)
  let answer = ''
  socket.setEncoding('latin1').on('data', (data) => {
    answer += data
  })
  await once(socket, 'close')
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1])
}

const [HEAD, TAIL] = [
  '--b\r\nContent-Disposition: form-data; name="file"; filename="x.png"\r\nContent-Type: image/png\r\n\r\n',
  '\r\n--b--\r\n',
]

/** The status for a file. `fetch` and its forms would take more processor time than the server. */
const statusOf = (file: Uint8Array) =>
  send(Buffer.concat([latin(HEAD), file, latin(TAIL)]), 'multipart/form-data; boundary=b')

const latin = (text: string) => Buffer.from(text, 'latin1')

/** What a form may be broken with, and what it is made of. */
const piece = fc.oneof(
  fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
  fc
    .constantFrom(
      '--b',
      '--b--',
      '\r\n',
      '\n',
      '--',
      'Content-Disposition: form-data; name="file"; filename="x.png"',
      'Content-Disposition: form-data; name="file"',
      'Content-Disposition: form-data; name="__proto__"; filename="constructor"',
      "Content-Disposition: form-data; name=file; filename*=UTF-8''%ff%00",
      'Content-Type: image/png',
      'Content-Transfer-Encoding: base64',
      ': ',
      '\x89PNG\r\n\x1a\n',
      '\xff\xd8\xff',
      'GIF89a',
      'RIFF\x10\x00\x00\x00WEBP',
    )
    .map(latin),
)

describe('/whatis, whatever it is sent', () => {
  service()

  test('random bytes as a file are 415 or 400', () =>
    fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 300 }),
        fc.constantFrom(
          '',
          '\x89PNG\r\n\x1a\n',
          '\xff\xd8\xff',
          '\xff\xd8\xff\xe0\x00\x10JFIF',
          'GIF89a',
          'RIFF\xff\x00\x00\x00WEBPVP8 ',
        ),
        async (bytes, head) => {
          const status = await statusOf(Buffer.concat([latin(head), bytes]))
          assert.ok(status === 415 || status === 400, String(status))
        },
      ),
      { numRuns: 200 },
    ))

  test('a broken form is 400, 413, 415 or 422', () =>
    fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 14 }), async (pieces) => {
        const status = await send(Buffer.concat(pieces), 'multipart/form-data; boundary=b')
        assert.ok([400, 413, 415, 422].includes(status), String(status))
      }),
      { numRuns: 300 },
    ))

  test('an odd content type is 400 or 422', () =>
    fc.assert(
      fc.asyncProperty(fc.string({ maxLength: 40 }), async (text) => {
        const odd = text.replace(/[^\x20-\x7e]/g, '')
        const form = latin('--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\nx\r\n--b--\r\n')
        const status = await send(form, `multipart/form-data; ${odd}`)
        assert.ok([400, 415, 422].includes(status), `${odd}: ${status}`)
      }),
      { numRuns: 100 },
    ))

  test('every truncation of a PNG and a JPEG answers as reading it here does, and leaves nothing behind', async () => {
    const expected: Partial<Record<string, number>> = { IMAGE_INVALID: 415, IMAGE_TRUNCATED: 400 }
    for (const name of ['palette-4-bit.png', 'colour-420.jpg']) {
      const whole = picture(name)
      const lengths = Array.from({ length: whole.length }, (_, i) => i)
      const told = new Map<number, number>()
      await Promise.all(
        Array.from({ length: 8 }, async () => {
          for (let length = lengths.pop(); length !== undefined; length = lengths.pop()) {
            const part = whole.slice(0, length)
            const here = await Image.open(part).then(
              () => 200,
              (error: { code: string }) => expected[error.code],
            )
            const status = await statusOf(part)
            assert.equal(status, here, `${name}, ${length} bytes`)
            told.set(status, (told.get(status) ?? 0) + 1)
          }
        }),
      )
      assert.ok((told.get(400) ?? 0) > whole.length / 2, name)
    }
    await isWell()
  })

  test('after all that it is alive, correct and no larger', async () => {
    const broken = picture('colour.png').slice(0, 500)
    const rounds = async (times: number) => {
      for (let i = 0; i < times; i++)
        await Promise.all([
          statusOf(broken),
          statusOf(new Uint8Array(20_000)),
          send(
            latin('--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\nabc'),
            'multipart/form-data; boundary=b',
          ),
        ])
    }
    await rounds(150)
    const before = process.memoryUsage.rss() / 1e6
    await rounds(500)
    const after = process.memoryUsage.rss() / 1e6
    assert.ok(after < before + KEPT, `${before.toFixed()} MB, then ${after.toFixed()} MB`)
    await isWell()
  })
})
