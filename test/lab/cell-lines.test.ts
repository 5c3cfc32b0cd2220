import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { cellLines } from '#src/cli/cell-lines.js'
import { runNotebook } from '#src/lab/notebook/run.js'
import { notebookIn } from './notebook-files.js'

const { CI, NO_COLOR, TERM } = process.env
for (const name of ['CI', 'NO_COLOR', 'TERM']) delete process.env[name]
after(() => {
  for (const [name, value] of Object.entries({ CI, NO_COLOR, TERM })) if (value !== undefined) process.env[name] = value
})

test('a terminal shows the bar that a cell moves, and its heading once that is done', async () => {
  const run = await notebookIn(
    '# Drawing',
    `import { existsSync } from 'node:fs'
const { progress } = await import(${JSON.stringify(fileURLToPath(import.meta.resolve('#src/core/progress.js')))} as string)
const bar = progress({ label: 'Made <pictures>', total: 8, unit: 'pictures' })
bar.add(4)
while (!existsSync('seen')) await new Promise<void>((later) => setTimeout(() => later(), 20))
bar.add(4)
bar.done()`,
  )
  const written: string[] = []
  const write = (text: string) => {
    written.push(text)
    if (/Made <pictures> 50% 4 of 8 pictures/.test(text)) writeFileSync(join(run.cwd, 'seen'), '')
  }
  const lines = cellLines('a.ipynb', { isTTY: true, columns: 80, write })
  await runNotebook({ ...run, onCell: lines.onCell })
  const shown = written.map((text) => text.replace('\r\x1b[2K', ''))
  assert.ok(shown.every((text) => text.trimEnd().length <= 80))
  assert.match(shown.at(-1)!, /^ ✓ 1\/1 {2}Drawing +\d+\.\d s\n$/)
})

test('what a cell gives notice of is said while it still waits, once in a program', async () => {
  const run = await notebookIn(
    `import { existsSync } from 'node:fs'
const { notice } = await import(${JSON.stringify(fileURLToPath(import.meta.resolve('#src/core/progress.js')))} as string)
notice('wait for <seen>')
while (!existsSync('seen')) await new Promise<void>((later) => setTimeout(() => later(), 20))
notice('wait for <seen>')`,
  )
  const written: string[] = []
  const write = (text: string) => {
    written.push(text)
    if (text.includes('wait')) writeFileSync(join(run.cwd, 'seen'), '')
  }
  const lines = cellLines('a.ipynb', { write })
  await runNotebook({ ...run, onCell: lines.onCell })
  assert.deepEqual(written.slice(0, 2), ['a.ipynb\n', '   wait for <seen>\n'])
  assert.equal(written.length, 3)
})

test('a cell that runs shows the bar that is not full yet, without its rate; one that has ended what it gave notice of, in lines that fit', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const bar = (value: string, text: string) =>
    `<div>Made <progress value="${value}"></progress> <b>50%</b> ${text}</div>`
  const outputs = [
    bar('1.0000', '8 pictures · 2 pictures/s · in 4 s'),
    bar('0.5000', '4 of 8 pictures · 2 pictures/s · 2 s left'),
    '<div class="rayito-notice">a notice of more than forty columns, as most notices are</div>',
  ].map((html) => ({ output_type: 'display_data' as const, data: { 'text/html': html }, metadata: {} }))
  const written: string[] = []
  const lines = cellLines('a.ipynb', { isTTY: true, columns: 40, write: (text) => written.push(text) })
  const cell = { cell: 1, cells: 1, title: 'A picture', part: 1, parts: 1 }
  const show = (count: number) => {
    const ended = lines.onCell({ ...cell, outputs: outputs.slice(0, count) })
    ended('ok')
    t.mock.timers.tick(5_000)
    return written.splice(0).map((text) => text.replace('\r\x1b[2K', '').replace(/ +\d\.\d s\n?$/, ''))
  }
  assert.deepEqual(show(1).slice(1), [' ▸ 1/1  A picture', ' ✓ 1/1  A picture'])
  assert.deepEqual(show(3), [
    ' ▸ 1/1  Made 50% 4 of 8 pictures',
    ' ✓ 1/1  A picture',
    '   a notice of more than forty columns,\n   as most notices are\n',
  ])
})

test('a terminal that does not know its width has 80 columns; a wide one is not filled, a narrow one gets no line that is wider', () => {
  const lineAt = (columns: number) => {
    const written: string[] = []
    const cell = { cell: 1, cells: 35, title: 'A picture that nobody can name', part: 1, parts: 1, outputs: [] }
    cellLines('a.ipynb', { isTTY: true, columns, write: (text) => written.push(text) }).onCell(cell)('ok')
    return written.at(-1)!.replace('\r\x1b[2K', '').trimEnd()
  }
  assert.equal(lineAt(0), lineAt(80))
  assert.equal(lineAt(200), lineAt(100))
  for (const columns of [18, 20, 40]) assert.ok(lineAt(columns).length <= columns, lineAt(columns))
})

test('a terminal that is to be plain gets a line for each cell that ends, as where there is none', () => {
  const shown = (env: NodeJS.ProcessEnv) => {
    const written: string[] = []
    const cell = { cell: 1, cells: 35, title: 'A picture', part: 1, parts: 1, outputs: [] }
    Object.assign(process.env, env)
    cellLines('a.ipynb', { isTTY: true, columns: 40, write: (text) => written.push(text) }).onCell(cell)('ok')
    for (const name of Object.keys(env)) delete process.env[name]
    return written.map((text) => text.replace(/ +\d+\.\d s\n$/, ''))
  }
  for (const env of [{ CI: 'true' }, { NO_COLOR: '1' }, { TERM: 'dumb' }])
    assert.deepEqual(shown(env), ['a.ipynb\n', ' ✓  1/35  A picture'], JSON.stringify(env))
  assert.equal(shown({}).length, 3)
})
