import assert from 'node:assert/strict'
import { test } from 'node:test'
import { agreementOf, sameAnswers } from '#src/lab/exercise-1/compare.js'
import type { Best } from '#src/lab/exercise-1/version.js'
import { version } from './versions.js'

const with2 = (name: 'A' | 'B', ...result: Best[]) => version(name, 1, 1, { result })

test('versions agree when classes and order are the same and scores lie within 1e-5', () => {
  const versions = [with2('A', ['cat', 0.5], ['dog', 0.25]), undefined, with2('B', ['cat', 0.500009], ['dog', 0.25])]
  assert.match(
    sameAnswers(versions),
    /^A, B: the same 2 classes in the same order; scores differ by at most 9\.0e-6\.$/,
  )
  const agreement = agreementOf(versions)
  assert.equal(agreement.sameClasses, true)
  assert.ok(Math.abs(agreement.maxScoreDifference - 9e-6) < 1e-12)
})

test('another class, another order, a score too far, no number and a missing answer are all named', () => {
  const a = with2('A', ['cat', 0.5], ['dog', 0.25])
  const wrong: [Best[], RegExp][] = [
    [
      [
        ['cat', 0.5],
        ['fox', 0.25],
      ],
      /picture 1 to be dog .* got fox .* from version B/,
    ],
    [
      [
        ['dog', 0.25],
        ['cat', 0.5],
      ],
      /picture 0 to be cat/,
    ],
    [
      [
        ['cat', 0.50002],
        ['dog', 0.25],
      ],
      /picture 0 to be cat/,
    ],
    [
      [
        ['cat', Number.NaN],
        ['dog', 0.25],
      ],
      /picture 0 to be cat/,
    ],
    [[['cat', 0.5]], /Expected 2 answers, got 1 from version B/],
  ]
  for (const [result, message] of wrong)
    assert.throws(() => sameAnswers([a, with2('B', ...result)]), { code: 'RESULTS_DIFFER', message })
  assert.equal(agreementOf([a, with2('B', ['fox', 0.5], ['dog', 0.25])]).sameClasses, false)
  assert.equal(agreementOf([a, with2('B', ['cat', 0.5])]).sameClasses, false)
})

test('one version alone has nothing to be compared with', () => {
  assert.match(sameAnswers([undefined, with2('B', ['cat', 1])]), /Only version B/)
  assert.deepEqual(agreementOf([]), { sameClasses: true, maxScoreDifference: 0 })
})
