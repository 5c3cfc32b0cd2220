import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { GROUP, owned } from '../../bench/children.js'
import type { Bench, Group } from '../../bench/groups/group.js'
import { measureAll } from '../../bench/measure.js'
import { runProgram } from '../../bench/program.js'
import { makeRow } from '../../bench/row.js'

test('a program that fails is told at once, whatever threads it had begun', async () => {
  const work = { blocks: 0, tasks: 0, roundTrips: 0, bytes: -1 }
  await assert.rejects(runProgram('calls', work), /The program calls failed: .*array.*length/i)
})

test('what a program leaves behind ends with it', { skip: !GROUP.detached && 'no process groups here' }, async () => {
  const leaves = `require('child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' }).unref()
    console.log('left'); process.exit()`
  const child = owned(spawn(process.execPath, ['-e', leaves], { ...GROUP, stdio: ['ignore', 'pipe', 'inherit'] }))
  child.stdout.resume()
  // the pipe closes when the last that holds it has ended
  await once(child, 'close')
})

test('a group that fails is told, and the others are measured and kept', async () => {
  const group = (name: string, measure: Group['measure']): Group => ({ name, title: name, needsModel: false, measure })
  const row = makeRow({ id: 'x', title: 'x', unit: 's', ours: [1] })
  const broken = () => runProgram<never>('calls', { blocks: 0, tasks: 0, roundTrips: 0, bytes: -1 }).then(() => [])
  const kept: string[] = []
  const failures = await measureAll(
    [group('one', async () => [row]), group('two', broken), group('three', async () => [row])],
    {} as Bench,
    async ({ name }) => void kept.push(name),
  )
  assert.deepEqual(kept, ['one', 'three'])
  assert.equal(failures.length, 1)
  assert.match(failures[0]!, /^two was not measured: The program calls failed: /)
})
