import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { afterEach, beforeEach, type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { notice, type Output, progress } from '#src/core/progress.js'

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

/** A clock that stands until it is set on, by seconds. */
function clock(t: TestContext): (seconds: number) => void {
  let time = 1e6
  t.mock.method(performance, 'now', () => time)
  return (seconds) => {
    time += 1000 * seconds
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

test('nothing to do is all of it, and more than was expected is told as it is', () => {
  const told = (done: number, total: number) => {
    const out = terminal()
    const bar = progress({ label: 'A', total, unit: 'bytes' }, out)
    bar.add(done)
    bar.done()
    return / \d+% {2}.*? [kM]?B?(bytes)? /.exec(out.screen()[0]!)?.[0].trim()
  }
  assert.deepEqual([told(0, 0), told(12, 10), told(5_000, 900)], ['100%  0 bytes', '100%  12 bytes', '100%  5.0 kB'])
})

test('so many of a hundred are so many per cent, and less than all are not all', () => {
  const told = (done: number, total: number) => {
    const out = terminal()
    const bar = progress({ label: 'A', total }, out)
    bar.add(done)
    bar.done()
    return Number(/ (\d+)% /.exec(out.screen()[0]!)?.[1])
  }
  for (let n = 0; n <= 100; n++) assert.equal(told(n, 100), n)
  assert.deepEqual([told(9_999_999, 10_000_000), told(1, 3), told(2, 3)], [99, 33, 66])
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

test('a label too long for half a line is cut', () => {
  const out = terminal(121)
  const bar = progress({ label: `owner/${'long-'.repeat(20)}`, total: 1 }, out)
  bar.add(1)
  bar.done()
  assert.match(out.screen()[0]!, /^owner\/(?:long-){10}lon… {2}█{12} {2}100%/)
})

test('while it runs it shows how fast the last five seconds were, and how long what is left takes at that', (t) => {
  const pass = clock(t)
  const out = terminal()
  const bar = progress({ label: 'A', total: 36_000_000, unit: 'bytes' }, out)
  const shown = () =>
    out
      .screen()
      .at(-1)!
      .replace(/^A {2}█*░* */, '')
  const after = (seconds: number, amount: number) => {
    pass(seconds)
    bar.add(amount)
    return shown()
  }
  assert.equal(shown(), '0%  0.0 of 36.0 MB')
  assert.equal(after(1, 6_000_000), '16%  6.0 of 36.0 MB  6.0 MB/s  5.0 s left')
  assert.equal(
    after(0.1, 3_000_000),
    '16%  6.0 of 36.0 MB  6.0 MB/s  5.0 s left',
    'it is drawn eight times a second at most',
  )
  bar.skip(9_000_000)
  assert.equal(after(1.9, 0), '50%  18.0 of 36.0 MB  3.0 MB/s  6.0 s left')
  assert.equal(
    after(4.5, 4_500_000),
    '62%  22.5 of 36.0 MB  1.0 MB/s  14 s left',
    'what was before is no speed any more',
  )
  assert.equal(after(5.5, 0), '62%  22.5 of 36.0 MB', 'nothing comes')
  assert.equal(after(2, 15_000_000), '100%  37.5 of 36.0 MB  7.5 MB/s  0.0 s left', 'there is more than was told')
  bar.total(37_500_000)
  pass(5)
  bar.done()
  assert.equal(
    out
      .screen()
      .at(-2)!
      .replace(/^A {2}█* */, ''),
    '100%  37.5 MB  1.4 MB/s  in 20 s',
  )
})

test('without a whole a terminal shows amount, rate and time', (t) => {
  const pass = clock(t)
  const out = terminal()
  const bar = progress({ label: 'A', unit: 'pictures' }, out)
  pass(2)
  bar.add(7)
  assert.match(out.screen()[0]!, /^A {2,}7 pictures {2}3\.5 pictures\/s$/)
  bar.done()
  assert.match(out.screen()[0]!, /^A {2,}7 pictures {2}3\.5 pictures\/s {2}in 2\.0 s$/)
})

test('things that take seconds or minutes say how long each takes, also while the next one takes its time', (t) => {
  const pass = clock(t)
  const out = terminal()
  const bar = progress({ label: 'bench', total: 6, unit: 'runs' }, out)
  const shown = () => / (\d+%.*)$/.exec(out.screen().at(-1)!)![1]
  const after = (seconds: number, runs: number) => {
    pass(seconds)
    bar.add(runs)
    return shown()
  }
  assert.equal(after(80, 1), '16%  1 of 6 runs  1 min 20 s each  6 min 40 s left')
  assert.equal(after(40, 0), '16%  1 of 6 runs  2 min 0 s each  10 min 0 s left')
  assert.equal(after(40, 1), '33%  2 of 6 runs  1 min 20 s each  5 min 20 s left')
  bar.add(4)
  bar.done()
  assert.equal(out.screen()[0]!.replace(/^.* {2}100%/, '100%'), '100%  6 runs  27 s each  in 2 min 40 s')
  const quick = terminal(80, false)
  const two = progress({ label: 'A', total: 2, unit: 'pictures' }, quick)
  pass(2.005)
  two.add(2)
  two.done()
  assert.match(quick.text, /\(1\.0 pictures\/s\)/)
})

test('times are told in the units that suit them', (t) => {
  const pass = clock(t)
  const took = (seconds: number) => {
    const out = terminal(80, false)
    const bar = progress({ label: 'A', total: 1 }, out)
    pass(seconds)
    bar.add(1)
    bar.done()
    return /in (.*) \(/.exec(out.text)![1]
  }
  assert.deepEqual([0.44, 9.94, 9.96, 59.4, 59.6, 200, 3599.4, 3600, 7530].map(took), [
    '0.4 s',
    '9.9 s',
    '10 s',
    '59 s',
    '1 min 0 s',
    '3 min 20 s',
    '59 min 59 s',
    '1 h 0 min',
    '2 h 5 min',
  ])
})

test('a line that is said stands above the bars of a terminal', () => {
  const out = terminal()
  notice('before', out)
  assert.equal(out.text, 'before\n')
  const bar = progress({ label: 'A', total: 1 }, out)
  notice('short', out)
  bar.add(1)
  bar.done()
  assert.deepEqual(out.screen().slice(0, 2), ['before', 'short'])
  assert.match(out.screen()[2]!, /^A .*100%/)
  out.text = ''
  notice('after', out)
  assert.equal(out.text, 'after\n')
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
