import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SPANS, type Span } from '#src/core/spans.js'
import { DOINGS, type Lane, lanesOf, sharesOf, watchDriver } from '#src/lab/exercise-1/activity.js'
import { conclude, wholePercents } from '#src/lab/exercise-1/conclusion.js'
import { timelineChart } from '#src/lab/exercise-1/timeline-chart.js'
import type { TraceEvent } from '#src/ray/index.js'
import { version } from './versions.js'

const MS = 1_000_000
/** A version from second 1,000 to 1,010, all loaded after 4 s. */
const window = { began: MS, loaded: MS + 4_000, ended: MS + 10_000 }

const span = (category: Span['category'], from: number, to: number): Span => ({
  category,
  name: category,
  began: MS + from * 1000,
  ended: MS + to * 1000,
})
const event = (cat: string, tid: number, from: number, to: number): TraceEvent => ({
  name: cat,
  cat,
  ph: 'X',
  ts: (MS + from * 1000) * 1000,
  dur: (to - from) * MS,
  pid: 1,
  tid,
  args: {},
})
let beside = 0
const asynchronous = (cat: string, tid: number, from: number, to: number): TraceEvent[] => {
  const { dur, ...common } = { ...event(cat, tid, from, to), id2: { local: `0x${++beside}` } }
  return [
    { ...common, ph: 'b' },
    { ...common, ph: 'e', ts: common.ts + dur! },
  ]
}
const thread = (tid: number, name: string): TraceEvent => ({
  name: 'thread_name',
  cat: '__metadata',
  ph: 'M',
  ts: 0,
  pid: 1,
  tid,
  args: { name },
})
const told = ({ stretches }: Lane) => stretches.map(({ doing, from, to }) => `${doing} ${from}–${to}`)

test('a lane tells loading, reading, moving, inferring and waiting, one after the other', () => {
  const driver = [span('load', 0, 2), span('read', 5, 6), span('infer', 6, 9)]
  const [lane] = lanesOf(driver, [], window)
  assert.deepEqual(told(lane!), ['loading 0–2', 'waiting 2–5', 'reading 5–6', 'inferring 6–9', 'waiting 9–10'])
})

test('a worker’s thread in the trace and what runs beside it are one lane: what it waits beside does not count', () => {
  const events = [
    thread(1, 'worker#1'),
    thread(4, 'worker#2'),
    event('start', 1, 1, 2),
    event('import', 1, 2, 3),
    ...asynchronous('load', 1, 3, 3.5),
    ...asynchronous('transfer', 1, 1, 5),
    event('task', 1, 3, 4),
    event('task', 1, 6, 9),
    event('deserialise', 1, 6, 6.5),
    event('read', 1, 7, 8),
    event('idle', 1, 9, 10),
    event('start', 4, 0, 1),
    event('idle', 4, 1, 10),
  ]
  const lanes = lanesOf([], events, window)
  assert.deepEqual(
    lanes.map(({ name }) => name),
    ['driver', 'worker#1'],
    'one that ran nothing is left out',
  )
  assert.deepEqual(told(lanes[1]!), [
    'waiting 0–1',
    'loading 1–4',
    'moving 4–5',
    'waiting 5–6',
    'moving 6–6.5',
    'inferring 6.5–7',
    'reading 7–8',
    'inferring 8–9',
    'waiting 9–10',
  ])
})

test('what was before and after a version is not in its lanes', () => {
  const events = [thread(1, 'worker#1'), event('task', 1, -5, 5), event('task', 1, 9, 20), event('task', 1, 20, 30)]
  const others = [thread(2, 'worker#2'), event('task', 2, -5, 0), event('task', 2, 10, 11)]
  const lanes = lanesOf([], [...events, ...others], window)
  assert.equal(lanes.length, 2, 'a worker that ran nothing meanwhile has none')
  assert.deepEqual(told(lanes[1]!), ['loading 0–4', 'inferring 4–5', 'waiting 5–9', 'inferring 9–10'])
})

