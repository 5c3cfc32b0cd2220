import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { breakEven, breakEvenChart, breakEvenText } from '#src/lab/exercise-1/break-even.js'
import { conclude } from '#src/lab/exercise-1/conclusion.js'
import { version } from './versions.js'

const two = { cores: 2, workers: 2 }
const text = (...args: Parameters<typeof conclude>) => conclude(...args).why

test('names the fastest, by how much, and where the others lost their time', () => {
  const versions = [version('A', 0.4, 39.6), version('B', 4, 29), version('C1', 1, 26), version('C2', 0.5, 29.5)]
  const { fastest, why } = conclude(versions, two)
  assert.equal(fastest, 'C1')
  assert.match(
    why,
    /Version C1 \(actors, by index\) was fastest with 27\.0 s; A \(sequential\) took 40\.0 s, 1\.48 times/,
  )
  assert.match(why, /A took 13\.0 s longer than C1: 13\.6 s in classifying/)
  assert.match(why, /B took 6\.00 s longer than C1: 3\.00 s in (loading|classifying), 3\.00 s in/)
  assert.match(why, /fewer than about 36 pictures C2, which loads sooner, would be ahead of C1/)
  assert.match(why, /Once loaded, C1 \(actors, by index\) finished a picture every/, 'the quickest of those that share')
})

test('A wins: it says that sharing gained nothing, and from how many pictures on it would', () => {
  const why = text([version('A', 0.1, 10), version('C1', 4, 8)], two)
  assert.match(why, /Version A \(sequential\) was fastest/)
  assert.match(why, /C1 took 1\.90 s longer than A: 3\.90 s in loading, though it saved 2\.00 s in classifying/)
  assert.match(why, /more than about 488 pictures C1, which takes less for each, would overtake A/)
  assert.match(why, /Starting the workers outweighed sharing the work: C1 saved 2\.00 s/)
  const nearest = text([version('A', 0.1, 10), version('C1', 4, 8), version('C2', 8, 7)], two)
  assert.match(nearest, /more than about 488 pictures C1, which takes less for each, would overtake A/)
  const others = text([version('C2', 0.1, 10), version('C1', 4, 8)], two)
  assert.doesNotMatch(others, /outweighed/, 'the best had workers to start, too')
})

test('A wins in everything: no number of pictures flips it', () => {
  const why = text([version('A', 0.1, 10), version('B', 2, 20)], two)
  assert.match(why, /B would stay behind A with anything from 1 to 25,000 pictures/)
  assert.match(
    why,
    /one session .* classified 100 % more pictures a second than 2 workers, each with pictures of its own\./,
  )
  const longer = text([version('A', 0.1, 10), version('B', 0.11, 20)], two)
  assert.match(longer, /B took 10\.0 s longer than A: 10\.0 s in classifying\./, 'without the hair in loading')
  const sooner = text([version('A', 0.1, 10), version('B', 0.09, 20)], two)
  assert.match(sooner, /B took 9\.99 s longer than A: 10\.0 s in classifying\./, 'nor with the hair that it saved')
})

test('a version that would win with no whole number of pictures is not said to', () => {
  const lines = (loading: number) => [version('A', loading, 40), version('B', 1, 20)]
  assert.match(text(lines(0.9), two), /fewer than about 2 pictures A/)
  assert.doesNotMatch(text(lines(0.92), two), /fewer than/)
})

test('a difference within a tenth is called level, not a victory', () => {
  const why = text([version('A', 1, 30), version('B', 1, 19), version('C2', 1, 20.9)], two)
  assert.match(why, /^B 20\.0 s and C2 21\.9 s are as good as level: they lie within 10 % of each other/)
  assert.match(why, /turn round\. A \(sequential\) took 31\.0 s, 1\.55 times as long\./)
  assert.doesNotMatch(why, /was fastest|C2 took/)
})

test('when all are level nothing is said about flipping', () => {
  const why = text([version('A', 1, 20), version('B', 1, 20.1)], two)
  assert.match(why, /as good as level/)
  assert.match(why, /gained nothing/)
  assert.doesNotMatch(why, /flips|would stay behind|times as long/)
})

