import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { formatNotebook, readNotebook, textOf } from '#src/lab/notebook/nbformat.js'
import { resolvePackageName } from '#src/lab/notebook/package-name.js'
import { codeCells } from '#src/lab/notebook/run.js'
import { root } from './tiny-hub.js'

const FOLDER = join(root, 'notebooks')

interface Converter {
  convert(
    declarations: string,
    source: string,
  ): { declOutput?: string; diagnostics: { start: { line: number }; messageText: string }[] }
  close(): void
}

const tslab = createRequire(createRequire(import.meta.url).resolve('tslab/package.json'))
resolvePackageName(tslab)
const { createConverter } = tslab('./dist/converter.js') as {
  createConverter(options: object): Converter
}
/** One for all: most of its time it reads the declarations of Node and of the package. */
let converter: Converter
before(() => {
  process.chdir(FOLDER)
  converter = createConverter({ isJS: false, isBrowser: false })
})
after(() => {
  converter.close()
  process.chdir(root)
})

for (const name of readdirSync(FOLDER).filter((file) => file.endsWith('.ipynb')))
  describe(name, () => {
    const file = join(FOLDER, name)

    test('tslab’s own compiler accepts every cell, and what the solutions say to write', async () => {
      let declarations = ''
      const notebook = await readNotebook(file)
      const solutions = notebook.cells.flatMap(({ source }) =>
        [...textOf(source).matchAll(/<summary>(.+?)<.*?```typescript\n(.+?)```/gs)].map(([, id, code]) => ({
          id,
          source: code!,
        })),
      )
      for (const cell of [...codeCells(notebook), ...solutions]) {
        const { declOutput, diagnostics } = converter.convert(declarations, textOf(cell.source))
        const problems = diagnostics.map(({ start, messageText }) => `${cell.id}:${start.line + 1} ${messageText}`)
        assert.deepEqual(problems, [])
        declarations = declOutput ?? declarations
      }
    })

    test('what it shows of the package’s code is TypeScript that a cell takes, without `export`', async () => {
      const texts = (await readNotebook(file)).cells.map(({ source }) =>
        textOf(source).replace(/<details>.*?<\/details>/gs, ''),
      )
      const listings = texts
        .flatMap((text) => [...text.matchAll(/^```typescript\n(.+?)^```/gms)].map(([, code]) => code!))
        .filter((code) => !code.includes('…'))
      const { declOutput } = converter.convert(
        '',
        `import { loadDataset, Image, pipeline, ray, serve } from 'rayito'\nimport wikipedia from 'wikipedia'`,
      )
      const cell = listings.join('\n').replaceAll('export const', 'const')
      const { diagnostics } = converter.convert(declOutput!, cell)
      assert.deepEqual(
        diagnostics.map(({ messageText }) => messageText),
        [],
      )
    })

    test('the file is in its canonical form, every cell with an id of its own', async () => {
      const notebook = await readNotebook(file)
      assert.equal(readFileSync(file, 'utf8'), formatNotebook(notebook))
      const cells = notebook.cells.map((cell) => Object.fromEntries(Object.entries(cell).reverse()) as typeof cell)
      assert.equal(formatNotebook({ ...notebook, cells }), formatNotebook(notebook), 'whatever the order of keys')
      const ids = notebook.cells.map(({ id }) => id)
      assert.equal(new Set(ids).size, ids.length)
      assert.ok(ids.every((id) => id !== undefined && /^[\w-]{1,64}$/.test(id)))
    })

    test('no line of code is longer than a page is wide', async () => {
      for (const { id, source } of codeCells(await readNotebook(file)))
        for (const line of textOf(source).split('\n')) assert.ok(line.length <= 102, `${id}: ${line}`)
    })

    test('the notebook holds no path of a machine', () => {
      assert.doesNotMatch(readFileSync(file, 'utf8'), /\/(home|root|Users|work)\/|[A-Z]:\\\\/)
    })

    test('its figures are there', async () => {
      const { cells } = await readNotebook(file)
      for (const { source } of cells)
        for (const [, path] of textOf(source).matchAll(/!\[[^\]]*\]\(([^):]+)\)/g))
          assert.ok(existsSync(join(FOLDER, path!)), path)
    })
  })
