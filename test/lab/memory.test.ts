import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { watchMemory } from '#src/lab/exercise-1/memory.js'

const onLinux = process.platform === 'linux'

test('the highest memory is that of the process, of its children and of theirs', {
  skip: !onLinux && 'only Linux tells of processes below one',
}, async () => {
  const watch = watchMemory()
  const own = Buffer.alloc(150e6, 1)
  const program = `const own = Buffer.alloc(150e6, 1); console.log('there'); process.stdin.once('end', () => own).resume()`
  const shell = spawn('sh', ['-c', '"$0" -e "$1"; true', process.execPath, program])
  await once(shell.stdout, 'data')
  const peak = watch.stop()
  shell.stdin.end()
  await once(shell, 'exit')
  assert.ok(peak > 2 * own.length, `${peak}`)
})

test('what was taken since the last look counts, too', () => {
  const watch = watchMemory()
  const before = process.memoryUsage().rss
  const own = Buffer.alloc(400e6, 1)
  const peak = watch.stop()
  assert.ok(peak > before / 2 + 0.9 * own.length, `${peak}`)
})