test('transfer decides only where the measured moving was a good part of the time', () => {
  const versions = [
    version('A', 1, 30),
    version('B', 2, 60, { bytesMoved: 86e9 }),
    version('C1', 3, 20, { bytesMoved: 4_200 }),
  ]
  const dear = text(versions, { ...two, moving: { B: 40, C1: 0.01 } })
  assert.match(
    dear,
    /B 86\.0 GB and C1 4\.2 KB; the same calls with nothing to do took most for B: 40\.0 s or 65 % of its time/,
  )
  const cheap = text(versions, { ...two, moving: { B: 0.05, C1: 0.01 } })
  assert.match(
    cheap,
    /with nothing to do took at most 0\.050 s or 0\.1 % of its time \(B\), so transfer did not decide/,
  )
  assert.doesNotMatch(text(versions, two), /decide|nothing to do/)
  assert.doesNotMatch(text(versions, { ...two, moving: { C1: 0.01 } }), /did not decide/)
})

test('one version alone is not compared', () => {
  const { fastest, why } = conclude([undefined, version('B', 1, 2)], two)
  assert.equal(fastest, 'B')
  assert.match(why, /Only version B \(tasks\) was run: 3\.00 s/)
  assert.throws(() => conclude([undefined], two), { code: 'INVALID_ARGUMENT' })
})

test('one core: it says that workers take turns', () => {
  assert.match(
    text([version('A', 1, 10), version('B', 1, 12)], { cores: 1, workers: 1 }),
    /one core: workers can only take turns/,
  )
})

