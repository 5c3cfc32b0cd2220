import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chart } from '../../bench/chart.js'
import { amount, makeRow, ratioText, verdict, verdictsOf } from '../../bench/row.js'
import { machineLine, table } from '../../bench/table.js'

const A = makeRow({
  id: 'fp32.A',
  title: 'Version A & <more>',
  unit: 's',
  ours: [13.2, 13.4, 13.3],
  peers: { 'bare session': [12.9, 13.1, 13], plain: [14, 14, 14] },
  target: { ratio: 1.08 },
})
const MISSED = makeRow({
  id: 'fp32.C2.memory-each',
  title: 'Memory',
  unit: 'MB',
  ours: [71],
  target: { value: 60 },
})
const FAST = makeRow({
  id: 'no-op',
  title: 'Tasks',
  unit: '/s',
  lowerIsBetter: false,
  ours: [24_000, 24_100, 30_000],
  peers: { workerpool: [25_000, 24_000, 24_000] },
  target: { ratio: 0.6 },
})

test('a row has medians, the ratio to the first peer, and the limit that the reference of the run sets', () => {
  assert.equal(A.ours, 13.3)
  assert.equal(A.peers['bare session']!.value, 13)
  assert.ok(Math.abs(A.ratio! - 13.3 / 13) < 1e-3)
  assert.ok(Math.abs(A.limit! - 1.08 * 13) < 1e-9)
  assert.equal(A.holds, true)
  assert.equal(verdict(A), 'yes')
})

test('each peer has its own ratio and target, and one that was not measured is left out', () => {
  const row = makeRow({
    id: 'fp32.C2',
    title: 'Version C2',
    unit: 's',
    ours: [26, 27, 28],
    peers: { 'bare workers': [25, 26, 27], 'transformers.js': undefined, Ray: [36, 36, 35] },
    target: { ratio: 1.1 },
    targets: { Ray: 0.7 },
  })
  assert.deepEqual(Object.keys(row.peers), ['bare workers', 'Ray'])
  assert.equal(row.holds, true)
  const { Ray } = row.peers
  assert.equal(Ray!.target, '≤ 0.70 ×')
  assert.ok(Math.abs(Ray!.limit! - 0.7 * 36) < 1e-9)
  assert.equal(Ray!.holds, false)
  assert.deepEqual(
    verdictsOf(row).map(({ holds }) => holds),
    [true, false],
  )
  assert.deepEqual(Object.keys(row.samples), ['ours', 'bare workers', 'Ray'])
})

test('a peer whose figure could not be seen is left out: it is no failure of ours, and nothing to draw', () => {
  const row = makeRow({
    id: 'idle',
    title: 'Memory',
    unit: 'MB',
    ours: [20],
    peers: { Ray: [Number.NaN] },
    targets: { Ray: 0.25 },
  })
  assert.deepEqual(row.peers, {})
  assert.deepEqual(verdictsOf(row), [])
  assert.deepEqual(row.samples, { ours: [20] })
})

test('a ratio of one repetition has no spread', () => {
  const row = makeRow({ id: 'x', title: 'x', unit: 's', ours: [2], peers: { Ray: [8] } })
  assert.equal(ratioText(row), '0.25')
})

test('a ratio whose spread holds 1 is no difference', () => {
  assert.equal(ratioText(FAST), 'no difference')
  assert.match(ratioText(A), /^1\.02 \(1\.02–1\.02\)$/)
})

test('where more is better the target is a floor', () => {
  assert.equal(FAST.target, '≥ 0.60 ×')
  assert.equal(FAST.holds, true)
})

test('a missed target says no, and one that the spread crosses has a question mark', () => {
  assert.equal(verdict(MISSED), 'no')
  const near = makeRow({ id: 'x', title: 'x', unit: 's', ours: [0.4, 0.45, 0.6], target: { value: 0.5 } })
  assert.equal(verdict(near), 'yes?')
  const none = makeRow({ id: 'x', title: 'x', unit: 's', ours: [1] })
  assert.equal(verdict(none), '')
  assert.equal(none.limit, null)
})