test('workers of several machines are told apart, and stand in the order of their numbers', () => {
  const there = (event: TraceEvent): TraceEvent => ({ ...event, pid: 2 })
  const [begin, end] = asynchronous('load', 2, 0, 1)
  const id2 = begin!.id2!
  const others = asynchronous('load', 1, 2, 3).map((event) => there({ ...event, id2 }))
  const events = [
    thread(1, 'worker#10'),
    thread(2, 'worker#2'),
    there(thread(1, 'worker#2')),
    ...[begin!, others[0]!, end!, others[1]!],
    event('task', 1, 5, 6),
    event('task', 2, 6, 7),
    there(event('task', 1, 7, 8)),
  ]
  const lanes = lanesOf([], events, window)
  assert.deepEqual(
    lanes.map(({ name }) => name),
    ['driver', 'worker#2', 'worker#2', 'worker#10'],
  )
  assert.deepEqual(told(lanes[1]!), ['loading 0–1', 'waiting 1–6', 'inferring 6–7', 'waiting 7–10'])
  assert.deepEqual(told(lanes[2]!), ['waiting 0–2', 'loading 2–3', 'waiting 3–7', 'inferring 7–8', 'waiting 8–10'])
})

test('the driver is watched until it is asked for what it did', () => {
  const asked = watchDriver()
  SPANS.publish(span('read', 0, 1))
  assert.equal(asked().length, 1)
  assert.equal(SPANS.hasSubscribers, false)
})

