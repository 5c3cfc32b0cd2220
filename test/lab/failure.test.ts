import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readNotebook, textOf } from '#src/lab/notebook/nbformat.js'
import { codeCells, runNotebook } from '#src/lab/notebook/run.js'
import { notebookIn } from './notebook-files.js'

test('a cell that has shown all that it may still says why it fails, on the terminal and in the notebook', async () => {
  const shows = [
    `for (let i = 0; i < 120; i++) console.log('x'.repeat(10_000))`,
    `for (let i = 0; i < 1_001; i++) display.text('p')`,
  ]
  for (const all of shows) {
    const run = await notebookIn(
      '# T',
      `import { display } from 'tslab'\n${all}\nawait new Promise(setImmediate)\nthrow new Error('the reason')`,
    )
    await assert.rejects(runNotebook(run), (error: Error & { line: number; stderr: string }) => {
      assert.equal(error.message, `Cell 1 of 1 (T), line 4: throw new Error('the reason')\nError: the reason`)
      assert.doesNotMatch(error.stderr, /rayito/)
      return true
    })
    const [cell] = codeCells(await readNotebook(run.output))
    const [told, note] = cell!.outputs.slice(-2).map((output) => textOf((output as { text: string }).text))
    assert.match(told!, /^Error: the reason\n {4}at line 4 of the cell/)
    assert.match(note!, /^\n\[rayito: [\d,]+ more characters of output were left out\]\n$/)
  }
})

test('a line of a cell’s log that begins as what the compiler says is not why it fails', async () => {
  const long = Array(12).fill('console.log(String(new Date()))').join('\n')
  const log = `console.error('12:30 - started')`
  const cells = {
    [`${log}\nthrow new Error('boom')`]: `, line 2: throw new Error('boom')\n12:30 - started\nError: boom`,
    [`${log}\nthrow 'boom'`]: '\n12:30 - started\nboom',
    [`console.error('begun')\n${log}\n${long}\nthrow 'boom'`]: '\nbegun\n12:30 - started\nboom',
  }
  for (const [cell, said] of Object.entries(cells))
    await assert.rejects(runNotebook(await notebookIn('# T', cell)), { message: `Cell 1 of 1 (T)${said}` })
})