test('figures have three digits', () => {
  assert.equal(amount(13.384, 's'), '13.4 s')
  assert.equal(amount(24_123, '/s'), '24,100 /s')
  assert.equal(amount(463.6, 'MB'), '464 MB')
  assert.equal(amount(0, ''), '0')
  assert.equal(amount(0.00012, 's'), '1.2e-4 s')
})

test('the table fits 80 columns', () => {
  const text = table([A, MISSED, FAST])
  for (const line of text.split('\n')) assert.ok(line.length <= 80, line)
  assert.match(text, /fp32\.A +13\.3 s +13 s +1\.02 \(1\.02–1\.02\) +≤ 1\.08 × +yes/)
})

test('a further peer has a line of its own, and so has a reference with a target beside the row’s', () => {
  const both = makeRow({
    id: 'init',
    title: 'ray.init',
    unit: 'ms',
    ours: [1, 1, 1],
    peers: { Ray: [3000, 3000, 3000] },
    target: { value: 100 },
    targets: { Ray: 1 / 40 },
  })
  assert.match(table([both]), /^init +1 ms +≤ 100 ms +yes\n {2}Ray +3,000 ms +0\.0003 +≤ 0\.025 × +yes$/m)
  assert.match(table([A]), /\n {2}plain +14 s +0\.95 \(0\.94–0\.96\)$/)
})

test('the chart draws ours and every peer, and marks what misses its target', () => {
  const svg = chart('Exercise 1', [A, MISSED], 'a machine')
  assert.equal(svg.match(/<rect class="(ours|missed|peer)"/g)!.length, 4)
  assert.equal(svg.match(/<rect class="missed"/g)!.length, 1)
  assert.match(svg, /Version A &#38; &#60;more&#62;/)
  assert.doesNotMatch(svg, /NaN|undefined/)
})

test('in the chart a peer with a target says how ours keeps it', () => {
  const row = makeRow({ id: 'x', title: 'x', unit: 's', ours: [2], peers: { Ray: [8] }, targets: { Ray: 0.2 } })
  const svg = chart('x', [row], 'a machine')
  assert.match(svg, /8 s <tspan class="soft">Ray: 0\.25, target ≤ 0\.20 ×: no<\/tspan>/)
  assert.match(svg, /class="missed"/)
})

test('what is said at the end of the longest bar has room', () => {
  const ours = [0.16, 0.08, 0.09]
  const peers = { Ray: [1.5, 1.4, 1.6] }
  const row = makeRow({ id: 'x', title: 'x', unit: 'ms', ours, peers, targets: { Ray: 1 / 15 } })
  const svg = chart('x', [row], 'a machine')
  const [, x, value, name] = /<text x="([\d.]+)"[^>]*>([^<]+)<tspan class="soft">(Ray[^<]+)/.exec(svg)!
  assert.match(name!, /target ≤ 0\.067 ×: yes\?$/)
  // As wide as the fonts are that browsers fall back to.
  assert.ok(Number(x) + value!.length * 7.6 + name!.length * 6.2 < 720, `${x} ${value}${name}`)
})

test('in the chart a title and the verdict on it do not run into each other', () => {
  const measured = { id: 'x', unit: 's', ours: [2], peers: { bare: [2] }, target: { ratio: 1.1 } }
  const heights = (title: string) =>
    [...chart('x', [makeRow({ ...measured, title })], 'a machine').matchAll(/class="(?:what|soft)" x="\d+" y="(\d+)"/g)]
      .slice(1)
      .map(([, y]) => Number(y))
  const [title, verdict] = heights('Short')
  assert.equal(title, verdict)
  const [long, below] = heights('Arithmetic of version C1 while it infers, against sgemm alone, and more')
  assert.ok(below! > long!)
})

test('the machine is one line', () => {
  const machine = { cpu: 'A processor', cores: 2, memoryGB: 8.2, node: 'v22.1.0', platform: 'linux x64' }
  assert.equal(machineLine(machine), 'A processor, 2 cores, 8.2 GB, Node 22.1.0, linux x64')
})
