import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Exercise2 } from '#src/lab/exercise-2-file.js'
import { readNotebook } from '#src/lab/notebook/nbformat.js'
import { codeCells } from '#src/lab/notebook/run.js'
import { MediaWikiStandIn } from '../stand-ins/mediawiki.js'
import { outputOf } from './output-of.js'
import { root, tinyHub } from './tiny-hub.js'

const NAME = '2-image-info-service'
test('start executes it after notebook 1, against a service of its own, and leaves notebook, page and answers', async (t) => {
  const [hub, wiki] = await Promise.all([tinyHub(), MediaWikiStandIn.start()])
  const cwd = mkdtempSync(join(tmpdir(), 'rayito-notebook-2-'))
  t.after(async () => {
    await Promise.all([hub.close(), wiki.close()])
    rmSync(cwd, { recursive: true, force: true, maxRetries: 5 })
  })
  const notebooks = readdirSync(join(root, 'notebooks'))
  const env = { ...hub.env, RAYITO_WIKIPEDIA: wiki.endpoint, RAYITO_SERVICE: 'http://127.0.0.1:1' }
  const child = spawn(
    process.execPath,
    [join(root, 'dist', 'cli', 'main.js'), 'start', '--images', '4', '--versions', 'A'],
    {
      cwd,
      env,
    },
  )
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (text) => {
      said += text
    })
  const [code] = await once(child, 'close')
  assert.equal(code, 0, said)
  assert.deepEqual(readdirSync(join(root, 'notebooks')), notebooks)
  const copies = ['1-parallel-classification', NAME].flatMap((name) => [`${name}.html`, `${name}.ipynb`])
  const files = ['exercise-1.json', 'exercise-2.json', 'sample.png', 'timeline.json', ...copies]
  assert.deepEqual(readdirSync(join(cwd, 'out')).sort(), files.sort())
  assert.ok(said.indexOf('1-parallel-classification.html') < said.indexOf(`${NAME}.ipynb`))
  assert.match(said, /exercise-1\.json[\s\S]*exercise-2\.json[\s\S]*Only version A/)

  const exercise = JSON.parse(readFileSync(join(cwd, 'out', 'exercise-2.json'), 'utf8')) as Exercise2
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

  const cells = codeCells(await readNotebook(join(cwd, 'out', `${NAME}.ipynb`)))
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
  const page = readFileSync(join(cwd, 'out', `${NAME}.html`), 'utf8')
  assert.match(page, /class="rayito-chart"/)
  await assert.rejects(fetch(exercise.url), 'the service has ended')
})
