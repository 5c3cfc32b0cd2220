import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { afterEach, beforeEach, test } from 'node:test'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { type Output, progress } from '#src/core/progress.js'

const { CI, NO_COLOR, TERM } = process.env
beforeEach(() => {
  delete process.env.CI
  delete process.env.NO_COLOR
  process.env.TERM = 'xterm'
})
afterEach(() => {
  for (const [name, value] of Object.entries({ CI, NO_COLOR, TERM })) {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
})

/** What a terminal of this width was sent. */
function terminal(columns = 80, isTTY = true): Output & { text: string; screen(): string[] } {
  return {
    isTTY,
    columns,
    text: '',
    write(text: string) {
      this.text += text
    },
    /** The lines that stay to be seen: what follows the last return in each, up to where it was cleared. */
    screen() {
      return this.text.split('\n').map((line) => line.split('\r').at(-1)!.replace('\x1b[K', ''))
    },
  }
}

test('a terminal shows one line with bar, percentage, amount, rate and time', () => {
  const out = terminal()
  const bar = progress({ label: 'owner/pictures', total: 40_000_000, unit: 'bytes' }, out)
  bar.add(10_000_000)
  bar.add(30_000_000)
  bar.done()
  assert.ok(out.text.startsWith('\rowner/pictures  ░'), out.text)
  const [line, rest] = out.screen()
  assert.match(line!, /^owner\/pictures {2}█{8,24} {2}100% {2}40\.0 MB {2}[\d.]+ [kMGT]?B\/s {2}in 0\.\d s$/)
  assert.equal(rest, '')
})

test('a narrow terminal gets a line that fits', () => {
  for (const columns of [20, 40, 60]) {
    const out = terminal(columns)
    const bar = progress(
      { label: 'an-owner-with-a-long-name/a-data-set-with-a-longer-one', total: 1e9, unit: 'bytes' },
      out,
    )
    bar.add(5e8)
    bar.done()
    for (const line of out.screen()) assert.ok(line.length < columns, line)
  }
})

test('two bars at once share a terminal: the one that ends leaves its line, the other goes on below', () => {
  const out = terminal()
  const first = progress({ label: 'first', total: 2 }, out)
  const second = progress({ label: 'second', total: 2, unit: 'pictures' }, out)
  second.add(2)
  second.done()
  assert.match(out.screen()[0]!, /^second .*100% {2}2 pictures/)
  assert.match(out.screen()[1]!, /^first .* 0%/)
  first.add(2)
  first.done()
  assert.match(out.screen()[1]!, /^first .*100% {2}2 items/)
})

test('elsewhere there is a line at the start and one at the end', () => {
  const cases: [Output & { screen(): string[] }, Record<string, string>][] = [
    [terminal(80, false), {}],
    [terminal(), { CI: 'true' }],
    [terminal(), { NO_COLOR: '1' }],
    [terminal(), { TERM: 'dumb' }],
  ]
  for (const [out, env] of cases) {
    Object.assign(process.env, env)
    const bar = progress({ label: 'A', total: 250, unit: 'pictures' }, out)
    for (let i = 0; i < 250; i++) bar.add(1)
    bar.done()
    bar.done()
    const [start, end, rest] = out.screen()
    assert.equal(start, 'A: 250 pictures')
    assert.match(end!, /^A: 250 pictures in 0\.\d s \([\d.]+ pictures\/s\)$/)
    assert.equal(rest, '')
    for (const name of Object.keys(env)) delete process.env[name]
  }
})

test('a bar that ends early says where', () => {
  const out = terminal(80, false)
  const bar = progress({ label: 'A', total: 250, unit: 'pictures' }, out)
  bar.add(7)
  bar.done()
  assert.match(out.screen()[1]!, /^A: stopped at 7 of 250 pictures, after 0\.\d s$/)
})

test('the whole may be learnt later, and what was there before is no speed', () => {
  const out = terminal(80, false)
  const bar = progress({ label: 'A', unit: 'bytes' }, out)
  bar.total(5000)
  bar.skip(5000)
  bar.done()
  assert.deepEqual(out.screen().slice(0, 1), ['A'])
  assert.match(out.screen()[1]!, /^A: 5\.0 kB in 0\.\d s$/)
})

test('a notebook shows one output, drawn again at most eight times a second', (t) => {
  const drawn: string[] = []
  let displays = 0
  const newDisplay = () => {
    displays++
    return { html: (text: string) => drawn.push(text) }
  }
  // As tslab leaves it in the global scope.
  const scope = globalThis as { __tslab__?: unknown }
  scope.__tslab__ = { exports: {}, require: () => ({ newDisplay }) }
  t.after(() => {
    delete scope.__tslab__
  })
  const out = terminal()
  const bar = progress({ label: 'a <b>', total: 1000, unit: 'bytes' }, out)
  const start = performance.now()
  for (let i = 0; i < 1000; i++) bar.add(1)
  bar.done()
  assert.equal(displays, 1)
  assert.ok(drawn.length <= 2 + (performance.now() - start) / 125, `${drawn.length} times`)
  assert.match(drawn.at(-1)!, /a &#60;b&#62; <progress value="1\.0000".*100%.*1\.0 kB.*B\/s/)
  assert.equal(out.text, '')
})

test('a worker thread draws nothing', async () => {
  const { href } = new URL(import.meta.resolve('#src/core/progress.js'))
  const code = `import(${JSON.stringify(href)}).then(({ progress }) => { const bar = progress({ label: 'A', total: 1 }); bar.add(1); bar.done() })`
  const worker = new Worker(code, { eval: true, stderr: true })
  let text = ''
  for await (const part of worker.stderr) text += part
  assert.equal(text, '')
})

test('a bar that is never ended keeps no process alive', async () => {
  const { href } = new URL(import.meta.resolve('#src/core/progress.js'))
  const code = `import { progress } from ${JSON.stringify(href)}; progress({ label: 'A', total: 9 }).add(1)`
  const { stderr } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code])
  assert.equal(stderr, 'A: 9 items\n')
})
