import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Displays, Outputs } from '#src/lab/notebook/outputs.js'

/** The outputs of a cell that were published so, and what can be done with them. */
function cell(displays: Displays = new Map()) {
  const outputs = new Outputs(displays)
  const add = (type: string, content: Record<string, unknown>) => outputs.add({ type, parent: '', content })
  return {
    outputs,
    print: (text: string, name = 'stdout') => add('stream', { name, text }),
    show: (html: string, display_id?: string, type = 'display_data') =>
      add(type, { data: { 'text/html': html }, metadata: {}, transient: display_id ? { display_id } : undefined }),
    clear: (wait: boolean) => add('clear_output', { wait }),
    /** What is to be seen, one text each. */
    seen: () =>
      outputs.list.map((output) =>
        output.output_type === 'stream'
          ? `${output.name}: ${output.text}`
          : 'data' in output
            ? output.data['text/html']
            : output.output_type,
      ),
  }
}

test('what a stream writes in pieces is one text, and two streams keep their order', () => {
  const { print, show, seen, outputs } = cell()
  for (const text of ['a', 'b', 'c']) print(text)
  print('d', 'stderr')
  print('e')
  show('f')
  print('g')
  assert.deepEqual(seen(), ['stdout: abc', 'stderr: d', 'stdout: e', 'f', 'stdout: g'])
  assert.equal(outputs.stderr, 'd')
})

test('what is cleared goes at once, or where that shall wait, when something follows', () => {
  const { print, show, clear, seen } = cell()
  print('a')
  clear(false)
  assert.deepEqual(seen(), [])
  print('b')
  clear(true)
  assert.deepEqual(seen(), ['stdout: b'])
  show('c')
  assert.deepEqual(seen(), ['c'])
  print('d')
  assert.deepEqual(seen(), ['c', 'stdout: d'])
})

test('what is updated changes wherever it was shown, by other cells too, and is shown nowhere else', () => {
  const displays: Displays = new Map()
  const [first, second] = [cell(displays), cell(displays)]
  first.show('0 %', 'bar')
  first.show('another', 'other')
  first.show('0 %', 'bar')
  second.show('100 %', 'bar', 'update_display_data')
  second.show('nothing', 'unknown', 'update_display_data')
  assert.deepEqual([first.seen(), second.seen()], [['100 %', 'another', '100 %'], []])
})

test('a cell leaves a million characters of text and says how many more there were', () => {
  const { print, seen, outputs } = cell()
  for (let i = 0; i < 5; i++) print(String(i).repeat(300_000))
  outputs.end()
  const [text, note] = seen() as string[]
  assert.equal(text!.length, 'stdout: '.length + 1e6)
  assert.equal(note, 'stderr: \n[rayito: 500,000 more characters of output were left out]\n')
})

test('for the end of the error stream there is room after all: a failure stands there', () => {
  const { print, seen, outputs } = cell()
  print('a'.repeat(1e6))
  for (let i = 0; i < 30; i++) print(`${i}`.repeat(1_000), 'stderr')
  print('b'.repeat(5))
  print('Error: no\n', 'stderr')
  const told = `${outputs.stderr}`
  assert.match(told, /^2.*9Error: no\n$/)
  outputs.end()
  outputs.end()
  const left = (50_015 - told.length).toLocaleString('en')
  assert.deepEqual(seen().slice(1), [
    `stderr: ${told}`,
    `stderr: \n[rayito: ${left} more characters of output were left out]\n`,
  ])
  const other = cell()
  for (let i = 0; i < 1_000; i++) other.show('')
  other.print('Error: no\n', 'stderr')
  other.outputs.end()
  assert.deepEqual(other.seen().slice(1_000), ['stderr: Error: no\n'], 'and then nothing is left out')
})

test('text that comes behind a thousand outputs is counted as left out', () => {
  const { print, show, seen, outputs } = cell()
  for (let i = 0; i < 1_000; i++) show('')
  print('abc')
  outputs.end()
  assert.deepEqual(seen().slice(1_000), ['stderr: \n[rayito: 3 more characters of output were left out]\n'])
})

test('of what was cleared nothing counts, however often a cell writes and clears', () => {
  const { print, clear, seen, outputs } = cell()
  for (let i = 0; i < 5; i++) {
    clear(i % 2 === 0)
    print(String(i).repeat(300_000))
  }
  outputs.end()
  assert.deepEqual(
    (seen() as string[]).map((text) => [text.slice(0, 9), text.length]),
    [['stdout: 4', 300_008]],
  )
})
