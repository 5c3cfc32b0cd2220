import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Figures, keptOf, withKept } from '../../bench/figures.js'
import { actors } from '../../bench/groups/actors.js'
import { cluster } from '../../bench/groups/cluster.js'
import { data } from '../../bench/groups/data.js'
import { exercise } from '../../bench/groups/exercise.js'
import { q8 } from '../../bench/groups/q8.js'
import { serve } from '../../bench/groups/serve.js'
import { tasks } from '../../bench/groups/tasks.js'
import { readmeTable, writeReadme } from '../../bench/readme.js'
import { makeRow } from '../../bench/row.js'

const FIGURES: Figures = {
  made: '2026-11-25T23:00:00.000Z',
  machine: { cpu: 'A processor 9000', cores: 2, memoryGB: 25.3, node: 'v22.1.0', platform: 'linux x64' },
  command: 'npm run bench -- --with-ray',
  quick: false,
  load: 0,
  runs: {},
  rows: [
    makeRow({
      id: 'tasks.no-op',
      title: 'Tasks a second',
      unit: '/s',
      lowerIsBetter: false,
      ours: [50_000, 51_000, 52_000],
      peers: { workerpool: [40_000, 41_000, 42_000], Ray: [2_000, 2_000, 2_000] },
      target: { ratio: 1 },
      targets: { Ray: 30 },
    }),
    makeRow({ id: 'actors.idle', title: 'Idle memory', unit: 'MB', ours: [23], peers: { Ray: [750] } }),
    makeRow({ id: 'actors.ready', title: 'Ready', unit: 's', ours: [1.55], target: { value: 1.5 } }),
    makeRow({
      id: 'tasks.timeline',
      title: 'With the timeline',
      unit: 'µs',
      ours: [6, 7, 8],
      peers: { without: [7, 6.5, 6.6] },
      target: { ratio: 1.01 },
    }),
    makeRow({ id: 'tasks.unknown', title: 'Not for the README', unit: 's', ours: [1] }),
  ],
}

test('the README’s table says when, on what and by which command it was made, and what falls short', () => {
  const text = readmeTable(FIGURES)
  assert.match(
    text,
    /^Made on 2 cores of an A processor, 25 GB, Node 22\.1\.0, linux x64, on 25 November 2026 by `npm run bench -- --with-ray`\.$/m,
  )
  assert.match(
    text,
    /^\| Tasks a second \| 51,000 \/s \| workerpool 41,000 \/s \| 1\.24 \(.*\) \| 2,000 \/s \| 25\.5 \(.*\) \|$/m,
  )
  assert.match(text, /^\| Idle memory \| 23 MB \| {2}\| {2}\| 750 MB \| 0\.031 \|$/m)
  const short = text.slice(text.indexOf('Short of a target:'))
  assert.equal(
    short,
    [
      'Short of a target:',
      '',
      '- Tasks a second: 25.5 (25.0–26.0) of Ray; target ≥ 30.00 ×',
      '- Ready: 1.55 s; target ≤ 1.5 s',
      '- With the timeline: no difference from without; target ≤ 1.01 ×',
    ].join('\n'),
  )
  assert.doesNotMatch(text, /Not for the README/)
})

test('a bench can be made in parts: of what another run measured, each group has its day and command', () => {
  const { machine } = FIGURES
  const run = { made: '2026-11-26T01:00:00.000Z', command: 'npm run bench -- tasks', quick: false, load: 0 }
  const kept = keptOf(FIGURES, ['tasks'], { machine, quick: false })
  assert.deepEqual(
    kept.rows.map(({ id }) => id),
    ['actors.idle', 'actors.ready'],
  )
  const rows = [...kept.rows, ...FIGURES.rows.filter(({ id }) => id.startsWith('tasks.'))]
  const text = readmeTable({ ...run, machine, runs: { ...kept.runs, tasks: run }, rows })
  assert.match(
    text,
    /: `actors` on 25 November 2026 by `npm run bench -- --with-ray`; `tasks` on 26 November 2026 by `npm run bench -- tasks`\.$/m,
  )
  // What was measured elsewhere, or in a quick look, is nothing to stand beside.
  const none = { runs: {}, rows: [] }
  assert.deepEqual(keptOf(FIGURES, ['tasks'], { machine: { ...machine, cores: 4 }, quick: false }), none)
  assert.deepEqual(keptOf(FIGURES, ['tasks'], { machine, quick: true }), none)
  assert.deepEqual(keptOf(null, ['tasks'], { machine, quick: false }), none)
})

test('a bench that ends before all of its groups are measured leaves what was measured before of the others', () => {
  const run = { made: '2026-11-26T01:00:00.000Z', command: 'npm run bench -- tasks actors', quick: false, load: 0 }
  const tasks = FIGURES.rows.filter(({ id }) => id.startsWith('tasks.'))
  const { runs, rows } = withKept(FIGURES, { ...run, machine: FIGURES.machine, runs: { tasks: run }, rows: tasks })
  assert.deepEqual([runs.tasks!.made, runs.actors!.made], [run.made, FIGURES.made])
  assert.deepEqual(
    rows.map(({ id }) => id),
    ['actors.idle', 'actors.ready', ...tasks.map(({ id }) => id)],
  )
})

test('--readme replaces what it made before and nothing else, and draws what the figures say', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'rayito-readme-'))
  t.after(() => rmSync(root, { recursive: true, force: true }))
  writeFileSync(join(root, 'bench.json'), JSON.stringify(FIGURES))
  // of another run, which the figures know nothing of
  for (const group of ['tasks', 'serve']) writeFileSync(join(root, `bench-${group}.svg`), '<svg/>')
  const [begin, end] = ['<!-- made by npm run bench -- --readme -->', '<!-- end of what it made -->']
  writeFileSync(join(root, 'README.md'), `# Before\n\n${begin}\n\nold\n\n${end}\n\nAfter\n`)
  await writeReadme(root, root)
  const once = readFileSync(join(root, 'README.md'), 'utf8')
  assert.match(once, /^# Before\n\n<!-- made/)
  assert.match(
    once,
    /!\[.*\]\(images\/bench\/tasks\.svg\)\n\n!\[.*\]\(images\/bench\/actors\.svg\)\n\n<!-- end of what it made -->\n\nAfter\n$/,
  )
  assert.doesNotMatch(once, /old/)
  assert.doesNotMatch(once, /serve\.svg/)
  assert.deepEqual(readdirSync(join(root, 'images', 'bench')).sort(), ['actors.svg', 'tasks.svg'])
  assert.match(readFileSync(join(root, 'images', 'bench', 'tasks.svg'), 'utf8'), /Tasks a second: 51,000 \/s/)
  await writeReadme(root, root)
  assert.equal(readFileSync(join(root, 'README.md'), 'utf8'), once)
})

test('the README shows a chart of every group, whose title is no wider', () => {
  const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8')
  for (const { name, title } of [actors, cluster, data, exercise, q8, serve, tasks]) {
    assert.match(readme, new RegExp(`\\(images/bench/${name}\\.svg\\)`))
    // A letter takes up to 10 of its 672 pixels.
    assert.ok(title.length <= 67, title)
  }
})

test('the README has a place for what it makes', () => {
  const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8')
  assert.match(readme, /<!-- made by npm run bench -- --readme -->[\s\S]*<!-- end of what it made -->/)
})