test('on a cluster it says on how many nodes, and nothing of the driver’s cores for the workers', () => {
  const versions = [version('A', 0.4, 39.6), version('B', 1, 26), version('C1', 4, 29)]
  const why = text(versions, { cores: 1, workers: 16, nodes: 4 })
  assert.match(why, /All this holds for 16 workers on 4 nodes, and for A on the one core of the driver's machine\.$/)
  assert.doesNotMatch(why, /take turns|over a network/)
  assert.match(why, /or a slower network – since/)
  assert.match(text(versions, two), /or over a network – since .* All this holds for 2 cores;/)
})

test('one core, one worker: nothing is said to be spread over cores', () => {
  const versions = (a: number) => [version('A', 1, a), version('B', 1, 12)]
  for (const a of [10, 12, 14]) assert.doesNotMatch(text(versions(a), { cores: 1, workers: 1 }), /the cores|each with/)
  const alone = text(versions(14), { cores: 2, workers: 1 })
  assert.match(alone, /: one worker classified 17 % more pictures a second than/)
  assert.doesNotMatch(alone, /take turns/)
})

test('what made half of a difference is not said to have decided nothing', () => {
  const loading = text([version('A', 0.05, 12), version('B', 0.54, 10.5), version('C2', 0.01, 9.99)], two)
  assert.match(loading, /B took 1\.04 s longer than C2: 0\.53 s in loading/)
  assert.doesNotMatch(loading, /Loading decided little/)
  const versions = [version('A', 0.1, 12), version('C1', 0.2, 9.8), version('C2', 0.2, 10.85)]
  const moving = text(versions, { ...two, moving: { C1: 0.001, C2: 0.54 } })
  assert.match(moving, /nothing to do took most for C2: 0\.54 s or 4\.9 % of its time/)
  assert.doesNotMatch(moving, /did not decide/)
})

test('what is saved or crossed by a hair is no finding', () => {
  const why = text([version('A', 0.1, 2.8), version('B', 0.3, 2.7999), version('C2', 0.3, 2.79)], two)
  assert.match(why, /gained nothing/)
  assert.doesNotMatch(why, /outweighed|overtake|would stay behind/)
  // One that is behind, too, takes less for each picture by no more than another run may turn round.
  const behind = text([version('A', 0.1, 2.8), version('B', 1, 2.75)], two)
  assert.match(behind, /B took 0\.85 s longer than A/)
  assert.doesNotMatch(behind, /overtake|would stay behind/)
})

test('of one that is level with A it is not said that starting its workers outweighed what it saved', () => {
  const why = text([version('A', 1, 10), version('B', 3, 8.5)], two)
  assert.match(why, /as good as level/)
  assert.doesNotMatch(why, /outweighed/)
})

test('more than so many workers can gain is put down to the machine', () => {
  assert.match(
    text([version('A', 1, 60), version('B', 1, 20)], two),
    /200 % more .*: more than 2 workers can gain by sharing\. Something else/,
  )
  assert.doesNotMatch(text([version('A', 1, 44), version('B', 1, 20)], two), /Something else/)
  // Four workers have no more than the two cores; four nodes have their own.
  const four = [version('A', 1, 70), version('B', 1, 20)]
  assert.match(text(four, { cores: 2, workers: 4 }), /: more than 2 cores can gain by sharing\. Something else/)
  assert.doesNotMatch(text(four, { cores: 2, workers: 4, nodes: 4 }), /Something else/)
})

test('workers for whom there was no picture are not counted among those that shared', () => {
  const one = { result: [['hen', 0.9]] as [string, number][] }
  const why = text([version('A', 0.3, 0.3, one), version('C2', 0.9, 0.2, one)], two)
  assert.match(why, /: one worker classified 50 % more pictures a second than one session/)
})

test('dearer pictures would help whichever of A and C1 is next', () => {
  const versions = (a: number) => [version('A', 0.1, a), version('C1', 0.5, 2.66), version('C2', 0.2, 2.5)]
  assert.match(text(versions(4), two), /took 1\.8 ms longer than now .* since C1, which moves only row numbers/)
  assert.match(text(versions(2.9), two), /took 1\.2 ms longer than now .* since A, which hands out none/)
  // One that is level with the best need not be helped.
  const level = [version('A', 0.1, 4), version('C1', 0.5, 2.26), version('C2', 0.2, 2.5)]
  assert.doesNotMatch(text(level, two), /verdict would change/)
})

test('a version that only loads sooner than A is ahead of it with few pictures', () => {
  const versions = [version('A', 5, 2.5), version('B', 0.3, 5), version('C1', 6, 3), version('C2', 1, 2.5)]
  assert.deepEqual(
    breakEven(versions).map(({ from, to }) => [from, to]),
    [
      [1, 470],
      [null, 0],
      [1, Infinity],
    ],
  )
  assert.equal(
    breakEvenText(versions),
    'By these figures B with up to about 470 pictures and C2 from the first picture on would be ahead of A; C1 with no number of pictures, since a picture takes no less time there.',
  )
  assert.match(breakEvenChart(versions), /B and A cross at about 470 pictures/)
  const far = breakEvenText([version('A', 5, 2.5), version('B', 1, 2.51)])
  assert.equal(far, 'By these figures B from the first picture on would be ahead of A.')
})

test('a version that loads sooner and takes less for each picture is ahead from the first on', () => {
  const [only] = breakEven([version('A', 5, 5), version('B', 1, 2)])
  assert.deepEqual([only!.from, only!.to], [1, Infinity])
})

test('a picture is not shared among workers: fewer pictures than workers take as long as one for each', () => {
  const perWorker = { 'InferenceEngine#1': 125, 'InferenceEngine#2': 125 }
  const versions = [version('A', 0.5, 250), version('C1', 0.6, 125, { perWorker })]
  assert.equal(breakEvenText(versions), 'By these figures C1 from about 2 pictures on would be ahead of A.')
  assert.match(text(versions, two), /with fewer than about 2 pictures A, which loads sooner, would be ahead of C1/)
  const line = /class="line C1" .*?points="([^"]+)"/.exec(breakEvenChart(versions))![1]!.split(' ')
  const heights = line.map((point) => Number(point.split(',')[1]))
  assert.equal(heights[4], heights[0], 'level up to two pictures')
  assert.ok(heights[5]! < heights[0]!)
  assert.match(breakEvenChart(versions), /C1 and A cross at about 2 pictures/)
  const later = [version('A', 0.7, 250), version('C1', 0.6, 125 * 0.9, { perWorker })]
  assert.doesNotMatch(text(later, two), /loads sooner/)
  const many = { perWorker: { a: 1, b: 1, c: 1, d: 1 } }
  const single = text([version('A', 0.7, 250), version('C1', 0.6, 125, many)], two)
  assert.match(single, /with fewer than about 2 pictures A, which takes less for a single one, would be ahead of C1/)
  // Loading much sooner, and dearer pictures.
  const few = [version('A', 1.5, 250), version('C1', 0.6, 250.5, { perWorker })]
  assert.equal(breakEvenText(few), 'By these figures C1 with 2 to about 449 pictures would be ahead of A.')
  const none = [version('A', 1.5, 250), version('C1', 0.6, 400, { perWorker })]
  assert.match(breakEvenText(none), /^By these figures C1 with no number of pictures/)
})

