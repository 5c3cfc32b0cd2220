import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { before, describe, test } from 'node:test'
import { failure } from '#src/lab/notebook/failure.js'
import { type CodeCell, type Output, readNotebook, textOf } from '#src/lab/notebook/nbformat.js'
import { codeCells, type RunOptions, runNotebook } from '#src/lab/notebook/run.js'
import { legible } from '#src/lab/notebook/stack.js'
import { noSignals } from '../windows.js'
import { notebookIn } from './notebook-files.js'

/** Outputs of the code cells of an executed notebook, with streams' text in one piece. */
async function outputsOf({ output }: RunOptions): Promise<Output[][]> {
  const cells = codeCells(await readNotebook(output))
  return cells.map(({ outputs }: CodeCell) =>
    outputs.map((one) => (one.output_type === 'stream' ? { ...one, text: textOf(one.text) } : one)),
  )
}
const stream = (text: string, name: 'stdout' | 'stderr' = 'stdout'): Output => ({ output_type: 'stream', name, text })

test('cells run in order in the real kernel and leave their outputs', async () => {
  const seen: string[] = []
  const run = await notebookIn(
    '# One *bold* `title`',
    'const x: number = 41; x + 1',
    '## Two',
    'import * as tslab from "tslab"\nconst d = tslab.newDisplay()\nd.html("<b>1</b>")',
    'd.html("<b>2</b>")\nconsole.log("a"); console.log("b"); console.error("c"); console.log("d")\ntslab.display.png(Buffer.from("abc"))',
    'await new Promise<void>((done) => setTimeout(() => { console.log("late"); done() }, 20))',
  )
  await runNotebook({
    ...run,
    onCell: ({ cell, cells, title, part, parts }) => {
      seen.push(`${cell}/${cells} ${title} ${part}/${parts}`)
      return (status) => seen.push(status)
    },
  })
  const display = (data: Record<string, unknown>): Output => ({ output_type: 'display_data', data, metadata: {} })
  assert.deepEqual(await outputsOf(run), [
    [stream('42\n')],
    [display({ 'text/html': ['<b>2</b>'] })],
    [stream('a\nb\n'), stream('c\n', 'stderr'), stream('d\n'), display({ 'image/png': 'YWJj' })],
    [stream('late\n')],
  ])
  assert.deepEqual(seen, [
    ...['1/4 One bold title 1/1', 'ok', '2/4 Two 1/3', 'ok'],
    ...['3/4 Two 2/3', 'ok', '4/4 Two 3/3', 'ok'],
  ])
  const executed = await readNotebook(run.output)
  assert.deepEqual(
    executed.cells.map(({ id }) => id),
    ['cell-0', 'cell-1', 'cell-2', 'cell-3', 'cell-4', 'cell-5'],
  )
  assert.deepEqual(executed.cells[1]!.metadata, { tags: ['t1'] })
  assert.deepEqual(
    codeCells(executed).map(({ execution_count }) => execution_count),
    [1, 2, 3, 4],
  )
  assert.equal((executed.metadata.kernelspec as { name: string }).name, 'tslab')
})

test('an error that is thrown stops the run with cell, line and text; what ran is kept', async () => {
  const run = await notebookIn(
    'const kept = 1\nconsole.log(kept)',
    '# Third part',
    'interface Unused { a: number }\n\nconst f = async (n: number) => {\n  await null\n  throw new RangeError("bad " + n)\n}\n\n// the culprit\nawait f(7)',
    'console.log("never")',
  )
  await assert.rejects(runNotebook(run), (error: Error & { code: string; cell: number; line: number }) => {
    assert.deepEqual([error.code, error.cell, error.line], ['NOTEBOOK_FAILED', 2, 9])
    assert.equal(error.message, 'Cell 2 of 3 (Third part), line 9: await f(7)\nRangeError: bad 7')
    return true
  })
  const [first, second, third] = await outputsOf(run)
  assert.deepEqual(first, [stream('1\n')])
  assert.match(textOf((second![0] as { text: string }).text), /RangeError: bad 7/)
  assert.deepEqual(third, [])
})

