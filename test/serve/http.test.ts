import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { describe, test } from 'node:test'
import type { RayitoError } from '#src/core/errors.js'
import { ray } from '#src/ray/index.js'
import { HttpSide } from '#src/serve/http/side.js'
import { type HttpRequest, type RunOptions, serve } from '#src/serve/index.js'
import {
  Asking,
  Counting,
  Gatherer,
  Greeter,
  Last,
  Mortal,
  Phoenix,
  Porter,
  Shelf,
  Site,
  Slow,
  SlowPorter,
  Stumbler,
  Waning,
} from './classes.js'
import { latch, letGo, reached, servers, until, url } from './helpers.js'

const site = serve.deployment(Site).bind(serve.deployment(Greeter).bind('Hello'))
const free = { port: 0 } as const

async function json(path: string, init?: RequestInit): Promise<{ status: number; body: unknown; headers: Headers }> {
  const response = await fetch(url(path), init)
  return { status: response.status, body: await response.json(), headers: response.headers }
}

const metrics = async () => (await fetch(url('/metrics'))).text()

/** A connection that sends a text, and all that comes back until it ends. */
function talk(text: string | Uint8Array, where = url()): { socket: Socket; said: Promise<string> } {
  const socket = connect(Number(new URL(where).port), '127.0.0.1')
  socket.on('error', () => {})
  socket.write(text)
  let answer = ''
  socket.setEncoding('latin1').on('data', (data) => {
    answer += data
  })
  return { socket, said: once(socket, 'close').then(() => answer) }
}

function lines(): { log: NonNullable<RunOptions['log']>; read(): Record<string, unknown>[] } {
  let text = ''
  const log = {
    write(line: string) {
      text += line
    },
  }
  return {
    log,
    read: () =>
      text
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Record<string, unknown>),
  }
}

const hasIPv6 = Object.values(networkInterfaces()).some((them) => them?.some(({ address }) => address === '::1'))

