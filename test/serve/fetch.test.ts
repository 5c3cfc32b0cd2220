import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { describe, test } from 'node:test'
import { type HttpRequest, HttpResponse, serve } from '#src/serve/index.js'
import { Fountain, Greeter, Site } from './classes.js'
import { collected, latch, letGo, reached, servers, until } from './helpers.js'

const none = { port: null } as const

const ask = (path: string, init?: RequestInit) => serve.fetch(new Request(`http://any${path}`, init))

/** On a busy machine an answer may begin too late for a short requestTimeout. */
const begun = async (path: string) => {
  for (;;) {
    const answer = await ask(path)
    if (answer.status !== 408) return answer
  }
}

const ongoing = () => Object.values(serve.status().applications.default!.deployments).map(({ ongoing }) => ongoing)

describe('serve.fetch', () => {
  servers()

  test('who cancels an answer, read or not, has left, and nothing else comes of it', async () => {
    const shared = latch()
    await serve.run(serve.deployment(Fountain).bind(shared), none)
    for (let left = 1; left <= 20; left++) {
      const { body } = await ask('/endless')
      const pieces = body!.getReader()
      if (left % 2) await pieces.read()
      const next = left % 4 ? undefined : pieces.read()
      await pieces.cancel()
      await next
      await reached(shared, 2, left)
    }
    await until(() => ongoing().every((count) => count === 0))
    await serve.run(serve.deployment(Site).bind(serve.deployment(Greeter).bind()), none)
    for (let i = 0; i < 20; i++) await (await ask('/bytes?size=100000')).body!.cancel()
    assert.equal((await ask('/nothing')).status, 200)
  })

  test('a signal that is aborted after the head gives up the rest, and reading rejects with its reason', async () => {
    const shared = latch()
    await serve.run(serve.deployment(Fountain).bind(shared), none)
    for (const reason of [undefined, new Error('enough'), 'enough']) {
      const expected = (error: unknown) => (reason ? error === reason : (error as Error).name === 'AbortError')
      const [reading, unread, whole] = [new AbortController(), new AbortController(), new AbortController()]
      const pieces = (await ask('/steps', { signal: reading.signal })).body!.getReader()
      await pieces.read()
      const next = pieces.read()
      const later = await ask('/endless', { signal: unread.signal })
      const short = await ask('/lines', { signal: whole.signal })
      for (const one of [reading, unread, whole]) one.abort(reason)
      await assert.rejects(next, expected)
      await assert.rejects(later.text(), expected)
      await assert.rejects(short.text(), expected)
      await until(() => ongoing().every((count) => count === 0))
    }
  })

  test('who takes nothing of what goes on has left after requestTimeout; who waits for it, or for what is all there, has not', async () => {
    const shared = latch()
    await serve.run(serve.deployment(Fountain).bind(shared), { ...none, requestTimeout: 300 })
    const whole = await begun('/lines')
    const waiting = (await begun('/steps')).body!.getReader()
    await waiting.read()
    const next = waiting.read()
    await reached(shared, 0, 1)
    const passedOn = Readable.fromWeb((await begun('/endless?width=1000000')).body as ReadableStream)
    await once(passedOn, 'readable')
    const unread = await begun('/endless?width=1000000')
    const partly = (await begun('/endless')).body!.getReader()
    await partly.read()
    await reached(shared, 2, 3)
    await until(() => ongoing().every((count) => count === 1))
    const left = { code: 'SERVE_CANCELLED', message: /^Nothing of an answer was read for 300 ms/ }
    await assert.rejects(unread.text(), left)
    await assert.rejects(partly.read(), left)
    assert.equal(passedOn.errored, null)
    await assert.rejects(passedOn.toArray(), left)
    letGo(shared)
    assert.equal(Buffer.from((await next).value!).toString(), 'second')
    assert.equal(await whole.text(), '{"line":1}\n[2]\n')
  })

  test('an answer that is all there and that nobody reads is garbage', async () => {
    await serve.run(serve.deployment(Site).bind(serve.deployment(Greeter).bind()), none)
    const unread = async () => {
      const request = new Request('http://any/bytes?size=10')
      assert.equal((await serve.fetch(request)).status, 200)
      return new WeakRef(request.signal)
    }
    await collected(await unread())
  })

  test('a method gets the headers that the request has, and the host of its address', async () => {
    class Echo {
      call({ headers }: HttpRequest): unknown {
        return headers
      }
    }
    await serve.run(serve.deployment(Echo).bind(), none)
    const heard = async (address: string, headers = {}) => (await serve.fetch(new Request(address, { headers }))).json()
    assert.deepEqual(await heard('http://shop.example:8443/?q=1'), { host: 'shop.example:8443' })
    assert.deepEqual(await heard('https://shop.example/', { 'user-agent': 'mine' }), {
      host: 'shop.example',
      'user-agent': 'mine',
    })
  })

  test('what is no Request is refused by name', async () => {
    for (const other of ['http://any/', new URL('http://any/'), undefined, null, { url: 'http://any/' }, { url: '/' }])
      await assert.rejects(serve.fetch(other as Request), {
        code: 'INVALID_ARGUMENT',
        message: /^Expected `request` to be a Request, got /,
      })
  })

  test('bytes of a buffer are sent as they are, alone, as a body and as a piece, with the headers of Headers', async () => {
    class Sender {
      call({ path }: HttpRequest): unknown {
        const { buffer } = Uint8Array.of(7, 255)
        if (path === '/alone') return buffer
        const pieces = function* () {
          yield buffer
          yield new Uint8Array(new SharedArrayBuffer(1)).buffer
        }
        const headers = new Headers({ 'content-type': 'image/png', 'x-own': 'a' })
        headers.append('set-cookie', 'a=1')
        headers.append('set-cookie', 'b=2')
        return new HttpResponse(path === '/pieces' ? pieces() : buffer, { headers })
      }
    }
    await serve.run(serve.deployment(Sender).bind(), none)
    for (const [path, type, bytes] of [
      ['/alone', 'application/octet-stream', [7, 255]],
      ['/body', 'image/png', [7, 255]],
      ['/pieces', 'image/png', [7, 255, 0]],
    ] as const) {
      const answer = await ask(path)
      assert.equal(answer.headers.get('content-type'), type)
      assert.deepEqual([...new Uint8Array(await answer.arrayBuffer())], bytes)
      if (path === '/alone') continue
      assert.equal(answer.headers.get('x-own'), 'a')
      assert.deepEqual(answer.headers.getSetCookie(), ['a=1', 'b=2'])
    }
  })
})
