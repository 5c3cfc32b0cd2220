import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { Kernel } from '#src/lab/notebook/kernel.js'
import { readNotebook, textOf } from '#src/lab/notebook/nbformat.js'
import { codeCells } from '#src/lab/notebook/run.js'
import { range, readSettings } from '#src/lab/settings.js'
import { temporaryFolder } from './notebook-files.js'
import { root } from './tiny-hub.js'

const FILE = join(root, 'notebooks', '1-parallel-classification.ipynb')

test('what it says of its rows names none twice, however few pictures are chosen', async () => {
  const cell = codeCells(await readNotebook(FILE)).find(({ source }) => textOf(source).startsWith('const indices'))!
  const told = (images: number) => {
    let line = ''
    const settings = readSettings({ RAYITO_IMAGES: String(images) })
    const print = { log: (text: string) => (line = text) }
    new Function('range', 'settings', 'console', textOf(cell.source))(range, settings, print)
    return line
  }
  assert.equal(told(250), '250 pictures: 0, 40, 80, 120, 160, … 9960')
  assert.equal(told(2), '2 pictures: 0, 5000')
  assert.equal(told(5), '5 pictures: 0, 2000, 4000, 6000, 8000')
})

test('where other rows are chosen, the bar and the file tell of those', async (t) => {
  const cells = codeCells(await readNotebook(FILE))
  const sourceOf = (id: string) => textOf(cells.find((cell) => cell.id === id)!.source)
  const out = await temporaryFolder()
  const kernel = await Kernel.start({ cwd: join(root, 'notebooks'), env: { ...process.env, RAYITO_OUT: out } })
  t.after(() => kernel.close())
  const run = async (code: string) => {
    let shown = ''
    const { status } = await kernel.execute(code, ({ content }) => (shown += JSON.stringify(content)))
    assert.equal(status, 'ok', shown)
    return shown
  }
  await run(sourceOf('imports'))
  await run(`const settings = readSettings(), nodes = undefined, classifier = { model: 'a model' }`)
  const indices = sourceOf('indices').replace('settings.stop, settings.step', '160, 40')
  assert.match(await run(indices), /4 pictures: 0, 40, 80, 120/)
  const shown = await run(`const versions = [await measure(settings, 'A', async (run) => {
    run.loaded()
    return indices.map((): Best => { run.step(); return ['cat', 1] })
  })()]
  const conclusion = conclude(versions, { cores: 2, workers: 2 })`)
  assert.match(shown, /<b>100%<\/b> 4 pictures/)
  const saved = async () => {
    await run(sourceOf('save'))
    return JSON.parse(await readFile(join(out, 'exercise-1.json'), 'utf8')).indices
  }
  assert.deepEqual(await saved(), { start: 0, stop: 160, step: 40, count: 4 })
  await run(indices.replace(/range\(.*\)/, '[7, 27, 37]'))
  assert.deepEqual(await saved(), { start: 7, stop: 47, step: 10, count: 3 })
  await run(indices.replace(/range\(.*\)/, '[2300]'))
  assert.deepEqual(await saved(), { start: 2300, stop: 2301, step: 1, count: 1 })
})

test('the four versions read alike: the same loop over the same rows, the same collection of answers', async () => {
  const cells = codeCells(await readNotebook(FILE))
  const sourceOf = (id: string) => textOf(cells.find((cell) => cell.id === id)!.source)
  for (const name of ['A', 'B', 'C1', 'C2']) {
    const source = sourceOf(`version-${name.toLowerCase()}`)
    assert.match(
      source,
      new RegExp(`await time\\('Version ${name}', measure\\(settings, '${name}', async \\(run\\) =>`),
    )
    for (const line of ['run.loaded()', 'const result: Best[] = []', 'run.step()', 'return result'])
      assert.ok(source.includes(line))
    assert.match(source, /for \(const (i|\[k, i\]) of indices/)
    const variable = name.toLowerCase()
    assert.equal(sourceOf(`version-${variable}-timeline`), `if (${variable}) display.svg(timelineChart(${variable}))`)
  }
  for (const name of ['c1', 'c2'])
    assert.match(sourceOf(`version-${name}`), /for \(const actor of actors\) ray\.kill\(actor\)/)
})