test('whatever was recorded, lanes have no gap, shares add up to 1 and the chart’s bars lie inside it', () => {
  const time = fc.double({ min: -2, max: 12, noNaN: true })
  const one = fc.record({ cat: fc.constantFrom('task', 'load', 'read', 'infer', 'transfer', 'idle'), a: time, b: time })
  fc.assert(
    fc.property(fc.array(one), (all) => {
      const events = all.map(({ cat, a, b }) => event(cat, 1, Math.min(a, b), Math.max(a, b)))
      const lanes = lanesOf([], [thread(1, 'worker#1'), ...events], window)
      for (const { stretches } of lanes) {
        assert.equal(stretches[0]!.from, 0)
        assert.equal(stretches.at(-1)!.to, 10)
        for (const [i, { doing, from, to }] of stretches.entries()) {
          assert.ok(to > from)
          if (i > 0) assert.ok(from === stretches[i - 1]!.to && doing !== stretches[i - 1]!.doing)
        }
      }
      const shares = sharesOf(lanes)
      const sum = DOINGS.reduce((total, doing) => total + shares[doing], 0)
      assert.ok(Math.abs(sum - 1) < 1e-9, `${sum}`)
      const svg = timelineChart(version('B', 4, 6, { lanes }))
      assert.doesNotMatch(svg, /NaN|Infinity|"-/)
      for (const [, x, width] of svg.matchAll(/M([\d.]+) \d+h([\d.]+)v26/g))
        assert.ok(Number(x) + Number(width) <= 760 - 19)
    }),
  )
})

test('the chart has a title, a legend, seconds, and a row for each lane', () => {
  const lanes = lanesOf([span('load', 0, 2)], [thread(1, 'worker#1'), event('task', 1, 5, 9)], window)
  const svg = timelineChart(version('B', 4, 6, { lanes }))
  assert.match(svg, />B tasks<.*>10\.0 s</s)
  for (const name of [...DOINGS, 'driver', 'worker#1', 'seconds', 'all can infer: 4.00 s'])
    assert.ok(svg.includes(`>${name}</text>`), name)
  for (const tick of [0, 2, 4, 6, 8, 10]) assert.ok(svg.includes(`>${tick}</text>`), String(tick))
  assert.match(svg, /aria-label="Version B, 10\.0 seconds of the workers' time: loading 0 %, .*inferring 40 %/)
  const odd = timelineChart(version('B', 4, 6, { lanes: [{ name: '<b>&#1', stretches: [] }] }))
  assert.doesNotMatch(odd, /<b>|&#1</)
})

test('no two labels of a chart overlap, however long the names are and whenever all can infer', () => {
  for (const name of ['worker#1', 'InferenceEngine#2', `ip-172-31-44-199.eu-central-1.compute.internal/${'worker#12'}`])
    for (const loading of [0.01, 0.3, 0.6, 0.75, 0.9, 0.99]) {
      const lanes = ['driver', name].map((name) => ({ name, stretches: [] }))
      const svg = timelineChart(version('B', 10 * loading, 10 * (1 - loading), { lanes }))
      const lines = new Map<string, { from: number; to: number; text: string }[]>()
      for (const [, x, y, anchor, text] of svg.matchAll(
        /<text class="[^"]*" x="([^"]+)" y="([^"]+)"(?: text-anchor="(\w+)")?>([^<]*)</g,
      )) {
        const width = text!.length * 7
        const from = Number(x) - (anchor === 'end' ? width : anchor === 'middle' ? width / 2 : 0)
        lines.set(y!, [...(lines.get(y!) ?? []), { from, to: from + width, text: text! }])
      }
      for (const labels of lines.values())
        for (const [i, { from, to, text }] of labels.sort((a, b) => a.from - b.from).entries()) {
          assert.ok(from >= 0 && to <= 760, `${text} is cut off`)
          assert.ok(i === 0 || labels[i - 1]!.to <= from, `${labels[i - 1]?.text} and ${text} overlap`)
        }
    }
})

test('what is shorter than a stripe is drawn in its share of them', () => {
  const cycles = Array.from({ length: 2_000 }, (_, i) => 10 * (i / 2_000))
  const driver = cycles.flatMap((at) => [span('read', at, at + 0.001), span('infer', at + 0.001, at + 0.005)])
  const svg = timelineChart(version('A', 4, 6, { lanes: lanesOf(driver, [], window) }))
  const widthOf = (name: string) => {
    const [, path] = new RegExp(`<path class="${name}" d="([^"]+)"`).exec(svg)!
    return [...path!.matchAll(/h([\d.]+)v/g)].reduce((sum, [, width]) => sum + Number(width), 0)
  }
  assert.ok(Math.abs(widthOf('infer') / widthOf('read') - 4) < 0.1, `${widthOf('infer')} to ${widthOf('read')}`)
})

test('the conclusion quotes the shares, in whole per cent that add up to 100', () => {
  const lanes = (load: number): Lane[] => lanesOf([span('load', 0, load), span('infer', 4, 9)], [], window)
  const { sentences } = conclude(
    [version('A', 4, 6, { lanes: lanes(3) }), version('B', 4, 9, { lanes: lanes(1.234) })],
    { cores: 2, workers: 2 },
  )
  const sentence = sentences.find((one) => one.startsWith("The workers' time"))!
  assert.match(
    sentence,
    /: in A 30 % loading, 0 % reading, 0 % moving, 50 % inferring and 20 % waiting; in B 12 % loading/,
  )
  for (const part of sentence.split(';'))
    assert.equal(
      [...part.matchAll(/(\d+) %/g)].reduce((sum, [, n]) => sum + Number(n), 0),
      100,
    )
  assert.deepEqual(wholePercents([0.009, 0.991]), [1, 99])
  assert.deepEqual(wholePercents([0.334, 0.336, 0.33]), [33, 34, 33])
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0.001, max: 1, noNaN: true }), { minLength: 1, maxLength: 6 }), (parts) => {
      const whole = parts.reduce((sum, part) => sum + part, 0)
      const rounded = wholePercents(parts.map((part) => part / whole))
      assert.equal(
        rounded.reduce((sum, one) => sum + one, 0),
        100,
      )
      for (const [i, one] of rounded.entries()) assert.ok(Math.abs(one - (parts[i]! / whole) * 100) < 1)
    }),
  )
})

test('the conclusion speaks of no version that was not run', () => {
  const names = ['A', 'B', 'C1', 'C2'] as const
  const time = fc.double({ min: 0.01, max: 100, noNaN: true })
  const some = fc.tuple(
    fc.subarray([...names], { minLength: 1 }),
    fc.array(fc.tuple(time, time), { minLength: 4, maxLength: 4 }),
  )
  fc.assert(
    fc.property(
      some,
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 1, max: 3 }),
      ([run, times], cores, workers) => {
        const versions = run.map((name, i) => {
          const lanes = lanesOf([span('load', 0, 1), span('infer', 1, 9)], [], window)
          return version(name, ...times[i]!, { lanes, bytesMoved: name === 'A' ? 0 : 1e6 * (i + 1) })
        })
        const moving = Object.fromEntries(run.filter((name) => name !== 'A').map((name, i) => [name, i / 10]))
        const { why } = conclude(versions, { cores, workers, moving })
        for (const name of names.filter((one) => !run.includes(one)))
          assert.doesNotMatch(why, new RegExp(`\\b${name}\\b`))
      },
    ),
  )
})
