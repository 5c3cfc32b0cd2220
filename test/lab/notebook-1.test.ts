import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { readNotebook, textOf } from '#src/lab/notebook/nbformat.js'
import { codeCells } from '#src/lab/notebook/run.js'
import { range, readSettings } from '#src/lab/settings.js'
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
