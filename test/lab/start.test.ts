import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Exercise1 } from '#src/lab/exercise-1/exercise-file.js'
import type { Exercise2 } from '#src/lab/exercise-2/exercise-2-file.js'
import { readNotebook } from '#src/lab/notebook/nbformat.js'
import { codeCells } from '#src/lab/notebook/run.js'
import type { TraceEvent } from '#src/ray/index.js'
import { MediaWikiStandIn } from '../stand-ins/mediawiki.js'
import { outputOf } from './output-of.js'
import { root, tinyHub } from './tiny-hub.js'

const FIRST = '1-parallel-classification'
const SECOND = '2-image-info-service'

// One run for all: executing both takes as long as dozens of other tests.
describe('start', () => {
  const cwd = mkdtempSync(join(tmpdir(), 'rayito-start-'))
  const out = join(cwd, 'mine', 'results')
  const notebooks = readdirSync(join(root, 'notebooks'))
  let said = ''
  before(async () => {
    const [hub, wiki] = await Promise.all([tinyHub(), MediaWikiStandIn.start()])
    // Of a run before: a complete one, or one that ended early.
    mkdirSync(out, { recursive: true })
    for (const name of ['exercise-1.json', `${FIRST}.html`, `${FIRST}.unfinished.html`, `${FIRST}.unfinished.ipynb`])
      writeFileSync(join(out, name), 'of a run before')
    const env = { ...hub.env, RAYITO_WIKIPEDIA: wiki.endpoint, RAYITO_SERVICE: 'http://127.0.0.1:1' }
    const options = ['--images', '10', '--actors', '2', '--out', 'mine/results']
    const child = spawn(process.execPath, [join(root, 'dist', 'cli', 'main.js'), 'start', ...options], { cwd, env })
    let complaint = ''
    child.stdout.on('data', (text) => (said += text))
    child.stderr.on('data', (text) => (complaint += text))
    const [code] = await once(child, 'close')
    await Promise.all([hub.close(), wiki.close()])
    assert.equal(code, 0, complaint + said)
  })
  after(() => rmSync(cwd, { recursive: true, force: true, maxRetries: 5 }))

  test('executes the notebooks one after the other and leaves notebooks, pages and results, nothing else', () => {
    assert.deepEqual(readdirSync(join(root, 'notebooks')), notebooks)
    assert.deepEqual(readdirSync(cwd), ['mine'])
    const copies = [FIRST, SECOND].flatMap((name) => [`${name}.html`, `${name}.ipynb`])
    const files = ['exercise-1.json', 'exercise-2.json', 'sample.png', 'timeline.json', ...copies]
    assert.deepEqual(readdirSync(out).sort(), files.sort())
    assert.ok(said.indexOf(`${FIRST}.html`) < said.indexOf(`${SECOND}.ipynb`))
    assert.match(said, /exercise-1\.json[\s\S]*exercise-2\.json[\s\S]*The versions agree/)
  })

  test('prints a line a cell, table and conclusion', () => {
    assert.match(said, /✓ +1\/\d+ .*\n/)
    assert.match(said, /version +seconds +loading +speed-up/)
    assert.match(said.replace(/\s+/g, ' '), /C1 actors, by index .* The versions agree/)
    assert.ok(
      said.split('\n').every((line) => line.length <= 80),
      'fits 80 columns',
    )
    assert.ok(!said.includes('\u001b'), 'no colours where there is no terminal')
  })

  test('compares the versions in notebook 1, and draws what its workers did', async () => {
    const exercise = JSON.parse(readFileSync(join(out, 'exercise-1.json'), 'utf8')) as Exercise1
    assert.deepEqual(Object.keys(exercise).sort(), [
      'agreement',
      'dataset',
      'dtype',
      'engine',
      'fastest',
      'indices',
      'machine',
      'made',
      'model',
      'source',
      'versions',
      'why',
    ])
    assert.deepEqual(exercise.indices, { start: 0, stop: 10_000, step: 1_000, count: 10 })
    assert.deepEqual(
      exercise.versions.map(({ name }) => name),
      ['A', 'B', 'C1', 'C2'],
    )
    assert.ok(exercise.agreement.sameClasses && exercise.agreement.maxScoreDifference <= 1e-5)
    for (const version of exercise.versions) {
      assert.deepEqual(Object.keys(version).sort(), [
        'bytesMoved',
        'inferenceSeconds',
        'loadSeconds',
        'name',
        'peakMemoryMB',
        'perWorker',
        'result',
        'seconds',
        'title',
      ])
      assert.equal(version.result.length, 10)
      assert.equal(
        Object.values(version.perWorker).reduce((sum, n) => sum + n),
        10,
        version.name,
      )
    }
    assert.deepEqual(Object.values(exercise.versions[2]!.perWorker), [5, 5])

    const executed = await readNotebook(join(out, `${FIRST}.ipynb`))
    assert.ok(codeCells(executed).every(({ execution_count }) => execution_count !== null))
    assert.equal(
      executed.cells.length,
      (await readNotebook(join(root, 'notebooks', '1-parallel-classification.ipynb'))).cells.length,
    )
    for (const name of ['a', 'b', 'c1', 'c2']) {
      const outputs = (id: string) => JSON.stringify(codeCells(executed).find((cell) => cell.id === id)!.outputs)
      assert.match(outputs(`version-${name}-timeline`), /image\/svg\+xml.*class=\\+"infer\\+"/, name)
      assert.match(outputs(`version-${name}`), /100%<\/b> 10 pictures /, name)
    }
    assert.match(exercise.why, /The workers' time .*: in A \d+ % loading, .* in B .* in C1 .* in C2 /)
    const trace = JSON.parse(readFileSync(join(out, 'timeline.json'), 'utf8')) as TraceEvent[]
    const calls = trace.filter(({ cat }) => cat === 'task').map(({ name }) => name)
    assert.equal(calls.filter((name) => name === 'InferenceEngine.classifyImage').length, 10)
    const page = readFileSync(join(out, `${FIRST}.html`), 'utf8')
    assert.match(page, /class="rayito-chart"/)
    assert.match(page, /src="data:image\/svg\+xml;base64/)
  })

  test('executes notebook 2 against a service of its own, and leaves the answers', async () => {
    const exercise = JSON.parse(readFileSync(join(out, 'exercise-2.json'), 'utf8')) as Exercise2
    assert.deepEqual(Object.keys(exercise).sort(), ['made', 'model', 'requests', 'source', 'url'])
    assert.equal(exercise.model, 'Xenova/vit-base-patch16-224')
    assert.equal(exercise.source, 'hub')
    assert.match(exercise.url, /^http:\/\/127\.0\.0\.1:\d+\/whatis$/)
    assert.deepEqual(
      exercise.requests.map(({ picture, status }) => [picture.replace(/\d+/, 'N'), status]),
      [
        ...['example-image.png', 'umbrella.png', 'sailboat.png', 'sample.png', 'sample.png'].map((name) => [name, 200]),
        ...Array.from({ length: 24 }, () => ['row N.png', 200]),
        ['holiday.png', 415],
        ['half.png', 400],
        ['nameless.png', 200],
      ],
    )
    for (const { response, milliseconds, status } of exercise.requests) {
      assert.equal(typeof (status === 200 ? response.prediction : response.detail), 'string')
      assert.ok(milliseconds > 0)
    }

    const cells = codeCells(await readNotebook(join(out, `${SECOND}.ipynb`)))
    assert.ok(cells.every(({ execution_count }) => execution_count !== null))
    const shown = (id: string) => outputOf(cells.find((cell) => cell.id === id)!)
    assert.match(shown('service'), /The service at .*, started for this notebook/)
    assert.match(shown('first-request'), /^Server response: \{ prediction: '/)
    assert.equal(shown('gallery').match(/<figure/g)?.length, 24)
    assert.match(shown('gallery'), /All at once\nCPU times: .*\nWall time: /)
    assert.match(shown('wrong-field'), /status: 422[\s\S]*Field required/)
    assert.match(shown('missing-file'), /no-such-picture\.png cannot be read \(ENOENT\)/)
    assert.match(shown('nobody'), /status: 0,\s+response: \{ detail: 'ECONNREFUSED' \}/)
    assert.equal(shown('latency').match(/<tr>/g)?.length, 5)
    assert.equal(shown('latency-chart').match(/<circle/g)?.length, 160)
    const page = readFileSync(join(out, `${SECOND}.html`), 'utf8')
    assert.match(page, /class="rayito-chart"/)
    await assert.rejects(fetch(exercise.url), 'the service has ended')
  })
})
