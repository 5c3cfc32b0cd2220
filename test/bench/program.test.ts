import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { runBare } from '../../bench/bare.js'
import { GROUP, owned } from '../../bench/children.js'
import type { Bench, Group } from '../../bench/groups/group.js'
import { measureAll } from '../../bench/measure.js'
import { runProgram } from '../../bench/program.js'
import type { ClusterResult } from '../../bench/programs/cluster.js'
import type { Places } from '../../bench/programs/prepare.js'
import { makeRow } from '../../bench/row.js'
import { commonCache } from '../embedded/support.js'

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

test('the memory of bare workers is without the inputs that were prepared for them', async () => {
  const env = { RAYITO_CACHE: commonCache, RAYITO_SOURCE: 'embedded' }
  const { paths } = (await runProgram<Places>('prepare', {}, { env })).value
  const memory = async (pictures: number) => {
    const indices = new Array<number>(pictures).fill(0)
    return (await runBare({ indices, paths: paths.fp32, threads: 1, workers: 2 }, { env })).ownMB
  }
  // Of few pictures one worker may have done its own before the other is there, and both are never in memory at once.
  const [few, many] = [await memory(150), await memory(250)]
  // a hundred inputs are 60 MB
  assert.ok(Math.abs(many - few) < 35, `${few} MB, ${many} MB`)
})

test('two benches may measure clusters at once', async () => {
  const work = { blocks: 0, tasks: 20, roundTrips: 10, bytes: 1_000, looks: 1 }
  const both = await Promise.all([1, 2].map(() => runProgram<ClusterResult>('cluster', work)))
  for (const { value } of both) assert.equal(value.object.length, 1)
})
