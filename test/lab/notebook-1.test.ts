import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'
import { formatNotebook, readNotebook, textOf } from '#src/lab/notebook/nbformat.js'
import { codeCells } from '#src/lab/notebook/run.js'
import { root } from './tiny-hub.js'

const FOLDER = join(root, 'notebooks')
const FILE = join(FOLDER, '1-parallel-classification.ipynb')

interface Converter {
  convert(
    declarations: string,
    source: string,
  ): { declOutput?: string; diagnostics: { start: { line: number }; messageText: string }[] }
  close(): void
}

test('tslab’s own compiler accepts every cell', async () => {
  const { createConverter } = createRequire(import.meta.url)('tslab/dist/converter.js') as {
    createConverter(options: object): Converter
  }
  process.chdir(FOLDER)
  const converter = createConverter({ isJS: false, isBrowser: false })
  try {
    let declarations = ''
    for (const cell of codeCells(await readNotebook(FILE))) {
      const { declOutput, diagnostics } = converter.convert(declarations, textOf(cell.source))
      const problems = diagnostics.map(({ start, messageText }) => `${cell.id}:${start.line + 1} ${messageText}`)
      assert.deepEqual(problems, [])
      declarations = declOutput ?? declarations
    }
  } finally {
    converter.close()
    process.chdir(root)
  }
})

test('the file is in its canonical form, every cell with an id of its own', async () => {
  const notebook = await readNotebook(FILE)
  assert.equal(readFileSync(FILE, 'utf8'), formatNotebook(notebook))
  const ids = notebook.cells.map(({ id }) => id)
  assert.equal(new Set(ids).size, ids.length)
  assert.ok(ids.every((id) => id !== undefined && /^[\w-]{1,64}$/.test(id)))
})

test('no line of code is longer than a page is wide', async () => {
  for (const { id, source } of codeCells(await readNotebook(FILE)))
    for (const line of textOf(source).split('\n')) assert.ok(line.length <= 102, `${id}: ${line}`)
})

test('the notebook holds no path of a machine', () => {
  assert.doesNotMatch(readFileSync(FILE, 'utf8'), /\/(home|root|Users|work)\/|[A-Z]:\\\\/)
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
  }
  for (const name of ['c1', 'c2'])
    assert.match(sourceOf(`version-${name}`), /for \(const actor of actors\) ray\.kill\(actor\)/)
})
