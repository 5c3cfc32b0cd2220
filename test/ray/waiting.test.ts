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

test('a CPU that an actor or a generator holds which nobody can ask any more is given to what waits for it', async () => {
  const { code, stdout, stderr } = await run(`
    ray.kill(holder)
    const count = ray.remote(function* count() { yield* [1, 2, 3] }, { generatorBackpressureNumObjects: 1 })
    const ask = async () => ray.get(Holder.options({ numCpus: 1 }).remote().ping.remote())
    const inWorker = ray.remote(ask, { numCpus: 0 })
    const read = async () => { for await (const ref of count.remote()) return ray.get(ref) }
    const answers = []
    for (const use of [ask, read, () => ray.get(inWorker.remote()), () => ray.get(one.remote())])
      answers.push(await use(), await use())
    console.log(answers.join())`)
  assert.deepEqual([code, stdout, stderr], [0, '1,1,1,1,1,1,1,1\n', ''])
})

test('many that each wait for garbage of the one before them go on, one after the other, and nothing is said of them', async () => {
  const { code, stdout, stderr } = await run(`
    ray.kill(holder)
    const count = ray.remote(function* count() { yield* [1, 2, 3] }, { generatorBackpressureNumObjects: 1 })
    const read = async () => { for await (const ref of count.remote()) return ray.get(ref) }
    console.log((await Promise.all(Array.from({ length: 9 }, read))).join(''))`)
  assert.deepEqual([code, stdout, stderr], [0, '111111111\n', ''])
})

test('a program whose tasks wait for a CPU of a generator that nobody reads on goes on, and is told what they wait for', async () => {
  const { code, stdout, stderr } = await run(`
    ray.kill(holder)
    const count = ray.remote(function* count() { yield* [1, 2, 3] }, { generatorBackpressureNumObjects: 1 })
    // A fast function's calls stand in line: behind this one they would wait for its reader.
    for (let i = 0; i < 5; i++) await ray.get(one.remote())
    const generator = (globalThis.kept = count.remote())
    await generator.next()
    const write = process.stderr.write
    process.stderr.write = (...text) => {
      ray.cancel(generator)
      return write.apply(process.stderr, text)
    }
    console.log(await ray.get(one.remote()))`)
  assert.deepEqual([code, stdout], [0, '1\n'])
  assert.match(
    stderr,
    /^rayito: one waits for 1 CPU; of 1, 0 are free, the others are held by generators .*: count\. .*ray\.cancel one of them\.\n/,
  )
})

test('nor does a call wait unheard that stood in line behind a generator before that had to wait for its reader', async () => {
  const { code, stdout, stderr } = await run(`
    ray.kill(holder)
    const count = ray.remote(function* count() { yield* [1, 2, 3] }, { generatorBackpressureNumObjects: 1 })
    // Known from before, it begins at once.
    for await (const ref of count.remote()) await ray.get(ref)
    for (let i = 0; i < 5; i++) await ray.get(one.remote())
    const generator = (globalThis.kept = count.remote())
    const call = one.remote()
    const write = process.stderr.write
    process.stderr.write = (...text) => {
      ray.cancel(generator)
      return write.apply(process.stderr, text)
    }
    const [answered] = await ray.wait([call], { timeout: 60_000 })
    console.log(await ray.get(answered))
    await ray.shutdown()`)
  assert.deepEqual([code, stdout], [0, '[ 1 ]\n'])
  assert.match(stderr, /^rayito: one waits for 1 CPU; of 1, 0 are free, the others are held by generators .*: count\. /)
})

test('a program whose actors hold the CPUs, and wait for a task that needs one, is told so and goes on when one ends', async () => {
  const { code, stdout, stderr } = await run(`
    ray.kill(holder)
    const Waiter = ray.remote(class Waiter { one(one) { return ray.get(one.remote()) } }, { numCpus: 0.5 })
    const [waiter, other] = [Waiter.remote(), Waiter.remote()]
    const write = process.stderr.write
    process.stderr.write = (...text) => {
      ray.kill(other)
      ray.kill(waiter)
      return write.apply(process.stderr, text)
    }
    const asked = [waiter, other].map((actor) => actor.one.remote(one))
    for (const ref of asked) console.log(await ray.get(ref).catch(({ code }) => code))
    console.log(await ray.get(one.remote()))`)
  assert.deepEqual([code, stdout], [0, 'RAY_ACTOR_DIED\nRAY_ACTOR_DIED\n1\n'])
  assert.match(
    stderr,
    /^rayito: one waits for 1 CPU; of 1, 0 are free, the others are held by actors: Waiter#1, Waiter#2\. .*numCpus: 0\.\n$/,
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

test('once something has been waited for, neither its timer holds the process nor does its signal hold a listener', async () => {
  const { code, stdout } = await run(`
    ray.kill(holder)
    const { getEventListeners } = await import('node:events')
    const { signal } = new AbortController()
    const never = ray.remote(() => new Promise(() => {}), { numCpus: 0 })
    const fails = ray.remote(() => { throw new Error('no') })
    const long = { timeout: 1_000_000 }
    await ray.get(one.remote(), { ...long, signal })
    await ray.get(fails.remote(), { ...long, signal }).catch(() => {})
    await ray.get(never.remote(), { timeout: 1, signal }).catch(() => {})
    await ray.wait([one.remote()], long)
    const pool = new ray.ActorPool([Holder.remote()])
    pool.submit((actor) => actor.ping.remote(), 0)
    await pool.getNext(long)
    pool.submit((actor) => actor.ping.remote(), 0)
    await pool.getNextUnordered(long)
    await ray.get(one.options(long).remote())
    await ray.shutdown()
    const timers = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout')
    console.log(timers.length, getEventListeners(signal, 'abort').length)
    process.exit()`)
  assert.deepEqual([code, stdout], [0, '0 0\n'])
})
