import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AxiosHeaders } from 'axios'
import {
  errorBody,
  HttpError,
  HttpResponse,
  httpErrorOf,
  jsonOf,
  missingField,
  wireError,
  wireFailure,
  wireResponse,
} from '#src/serve/http-response.js'

const json = (status: number, body: string, headers = '') => ({
  ...{ status, body, contentType: '', headers },
  ...{ streams: false, failure: '', measured: '' },
})

test('an answer and an error have a status that there is', () => {
  assert.equal(new HttpResponse('').status, 200)
  for (const status of [200, 599])
    assert.deepEqual([new HttpResponse('', { status }).status, new HttpError(status).status], [status, status])
  for (const status of [199, 600, 200.5, '200', undefined] as number[]) {
    assert.throws(() => new HttpError(status), {
      code: 'INVALID_ARGUMENT',
      message: /^Expected `status` to be a whole/,
    })
    if (status !== undefined) assert.throws(() => new HttpResponse('', { status }), { code: 'INVALID_ARGUMENT' })
  }
})

test('an answer and an error refuse what they do not know', () => {
  for (const [options, message] of [
    [404, /^Expected `options` to be an object, got `404`/],
    [null, /^Expected `options` to be an object, got `null`/],
    [{ statusCode: 404 }, /^There is no option `statusCode` here\. Known are status, headers\.$/],
    [{ status_code: 404 }, /no option `status_code`/],
  ] as [never, RegExp][])
    assert.throws(() => new HttpResponse('', options), { code: 'INVALID_ARGUMENT', message })
  const pairs = [['a', 'b']]
  for (const headers of [
    null,
    'a: b',
    5,
    pairs,
    new Map([['a', 'b']]),
    new URLSearchParams('a=b'),
    Promise.resolve({}),
  ]) {
    const told = { code: 'INVALID_ARGUMENT', message: /^Expected `headers` to be an object of texts, or Headers, got/ }
    assert.throws(() => new HttpResponse('', { headers: headers as never }), told)
    assert.throws(() => new HttpError(404, 'gone', headers as never), told)
  }
  for (const value of [null, {}, true, [1, null], () => 'b'])
    assert.throws(() => new HttpResponse('', { headers: { a: value } as never }), { message: /^Expected `headers`/ })
  assert.throws(() => new HttpResponse('', { headers: new Map() as never }), {
    message: /Object\.fromEntries\(map\)\.$/,
  })
  assert.throws(() => new HttpError(404, { n: 1n }), { code: 'RAY_NOT_SERIALIZABLE', message: /^n is a BigInt/ })
})

test('headers may be texts, lists, numbers and Headers', () => {
  const given = { 'content-type': undefined, 'X-Own': 'a', 'set-cookie': ['a=1', 'b=2'], age: 5 }
  assert.equal(
    wireResponse(new HttpResponse('', { headers: given as object as Record<string, string> })).headers,
    '{"X-Own":"a","set-cookie":["a=1","b=2"],"age":5}',
  )
  assert.equal(new HttpResponse('', { headers: Object.assign(Object.create(null), { a: 'b' }) }).headers.a, 'b')
  const headers = new Headers({ 'Content-Type': 'text/csv', 'Set-Cookie': 'a=1', 'X-Own': 'a' })
  headers.append('Set-Cookie', 'b=2')
  headers.append('X-Own', 'b')
  const sent = { 'content-type': 'text/csv', 'set-cookie': ['a=1', 'b=2'], 'x-own': 'a, b' }
  assert.deepEqual(new HttpResponse('', { headers }).headers, sent)
  assert.deepEqual(new HttpError(404, '', headers).headers, sent)
  const passedOn = new AxiosHeaders({ 'x-own': 'a' }) as unknown as Headers
  assert.deepEqual(new HttpResponse('', { headers: passedOn }).headers, { 'x-own': 'a' })
})

test('an error says what its client is told', () => {
  assert.equal(String(new HttpError(404, 'No such city')), 'HttpError: No such city')
  assert.equal(String(new HttpError(422, missingField('body', 'file'))).slice(0, 29), 'HttpError: [{"type":"missing"')
  const headers = { 'retry-after': '1' }
  assert.deepEqual(
    wireError(new HttpError(503, 'Full', headers), 'detail'),
    json(503, '{"detail":"Full"}', JSON.stringify(headers)),
  )
  const bare = new HttpError(404)
  assert.deepEqual([bare.detail, bare.message, String(bare)], ['Not Found', 'Not Found', 'HttpError: Not Found'])
  assert.deepEqual(wireError(bare, 'detail'), json(404, '{"detail":"Not Found"}'))
  assert.deepEqual(wireError(new HttpError(404, ''), 'detail'), json(404, ''), 'what the status means is known there')
  assert.equal(new HttpError(599).detail, '', 'which has no meaning')
  assert.deepEqual(errorBody([1]), { detail: [1] })
  assert.deepEqual(errorBody([1], 'error'), { error: '[1]' })
  assert.deepEqual(errorBody('none', 'error'), { error: 'none' })
})

