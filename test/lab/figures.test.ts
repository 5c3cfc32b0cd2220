import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { test } from 'node:test'
import fc from 'fast-check'
import { barChart } from '#src/lab/exercise-1/chart.js'
import { machine } from '#src/lab/exercise-1/exercise-file.js'
import { watchMemory } from '#src/lab/exercise-1/memory.js'
import { ResultTable } from '#src/lab/exercise-1/table.js'
import { bytes, list, percent, seconds } from '#src/lab/format.js'
import { version } from './versions.js'

test('seconds, bytes and shares are written with the digits they are worth', () => {
  assert.deepEqual([0.034, 0.5, 9.994, 9.996, 34.66, 125.4].map(seconds), [
    '0.034',
    '0.50',
    '9.99',
    '10.0',
    '34.7',
    '125',
  ])
  assert.deepEqual([0, 812, 1_000, 3.14e6, 999_600, 86e9].map(bytes), [
    '0 B',
    '812 B',
    '1.0 KB',
    '3.1 MB',
    '1.0 MB',
    '86.0 GB',
  ])
  assert.deepEqual([0, 0.0004, 0.123].map(percent), ['0 %', '0.0 %', '12 %'])
  assert.deepEqual([[], ['A'], ['A', 'B'], ['A', 'B', 'C']].map(list), ['', 'A', 'A and B', 'A, B and C'])
})

test('the table compares with A, tells efficiency only where one thread was measured, and fits 80 columns', () => {
  const versions = [version('A', 1, 39), version('C2', 2, 18, { bytesMoved: 3.1e6, peakMemoryMB: 2_968 })]
  const table = new ResultTable(versions, { cores: 2, oneThread: 0.12 })
  const [heads, , c2] = table.rows
  assert.deepEqual(heads, ['version', 'seconds', 'loading', 'speed-up', 'efficiency', 'pictures/s', 'moved', 'memory'])
  assert.deepEqual(c2, ['C2 actors, by picture', '20.0', '2.00', '2.00', '0.75', '12.5', '3.1 MB', '3.0 GB'])
  assert.match(table.toHtml(), /<td[^>]*>C2 actors, by picture<\/td>/)
  const lines = String(new ResultTable(versions, { cores: 2 })).split('\n')
  assert.ok(lines.every((line) => line.length <= 80))
  assert.equal(new Set(lines.slice(1).map((line) => line.indexOf(' MB'))).size, 2)
})

test('efficiency counts this machine’s cores for A and the workers’ for the others', () => {
  const versions = [version('A', 0, 20), version('B', 0, 40)]
  const efficiency = (cores: number, workerCores: number) =>
    new ResultTable(versions, { cores, workerCores, oneThread: 0.16 }).rows.slice(1).map((row) => row[4])
  assert.deepEqual(efficiency(2, 2), ['1.00', '0.50'])
  // Fewer actors than cores, and a cluster that has more.
  assert.deepEqual(efficiency(2, 1), ['1.00', '1.00'])
  assert.deepEqual(efficiency(2, 4), ['1.00', '0.25'])
})

test('without A the table has no speed-up', () => {
  assert.ok(!new ResultTable([version('B', 1, 1)], { cores: 2 }).rows[0]!.includes('speed-up'))
})

test('the bars of the chart are as long as what they stand for, and inside the picture', () => {
  const time = fc.double({ min: 0, max: 1e4, noNaN: true })
  fc.assert(
    fc.property(time, time, time, time, (loadA, inferA, loadB, moving) => {
      const svg = barChart([version('A', loadA, inferA), version('B', loadB, 2)], { moving: { B: moving } })
      assert.doesNotMatch(svg, /NaN|Infinity|"-/)
      const rects = [
        ...svg.matchAll(/<rect class="(load|move|infer)" x="([\d.]+)" y="\d+" width="([\d.]+)" height="26"/g),
      ]
      assert.equal(rects.length, 6)
      for (const [, , x, width] of rects) assert.ok(Number(x) + Number(width) <= 640 - 75)
    }),
  )
})

test('the peak of memory sees what was held between two looks at most 0.2 s apart', async () => {
  const before = watchMemory().stop()
  const watch = watchMemory()
  let held: Buffer | null = Buffer.alloc(64e6, 1)
  assert.equal(held[1], 1)
  const peak = watch.stop()
  held = null
  assert.ok(peak >= before + 50e6, `${peak} against ${before}`)
})

test('the machine has the cores that this process may use', () => {
  assert.equal(machine().cores, availableParallelism())
  if (process.platform !== 'linux') return
  const file = import.meta.resolve('#src/lab/exercise-1/exercise-file.js')
  const code = `import(${JSON.stringify(file)}).then(({ machine }) => console.log(machine().cores))`
  // This process may itself be bound to some of them.
  const first = /Cpus_allowed_list:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))![1]!
  assert.equal(execFileSync('taskset', ['-c', first, process.execPath, '-e', code]).toString().trim(), '1')
})

test('what the areas of a chart stand for can be told apart without red or without green, too', () => {
  const style = /<style>([\s\S]*?)<\/style>/.exec(barChart([]))![1]!
  for (const [part, text] of Object.entries({ light: style.split('@media')[0]!, dark: style.split('@media')[1]! }))
    for (const [eyes, matrix] of Object.entries(WITHOUT)) {
      const names = ['load', 'read', 'move', 'infer', 'wait']
      const seen = names.map((name) => lab(matrix, new RegExp(`\\.${name}\\{fill:#(\\w{6})\\}`).exec(text)![1]!))
      for (const [i, one] of seen.entries())
        for (const [k, other] of seen.slice(0, i).entries()) {
          const difference = Math.hypot(...one.map((value, axis) => value - other[axis]!))
          assert.ok(
            difference >= 15,
            `${part}, ${eyes}: ${names[k]} and ${names[i]} differ by ${difference.toFixed(0)}`,
          )
        }
    }
})

/** What eyes without one kind of cones make of linear red, green and blue (Machado, Oliveira and Fernandes 2009). */
const WITHOUT = {
  'without green': [
    [0.367, 0.861, -0.228],
    [0.28, 0.673, 0.047],
    [-0.012, 0.043, 0.969],
  ],
  'without red': [
    [0.152, 1.053, -0.205],
    [0.115, 0.786, 0.099],
    [-0.004, -0.048, 1.052],
  ],
}

/** A colour, so seen, in CIELAB: lightness, red against green, yellow against blue. */
function lab(matrix: number[][], hex: string): [number, number, number] {
  const linear = [0, 2, 4].map((at) => (Number.parseInt(hex.slice(at, at + 2), 16) / 255) ** 2.2)
  const mixed = (weights: number[]) => weights.reduce((sum, weight, i) => sum + weight * linear[i]!, 0)
  const [r, g, b] = matrix.map((row) => Math.min(1, Math.max(0, mixed(row)))) as [number, number, number]
  const x = Math.cbrt((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505)
  const y = Math.cbrt(0.2126 * r + 0.7152 * g + 0.0722 * b)
  const z = Math.cbrt((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089)
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)]
}
