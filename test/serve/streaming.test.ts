import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, test } from 'node:test'
import { ray } from '#src/ray/index.js'
import { Body } from '#src/serve/body.js'
import { CallContext } from '#src/serve/context.js'
import { type RunOptions, serve } from '#src/serve/index.js'
import { Fountain, Source } from './classes.js'
import { collected, latch, letGo, reached, servers, until, url } from './helpers.js'

const free = { port: 0 } as const

const ongoing = () =>
  Object.values(serve.status().applications).flatMap(({ deployments }) =>
    Object.values(deployments).map(({ ongoing }) => ongoing),
  )

/** The pieces of an answer, each when it comes. */
async function reader(path: string, signal?: AbortSignal) {
  const response = await fetch(url(path), signal ? { signal } : {})
  const pieces = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  return { response, next: async () => (await pieces.read()).value }
}

describe('answers piece by piece', () => {
  servers()

  test('a generator’s values are lines of JSON, or what a response says', async () => {
    await serve.run(serve.deployment(Fountain).bind(latch()), free)
    const lines = await fetch(url('/lines'))
    assert.equal(lines.headers.get('content-type'), 'application/x-ndjson')
    assert.equal(await lines.text(), '{"line":1}\n[2]\n')
    const mixed = await fetch(url('/mixed'))
    const { status, headers } = mixed
    assert.deepEqual([status, headers.get('content-type'), headers.get('x-kind')], [203, 'text/event-stream', 'mixed'])
    // How long it is only its end says.
    assert.equal(headers.get('content-length'), null)
    assert.equal(await mixed.text(), 'a text, bytes')
  })

  test('bytes that a generator yields are a line of JSON as any value, a list; those of a response are as they are', () => {
    const piece = (lines: boolean) => new Body([][Symbol.iterator](), new CallContext(), lines).piece(Buffer.from('ab'))
    assert.equal(piece(true), '[97,98]\n')
    assert.deepEqual(piece(false), Buffer.from('ab'))
  })

  test('each piece is sent while the method goes on, and shutdown waits for the last', async () => {
    const shared = latch()
    await serve.run(serve.deployment(Fountain).bind(shared), free)
    const { response, next } = await reader('/steps')
    assert.equal(response.headers.get('content-type'), 'text/plain; charset=utf-8')
    assert.equal(await next(), 'first')
    assert.deepEqual(ongoing(), [1])
    const down = serve.shutdown()
    await reached(shared, 0, 1)
    letGo(shared)
    assert.equal(await next(), 'second')
    assert.equal(await next(), undefined)
    await down
  })

  test('a client that leaves ends the generator, and frees its place', async () => {
    const shared = latch()
    const below = serve.deployment(Source, { maxOngoingRequests: 1 }).bind(shared)
    let told = ''
    const log = {
      write(text: string) {
        told += text
      },
    }
    await serve.run(serve.deployment(Fountain, { maxOngoingRequests: 1 }).bind(shared, below), { ...free, log })
    for (const [at, path] of ['/endless', '/relay-endless'].entries()) {
      const leaving = new AbortController()
      const { next } = await reader(path, leaving.signal)
      assert.match((await next())!, /^"0\\n"\n/)
      leaving.abort()
      await reached(shared, 2, at + 1)
      await until(() => ongoing().every((count) => count === 0))
    }
    // And what the generator waits for.
    const waiting = new AbortController()
    assert.match((await (await reader('/relay-steps', waiting.signal)).next())!, /^"before"\n/)
    await reached(shared, 0, 1)
    waiting.abort()
    let relayed = ''
    void fetch(url('/relay')).then(async (response) => (relayed = await response.text()))
    await until(() => relayed === '0\n10\n20\n')
    // One that asks for the head only wants no more.
    assert.equal((await fetch(url('/endless'), { method: 'HEAD' })).status, 200)
    await reached(shared, 2, 3)
    await until(() => ongoing().every((count) => count === 0))
    // Nor does one that left before there was an answer.
    const leaving = new AbortController()
    const left = fetch(url('/late'), { signal: leaving.signal })
    await reached(shared, 0, 2)
    leaving.abort()
    await assert.rejects(left)
    await reached(shared, 2, 4)
    letGo(shared)
    assert.equal(await (await fetch(url('/relay'))).text(), '0\n10\n20\n')
    await until(() => ongoing().every((count) => count === 0))
    const metrics = await (await fetch(url('/metrics'))).text()
    for (const line of [
      'rayito_http_requests_total{method="GET",route="/endless",code="200"} 1',
      'rayito_http_requests_total{method="HEAD",route="/endless",code="200"} 1',
      'rayito_http_requests_total{method="GET",route="/late",code="499"} 1',
      'rayito_http_broken_off_total{route="/endless"} 1',
      'rayito_http_broken_off_total{route="/relay-endless"} 1',
    ])
      assert.ok(metrics.includes(`${line}\n`), line)
    assert.doesNotMatch(metrics, /broken_off_total\{route="\/(late|relay)"\}/)
    // To leave is no failure of the service.
    assert.doesNotMatch(told, /"level":"error"/)
  })

  test('so does one that no longer takes what it is sent', async () => {
    const shared = latch()
    const below = serve.deployment(Source).bind(shared)
    const fountain = serve.deployment(Fountain, { maxOngoingRequests: 1 }).bind(shared, below)
    await serve.run(fountain, { ...free, requestTimeout: 300 })
    const socket = connect(Number(new URL(url()).port), '127.0.0.1').on('error', () => {})
    socket.write('GET /endless?width=1000000 HTTP/1.1\r\nHost: x\r\n\r\n')
    await reached(shared, 2, 1)
    await until(() => ongoing().every((count) => count === 0))
    socket.destroy()
  })

  test('what is no HTTP behind a request ends its answer, and is not answered inside of it', async () => {
    const shared = latch()
    await serve.run(serve.deployment(Fountain).bind(shared), free)
    const socket = connect(Number(new URL(url()).port), '127.0.0.1')
    socket.on('error', () => {}).write('GET /steps HTTP/1.1\r\nHost: x\r\n\r\n')
    let said = ''
    socket.setEncoding('latin1').on('data', (data) => {
      said += data
    })
    await until(() => said.includes('first'))
    socket.write('no HTTP\r\n\r\n')
    await once(socket, 'close')
    assert.match(said, /^HTTP\/1\.1 200 [\s\S]*first\r\n$/)
    letGo(shared)
    await until(() => ongoing().every((count) => count === 0))
  })

  test('a status or a header that there is not is a 500 like any other, and frees its place', async () => {
    let text = ''
    const log: RunOptions['log'] = { write: (line: string) => (text += line) }
    const shared = latch()
    await serve.run(serve.deployment(Fountain).bind(shared), { ...free, log })
    for (const query of ['status=1000', 'status=101', 'whole=all', '']) {
      const response = await fetch(url(`/impossible?${query}`), { headers: { 'x-request-id': 'i' } })
      const { status, headers } = response
      assert.deepEqual([status, await response.json()], [500, { detail: 'Internal Server Error' }], query)
      const named = ['x-request-id', 'x-content-type-options', 'x-mine'].map((name) => headers.get(name))
      assert.deepEqual(named, ['i', 'nosniff', null], query)
    }
    assert.match(text, /Expected `status` to be a whole number from 200 to 599, got `1000`/)
    assert.match(text, /Invalid character in header content \[\\"content-disposition\\"\]/)
    await reached(shared, 2, 1)
    await until(() => ongoing().every((count) => count === 0))
  })

  test('what goes wrong before the first value is an answer of its own', async () => {
    let text = ''
    const log: RunOptions['log'] = { write: (line: string) => (text += line) }
    await serve.run(serve.deployment(Fountain).bind(latch()), { ...free, log })
    const refused = await fetch(url('/refusing'))
    assert.deepEqual([refused.status, await refused.json()], [404, { detail: 'there is no water' }])
    assert.equal((await fetch(url('/dry'))).status, 500)
    assert.match(text, /the well was dry.*GET \/dry failed/)
    assert.doesNotMatch(text, /broke off/)
  })

  test('an answer that breaks off does not look whole, and the log says why', async () => {
    let text = ''
    const log: RunOptions['log'] = { write: (line: string) => (text += line) }
    const shared = latch()
    await serve.run(serve.deployment(Fountain).bind(shared), { ...free, log })
    const broken = await reader('/broken')
    assert.equal(await broken.next(), '"half\\n"\n')
    await assert.rejects(broken.next())
    await until(() => text.includes('the well is dry') && text.includes('ms, broken off'))
    assert.match(text, /"path":"\/broken","status":200,[^\n]*"brokenOff":true/)
    const dying = await reader('/dying')
    assert.equal(await dying.next(), '"half\\n"\n')
    await reached(shared, 0, 1)
    letGo(shared)
    await assert.rejects(dying.next())
    // Another replica takes its place.
    await until(async () => (await fetch(url('/lines'))).status === 200)
    await until(() => ongoing().every((count) => count === 0))
  })

  test('a handle that streams gives the values as they come', async () => {
    const shared = latch()
    const handle = await serve.run(serve.deployment(Source, { maxOngoingRequests: 1 }).bind(shared), { ...free })
    const streaming = handle.options({ stream: true })
    const counted: number[] = []
    for await (const value of streaming.count.remote(4)) counted.push(value)
    assert.deepEqual(counted, [0, 1, 2, 3])
    const travelled = await ray.get(ray.put(streaming))
    for await (const value of travelled.count.remote(1)) counted.push(value)
    assert.deepEqual(counted, [0, 1, 2, 3, 0])
    for await (const value of streaming.endless.remote()) if (value === '2\n') break
    await reached(shared, 2, 1)
    const left = streaming.endless.remote()
    assert.equal((await left.next()).value, '0\n')
    left.cancel()
    await reached(shared, 2, 2)
    await until(() => ongoing().every((count) => count === 0))
    // Half of it does not look whole.
    const half = streaming.steps.remote()
    assert.equal((await half.next()).value, 'first')
    const never = half.next()
    await reached(shared, 0, 1)
    half.cancel()
    await assert.rejects(never, { code: 'SERVE_CANCELLED' })
    const failing = streaming.failing.remote()
    assert.equal((await failing.next()).value, 'half')
    await assert.rejects(failing.next(), ({ cause }: Error) => /dry/.test(String(cause)))
    await until(() => ongoing().every((count) => count === 0))
    await assert.rejects(streaming.whole.remote().next(), ({ cause }: Error) =>
      /Source.whole is no generator: nothing to stream/.test(String(cause)),
    )
    assert.equal(await handle.whole.remote(), 'whole')
    await assert.rejects(handle.count.remote(4), ({ cause }: Error) =>
      /Source.count gives a generator.*options\(\{ stream: true \}\)/.test(String(cause)),
    )
    const metrics = await fetch(url('/metrics'))
    assert.match(await metrics.text(), /^test_counted_total 5$/m)
  })

  test('an answer that goes on holds nothing of what was sent', async () => {
    const made: WeakRef<object>[] = []
    const values = async function* () {
      for (;;) {
        const value = {}
        made.push(new WeakRef(value))
        yield value
      }
    }
    const reading = new Body(values(), new CallContext())[Symbol.asyncIterator]()
    for (let i = 0; i < 3; i++) await reading.next()
    await collected(made[0]!)
    await reading.return()
  })

  test('nor is anything of one held that has ended', async () => {
    const handle = await serve.run(serve.deployment(Fountain).bind(latch()), { port: null })
    assert.equal(await (await serve.fetch(new Request('http://x/given'))).text(), '"a value"\n')
    assert.equal(await handle.collected.remote(), 'collected')
    for await (const value of handle.options({ stream: true }).given.remote()) assert.equal(value, 'a value')
    assert.equal(await handle.collected.remote(), 'collected')
  })

  test('without a socket the pieces come as they are made, too', async () => {
    const shared = latch()
    await serve.run(serve.deployment(Fountain).bind(shared), { port: null })
    assert.equal(await (await serve.fetch(new Request('http://x/lines'))).text(), '{"line":1}\n[2]\n')
    const { body } = await serve.fetch(new Request('http://x/endless'))
    const pieces = body!.getReader()
    assert.equal(new TextDecoder().decode((await pieces.read()).value), '"0\\n"\n')
    await pieces.cancel()
    await reached(shared, 2, 1)
    await until(() => ongoing().every((count) => count === 0))
  })
})
