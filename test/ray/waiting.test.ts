import assert from 'node:assert/strict'
import { test } from 'node:test'
import { scripts } from './programs.js'

const run = scripts(`
  const Holder = ray.remote(class Holder { ping() { return 1 } })
  ray.init({ numCpus: 1 })
  const holder = Holder.options({ numCpus: 1 }).remote()
  await ray.get(holder.ping.remote())
  const one = ray.remote(function one() { return 1 })`)

test('a program that waits for a CPU which an idle actor holds goes on, and is told what it waits for', async () => {
  const child = run(`
    const write = process.stderr.write
    process.stderr.write = (...text) => {
      queueMicrotask(() => ray.kill(holder))
      return write.apply(process.stderr, text)
    }
    console.log(await ray.get(one.remote()))
    await ray.shutdown()`)
  const { code, stdout, stderr } = await child
  assert.deepEqual([code, stdout], [0, '1\n'])
  assert.match(
    stderr,
    /^rayito: one waits for 1 CPU; of 1, 0 are free, the others are held by actors: Holder#1\. .*numCpus: 0\.\n$/,
  )
})

test('neither a task that was cancelled nor an actor that was killed before its turn holds the process', async () => {
  const { code, stdout, stderr } = await run(`
    const ref = one.remote()
    const second = Holder.options({ numCpus: 1 }).remote()
    ray.cancel(ref)
    ray.kill(second)
    await ray.get(ref).catch(({ code }) => console.log(code))`)
  assert.deepEqual([code, stdout, stderr], [0, 'RAY_TASK_CANCELLED\n', ''])
})
