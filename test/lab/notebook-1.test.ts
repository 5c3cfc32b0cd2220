import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { readNotebook, textOf } from '#src/lab/notebook/nbformat.js'
import { codeCells } from '#src/lab/notebook/run.js'
import { root } from './tiny-hub.js'

const FILE = join(root, 'notebooks', '1-parallel-classification.ipynb')

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