test('an error is one for HTTP also where it is a cause, or has lost its class', () => {
  const one = new HttpError(404, 'gone', { a: 'b' })
  assert.equal(httpErrorOf(one), one)
  assert.equal(httpErrorOf(new Error('', { cause: new Error('', { cause: one }) })), one)
  const crossed = { name: 'HttpError', status: 404, detail: ['gone'], headers: { a: 'b' } }
  const found = httpErrorOf({ cause: crossed })!
  assert.deepEqual({ ...found, name: found.name }, crossed)
  assert.ok(found instanceof HttpError)
  assert.deepEqual(httpErrorOf({ ...crossed, headers: null })!.headers, {}, "another library's")
  const full = { code: 'SERVE_BACK_PRESSURE' }
  for (const error of [full, { cause: { cause: full } }]) assert.equal(httpErrorOf(error)!.status, 503)
  for (const other of [
    { ...crossed, detail: undefined },
    { ...crossed, status: 99 },
    { ...crossed, name: 'HTTPError' },
    new Error('', { cause: 'text' }),
    null,
    undefined,
  ])
    assert.equal(httpErrorOf(other), null)
  const round = new Error('round')
  round.cause = round
  assert.equal(httpErrorOf(round), null)
})

test('a value is sent as JSON, bytes and texts of an answer as they are', () => {
  assert.deepEqual(wireResponse({ a: [1] }), json(200, '{"a":[1]}'))
  assert.deepEqual(wireResponse('text'), json(200, '"text"'))
  assert.deepEqual(wireResponse(undefined), json(200, 'null'))
  const bytes = Uint8Array.of(1)
  const asIs = { ...json(200, ''), body: bytes, contentType: 'application/octet-stream' }
  assert.deepEqual(wireResponse(bytes), asIs)
  for (const buffer of [bytes.buffer, new SharedArrayBuffer(1)]) {
    const sent = { ...asIs, body: new Uint8Array(buffer) }
    assert.deepEqual(wireResponse(buffer), sent)
    assert.deepEqual(wireResponse(new HttpResponse(buffer)), sent)
  }
  const headers = { 'Content-Type': 'image/png', 'X-Own': ['a', 'b'] as const }
  assert.deepEqual(wireResponse(new HttpResponse(bytes, { status: 201, headers })), {
    ...{ ...asIs, status: 201 },
    ...{ contentType: 'image/png', headers: '{"X-Own":["a","b"]}' },
  })
  assert.deepEqual(wireResponse(new HttpResponse('text')), {
    ...json(200, 'text'),
    contentType: 'text/plain; charset=utf-8',
  })
  const problem = { 'content-type': 'application/problem+json', 'X-Own': 'a' }
  assert.deepEqual(wireResponse(new HttpResponse([1], { status: 202, headers: problem })), {
    ...json(202, '[1]'),
    contentType: 'application/problem+json',
    headers: '{"X-Own":"a"}',
  })
})

test('what comes piece by piece says what it is, and nothing of its length', () => {
  const lines = { ...json(200, ''), contentType: 'application/x-ndjson', streams: true }
  assert.deepEqual(wireResponse({}, true), lines)
  const headers = { 'Content-Length': '5', 'content-type': 'text/csv', a: 'b' }
  assert.deepEqual(wireResponse(new HttpResponse(null, { status: 206, headers }), true), {
    ...{ ...lines, status: 206 },
    ...{ contentType: 'text/csv', headers: '{"a":"b"}' },
  })
  assert.equal(wireResponse(new HttpResponse('', { headers })).headers, '{"Content-Length":"5","a":"b"}')
})

test('an unknown failure is told in the log only', () => {
  const { failure, ...told } = wireFailure(new TypeError('secret'), 'error')
  assert.deepEqual({ ...told, failure: '' }, json(500, '{"error":"Internal Server Error"}'))
  assert.match(failure, /^TypeError: secret\n {4}at .*http-response\.test/)
  assert.equal(wireFailure(Object.assign(new Error('bare'), { stack: undefined }), 'detail').failure, 'Error: bare')
  for (const thrown of ['a text', null]) assert.equal(wireFailure(thrown, 'detail').failure, String(thrown))
})

