import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { gallery, LatencyTable, type Level, latencyChart, percentile, type Request } from '#src/lab/index.js'

test('a percentile is a value that was measured: so many are not above it', () => {
  assert.deepEqual(
    [0.5, 0.95, 1].map((share) => percentile([40, 10, 30, 20], share)),
    [20, 40, 40],
  )
  const values = fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1 })
  fc.assert(
    fc.property(values, fc.double({ min: 0.01, max: 1, noNaN: true }), (values, share) => {
      const found = percentile(values, share)
      assert.ok(values.includes(found))
      assert.ok(values.filter((value) => value <= found).length >= share * values.length - 1e-9)
      assert.ok(values.filter((value) => value < found).length < share * values.length + 1e-9)
    }),
  )
})

const LEVELS: Level[] = [
  { clients: 1, milliseconds: [100, 100, 100, 100], seconds: 0.4 },
  { clients: 4, milliseconds: [200, 210, 205, 5], seconds: 0.21 },
]

test('the table has throughput, percentiles and Little’s law', () => {
  const table = new LatencyTable(LEVELS)
  assert.deepEqual(table.rows, [
    ['clients', 'requests/s', 'median', '95 %', 'slowest', 'in flight'],
    ['1', '10.0', '100', '100', '100', '1.0'],
    ['4', '19.0', '200', '210', '210', '3.0'],
  ])
  assert.match(table.toHtml(), /<td[^>]*>19\.0<\/td>/)
  assert.equal(String(table).split('\n').length, 3)
})

test('the chart shows every request and each throughput inside its frame', () => {
  const level = fc.record({
    clients: fc.integer({ min: 1, max: 64 }),
    milliseconds: fc.array(fc.double({ min: 0, max: 1e5, noNaN: true }), { minLength: 1, maxLength: 50 }),
    seconds: fc.double({ min: 1e-3, max: 1e3, noNaN: true }),
  })
  fc.assert(
    fc.property(fc.array(level, { minLength: 1, maxLength: 6 }), (levels) => {
      const svg = latencyChart(levels)
      assert.doesNotMatch(svg, /NaN|Infinity|undefined/)
      const points = [...svg.matchAll(/cx="([-\d.]+)" cy="([-\d.]+)"/g)]
      assert.equal(points.length, levels.flatMap(({ milliseconds }) => milliseconds).length)
      for (const [, x, y] of points)
        assert.ok(Number(x) > 60 && Number(x) < 384 && Number(y) >= 51.9 && Number(y) <= 272.1)
      const bars = [...svg.matchAll(/<rect class="infer" x="[\d.]+" y="([\d.]+)" width="[\d.]+" height="([\d.]+)"/g)]
      assert.equal(bars.length, levels.length)
      for (const [, y, height] of bars)
        assert.ok(Math.abs(Number(y) + Number(height) - 272) < 0.11 && Number(y) >= 51.9)
    }),
  )
  // A second has more digits in milliseconds than there is room for.
  const scale = (milliseconds: number) =>
    [...latencyChart([{ clients: 1, milliseconds: [milliseconds], seconds: 1 }]).matchAll(/x="56"[^>]*>([^<]*)/g)].map(
      ([, figure]) => figure,
    )
  assert.deepEqual(
    [scale(700), scale(1_500)],
    [
      ['0', '400', '800 ms'],
      ['0', '1', '2 s'],
    ],
  )
  assert.match(latencyChart(LEVELS), /aria-label="1 client: median 0\.10 seconds, 10 requests a second; 4 clients/)
})

test('the gallery shows each picture beside its answer, and what was sent as text', () => {
  const mark = '<b onclick="x">'
  const classes = [{ label: 'cat, tom', score: 0.414 }]
  const requests: Request[] = [
    {
      picture: mark,
      status: 200,
      response: { prediction: mark, 'wikipedia info': `${mark}\n\n${'a'.repeat(500)}` },
      milliseconds: 1,
    },
    { picture: 'b', status: 200, response: { prediction: 'unknown', classes }, milliseconds: 1 },
    { picture: 'c', status: 415, response: { detail: 'Not a picture' }, milliseconds: 1 },
    { picture: 'd', status: 0, response: { detail: 'ECONNREFUSED' }, milliseconds: 1 },
  ]
  const html = gallery(
    requests.map(({ picture }) => ({ name: picture, bytes: new TextEncoder().encode(picture) })),
    requests,
  )
  assert.equal(html.match(/<figure/g)?.length, 4)
  assert.doesNotMatch(html, /<b onclick/)
  assert.match(html, /&#60;b onclick=&#34;x&#34;&#62; a{74}…/)
  assert.match(html, /<i>unknown<\/i><br><small>b · perhaps cat, 41\u00a0%/)
  assert.match(html, /<b>415<\/b><br><small>c · Not a picture/)
  assert.match(html, /<b>no answer<\/b><br><small>d · ECONNREFUSED/)
  assert.match(html, /src="data:image\/png;base64,Yg=="/)
})
