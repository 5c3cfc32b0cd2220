import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatTime, time, timeReport } from '#src/lab/time.js'

test('times read as IPython writes them', () => {
  const cases: [number, string][] = [
    [0, '0 ns'],
    [1.234e-9, '1.23 ns'],
    [4.7e-6, '4.7 μs'],
    [0.00012345, '123 μs'],
    [0.08, '80 ms'],
    [0.9996, '1e+03 ms'],
    [1, '1 s'],
    [1.25, '1.25 s'],
    [12.345, '12.3 s'],
    [59.99, '60 s'],
    [60, '1min'],
    [61.5, '1min 1s'],
    [125.2, '2min 5s'],
    [3_600, '1h'],
    [90_061, '1d 1h 1min 1s'],
  ]
  for (const [seconds, text] of cases) assert.equal(formatTime(seconds), text, String(seconds))
})

test('the report has the lines of %time under its label', () => {
  assert.equal(
    timeReport('Version A', { user: 1.2, system: 0.08, wall: 1.25 }),
    'Version A\nCPU times: user 1.2 s, sys: 80 ms, total: 1.28 s\nWall time: 1.25 s',
  )
})

test('time() returns what the function resolves to and lets its error through', async (t) => {
  const lines: string[] = []
  t.mock.method(console, 'log', (line: string) => lines.push(line))
  assert.equal(await time('one', async () => 42), 42)
  assert.match(lines.join('\n'), /^one\nCPU times: user .+, sys: .+, total: .+\nWall time: .+$/)
  await assert.rejects(
    time('two', () => Promise.reject(new RangeError('no'))),
    RangeError,
  )
})

test('time() tells the time in user mode and that in system mode apart, each no more than the process took', async (t) => {
  const lines: string[] = []
  t.mock.method(console, 'log', (line: string) => lines.push(line))
  const began = process.cpuUsage()
  await time('one', () => {
    while (process.cpuUsage(began).user < 200_000) for (let i = 0; i < 1e7; i++) Math.random()
  })
  const { user, system } = process.cpuUsage(began)
  const [, told, unit, toldSystem, unitSystem] = /user ([\d.e+]+) (\S+), sys: ([\d.e+]+) (\S+),/.exec(lines.join())!
  const seconds = (amount: string, unit: string) => Number(amount) * { s: 1, ms: 1e-3, μs: 1e-6, ns: 1e-9 }[unit]!
  // Three digits are told.
  assert.ok(seconds(told!, unit!) <= (user / 1e6) * 1.01 && seconds(told!, unit!) >= 0.19, lines.join())
  assert.ok(seconds(toldSystem!, unitSystem!) <= (system / 1e6) * 1.01, lines.join())
})

test('time() refuses work that has begun already', async () => {
  await assert.rejects(time('one', Promise.resolve(1) as never), {
    code: 'INVALID_ARGUMENT',
    message:
      'Expected `fn` to be a function, got `[object Promise]` (object). Put `() =>` before the work, which begins when it is called.',
  })
})
