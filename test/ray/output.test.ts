import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { WorkerOutput } from '#src/ray/driver/output.js'
import { redirectOutput } from '#src/ray/worker/output.js'

let written: string[]
beforeEach((t) => {
  written = []
  for (const stream of ['stdout', 'stderr'] as const)
    (t as import('node:test').TestContext).mock.method(process[stream], 'write', (text: string) => {
      written.push(`${stream}: ${text}`)
      return true
    })
})

test('a line that several workers print is shown once, and how often it was repeated at the end of five seconds', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const output = new WorkerOutput(true)
  for (const worker of ['E#1', 'E#2', 'E#3']) output.write(worker, 'stderr', 'downloading\n')
  output.write('E#2', 'stderr', 'done\n')
  assert.deepEqual(written, ['stderr: (E#1) downloading\n', 'stderr: (E#2) done\n'])
  t.mock.timers.tick(4_999)
  assert.equal(written.length, 2)
  t.mock.timers.tick(1)
  assert.deepEqual(written.slice(2), ['stderr: (E#1) downloading [repeated 2x by other workers]\n'])
  output.write('E#3', 'stderr', 'downloading\n')
  assert.equal(written.at(-1), 'stderr: (E#3) downloading\n')
  output.end()
  t.mock.timers.tick(5_000)
  assert.equal(written.at(-1), 'stderr: (E#3) downloading\n')
})

test('one worker may say the same as often as it likes, and the two streams are apart', () => {
  const output = new WorkerOutput(true)
  output.write('f', 'stdout', 'x\nx\n', 'worker#1')
  output.write('f', 'stderr', 'x\n', 'worker#2')
  assert.deepEqual(written, ['stdout: (f) x\n(f) x\n', 'stderr: (f) x\n'])
})

test('tasks of one name on two workers count as two', () => {
  const output = new WorkerOutput(true)
  output.write('f', 'stdout', 'x of y\n', 'worker#1')
  output.write('f', 'stdout', 'x of y\r\n', 'worker#2')
  output.end()
  assert.deepEqual(written, ['stdout: (f) x of y\n', 'stdout: (f) x of y [repeated 1x by other workers]\n'])
})

test('an empty line is shown wherever it stands, of each worker', () => {
  const output = new WorkerOutput(true)
  output.write('E#1', 'stdout', 'a\n\nb\n')
  output.write('E#2', 'stdout', 'c\n \nd\n\n')
  assert.deepEqual(written, ['stdout: (E#1) a\n(E#1) \n(E#1) b\n', 'stdout: (E#2) c\n(E#2)  \n(E#2) d\n(E#2) \n'])
  output.end()
})

test('a line comes when it ends, at the latest with the session', () => {
  const output = new WorkerOutput(true)
  output.write('f', 'stdout', 'a')
  output.write('g', 'stdout', 'b\n')
  output.write('f', 'stdout', 'b\nc')
  assert.deepEqual(written, ['stdout: (g) b\n', 'stdout: (f) ab\n'])
  output.write('f', 'stdout', 'd\n')
  output.write('f', 'stdout', 'e\nf')
  assert.deepEqual(written.slice(2), ['stdout: (f) cd\n', 'stdout: (f) e\n'])
  for (const _ of ['at the end', 'and at the exit of the process meanwhile']) output.end()
  assert.deepEqual(written.slice(4), ['stdout: (f) f\n'])
})

test('of a progress bar the latest is kept, and a line that does not end is shown before it is too long', () => {
  const output = new WorkerOutput(true)
  for (let i = 0; i < 100_000; i++) output.write('bar', 'stderr', `\r${i} of many`)
  output.write('bar', 'stderr', '\r')
  output.write('bar', 'stderr', '\n')
  assert.deepEqual(written, ['stderr: (bar) 99999 of many\n'])
  for (let i = 0; i < 100_000; i++) output.write('dots', 'stdout', '.'.repeat(30))
  output.end()
  assert.equal(written.slice(1).join('').replaceAll(/[^.]/g, '').length, 3_000_000)
  assert.equal(written.length, 4)
  output.write('dots', 'stdout', `before\n${'.'.repeat(2_000_000)}`)
  assert.match(written[4]!, /^stdout: \(dots\) before\n\(dots\) \.+\n$/)
  output.end()
})

test('of a progress bar its last state is shown when it ends, however it is written', () => {
  for (const writes of [
    ['\r1 of 3', '\r2 of 3', '\rdone\n'],
    ['1 of 3\r', '2 of 3\r', 'done\n'],
    ['1 of 3\r', '2 of 3', '\r', '', 'do', 'ne', '\n'],
    ['1 of 3\r2 of 3\rdone\r\n'],
    ['1 of 3\r2 of 3\rdone'],
    ['1 of 3\r', 'done\r'],
    ['do', '', 'ne'],
  ]) {
    written = []
    const output = new WorkerOutput(true)
    for (const text of writes) output.write('bar', 'stderr', text)
    output.end()
    assert.deepEqual(written, ['stderr: (bar) done\n'], JSON.stringify(writes))
  }
})

test('nothing is shown with logToDriver: false', () => {
  const output = new WorkerOutput(false)
  output.write('f', 'stdout', 'a\n')
  output.end()
  assert.deepEqual(written, [])
})

test('what a worker writes goes to its driver, bytes too, and whoever waits until it is written goes on', async () => {
  const { stdout, stderr } = process
  const writes = [stdout.write, stderr.write] as const
  const sent: string[] = []
  redirectOutput((stream, text) => sent.push(`${stream}: ${text}`))
  const written = [
    new Promise<void>((resolve) => stdout.write('a', () => resolve())),
    new Promise<void>((resolve) => stderr.write(new TextEncoder().encode('é'), 'utf8', () => resolve())),
  ]
  const more = stdout.write('b')
  ;[stdout.write, stderr.write] = writes
  await Promise.all(written)
  assert.deepEqual([more, sent], [true, ['stdout: a', 'stderr: é', 'stdout: b']])
})