test('what JSON would say nothing of is refused by its path', () => {
  class Own {}
  for (const [value, text] of [
    [undefined, 'null'],
    [{ a: undefined }, '{}'],
    [{ own: new Own(), list: [{}], none: Object.create(null) }, '{"own":{},"list":[{}],"none":{}}'],
    ['{}', '"{}"'],
    [
      { none: {}, list: [], nothing: null, bytes: Uint8Array.of(7) },
      '{"none":{},"list":[],"nothing":null,"bytes":[7]}',
    ],
  ] as const)
    assert.equal(jsonOf(value), text)
  for (const [value, message] of [
    [new Map(), /^the answer is a Map, of which JSON says nothing\. Answer plain data\./],
    [{ a: [1, { 'b c': new Set([1]) }] }, /^a\[1\]\["b c"\] is a Set, /],
    [[new Map()], /^\[0\] is a Map, /],
    [{ a: new ArrayBuffer(1) }, /^a is an ArrayBuffer, .* Answer new Uint8Array\(buffer\)\./],
    [new Blob(['x']), /^the answer is a Blob, .* Answer new Uint8Array\(await blob\.arrayBuffer\(\)\)\./],
    [() => 1, /^the answer is a function, /],
    [new Response('x'), /^the answer is a Response, .* Answer new HttpResponse\(body, { status, headers }\)\./],
  ] as const)
    assert.throws(() => jsonOf(value), { code: 'RAY_NOT_SERIALIZABLE', message })
})

test('a BigInt and a circle are told by their path', () => {
  const circle: Record<string, unknown> = { list: [{}] }
  ;(circle.list as object[])[0] = { up: circle }
  const list: unknown[] = []
  list.push(list)
  for (const [value, message] of [
    [
      10n,
      /^the answer is a BigInt, which JSON does not have\. Answer Number\(n\), or String\(n\) for all its digits\.$/,
    ],
    [{ rows: [{ n: 10n }] }, /^rows\[0\]\.n is a BigInt, /],
    [{ a: BigInt64Array.of(1n) }, /^a\[0\] is a BigInt, /],
    [{ twice: [circle] }, /^twice\[0\]\.list\[0\]\.up is what it lies in, twice\[0\], and would have no end\. /],
    [list, /^\[0\] is what it lies in, the answer, /],
  ] as const)
    assert.throws(() => jsonOf(value), { code: 'RAY_NOT_SERIALIZABLE', message })
  const shared = { a: [1] }
  assert.equal(jsonOf([shared, { none: {}, shared }, shared.a]), '[{"a":[1]},{"none":{},"shared":{"a":[1]}},[1]]')
  const own = { toJSON: () => ({ n: 'own' }) }
  assert.equal(jsonOf({ own, none: {} }), '{"own":{"n":"own"},"none":{}}')
  const failing = {
    toJSON() {
      throw new RangeError('on purpose')
    },
  }
  assert.throws(() => jsonOf({ failing }), { name: 'RangeError', message: 'on purpose' })
})

test('typed arrays are lists, wherever they stand', () => {
  class Own extends Float32Array {
    toJSON() {
      return 'own'
    }
  }
  for (const [value, text] of [
    [Float32Array.of(0.5, Number.NaN), '[0.5,null]'],
    [new Float64Array(), '[]'],
    [
      { empty: new BigInt64Array(), bytes: Uint8Array.of(1), clamped: [Uint8ClampedArray.of(300)] },
      '{"empty":[],"bytes":[1],"clamped":[[255]]}',
    ],
    [[Buffer.from('ab'), Buffer.alloc(0)], '[[97,98],[]]'],
    [
      { shared: new Int16Array(new SharedArrayBuffer(4)), text: 'Buffer', 0: { 0: 1 } },
      '{"0":{"0":1},"shared":[0,0],"text":"Buffer"}',
    ],
    [{ type: 'Buffer', data: [1], own: Own.of(1) }, '{"type":"Buffer","data":[1],"own":"own"}'],
  ] as const)
    assert.equal(jsonOf(value), text)
  assert.throws(() => jsonOf({ a: Float32Array.of(1), b: [new Map()] }), { message: /^b\[0\] is a Map, / })
  assert.deepEqual(wireResponse(Float32Array.of(1)), json(200, '[1]'))
  assert.deepEqual(wireResponse(new HttpResponse({ a: Int8Array.of(-1) }, { status: 201 })), json(201, '{"a":[-1]}'))
})