test('an error of a cell without await, and one of the compiler, name their lines too', async () => {
  const thrown = await notebookIn(
    'const list = [1]\n\ntype Unused = string\n\nlist.map((x) => { throw new Error("no " + x) })',
  )
  await assert.rejects(runNotebook(thrown), { line: 5, message: /line 5: list\.map.*\nError: no 1$/ })
  const typed = await notebookIn('const n = 1', 'console.log(n)\nconst text: string = n')
  await assert.rejects(runNotebook(typed), {
    line: 2,
    message: "Cell 2 of 2 (), line 2: const text: string = n\nType 'number' is not assignable to type 'string'.",
  })
})

test('of what the kernel says of an error, its line in the cell and its words are told; no line where that is not sure', () => {
  const told = (source: string, stderr: string, javascript: string | null) =>
    failure(source, legible(stderr, new Map(javascript === null ? [] : [[3, { source, javascript }]])), {
      cell: 2,
      cells: 3,
      title: 'One',
    }).message
  const stack = (...lines: number[]) =>
    `${lines.map((line) => `    at notebook cell 3:${line}:6\n`).join('')}    at sigintHandlersWrap (node:vm:280:12)\n`
  const mapped = 'list.map((x) => { throw new Error(x) })'
  const script = `(function(exports, require) { exports.list = void 0;\nconst list = [1];\nexports.list = list;\n${mapped};\nexports.after = 1;\n\n})(a, b)`
  const thrown = `notebook cell 3:4\n${mapped};\n      ^\n\nError: no 1\n${stack(4, 7)}`
  const source = `const list = [1]\n${mapped}\nconst after = list`
  assert.equal(told(source, thrown, script), `Cell 2 of 3 (One), line 2: ${mapped}\nError: no 1`)
  assert.equal(told(source, thrown, null), 'Cell 2 of 3 (One)\nError: no 1')
  assert.equal(told('const b = a', thrown, script), 'Cell 2 of 3 (One)\nError: no 1')
  // The line that is alike, not the one that has most in common because it is long.
  assert.match(told(`log(list.map, (x) => 'throw new Error(x) {}')\n${mapped}`, thrown, script), /, line 2: list/)
  const json = `<anonymous_script>:1\n{\n\n\nSyntaxError: Expected property name\n    at JSON.parse (<anonymous>)\n${stack(4, 7)}`
  assert.equal(told(source, json, script), `Cell 2 of 3 (One), line 2: ${mapped}\nSyntaxError: Expected property name`)
  // Its fields and what caused it are in the notebook; so many that the error itself would not be told.
  const fields = Array.from({ length: 12 }, (_, i) => `    field${i}: ${i},\n`).join('')
  const caused = `RayitoError: no room. Make some. {\n  code: 'X',\n  [cause]: Error: ENOSPC {\n${fields}  }\n}\n`
  for (const stderr of [caused, `${caused.replace(/ {2}}\n}\n$/, '')}${stack(4, 7)}  }\n}\n`, caused + caused])
    assert.match(
      told(source, stderr, script),
      /^Cell 2 of 3 \(One\)(, line 2: .*)?\nRayitoError: no room\. Make some\.$/,
    )
  const warnings = Array.from({ length: 30 }, (_, i) => `warning ${i}\n`).join('')
  const said = told(source, `${warnings}Error: no 1\n${stack(4, 7)}`, script).split('\n')
  assert.deepEqual([said.length, said[1], said.at(-1)], [13, 'warning 19', 'Error: no 1'])
})

test('a kernel whose memory is full says so, not where in V8', async () => {
  const run = await notebookIn('const all = []; for (;;) all.push([])')
  const env = { ...process.env, NODE_OPTIONS: '--max-old-space-size=100' }
  await assert.rejects(runNotebook({ ...run, env }), {
    code: 'KERNEL_DIED',
    message: /: FATAL ERROR: .*heap out of memory$/,
  })
})

