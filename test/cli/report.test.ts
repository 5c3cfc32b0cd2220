import assert from 'node:assert/strict'
import { test } from 'node:test'
import { report, wrap } from '#src/cli/report.js'
import type { Exercise1 } from '#src/lab/exercise-1/exercise-file.js'
import { version } from '../lab/versions.js'

const exercise = {
  machine: { cpu: 'a processor', cores: 2, memoryGB: 8, node: 'v20.10.0', platform: 'linux' },
  model: 'some/model',
  dtype: 'fp32',
  indices: { start: 0, stop: 250, step: 1, count: 250 },
  versions: [version('A', 1, 9), version('B', 1, 5)],
  agreement: { sameClasses: true, maxScoreDifference: 0 },
  fastest: 'B',
  why: 'Because it is.',
} as unknown as Exercise1

test('the report has the machine, the figures, whether the versions agree, and why; colours where they can be shown', () => {
  const plain = report(exercise, { colour: false })
  assert.match(plain, /^250 pictures, some\/model \(fp32\), a processor, 2 cores, Node v20\.10\.0\n\nversion +seconds/)
  assert.match(
    plain,
    /\nA sequential .*\nB tasks .*\n\nThe versions agree in every class and score\. Because it is\.\n$/,
  )
  const coloured = report(exercise, { colour: true }).split('\n')
  const green = coloured.filter((line) => line.startsWith('\u001b[32m'))
  assert.deepEqual(
    green.map((line) => line.slice(5, 12)),
    ['B tasks'],
  )
})

test('the report says how far versions differ, and nothing of one alone', () => {
  const of = (agreement: object, versions = exercise.versions) =>
    report({ ...exercise, versions, agreement } as Exercise1, { colour: false })
  assert.match(of({ sameClasses: false, maxScoreDifference: 0.2 }), /The versions DISAGREE\. Because/)
  assert.match(of({ sameClasses: true, maxScoreDifference: 0.00021 }), /scores differ by at most 2\.1e-4\. Because/)
  const alone = of({ sameClasses: true, maxScoreDifference: 0 }, exercise.versions.slice(1))
  assert.match(alone, /\nB tasks .*\n\nBecause it is\.\n$/)
})

test('the report of a cluster names its nodes and all their CPUs', () => {
  const nodes = [1, 2].map((i) => ({ name: `node-${i}`, cpus: 2 }))
  const text = report({ ...exercise, nodes }, { colour: false, columns: 200 })
  assert.match(text, /\(fp32\), a cluster of 2 nodes with 4 CPUs, driven from a processor, 2 cores,/)
})

test('a line of the report ends between words, not between a number and its unit', () => {
  assert.deepEqual(wrap('in B 12 % loading, 0.53 s', 8), ['in B', '12 %', 'loading,', '0.53 s'])
})