test('a break-even point that lies far beyond what was measured is no number', () => {
  const versions = [version('A', 0.1, 2.8), version('B', 0.3, 2.799_999)]
  assert.equal(breakEvenText(versions), 'By these figures B not with 25,000 pictures yet.')
  const far = [version('A', 0.1, 10), version('C1', 60, 9.6)]
  assert.match(text(far, two), /C1 would stay behind A with anything from 1 to 25,000 pictures/)
  assert.doesNotMatch(breakEvenChart(far), /cross at/)
  assert.match(breakEvenText([version('A', 1, 10), version('B', 2, 10)]), /B with no number of pictures/)
})

test('the figures of the axis lie inside the chart, on a slow machine too', () => {
  for (const slow of [1, 1_000, 30_000]) {
    const figures = breakEvenChart([version('A', 1, slow), version('C2', 1, slow)]).matchAll(
      /x="(\d+)" y="[\d.]+" text-anchor="end">([^<]+)/g,
    )
    for (const [, end, text] of figures) assert.ok(Number(end) >= 7 * text!.length, `${text} ends at ${end}`)
  }
})

test('lines that are level are drawn, too', () => {
  for (const versions of [[version('A', 1, 0)], [version('A', 0, 0), version('B', 36_000, 36_000)]])
    assert.doesNotMatch(breakEvenChart(versions), /NaN|Infinity/)
})

test('whatever the numbers, what it says of them holds', () => {
  const time = fc.double({ min: 0.001, max: 1_000, noNaN: true })
  const one = fc.record({ load: time, infer: time, bytes: fc.nat(1e9), workers: fc.integer({ min: 1, max: 9 }) })
  fc.assert(
    fc.property(fc.array(one, { minLength: 4, maxLength: 4 }), fc.boolean(), (rows, measured) => {
      const names = ['A', 'B', 'C1', 'C2'] as const
      const versions = rows.map(({ load, infer, bytes, workers }, i) => {
        const perWorker = Object.fromEntries(Array.from({ length: i === 0 ? 1 : workers }, (_, n) => [`#${n}`, 1]))
        return version(names[i]!, load, infer, { bytesMoved: bytes, perWorker })
      })
      const moving = measured ? { B: rows[1]!.infer / 2, C1: 0.001, C2: 0.002 } : undefined
      const { fastest, why, sentences } = conclude(versions, { ...two, moving })
      const best = versions.find(({ name }) => name === fastest)!
      assert.equal(best.seconds, Math.min(...versions.map(({ seconds }) => seconds)))
      assert.doesNotMatch(why, /NaN|Infinity|undefined|-\d/)
      assert.ok(sentences.every((sentence) => sentence.endsWith('.')))
      for (const [, from, to, name] of why.matchAll(/with (\d+) to about (\d+) pictures (\w+),/g))
        for (const count of [from, to]) assertAhead(versions, name!, fastest, Number(count))
      for (const [, count, name] of why.matchAll(/fewer than about (\d+) pictures (\w+),/g))
        assertAhead(versions, name!, fastest, Math.max(1, Number(count) * 0.9 - 1))
      for (const [, count, name] of why.matchAll(/more than about (\d+) pictures (\w+),/g))
        assertAhead(versions, name!, fastest, Number(count) * 1.1 + 1)
      const behind = /By these figures (.+) would stay behind/.exec(why)?.[1]?.split(/, | and /) ?? []
      for (const name of behind) for (const count of [1, 25_000]) assertAhead(versions, fastest, name, count)
      for (const { version, from, to } of breakEven(versions)) {
        for (const count of [from ?? 1, Math.max(from ?? 1, Math.min(to, 1e6))])
          if (from !== null) assertAhead(versions, version.name, 'A', count)
        if (from === null) for (const count of [1, 1e6]) assertAhead(versions, 'A', version.name, count)
        if (from !== null && to < 1e6) assertAhead(versions, 'A', version.name, to + 1)
      }
    }),
  )
})

/** Whether one version's time for a number of pictures, by its own figures, is below another's. */
function assertAhead(versions: ReturnType<typeof version>[], name: string, other: string, pictures: number): void {
  const at = (wanted: string) => {
    const { loadSeconds, inferenceSeconds, perWorker } = versions.find((v) => v.name === wanted)!
    return loadSeconds + (inferenceSeconds / 250) * Math.max(Object.keys(perWorker).length, pictures)
  }
  assert.ok(at(name) <= at(other) * (1 + 1e-9), `${name} ${at(name)} against ${other} ${at(other)} with ${pictures}`)
}