test('a kernel that dies is told with its exit code and last words', async () => {
  const run = await notebookIn(
    'console.log("before")',
    'require("fs").writeSync(2, "Error: out of luck\\n" + "    at f (a.js:1:1)\\n".repeat(9) + "\\nNode.js v20\\n"); process.exit(7)',
  )
  await assert.rejects(runNotebook(run), (error: Error & { code: string; cell: number; exitCode: number }) => {
    assert.deepEqual([error.code, error.cell, error.exitCode], ['KERNEL_DIED', 2, 7])
    assert.match(error.message, /Cell 2 of 2 .* exit code 7; its last words: Error: out of luck$/)
    return true
  })
  assert.deepEqual((await outputsOf(run))[0], [stream('before\n')])
})

test('a cell that never ends can be stopped: the kernel is gone, the notebook so far is there', async () => {
  const run = await notebookIn(
    'console.log(process.pid)',
    'require("fs").writeFileSync("spinning", ""); while (true) {}',
  )
  const stop = new AbortController()
  const told: string[] = []
  const running = runNotebook({
    ...run,
    signal: stop.signal,
    onCell: ({ cell }) => {
      // The second cell writes a file and spins; then the kernel's own loop is dead to everything.
      if (cell === 2) whenThere(join(run.cwd, 'spinning'), () => stop.abort())
      return (status) => told.push(status)
    },
  })
  await assert.rejects(running, { code: 'NOTEBOOK_STOPPED', message: /^Stopped in cell 2 of 2/ })
  assert.deepEqual(told, ['ok', 'stopped'])
  const pid = Number((await outputsOf(run))[0]!.map((output) => (output as { text: string }).text).join(''))
  assert.ok(pid > 0)
  assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
})

test('a cell that fails since it is being stopped was stopped', async () => {
  const run = await notebookIn(
    `const { writeFileSync } = require('fs')
await new Promise<void>((_, reject) => {
  process.on('SIGTERM', () => {
    reject(new Error('no more'))
    setTimeout(() => process.exit(), 200)
  })
  writeFileSync('waiting', '')
})`,
  )
  const stop = new AbortController()
  whenThere(join(run.cwd, 'waiting'), () => stop.abort())
  const told: string[] = []
  const onCell = () => (status: string) => told.push(status)
  await assert.rejects(runNotebook({ ...run, signal: stop.signal, onCell }), {
    code: 'NOTEBOOK_STOPPED',
    message: 'Stopped in cell 1 of 1 ()',
  })
  assert.deepEqual(told, ['stopped'])
})

test("a terminal's Ctrl-C, which goes to all its processes, leaves the kernel to its runner", {
  skip: noSignals,
}, async () => {
  const run = await notebookIn(
    `const { existsSync, writeFileSync } = require('fs')
const until = async (path: string) => {
  while (!existsSync(path)) await new Promise<void>((later) => setTimeout(() => later(), 20))
}
writeFileSync('running', '')
await until('heard')
writeFileSync('still running', '')
await until('never')`,
  )
  const module = import.meta.resolve('#src/lab/notebook/run.js')
  const code = `import { writeFileSync } from 'node:fs'
import { runNotebook } from '${module}'
const stop = new AbortController()
process.once('SIGINT', () => writeFileSync('heard', ''))
process.once('SIGTERM', () => stop.abort())
await runNotebook({ ...${JSON.stringify(run)}, signal: stop.signal }).catch(({ message }) => console.log(message))`
  const options = { cwd: run.cwd, detached: true }
  const runner = spawn(process.execPath, ['--input-type=module', '--eval', code], options)
  whenThere(join(run.cwd, 'running'), () => process.kill(-runner.pid!, 'SIGINT'))
  const goesOn = whenThere(join(run.cwd, 'still running'), () => runner.kill('SIGTERM'))
  let said = ''
  for await (const chunk of runner.stdout) said += chunk
  clearInterval(goesOn)
  assert.equal(said, 'Stopped in cell 1 of 1 ()\n')
})

test('it can be stopped while the kernel starts', async () => {
  const run = await notebookIn('1')
  const starting = join(run.cwd, 'starting')
  const slow = join(run.cwd, 'slow.cjs')
  const wait = 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)'
  writeFileSync(slow, `require('fs').writeFileSync(${JSON.stringify(starting)}, ''); ${wait}`)
  const stop = new AbortController()
  whenThere(starting, () => stop.abort())
  const env = { ...process.env, NODE_OPTIONS: `--require=${slow}` }
  await assert.rejects(runNotebook({ ...run, env, signal: stop.signal }), {
    code: 'NOTEBOOK_STOPPED',
    message: 'Stopped before the first cell',
  })
  assert.ok(!existsSync(run.output))
})