describe('HTTP', () => {
  servers()

  test('a method’s value is the JSON of a 200; parameters and query arrive', async () => {
    await serve.run(site, free)
    const { status, body, headers } = await json('/greet/Ada%20L?x=1&y=a+b')
    assert.deepEqual([status, body], [200, { greeting: 'Hello Ada L', query: { x: '1', y: 'a b' } }])
    assert.equal(headers.get('content-type'), 'application/json; charset=utf-8')
    assert.deepEqual((await json('/greet/Ada/')).body, { greeting: 'Hello Ada', query: {} })
    assert.equal((await json('/nothing')).body, null)
  })

  test('it listens on the loopback address only', async () => {
    await serve.run(site, free)
    assert.match(url(), /^http:\/\/127\.0\.0\.1:\d+$/)
  })

  test('it tells an address of IPv6 as one that can be asked', { skip: !hasIPv6 && 'there is no IPv6' }, async () => {
    await serve.run(site, { ...free, host: '::1' })
    assert.match(url(), /^http:\/\/\[::1\]:\d+$/)
    assert.equal((await json('/nothing')).status, 200)
  })

  test('a port in use is one line, and nothing stays', async () => {
    await serve.run(site, free)
    const port = Number(new URL(url()).port)
    const { Service } = await import('#src/serve/service.js')
    const { RUN_DEFAULTS } = await import('#src/serve/options.js')
    const other = new Service({ ...RUN_DEFAULTS, port })
    await assert.rejects(
      other.run(serve.deployment(Greeter, { name: 'Other' }).bind() as never, { ...RUN_DEFAULTS, port, name: 'other' }),
      (error: RayitoError) =>
        error.code === 'SERVE_ADDRESS' && error.message.startsWith(`Port ${port} of 127.0.0.1 is in use`),
    )
    assert.ok(other.isEmpty)
    assert.equal((await json('/nothing')).status, 200)
  })

  test('JSON, text, bytes and forms arrive as what they are', async () => {
    await serve.run(site, free)
    const send = async (body: string | Uint8Array, type: string) => {
      const got = (await json('/echo', { method: 'POST', body, headers: { 'content-type': type } })).body
      const { body: value, fields } = got as { body: unknown; fields: unknown }
      return { value, fields }
    }
    assert.deepEqual(await send('{"a":[1,"é"]}', 'application/json'), { value: { a: [1, 'é'] }, fields: {} })
    assert.deepEqual(await send('[1]', 'application/vnd.api+json; charset=utf-8'), { value: [1], fields: {} })
    // As Windows' programs begin a text.
    assert.deepEqual(await send('\uFEFF{"a":1}', 'application/json'), { value: { a: 1 }, fields: {} })
    assert.deepEqual(await send('grüß', 'text/plain; charset=utf-8'), { value: 'grüß', fields: {} })
    assert.deepEqual(await send(new Uint8Array(5), 'application/octet-stream'), { value: '5 bytes', fields: {} })
    assert.deepEqual(await send('a=1&b=x+y', 'application/x-www-form-urlencoded'), {
      fields: { a: '1', b: 'x y' },
      value: undefined,
    })
    assert.deepEqual(await send('name=Zoë&a=%C3%AB', 'application/x-www-form-urlencoded'), {
      fields: { name: 'Zoë', a: 'ë' },
      value: undefined,
    })
  })

  test('a file arrives in shared memory, with the form’s texts', async () => {
    await serve.run(site, free)
    for (const size of [0, 1, 10_000, 90_000]) {
      const form = new FormData()
      form.append('note', 'für dich')
      form.append('file', new Blob([new Uint8Array(size)], { type: 'image/png' }), 'ä b.png')
      const { status, body } = await json('/upload?q=1', { method: 'POST', body: form, headers: { 'x-agent': 'test' } })
      assert.equal(status, 200)
      const { files, fields, agent, path, query } = body as Record<string, unknown>
      const file = { filename: 'ä b.png', contentType: 'image/png', size, shared: size >= 4096 }
      // Below 4 KiB a copy is cheaper, and so made.
      const { shared, ...rest } = (files as { file: Record<string, unknown> }).file
      const { shared: expected, ...want } = file
      assert.deepEqual(rest, want)
      if (size >= 4096) assert.equal(shared, expected)
      assert.deepEqual([fields, agent, path, query], [{ note: 'für dich' }, 'test', '/upload', { q: '1' }])
    }
  })

  test('of two files in one field the last one arrives', async () => {
    await serve.run(site, free)
    const form = new FormData()
    // What a browser sends of a field in which nothing was chosen.
    form.append('file', new Blob([]), '')
    form.append('file', new Blob(['abc']), 'a.txt')
    const { files } = (await json('/upload', { method: 'POST', body: form })).body as {
      files: { file: { size: number } }
    }
    assert.equal(files.file.size, 3)
  })

  test('of a name that occurs several times all arrive, in order, beside the last one', async () => {
    await serve.run(serve.deployment(Gatherer).bind(), free)
    const query = { x: ['1', '2', ''], y: ['a b'], constructor: ['c'], ['__proto__']: ['p'] }
    const send = async (body: FormData | URLSearchParams) =>
      (await json('/all?x=1&y=a+b&x=2&x=&constructor=c&__proto__=p', { method: 'POST', body })).body
    const [form, encoded] = [new FormData(), new URLSearchParams()]
    for (const body of [form, encoded]) for (const text of ['a', 'ö']) body.append('tag', text)
    for (const name of ['a.txt', 'b.txt']) form.append('file', new Blob([`of ${name}`]), name)
    encoded.append('__proto__', 'p')
    const files = { file: ['a.txt', 'b.txt'].map((name) => [name, `of ${name}`]) }
    const last = { x: '', y: 'a b', tag: 'ö' }
    const tag = ['a', 'ö']
    assert.deepEqual(await send(form), { query, fields: { tag }, files, last: { ...last, file: 'b.txt' } })
    assert.deepEqual(await send(encoded), { query, fields: { tag, ['__proto__']: ['p'] }, files: {}, last })
    assert.deepEqual((await json('/all')).body, { query: {}, fields: {}, files: {}, last: {} })
  })

  test('a form’s texts arrive as they were sent, JSON and long names too; one that is too long is 413', async () => {
    await serve.run(site, free)
    const sent: Record<string, [text: string, type?: string | undefined]> = {
      plain: ['{ "a": 12345678901234567890 }'],
      json: ['{ "a": 12345678901234567890, "ö": null }', 'application/json; charset=utf-8'],
      broken: ['{ "a"', 'application/json'],
      ['n'.repeat(300)]: ['long name'],
      long: ['ä'.repeat(32 * 1024)],
      longJson: ['7'.repeat(64 * 1024), 'application/json'],
      empty: ['', 'application/json'],
    }
    for (let i = 0; i < 10; i++) sent[`many${i}`] = [`[${i}]`, 'application/json']
    const formOf = (parts: typeof sent) => {
      const texts = Object.entries(parts).map(
        ([name, [text, type]]) =>
          `--b\r\nContent-Disposition: form-data; name="${name}"\r\n${type ? `Content-Type: ${type}\r\n` : ''}\r\n${text}\r\n`,
      )
      const file = `--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n${'x'.repeat(10_000)}\r\n`
      const headers = { 'content-type': 'multipart/form-data; boundary=b' }
      return { method: 'POST', headers, body: `${texts.join('')}${file}--b--\r\n` }
    }
    const { status, body } = await json('/upload', formOf(sent))
    assert.equal(status, 200)
    const { fields, files } = body as { fields: Record<string, string>; files: { file: { size: number } } }
    assert.deepEqual(fields, Object.fromEntries(Object.entries(sent).map(([name, [text]]) => [name, text])))
    assert.equal(files.file.size, 10_000)
    for (const type of [undefined, 'application/json']) {
      const { status, body } = await json('/upload', formOf({ long: ['7'.repeat(100_000), type] }))
      assert.deepEqual([status, body], [413, { detail: 'The form has too many or too large parts' }])
    }
    const many = new FormData()
    for (let i = 0; i < 8; i++) many.append(`file${i || ''}`, new Blob(['x']), 'x')
    assert.equal((await json('/upload', { method: 'POST', body: many })).status, 200)
    many.append('file', new Blob(['x']), 'x')
    assert.equal((await json('/upload', { method: 'POST', body: many })).status, 413)
  })

  test('the texts of a form without files have the same limits', async () => {
    await serve.run(site, free)
    const send = (pairs: [string, string][]) => json('/echo', { method: 'POST', body: new URLSearchParams(pairs) })
    const many = Array.from({ length: 32 }, (_, i): [string, string] => [`f${i}`, String(i)])
    const { status, body } = await send(many)
    assert.deepEqual([status, (body as { fields: unknown }).fields], [200, Object.fromEntries(many)])
    const long = 'ä'.repeat(32 * 1024)
    assert.equal((await send([['a', long]])).status, 200)
    for (const pairs of [[...many, ['one', 'more']], [['a', `${long}x`]], [[`${long}x`, 'a']]] as [
      string,
      string,
    ][][]) {
      const { status, body } = await send(pairs)
      assert.deepEqual([status, body], [413, { detail: 'The form has too many or too large parts' }])
    }
    // What would be millions of them is not taken apart first.
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    assert.equal((await json('/echo', { method: 'POST', body: '&'.repeat(5_000_000), headers })).status, 413)
  })

  test('a request without a body may say that it is a form', async () => {
    await serve.run(site, free)
    const headers = { 'content-type': 'multipart/form-data' }
    assert.equal((await fetch(url('/greet/Ada'), { headers })).status, 200)
  })

  test('a class may answer what a browser asks before it sends to another origin', async () => {
    await serve.run(site, free)
    const { status, headers } = await fetch(url('/text'), { method: 'OPTIONS' })
    assert.deepEqual([status, headers.get('access-control-allow-origin')], [204, '*'])
    const other = await fetch(url('/text'), { method: 'PUT' })
    assert.deepEqual([other.status, other.headers.get('allow')], [405, 'GET, OPTIONS, HEAD'])
  })

  test('no form, no such field, or a text instead of a file: 422 in FastAPI’s shape', async () => {
    await serve.run(site, free)
    const detail = [{ type: 'missing', loc: ['body', 'file'], msg: 'Field required', input: null }]
    const wrong = new FormData()
    wrong.append('picture', new Blob(['x']), 'x.png')
    const text = new FormData()
    text.append('file', 'a text')
    // What a browser sends where no file was chosen.
    const none = new FormData()
    none.append('file', new Blob([]), '')
    const empty = { method: 'POST' }
    for (const init of [
      empty,
      { ...empty, body: '{"file":1}', headers: { 'content-type': 'application/json' } },
      { ...empty, body: 'file=1', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
      { ...empty, body: wrong },
      { ...empty, body: text },
      { ...empty, body: none },
    ]) {
      const { status, body } = await json('/upload', init)
      assert.deepEqual([status, body], [422, { detail }])
    }
    // What has a content, or a name, was chosen.
    for (const [content, name] of [
      ['x', ''],
      ['', 'empty.png'],
    ] as const) {
      const given = new FormData()
      given.append('file', new Blob([content]), name)
      assert.equal((await json('/upload', { ...empty, body: given })).status, 200)
    }
    const broken = { method: 'POST', body: '{"a"', headers: { 'content-type': 'application/json' } }
    const { status, body } = await json('/echo', broken)
    assert.equal(status, 422)
    assert.equal((body as { detail: { type: string }[] }).detail[0]!.type, 'json_invalid')
  })

  test('a body over the limit is 413, announced or not', async () => {
    await serve.run(site, free)
    const upload = (size: number) => {
      const form = new FormData()
      form.append('file', new Blob([new Uint8Array(size)]), 'x')
      return json('/upload', { method: 'POST', body: form })
    }
    assert.equal((await upload(100_000)).status, 200)
    for (const size of [100_001, 300_000, 5_000_000]) {
      const { status, body } = await upload(size)
      assert.deepEqual([status, body], [413, { detail: 'The body is larger than 100000 bytes' }])
    }
    const head = '--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(head))
        for (let i = 0; i < 20; i++) controller.enqueue(new Uint8Array(20_000))
        controller.enqueue(new TextEncoder().encode('\r\n--b--\r\n'))
        controller.close()
      },
    })
    const headers = { 'content-type': 'multipart/form-data; boundary=b' }
    const { status } = await json('/upload', { method: 'POST', body, headers, duplex: 'half' } as RequestInit)
    assert.equal(status, 413)
    const large = { method: 'POST', body: new Uint8Array(11 << 20), headers: { 'content-type': 'application/x' } }
    assert.deepEqual((await json('/echo', large)).body, { detail: 'The body is larger than 10 MB' })
    // Nor is it waited for.
    const type = 'Content-Type: multipart/form-data; boundary=b\r\n'
    const { socket } = talk(`POST /upload HTTP/1.1\r\nHost: x\r\n${type}Content-Length: 200000\r\n\r\n`)
    const [answer] = (await once(socket, 'data')) as [string]
    assert.match(answer, /^HTTP\/1\.1 413 /)
    socket.destroy()
  })

  test('a client that sends all before it reads hears why its form is refused; one that sends without end is cut off', async () => {
    await serve.run(site, free)
    const part = (rest: string, body: string) =>
      `--b\r\nContent-Disposition: form-data; name="x"${rest}\r\n\r\n${body}\r\n`
    const note = part('', 'x'.repeat(70_000))
    const body = `${note}${part('; filename="x"', 'x'.repeat(9 << 20))}--b--\r\n`
    const head = 'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n'
    const { socket, said } = talk(`${head}Content-Length: ${body.length}\r\nConnection: close\r\n\r\n`)
    socket.pause()
    let sent = false
    socket.write(body, () => {
      sent = true
    })
    await until(() => sent)
    socket.resume()
    assert.match(await said, /^HTTP\/1\.1 413 [\s\S]*too many or too large parts/)

    const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`
    const more = Buffer.from(chunk('x'.repeat(1 << 20)))
    for (const begin of [note, '']) {
      const { socket, said } = talk(`${head}Transfer-Encoding: chunked\r\n\r\n`)
      const send = () => socket.write(more, (error) => error || send())
      socket.write(chunk(`${begin}${part('; filename="x"', '').slice(0, -2)}`), send)
      // It may be too busy to hear why.
      await said.catch(() => {})
    }
    await until(async () => (await metrics()).includes('{method="POST",route="/echo",code="413"} 3\n'))
  })

  test('so does one whose request is refused before its body, though its connection ends with the answer', async () => {
    await serve.run(site, free)
    const body = 'x'.repeat(12 << 20)
    for (const [status, head] of [
      [413, 'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n'],
      [404, 'POST /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n'],
      [405, 'POST /openapi.json HTTP/1.0\r\n'],
      [422, 'POST /upload HTTP/1.1\r\nHost: x\r\nConnection: close\r\n'],
    ]) {
      const { socket, said } = talk(`${head}Content-Length: ${body.length}\r\n\r\n`)
      socket.pause()
      const failure = await new Promise((resolve) => socket.write(body, resolve))
      assert.equal(failure ?? null, null, String(status))
      socket.resume()
      assert.match(await said, new RegExp(`^HTTP/1.1 ${status} [^]*"detail"`))
    }
  })

  test('what comes behind a request whose answer ends the connection is not done: nobody would hear of it', async () => {
    const { log, read } = lines()
    await serve.run(site, { ...free, log })
    const head = 'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n'
    const body = 'x'.repeat(12 << 20)
    const { socket, said } = talk(`${head}Content-Length: ${body.length}\r\n\r\n`)
    await once(socket, 'data')
    socket.write(`${body}${head}Content-Length: 1\r\n\r\n1`)
    assert.match(await said, /^HTTP\/1\.1 413 /)
    assert.equal((await json('/nothing')).status, 200)
    await until(() => read().some(({ path }) => path === '/nothing'))
    assert.deepEqual(
      read().flatMap(({ path, status }) => (path ? [[path, status]] : [])),
      [
        ['/echo', 413],
        ['/nothing', 200],
      ],
    )
  })

  test('a client that waits to be told to go on is told so where its body is read, and nowhere else', async () => {
    await serve.run(site, free)
    const ask = (head: string, length: number) =>
      talk(`POST ${head}\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: ${length}\r\n\r\n`)
    const form = 'Content-Type: multipart/form-data; boundary=b'
    for (const [status, head, length] of [
      [413, '/echo HTTP/1.1\r\nContent-Type: text/plain', 12 << 20],
      [413, `/upload HTTP/1.1\r\n${form}`, 12 << 20],
      [422, '/upload HTTP/1.1', 2],
      [404, '/nowhere HTTP/1.1', 2],
    ] as const) {
      const { socket, said } = ask(head, length)
      await once(socket, 'data')
      socket.end()
      assert.match(await said, new RegExp(`^HTTP/1.1 ${status} [^]*connection: close`, 'i'))
    }
    for (const [head, body] of [
      ['/echo HTTP/1.1\r\nConnection: close\r\nContent-Type: text/plain', 'a text'],
      [
        `/echo HTTP/1.1\r\nConnection: close\r\n${form}`,
        '--b\r\nContent-Disposition: form-data; name="x"\r\n\r\na text\r\n--b--\r\n',
      ],
    ] as const) {
      const { socket, said } = ask(head, body.length)
      const [told] = await once(socket, 'data')
      assert.equal(told, 'HTTP/1.1 100 Continue\r\n\r\n')
      socket.write(body)
      assert.match(await said, /\r\n\r\nHTTP\/1\.1 200 [\s\S]*"a text"/)
    }
  })

  test('a form that is broken is 400, one without a part has no such field', async () => {
    await serve.run(site, free)
    const part = '--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n'
    for (const [expected, body, boundary] of [
      [400, 'no form at all', '; boundary=b'],
      [422, '', '; boundary=b'],
      [422, '--b--\r\n', '; boundary=b'],
      [400, '--b--\r\n', ''],
      [400, `${part}\r\nabc`, '; boundary=b'],
      [400, `${part}\r\nabc\r\n--b`, '; boundary=b'],
      [400, part, '; boundary=b'],
    ] as const) {
      const headers = { 'content-type': `multipart/form-data${boundary}` }
      const { status, body: told } = await json('/upload', { method: 'POST', body, headers })
      assert.equal(status, expected, body)
      if (expected === 400) assert.deepEqual(told, { detail: 'There was an error parsing the body' })
    }
  })

  test('405 names what is allowed, 404 what is nowhere', async () => {
    await serve.run(site, free)
    for (const [method, path, allow] of [
      ['GET', '/echo', 'POST, PUT'],
      ['DELETE', '/greet/Ada', 'GET, HEAD'],
      ['OPTIONS', '/echo', 'POST, PUT'],
      ['POST', '/metrics', 'GET, HEAD'],
    ]) {
      const { status, body, headers } = await json(path!, { method: method! })
      assert.deepEqual([status, body, headers.get('allow')], [405, { detail: 'Method Not Allowed' }, allow])
    }
    for (const path of ['/none', '/echo/more', '/%ff', '/..%2f..%2fetc/passwd'])
      assert.ok([400, 404].includes((await json(path)).status), path)
    assert.deepEqual((await json('/none')).body, { detail: 'Not Found' })
    const head = await fetch(url('/thread'), { method: 'HEAD' })
    assert.deepEqual([head.status, await head.text()], [200, ''])
  })

  test('a path with a parameter is one of each method’s own, and 405 names all that its path has', async () => {
    await serve.run(serve.deployment(Shelf).bind(), { ...free, routePrefix: '/shelf' })
    for (const [method, path, params] of [
      ['GET', '/items/search', { id: 'search' }],
      ['DELETE', '/items/7', { item: '7' }],
      ['POST', '/items/search/', {}],
      ['PUT', '/files/a/b', { '*': 'a/b' }],
      ['GET', '/files/a.png', { name: 'a' }],
    ] as const)
      assert.deepEqual((await json(`/shelf${path}`, { method })).body, { method, path, params })
    for (const [method, path, allow] of [
      ['PUT', '/items/search', 'GET, DELETE, POST, HEAD'],
      ['POST', '/items/7/', 'GET, DELETE, HEAD'],
      ['POST', '/files/a.png?x=1', 'PUT, GET, HEAD'],
      ['POST', '/files/a/b', 'PUT'],
      ['POST', '/gr%C3%B6%C3%9Fe', 'GET, HEAD'],
    ] as const) {
      const { status, body, headers } = await json(`/shelf${path}`, { method })
      assert.deepEqual([status, body, headers.get('allow')], [405, { detail: 'Method Not Allowed' }, allow], path)
    }
    for (const path of ['/items', '/items/7/8', '/itemsx/7', '/filesx'])
      assert.equal((await json(`/shelf${path}`, { method: 'PATCH' })).status, 404, path)
    await serve.run(serve.deployment(Shelf).bind(), { name: 'Größe', routePrefix: '/größe' })
    for (const [address, path] of [
      ['http://x/shelf/items/7?a=1', '/items/7'],
      ['/gr%C3%B6%C3%9Fe/items/8', '/items/8'],
    ])
      assert.match(
        await talk(`GET ${address} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`).said,
        new RegExp(`"path":"${path}"`),
      )
    // Before a body is read.
    const { said } = talk(
      'POST http://x/shelf/files/a HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nConnection: close\r\n\r\nb',
    )
    assert.match(await said, /^HTTP\/1\.1 405 /)
  })

  test('an HttpError and an HttpResponse are sent as they say', async () => {
    await serve.run(site, free)
    const { status, body, headers } = await json('/teapot')
    assert.deepEqual([status, body, headers.get('x-pot')], [418, { detail: 'I am a teapot' }, 'tea'])
    const text = await fetch(url('/text'))
    assert.deepEqual([text.status, await text.text(), text.headers.get('x-made')], [201, 'plain', 'here'])
    assert.equal(text.headers.get('content-type'), 'text/plain; charset=utf-8')
    assert.deepEqual((await json('/gone')).body, { detail: 'Gone' })
    assert.deepEqual((await json('/gone?status=599')).body, { detail: '' })
    // How it is framed is the server's business: both would be two answers to some, and none to others.
    const copied = await talk('GET /copied HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n').said
    assert.match(copied, /^content-length: 6\r$/m)
    assert.doesNotMatch(copied, /transfer-encoding|trailer/i)
    for (const answer of [await fetch(url('/copied')), await serve.fetch(new Request('http://x/copied'))])
      assert.deepEqual(answer.headers.getSetCookie(), ['a=1', 'b=2'])
  })

  test('bytes are sent as they are, however many and as whatever', async () => {
    await serve.run(site, free)
    for (const size of [0, 10, 4096, 3_000_000])
      for (const more of ['', '&type=application/json', '&type=image/png', '&pieces=1']) {
        const path = `/bytes?size=${size}${more}`
        for (const answer of [await fetch(url(path)), await serve.fetch(new Request(`http://x${path}`))]) {
          const bytes = Buffer.from(await answer.arrayBuffer())
          const sent = bytes.equals(Uint8Array.from({ length: size }, (_, i) => i))
          assert.deepEqual([answer.status, bytes.length, sent], [200, size, true], path)
        }
      }
  })

  test('bytes that a method returns are sent as they are; what JSON says nothing of is a 500, and the log says why', async () => {
    class Odd {
      call({ query }: { query: { what: string } }): unknown {
        const answers: Record<string, () => unknown> = {
          bytes: () => Uint8Array.of(1, 2, 255),
          buffer: () => Buffer.from('raw'),
          empty: () => [{}, new (class Nothing {})(), Object.create(null), new Date(0), undefined],
          map: () => new Map([['a', 1]]),
          set: () => ({ tags: new Set(['a']) }),
          response: () => new Response('web'),
          error: () => new RangeError('returned'),
          ref: () => ({ later: ray.put(1) }),
          function: () => () => 1,
          method: () => ({ none: {}, method: () => 1 }),
        }
        return answers[query.what]!()
      }
    }
    const { log, read } = lines()
    await serve.run(serve.deployment(Odd).bind(), { ...free, log })
    for (const [what, bytes] of Object.entries({ bytes: [1, 2, 255], buffer: [...Buffer.from('raw')] })) {
      const answer = await fetch(url(`/?what=${what}`))
      assert.equal(answer.headers.get('content-type'), 'application/octet-stream')
      assert.deepEqual([...new Uint8Array(await answer.arrayBuffer())], bytes)
    }
    assert.deepEqual((await json('/?what=empty')).body, [{}, {}, {}, '1970-01-01T00:00:00.000Z', null])
    assert.deepEqual((await json('/?what=method')).body, { none: {} })
    const refused = ['map', 'set', 'response', 'error', 'ref', 'function']
    for (const what of refused) assert.equal((await json(`/?what=${what}`)).status, 500, what)
    await serve.shutdown()
    const failures = read().filter(({ level }) => level === 'error')
    const whys = failures.map(
      ({ failure }) => /(?<=NotSerializableError: ).*(?=, of which JSON)/.exec(String(failure))?.[0],
    )
    assert.deepEqual(whys, [
      'the answer is a Map',
      'tags is a Set',
      'the answer is a Response',
      'the answer is a RangeError',
      'later is an ObjectRef',
      'the answer is a function',
    ])
    assert.match(String(failures[2]!.failure), /HttpResponse/)
  })

  test('an HttpError of a deployment below is sent as it says, however far below', async () => {
    const greeter = serve.deployment(Greeter).bind()
    const porter = serve.deployment(Porter).bind(greeter)
    for (const below of [greeter, porter]) {
      await serve.run(serve.deployment(Site).bind(below as typeof greeter), free)
      const { status, body, headers } = await json('/refuse-below')
      assert.deepEqual([status, body], [404, { detail: [{ msg: 'nobody of that name' }] }])
      assert.equal(headers.get('x-asked'), 'greeter')
    }
  })

  test('nor is it a failure that too many wait for one, however far below', async () => {
    const shared = latch()
    const slow = serve.deployment(Slow, { maxOngoingRequests: 1, maxQueuedRequests: 0 }).bind(shared)
    const porter = serve.deployment(Porter).bind(slow as never)
    const { log, read } = lines()
    await serve.run(serve.deployment(Site).bind(porter as never), { ...free, log })
    const running = json('/greet/Ada')
    await reached(shared, 0, 1)
    const { status, headers, body } = await json('/greet/Grace')
    assert.deepEqual([status, headers.get('retry-after'), body], [503, '1', { detail: 'Too many requests wait' }])
    letGo(shared)
    assert.equal((await running).status, 200)
    await serve.shutdown()
    assert.deepEqual(
      read().map(({ level }) => level),
      ['info', 'info'],
    )
  })

  test('an unknown failure is a bare 500; the log has it, with the request’s id', async () => {
    const { log, read } = lines()
    await serve.run(site, { ...free, log })
    for (const path of ['/fail', '/fail-below', '/forgotten?key=secret']) {
      const { status, body } = await json(path, { headers: { 'x-request-id': `id${path.split('?')[0]}` } })
      assert.deepEqual([status, body], [500, { detail: 'Internal Server Error' }])
    }
    // At once: nobody knows what follows.
    const failures = read().filter(({ level }) => level === 'error')
    assert.deepEqual(
      failures.map(({ requestId }) => requestId),
      ['id/fail', 'id/fail-below', 'id/forgotten'],
    )
    assert.match(String(failures[0]!.failure), /the secret of the house[\s\S]*classes[^\n]*$/)
    assert.match(String(failures[1]!.failure), /on purpose/)
    assert.match(String(failures[2]!.failure), /greeting is the answer of a call, to come\. Await it first/i)
    assert.equal(failures[2]!.msg, 'GET /forgotten failed')
  })

  test('each request has an id: the client’s if it is one, and a line of JSON', async () => {
    const { log, read } = lines()
    await serve.run(site, { ...free, log })
    const given = await json('/greet/Ada', { headers: { 'x-request-id': 'abc-123' } })
    assert.equal(given.headers.get('x-request-id'), 'abc-123')
    const made = (await json('/none?secret=1', { headers: { 'x-request-id': 'a b"<' } })).headers.get('x-request-id')!
    assert.match(made, /^[0-9a-f-]{36}$/)
    const long = (await json(`/${'x'.repeat(600)}`, { headers: { 'x-request-id': 'x'.repeat(129) } })).headers
    assert.match(long.get('x-request-id')!, /^[0-9a-f-]{36}$/)
    const malformed = await json('/%ff', { headers: { 'x-request-id': 'abc-124' } })
    assert.deepEqual([malformed.status, malformed.headers.get('x-request-id')], [400, 'abc-124'])
    assert.equal(malformed.headers.get('x-content-type-options'), 'nosniff')
    await serve.shutdown()
    const noted = read()
    const [first] = noted
    assert.ok((first!.milliseconds as number) > 0)
    assert.deepEqual(
      noted.map((line) => [line.level, line.requestId, line.method, line.path, line.status]),
      [
        ['info', 'abc-123', 'GET', '/greet/Ada', 200],
        ['info', made, 'GET', '/none', 404],
        ['info', long.get('x-request-id'), 'GET', `/${'x'.repeat(499)}`, 404],
        ['info', 'abc-124', 'GET', '/%ff', 400],
      ],
    )
    assert.match(String(first!.msg), /^GET \/greet\/Ada 200 [\d.]+ms$/)
  })

  test('what was measured anywhere below is in /metrics', async () => {
    await serve.run(serve.deployment(Asking).bind(serve.deployment(Counting).bind()), free)
    await serve.run(serve.deployment(Counting).bind(), { ...free, name: 'other', routePrefix: '/other' })
    await json('/ask')
    await json('/none')
    for (const wrong of [-1, Number.NaN]) {
      const { status, body } = await json(`/ask?by=${wrong}`)
      assert.equal(status, 200)
      assert.match(String(body), new RegExp(`a finite number from 0 and up for test_calls_total, got .${wrong}`))
    }
    // To ask changes nothing.
    await metrics()
    const text = await metrics()
    for (const line of [
      'rayito_http_requests_total{method="GET",route="/ask",code="200"} 3',
      'rayito_http_requests_total{method="GET",route="none",code="404"} 1',
      'rayito_queue_seconds_count{deployment="Asking"} 3',
      'rayito_processing_seconds_count{deployment="Asking"} 3',
      // One of each application.
      'rayito_replicas{deployment="Counting",state="RUNNING"} 2',
      '# TYPE rayito_replica_restarts_total counter',
      '# TYPE process_cpu_seconds_total counter',
      'rayito_replica_restarts_total{deployment="Asking"} 0',
      'rayito_queue_length{deployment="Asking"} 0',
      'test_calls_total 1',
      'test_size_sum 6',
    ])
      assert.ok(text.includes(`${line}\n`), line)
  })

  test('/openapi.json describes the routes, and /docs asks no other host', async () => {
    await serve.run(site, { ...free, routePrefix: '/site' })
    const api = (await json('/openapi.json')).body as { openapi: string; paths: Record<string, Record<string, never>> }
    assert.match(api.openapi, /^3\.1/)
    assert.deepEqual(Object.keys(api.paths), [
      '/site/greet/{name}',
      '/site/echo',
      '/site/upload',
      '/site/thread',
      '/site/teapot',
      '/site/bytes',
      '/site/text',
      '/site/gone',
      '/site/copied',
      '/site/fail',
      '/site/fail-below',
      '/site/refuse-below',
      '/site/forgotten',
      '/site/refuse/below',
      '/site/nothing',
    ])
    const ids = Object.values(api.paths).flatMap((path) => Object.values(path).map(({ operationId }) => operationId))
    assert.equal(new Set(ids).size, ids.length, ids.join(' '))
    const upload = api.paths['/site/upload']!.post as unknown as { requestBody: { content: object }; responses: object }
    assert.deepEqual(Object.keys(upload.requestBody.content), ['multipart/form-data'])
    assert.deepEqual(Object.keys(upload.responses), ['200', '422'])
    const docs = await fetch(url('/docs'))
    assert.equal(docs.status, 200)
    assert.doesNotMatch(await docs.text(), /(src|href|url)\s*=?\s*["'(]\s*(https?:)?\/\//)
    assert.match(docs.headers.get('content-security-policy')!, /default-src 'none'; script-src 'sha256-/)
  })

  test('/openapi.json has the paths that are answered, and their parameters only', async () => {
    const Paths = serve.ingress(
      class Paths {
        tell({ params }: HttpRequest): unknown {
          return params
        }
      },
      {
        'GET /models::all': 'tell',
        'GET /files/:file(^(?:a|b)$)': 'tell',
        'GET /pages/:page?': 'tell',
      },
    )
    await serve.run(serve.deployment(Paths).bind(), { ...free, routePrefix: '/v1' })
    for (const [path, params] of [
      ['/models:all', {}],
      ['/files/b', { file: 'b' }],
      ['/pages/2', { page: '2' }],
      ['/pages', {}],
    ] as const)
      assert.deepEqual((await json(`/v1${path}`)).body, params)
    type Described = { get: { operationId: string; parameters?: { name: string }[] } }
    const { paths } = (await json('/openapi.json')).body as { paths: Record<string, Described> }
    assert.deepEqual(
      Object.entries(paths).map(([path, { get }]) => [
        path,
        get.operationId,
        ...(get.parameters ?? []).map(({ name }) => name),
      ]),
      [
        ['/v1/models:all', 'tell_get_v1_models_all'],
        ['/v1/files/{file}', 'tell_get_v1_files_file_a_b_', 'file'],
        ['/v1/pages/{page}', 'tell_get_v1_pages_page', 'page'],
        ['/v1/pages', 'tell_get_v1_pages'],
      ],
    )
    for (const path of ['/pages', '/pages/2']) assert.equal((await json(`/v1${path}`, { method: 'PUT' })).status, 405)
    const Twice = serve.ingress(class Twice extends Greeter {}, { 'GET /a/:id?': 'thread', 'GET /a': 'thread' })
    await assert.rejects(serve.run(serve.deployment(Twice).bind(), { name: 'twice', routePrefix: '/twice' }), {
      code: 'INVALID_ARGUMENT',
    })
  })

  test('a page has headers under which only its own scripts run', async () => {
    await serve.run(site, free)
    const page = await fetch(url('/'))
    const policy = page.headers.get('content-security-policy')!
    const { createHash } = await import('node:crypto')
    const hash = createHash('sha256').update('document.title += 1').digest('base64')
    assert.ok(policy.includes(`script-src 'sha256-${hash}'`))
    assert.ok(policy.includes("connect-src 'self'") && policy.includes("frame-ancestors 'none'"))
    assert.equal(page.headers.get('x-content-type-options'), 'nosniff')
    assert.equal(page.headers.get('referrer-policy'), 'no-referrer')
    assert.equal(page.headers.get('x-frame-options'), 'DENY')
    assert.equal(page.headers.get('cross-origin-opener-policy'), 'same-origin')
    assert.match(page.headers.get('permissions-policy')!, /camera=\(self\), microphone=\(\)/)
    assert.match(page.headers.get('content-type')!, /^text\/html/)
  })

  test('a page leads to the address from which its relative links are meant', async () => {
    await serve.run(site, { ...free, routePrefix: '/site' })
    for (const [path, there] of [
      ['/docs/?a=/', '/docs?a=/'],
      ['/site?a=1', '/site/?a=1'],
    ] as const) {
      const answer = await fetch(url(path), { redirect: 'manual' })
      assert.equal(answer.status, 307)
      assert.equal(new URL(answer.headers.get('location')!, url(path)).href, url(there))
      assert.equal((await fetch(url(path))).status, 200)
    }
  })

  test('/-/healthz and /v2/health/ready are 200 while a further application begins or ends', async () => {
    const [begins, ends] = [latch(), latch()]
    const health = () =>
      Promise.all(['/-/healthz', '/v2/health/ready'].map(async (path) => (await fetch(url(path))).status))
    const further = { ...free, name: 'further', routePrefix: '/further' }
    await serve.run(serve.deployment(Greeter).bind(), free)
    const broken = assert.rejects(serve.run(serve.deployment(Waning).bind(begins), further))
    await reached(begins, 0, 1)
    await until(async () => (await json('/further/hold')).status === 503)
    assert.deepEqual(await health(), [200, 200])
    letGo(begins)
    await broken
    const handle = await serve.run(serve.deployment(Slow).bind(ends), further)
    const call = handle.remote()
    await reached(ends, 0, 1)
    const deleted = serve.delete('further')
    await until(() => serve.status().applications.further?.status === 'DELETING')
    assert.deepEqual(await health(), [200, 200])
    letGo(ends)
    await Promise.all([call, deleted])
  })

  test('/-/healthz is 200 once every replica is ready, and while each deployment has one', async () => {
    const shared = latch()
    class Later {
      constructor(readonly word: Int32Array) {}
      async checkHealth(): Promise<void> {
        const second = Atomics.add(this.word, 0, 1) === 1
        Atomics.notify(this.word, 0)
        if (!second) return
        const wait = Atomics.waitAsync(this.word, 1, 0)
        const alive = setInterval(() => {}, 1000)
        if (wait.async) await wait.value
        clearInterval(alive)
      }
      call(): string {
        return 'ready'
      }
    }
    const running = serve.run(serve.deployment(Later, { numReplicas: 2 }).bind(shared), free)
    await until(() => serve.status().applications.default?.deployments.Later?.replicas.RUNNING === 1)
    await reached(shared, 0, 2)
    await until(() => serve.status().url !== null)
    await until(async () => (await fetch(url('/-/healthz')).catch(() => null))?.headers.has('x-request-id') ?? false)
    assert.equal((await fetch(url('/-/healthz'))).status, 503)
    const early = await json('/')
    assert.deepEqual([early.status, early.headers.get('retry-after')], [503, '1'])
    letGo(shared)
    await running
    const { status } = await fetch(url('/-/healthz'))
    assert.equal(status, 200)
    assert.equal((await json('/')).body, 'ready')
  })

  test('beyond what runs and waits 503 comes at once, before the body was sent', async () => {
    const shared = latch()
    await serve.run(serve.deployment(Slow, { maxOngoingRequests: 2, maxQueuedRequests: 1 }).bind(shared), free)
    const answers = [1, 2, 3].map(() => json('/hold'))
    await reached(shared, 0, 2)
    await until(() => serve.status().applications.default!.deployments.Slow!.queued === 1)
    const { status, headers, body } = await json('/hold')
    assert.deepEqual([status, headers.get('retry-after'), body], [503, '1', { detail: 'Too many requests wait' }])
    const { socket, said } = talk(
      'POST /hold HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\nConnection: close\r\n\r\nbegin',
    )
    const [first] = (await once(socket, 'data')) as [string]
    assert.match(first, /^HTTP\/1\.1 503 /)
    socket.destroy()
    await said
    letGo(shared)
    assert.deepEqual(
      (await Promise.all(answers)).map(({ status }) => status),
      [200, 200, 200],
    )
  })

  test('where nothing may wait, what there is room for is answered', async () => {
    const shared = latch()
    letGo(shared)
    await serve.run(serve.deployment(Slow, { maxQueuedRequests: 0 }).bind(shared), free)
    assert.equal((await json('/hold')).status, 200)
  })

  test('an application that is deleted answers whoever still sends, and waits for nobody who leaves', async () => {
    const body = '--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\nabc\r\n--b--\r\n'
    const head =
      'POST /upload HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: multipart/form-data; boundary=b\r\n' +
      `Content-Length: ${body.length}\r\nExpect: 100-continue\r\n\r\n`
    const patient = serve.deployment(Site, { gracefulShutdownTimeout: 60_000 })
    const begin = async () => {
      await serve.run(patient.bind(serve.deployment(Greeter).bind('Hello')), free)
      const talked = talk(head)
      assert.match(String(await once(talked.socket, 'data')), /^HTTP\/1\.1 100 /)
      let ended = false
      void serve.delete('default').then(() => {
        ended = true
      })
      await until(() => serve.status().applications.default?.deployments.Site?.replicas.STOPPING === 1)
      return { ...talked, deleted: () => until(() => ended) }
    }
    const stays = await begin()
    stays.socket.write(body)
    assert.match(await stays.said, /HTTP\/1\.1 200 OK[\s\S]*"size":3/)
    await stays.deleted()
    const leaves = await begin()
    leaves.socket.destroy()
    await leaves.deleted()
  })

  test('time that runs out is 408, and the replica hears of it; how long it waited and took is measured', async () => {
    const shared = latch()
    await serve.run(serve.deployment(Slow, { maxOngoingRequests: 1 }).bind(shared), { ...free, requestTimeout: 200 })
    for (const { status, body } of await Promise.all([json('/hold'), json('/hold')]))
      assert.deepEqual([status, body], [408, { detail: 'Request Timeout' }])
    await reached(shared, 2, 1)
    const text = await metrics()
    assert.match(text, /^rayito_queue_seconds_count\{deployment="Slow"\} 2$/m)
    assert.match(text, /^rayito_processing_seconds_count\{deployment="Slow"\} 1$/m)
    // One of them waited all the time.
    assert.ok(Number(/^rayito_queue_seconds_sum\{deployment="Slow"\} (.+)$/m.exec(text)?.[1]) > 0.1)
    letGo(shared)
    assert.equal((await json('/hold')).status, 200)
  })

  test('Infinity is no limit, for requests, health checks and the end', async () => {
    const shared = latch()
    class Endless {
      constructor(readonly word: Int32Array) {}
      checkHealth(): void {
        Atomics.add(this.word, 2, 1)
      }
      async call(): Promise<string> {
        Atomics.add(this.word, 0, 1)
        Atomics.notify(this.word, 0)
        const wait = Atomics.waitAsync(this.word, 1, 0)
        const alive = setInterval(() => {}, 1000)
        if (wait.async) await wait.value
        clearInterval(alive)
        return 'let go'
      }
    }
    const options = { healthCheckPeriod: Infinity, healthCheckTimeout: Infinity, gracefulShutdownTimeout: Infinity }
    await serve.run(serve.deployment(Endless, options).bind(shared), { ...free, requestTimeout: Infinity })
    const asked = 'GET /-/routes HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
    const running = json('/')
    await reached(shared, 0, 1)
    let over: Promise<unknown> | undefined
    try {
      for (let i = 0; i < 20; i++) assert.match(await talk(asked).said, /^HTTP\/1\.1 200 /)
      over = Promise.all([serve.shutdown(), serve.shutdown()])
      for (let i = 0; i < 20; i++) assert.match(await talk(asked).said, /^HTTP\/1\.1 503 /)
      assert.equal(Atomics.load(shared, 2), 1)
    } finally {
      letGo(shared)
    }
    assert.deepEqual((await running).body, 'let go')
    await over
  })

  test('a client that sends too slowly gets 408, and holds nothing though it does not hang up', async () => {
    const patient = serve.deployment(Site, { gracefulShutdownTimeout: Infinity })
    const { log, read } = lines()
    await serve.run(patient.bind(serve.deployment(Greeter).bind('Hello')), { ...free, requestTimeout: 300, log })
    const socket = connect({ port: Number(new URL(url()).port), host: '127.0.0.1', allowHalfOpen: true })
    const ended = once(
      socket.on('error', () => {}),
      'end',
    )
    let said = ''
    socket.setEncoding('latin1').on('data', (data) => {
      said += data
    })
    socket.write('POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\nabc')
    await ended
    assert.match(said, /^HTTP\/1\.1 408 [\s\S]*\{"detail":"Request Timeout"\}$/)
    assert.equal((await json('/nothing')).status, 200)
    await until(async () => (await metrics()).includes('{method="POST",route="/echo",code="408"} 1\n'))
    await serve.shutdown()
    socket.destroy()
    // And nothing else.
    assert.deepEqual(
      read().flatMap(({ path, status }) => (path === '/echo' ? [status] : [])),
      [408],
    )
  })

  test('a client that leaves frees its place, in the queue and in the replica', async () => {
    const shared = latch()
    await serve.run(serve.deployment(Slow, { maxOngoingRequests: 1 }).bind(shared), free)
    const [running, waiting] = [new AbortController(), new AbortController()]
    const first = assert.rejects(json('/hold', { signal: running.signal }))
    await reached(shared, 0, 1)
    const second = assert.rejects(json('/hold', { signal: waiting.signal }))
    const { Slow: slow } = serve.status().applications.default!.deployments
    assert.equal(slow!.ongoing, 1)
    const queued = () => serve.status().applications.default!.deployments.Slow!.queued
    await until(() => queued() === 1)
    const told = await metrics()
    for (const name of ['queue_length', 'ongoing_requests'])
      assert.match(told, new RegExp(`^rayito_${name}\\{deployment="Slow"\\} 1$`, 'm'))
    waiting.abort()
    await second
    await until(() => queued() === 0)
    running.abort()
    await first
    await reached(shared, 2, 1)
    letGo(shared)
    assert.equal((await json('/hold')).body, 'let go')
    assert.equal(Atomics.load(shared, 0), 2)
  })

  test('a client that ends its side of the connection before its answer counts as one that left', async () => {
    const shared = latch()
    await serve.run(serve.deployment(Slow).bind(shared), free)
    const { socket, said } = talk('GET /hold HTTP/1.1\r\nHost: x\r\n\r\n')
    await reached(shared, 0, 1)
    socket.end()
    await reached(shared, 2, 1)
    assert.equal(await said, '')
    letGo(shared)
  })

  test('a client that left is noted as 499, in the log and in the metrics, and each of its requests', async () => {
    const shared = latch()
    const { log, read } = lines()
    await serve.run(serve.deployment(Slow).bind(shared), { ...free, log })
    const ask = 'GET /hold?secret=1 HTTP/1.1\r\nHost: x\r\nX-Request-ID: left\r\n\r\n'
    const { socket, said } = talk(ask + ask)
    await reached(shared, 0, 2)
    socket.destroy()
    await said
    await reached(shared, 2, 2)
    await until(async () => (await metrics()).includes('{method="GET",route="/hold",code="499"} 2\n'))
    letGo(shared)
    await serve.shutdown()
    const left = read().filter(({ status }) => status === 499)
    assert.deepEqual(
      left.map(({ level, requestId, method, path }) => [level, requestId, method, path]),
      [0, 1].map(() => ['info', 'left', 'GET', '/hold']),
    )
  })

  test('a client that leaves in the middle of a file does no harm', async () => {
    await serve.run(site, free)
    const head =
      'POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 90000\r\n\r\n' +
      '--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
    for (let i = 0; i < 20; i++) {
      const { socket, said } = talk(head + 'x'.repeat(i * 1000))
      await once(socket, 'connect')
      await json('/nothing')
      if (i % 2) socket.resetAndDestroy()
      else socket.destroy()
      await said
    }
    const { ongoing, queued } = serve.status().applications.default!.deployments.Site!
    assert.deepEqual([ongoing, queued], [0, 0])
  })

  test('what is no HTTP gets 400 in the same shape', async () => {
    await serve.run(site, free)
    for (const text of [
      'hello\r\n\r\n',
      'GET / HTTP/1.1\r\nHost : x\r\n\r\n',
      'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n',
    ])
      assert.match(await talk(text).said, /^HTTP\/1\.1 400 [\s\S]*\{"detail":"Bad Request"\}$/)
    const huge = `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`
    assert.match(await talk(huge).said, /^HTTP\/1\.1 431 /)
  })

  test('a request whose replica dies is answered by another', async () => {
    await serve.run(serve.deployment(Mortal, { numReplicas: 2 }).bind(latch()), free)
    assert.deepEqual((await json('/die')).body, 'call 2')
    assert.equal((await fetch(url('/-/healthz'))).status, 200)
  })

  test('a request that no replica outlives is a failure of the service, whatever it sent', async () => {
    const { log, read } = lines()
    await serve.run(serve.deployment(Mortal, { numReplicas: 2 }).bind(latch(), true), { ...free, log })
    const form = new FormData()
    form.append('file', new Blob([new Uint8Array(5000)]), 'x')
    for (const body of [form, 'text', undefined]) {
      const answer = await json('/die', body === undefined ? {} : { method: 'POST', body })
      assert.deepEqual([answer.status, answer.body], [500, { detail: 'Internal Server Error' }])
    }
    await serve.shutdown()
    assert.equal(
      read().filter(({ level, failure }) => level === 'error' && /ActorDied/.test(failure as string)).length,
      3,
    )
  })

  test('where the only replica dies, requests wait for the next one', async () => {
    const shared = latch()
    await serve.run(serve.deployment(Phoenix, { numReplicas: 1 }).bind(shared), free)
    const now = () => serve.status().applications.default!.deployments.Phoenix!
    const killing = json('/age')
    await until(() => now().restarts === 1)
    const later = json('/age')
    await until(() => now().queued === 2)
    letGo(shared)
    assert.deepEqual([(await killing).body, (await later).body], [1, 1])
    assert.match(await metrics(), /^rayito_replica_restarts_total\{deployment="Phoenix"\} 1$/m)
  })

  test('so they do where one could not be started, once another has been', async () => {
    const shared = latch()
    await serve.run(serve.deployment(Stumbler, { numReplicas: 1 }).bind(shared), free)
    const now = () => serve.status().applications.default!.deployments.Stumbler!
    // Ends the first, and on its second try the third.
    assert.equal((await json('/die')).status, 500)
    await until(() => now().restarts === 2)
    const later = json('/age')
    await until(() => now().queued === 1)
    letGo(shared)
    assert.equal((await later).body, 3)
  })

  test('where none can take its place they get 503 at once, whichever deployment it was', async () => {
    const last = serve.deployment(Last).bind(latch())
    await serve.run(serve.deployment(Site, { gracefulShutdownTimeout: 0 }).bind(last as never), free)
    const killing = json('/greet/Ada')
    const now = () => serve.status().applications.default!
    await until(() => now().deployments.Last!.message.endsWith('could not be started: there is one only'))
    assert.equal(now().status, 'UNHEALTHY')
    const { status, headers, body } = await json('/text')
    assert.deepEqual([status, headers.get('retry-after'), body], [503, '1', { detail: 'The application is not ready' }])
    await serve.shutdown()
    assert.equal((await killing).status, 503)
  })

  test('a request that kills every replica is a 500, and the server goes on', async () => {
    const { log, read } = lines()
    await serve.run(serve.deployment(Mortal, { numReplicas: 2 }).bind(latch(), true), { ...free, log })
    assert.deepEqual((await json('/die')).body, { detail: 'Internal Server Error' })
    await until(async () => (await fetch(url('/-/healthz'))).status === 200)
    await serve.shutdown()
    assert.match(String(read().find(({ level }) => level === 'error')!.failure), /exit code 3|RAY_ACTOR_DIED/)
  })

  test('shutdown answers what runs, and refuses what comes', async () => {
    const shared = latch()
    const { log, read } = lines()
    await serve.run(serve.deployment(Slow).bind(shared), { ...free, log })
    const kept = talk('GET /-/routes HTTP/1.1\r\nHost: x\r\n\r\n')
    await once(kept.socket, 'data')
    const idle = talk('GET /-/routes HTTP/1.1\r\nHost: x\r\n\r\n')
    await once(idle.socket, 'data')
    const running = json('/hold')
    await reached(shared, 0, 1)
    const where = url('/hold')
    const over = serve.shutdown()
    await until(() => serve.status().draining)
    const refused = await fetch(where, { headers: { 'x-request-id': 'late' } })
    const { status, headers } = refused
    assert.deepEqual([status, headers.get('retry-after'), headers.get('connection')], [503, '1', 'close'])
    assert.deepEqual(await refused.json(), { detail: 'The server is stopping' })
    // On a connection from before, too.
    kept.socket.write('GET /hold HTTP/1.1\r\nHost: x\r\nX-Request-ID: late\r\n\r\n')
    assert.match(
      await kept.said,
      /^HTTP\/1\.1 200 [\s\S]*HTTP\/1\.1 503 [\s\S]*connection: close[\s\S]*The server is stopping/,
    )
    assert.equal(idle.socket.closed, false)
    letGo(shared)
    assert.deepEqual((await running).body, 'let go')
    await over
    // Who asks nothing is not waited for.
    await idle.said
    await assert.rejects(fetch(where))
    assert.deepEqual(
      read().map(({ path, status, requestId }) => [path, status, requestId === 'late']),
      [
        ['/-/routes', 200, false],
        ['/-/routes', 200, false],
        ['/hold', 503, true],
        ['/hold', 503, true],
        ['/hold', 200, false],
      ],
    )
  })

  test('whoever has asked by the time that the server ends hears so', async () => {
    const applications = () => []
    const side = new HttpSide({ requestTimeout: 60_000, log: undefined, applications, status: () => serve.status() })
    const where = await side.listen('127.0.0.1', 0)
    await side.refresh()
    await side.drain(1_000)
    const clients = Array.from({ length: 20 }, () => talk('', where))
    await Promise.all(clients.map(({ socket }) => once(socket, 'connect')))
    const over = side.close()
    for (const { socket } of clients) socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    for (const { said } of clients) assert.match(await said, /^HTTP\/1\.1 503 [\s\S]*The server is stopping/)
    await over
  })

  test('while an application is started its routes are 503, and 404 once it could not be', async () => {
    // Another keeps the server open.
    await serve.run(serve.deployment(Greeter).bind(), { ...free, name: 'other', routePrefix: '/other' })
    const shared = latch()
    const started = assert.rejects(serve.run(serve.deployment(Waning).bind(shared), free), {
      code: 'SERVE_DEPLOY_FAILED',
    })
    await reached(shared, 0, 1)
    const during = async () => {
      const { status, headers } = await json('/hold')
      return [status, headers.get('retry-after')]
    }
    assert.deepEqual(await during(), [503, '1'])
    letGo(shared)
    await started
    assert.deepEqual(await during(), [404, null])
    const { paths } = (await json('/openapi.json')).body as { paths: object }
    assert.deepEqual(Object.keys(paths), ['/other'])
  })

  test('a request that is not done in time when its application ends is 503, and no failure', async () => {
    const shared = latch()
    const { log, read } = lines()
    const slow = serve.deployment(Slow, { gracefulShutdownTimeout: 0 }).bind(shared)
    await serve.run(slow, { ...free, log })
    const asked = async () => {
      const { status, headers, body } = await json('/hold')
      return [status, headers.get('retry-after'), body]
    }
    const first = asked()
    await reached(shared, 0, 1)
    await serve.run(slow, free)
    const second = asked()
    await reached(shared, 0, 2)
    await serve.run(serve.deployment(Greeter).bind(), { ...free, name: 'other', routePrefix: '/other' })
    await serve.delete('default')
    const refused = [503, '1', { detail: 'The application is being stopped' }]
    assert.deepEqual([await first, await second], [refused, refused])
    await serve.shutdown()
    assert.ok(read().every(({ level }) => level !== 'error'))
  })

  test('nor does shutdown give it longer than its deployment does, whatever others are given', async () => {
    const shared = latch()
    await serve.run(serve.deployment(Slow, { gracefulShutdownTimeout: 0 }).bind(shared), free)
    const patient = serve.deployment(Greeter, { gracefulShutdownTimeout: Infinity })
    await serve.run(patient.bind(), { ...free, name: 'other', routePrefix: '/other' })
    const asked = json('/hold')
    await reached(shared, 0, 1)
    await serve.shutdown()
    const { status, body } = await asked
    assert.deepEqual([status, body], [503, { detail: 'The application is being stopped' }])
  })

  test('what shutdown has waited for the requests it does not wait for their deployment again', async () => {
    const shared = latch()
    const patience = 3_000
    await serve.run(serve.deployment(Slow, { gracefulShutdownTimeout: patience }).bind(shared), free)
    const lost = json('/hold').catch(() => 'lost')
    await reached(shared, 0, 1)
    const over = serve.shutdown().then(() => 'over')
    await until(() => serve.status().applications.default?.status !== 'RUNNING')
    // It began after the second wait would have begun, if there were one, and is over before it.
    const again = new Promise((resolve) => setTimeout(resolve, 0.9 * patience, 'again'))
    assert.equal(await Promise.race([over, again]), 'over')
    await lost
  })

  test('where the session ends under a service, requests get 503 at once, until there is a session again', async () => {
    const shared = latch()
    const asker = serve.deployment(SlowPorter, { healthCheckPeriod: 10, numReplicas: 2 })
    const slow = serve.deployment(Slow, { healthCheckPeriod: 10 })
    const handle = await serve.run(asker.bind(slow.bind(shared)), free)
    const asked = async () => {
      const { status, headers } = await json('/hold')
      return [status, headers.get('retry-after')]
    }
    const running = asked()
    await reached(shared, 0, 1)
    await ray.shutdown()
    assert.deepEqual(await running, [503, '1'])
    assert.deepEqual(await asked(), [503, '1'])
    assert.equal((await json('/-/healthz')).status, 503)
    assert.throws(() => handle.remote(), { code: 'SERVE_STOPPED' })
    const { status, message } = serve.status().applications.default!
    assert.equal(status, 'UNHEALTHY')
    assert.match(message, /its session was shut down/)
    // Nothing of that has begun another.
    assert.equal(ray.isInitialized(), false)
    letGo(shared)
    ray.init()
    await until(async () => (await fetch(url('/-/healthz'))).status === 200)
    assert.equal((await json('/hold')).status, 200)
    const { deployments } = serve.status().applications.default!
    await until(() => serve.status().applications.default!.deployments.SlowPorter!.replicas.RUNNING === 2)
    assert.equal(deployments.Slow!.status, 'HEALTHY')
  })

  test('serve.fetch answers as the socket does, without one', async () => {
    const timers = () => process.getActiveResourcesInfo().filter((held) => held === 'Timeout').length
    const before = timers()
    await serve.run(site, { port: null })
    assert.equal(serve.status().url, null)
    const form = new FormData()
    form.append('file', new Blob([new Uint8Array(5000)]), 'x')
    const response = await serve.fetch(new Request('http://any/upload', { method: 'POST', body: form }))
    assert.equal(response.status, 200)
    assert.equal(((await response.json()) as { files: { file: { size: number } } }).files.file.size, 5000)
    assert.equal((await serve.fetch(new Request('http://any/none'))).status, 404)
    // A Response of these may have no body.
    const unchanged = await serve.fetch(new Request('http://any/gone?status=304'))
    assert.deepEqual([unchanged.status, unchanged.body === null], [304, true])
    await serve.shutdown()
    await assert.rejects(serve.fetch(new Request('http://any/none')), { code: 'SERVE_STOPPED' })
    // Nothing of what was answered holds the program.
    assert.ok(timers() <= before, `${before} timers became ${timers()}`)
  })

  test('without a socket, too, a body is read no further than it is wanted', async () => {
    await serve.run(site, { port: null })
    const post = async (path: string, body: ReadableStream) => {
      const headers = { 'content-type': 'text/plain' }
      return serve.fetch(
        new Request(`http://any${path}`, { method: 'POST', body, headers, duplex: 'half' } as RequestInit),
      )
    }
    for (const [path, status] of [
      ['/echo', 413],
      ['/none', 404],
    ] as const) {
      let cancel = () => {}
      const over = new Promise<void>((resolve) => {
        cancel = resolve
      })
      const endless = new ReadableStream({ pull: (to) => to.enqueue(new Uint8Array(1 << 20)), cancel })
      const answer = await post(path, endless)
      assert.equal(answer.status, status)
      await answer.text()
      await over
    }
    const pieces = new ReadableStream({
      start(to) {
        for (const piece of ['in ', 'pieces']) to.enqueue(Buffer.from(piece))
        to.close()
      },
    })
    assert.equal(((await (await post('/echo', pieces)).json()) as { body: string }).body, 'in pieces')
    const broken = new ReadableStream({ pull: (to) => to.error(new Error('broke off')) })
    await assert.rejects(post('/echo', broken), /broke off/)
    const read = new Request('http://any/echo', { method: 'POST', body: 'text' })
    await read.text()
    await assert.rejects(serve.fetch(read), TypeError)
  })

  test('a framework’s client hears why its body was not read, though to give that up would end its connection', async (t) => {
    await serve.run(site, { port: null })
    const server = createServer(async (incoming, outgoing) => {
      const body = new ReadableStream({
        start(to) {
          incoming.on('data', (chunk) => to.enqueue(chunk)).on('end', () => to.close())
        },
        cancel: () => void incoming.destroy(),
      })
      const { url: path, method, headers } = incoming
      const request = new Request(`http://any${path}`, { method, headers, body, duplex: 'half' } as RequestInit)
      const answer = await serve.fetch(request)
      outgoing.writeHead(answer.status).end(Buffer.from(await answer.arrayBuffer()))
    })
    t.after(() => server.close().closeAllConnections())
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const { port } = server.address() as AddressInfo
    for (const [path, status] of [
      ['/none', 404],
      ['/echo', 413],
    ] as const) {
      const headers = { 'content-type': 'application/x' }
      const init = { method: 'POST', headers, body: new Uint8Array(12 << 20) }
      assert.equal((await fetch(`http://127.0.0.1:${port}${path}`, init)).status, status)
    }
  })

  test('without a socket, too, who asks while the first application begins is told so', async () => {
    /** As soon as there is something to ask: in the very turns of the event loop in which its routes are made. */
    const first = async (application: Promise<unknown>): Promise<Response> => {
      let over = false
      application.finally(() => {
        over = true
      })
      for (let i = 1; !over; i++) {
        const answer = await serve.fetch(new Request('http://any/greet/Ada')).catch((error: RayitoError) => {
          if (error.code !== 'SERVE_STOPPED') throw error
        })
        if (answer) return answer
        if (i % 100 === 0) await new Promise(setImmediate)
      }
      throw new Error('there was nothing to ask')
    }
    const ready = serve.run(site, { port: null })
    assert.equal((await first(ready)).status, 503)
    await ready
    await serve.shutdown()
    const Odd = serve.ingress(class Odd extends Greeter {}, { 'GET /odd/:a(': 'thread' })
    const refused = assert.rejects(serve.run(serve.deployment(Odd).bind(), { port: null }), {
      code: 'INVALID_ARGUMENT',
    })
    const answer = await first(refused)
    assert.deepEqual([answer.status, await answer.json()], [503, { detail: 'The server is starting' }])
    await refused
  })

  test('without a socket, too, who gives up frees a place, and shutdown refuses what comes', async () => {
    const shared = latch()
    await serve.run(serve.deployment(Slow).bind(shared), { port: null })
    const hold = (init?: RequestInit) => serve.fetch(new Request('http://any/hold', init))
    const late = new AbortController()
    late.abort()
    await assert.rejects(hold({ signal: late.signal }), { name: 'AbortError' })
    for (const [i, init] of [{}, { method: 'POST', body: 'text' }].entries()) {
      const gone = new AbortController()
      const asked = assert.rejects(hold({ ...init, signal: gone.signal }), { name: 'AbortError' })
      await reached(shared, 0, i + 1)
      gone.abort()
      await asked
      await reached(shared, 2, i + 1)
    }
    const last = hold()
    await reached(shared, 0, 3)
    const over = serve.shutdown()
    const refused = await hold()
    assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '1'])
    letGo(shared)
    assert.equal((await last).status, 200)
    await over
  })
})