test('a kernel whose runner is killed ends, too, though its cell spins, and leaves no file behind', async () => {
  const run = await notebookIn(
    `const { renameSync, writeFileSync } = require('fs')
writeFileSync('begun', [process.pid, ...process.argv].join(' '))
renameSync('begun', 'spinning')
while (true) {}`,
  )
  const module = import.meta.resolve('#src/lab/notebook/run.js')
  const code = `import { runNotebook } from '${module}'; await runNotebook(${JSON.stringify(run)})`
  const runner = spawn(process.execPath, ['--input-type=module', '--eval', code])
  const spinning = join(run.cwd, 'spinning')
  whenThere(spinning, () => runner.kill('SIGKILL'))
  await once(runner, 'exit')
  const said = readFileSync(spinning, 'utf8')
  const file = /--config-path=(.+)$/.exec(said)![1]!
  // Windows ends it with its runner, at once.
  const left = () => process.platform !== 'win32' && existsSync(dirname(file))
  while (lives(Number.parseInt(said, 10)) || left()) await new Promise((resolve) => setTimeout(resolve, 50))
})

test('a flood of output, in large pieces or faster than it can be sent, neither hangs nor fills the notebook; the next cell runs', async () => {
  const run = await notebookIn(
    'for (let i = 0; i < 60; i++) process.stdout.write("x".repeat(50_000)); 1',
    'console.log("after")',
    'for (let i = 0; i < 20_000; i++) console.log(i)',
    'console.log("after that")',
  )
  await runNotebook(run)
  const [flood, next, , last] = await outputsOf(run)
  const text = flood!.map((output) => (output as { text: string }).text).join('')
  assert.ok(text.length < 1_001_000 && text.length > 900_000, String(text.length))
  assert.match(text, /more characters of output were left out|some of its output was lost/)
  assert.deepEqual(next, [stream('after\n')])
  assert.deepEqual(last, [stream('after that\n')])
})

test('what is no notebook is refused', async () => {
  const run = await notebookIn()
  await assert.rejects(runNotebook({ ...run, notebook: join(run.cwd, 'none.ipynb') }), { code: 'NOTEBOOK_INVALID' })
})

const nbformat = spawnSync('python3', ['-c', 'import nbformat'], { stdio: 'ignore' }).status === 0

describe('an executed notebook', () => {
  let run: RunOptions
  before(async () => {
    run = await notebookIn(
      '# T',
      'console.log(process.env.GREETING, process.cwd() === require("fs").realpathSync("."))',
      'console.log("é\\n\\nü")',
      'import { display } from "tslab"; display.svg("<svg/>")',
    )
    run.env = { ...process.env, GREETING: 'hello' }
    await runNotebook(run)
  })

  test('ran with the environment that was given, in the folder that was given', async () => {
    assert.deepEqual((await outputsOf(run))[0], [stream('hello true\n')])
  })

  test('is valid for Python’s nbformat', { skip: !nbformat && 'no Python with nbformat here' }, () => {
    const code = `import nbformat, sys; nbformat.validate(nbformat.read(sys.argv[1], as_version=4))`
    const { status, stderr } = spawnSync('python3', ['-c', code, run.output], { encoding: 'utf8' })
    assert.equal(status, 0, stderr)
  })

  test('is the same text when it is executed again', async () => {
    const first = readFileSync(run.output, 'utf8')
    const output = join(run.cwd, 'again.ipynb')
    await runNotebook({ ...run, notebook: run.output, output })
    assert.equal(readFileSync(output, 'utf8'), first)
  })
})

function whenThere(path: string, then: () => void): NodeJS.Timeout {
  const look = setInterval(() => {
    if (!existsSync(path)) return
    clearInterval(look)
    then()
  }, 20)
  return look
}

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
