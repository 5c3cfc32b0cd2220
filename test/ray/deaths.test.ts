import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OutOfMemoryError, ray, WorkerCrashedError } from '#src/ray/index.js'
import { noSignals } from '../windows.js'
import {
  add,
  attemptOrDie,
  attemptOrVanish,
  dieOnce,
  dieSometimes,
  eatMemory,
  fastOrHeld,
  hold,
  nothing,
  say,
  thread,
  throwLate,
} from './functions.js'
import { inOneSession, latch, letGo, started } from './helpers.js'
import { arrived } from './latch.js'

inOneSession('deaths of workers', { numCpus: 2 }, ({ begin, engine }) => {
  test('a task whose worker dies runs again, three times by default', async () => {
    assert.equal(await ray.get(dieOnce.remote(latch(), 3)), 4)
    const counted = latch()
    await assert.rejects(ray.get(dieOnce.remote(counted, 99)), (error) => {
      assert.ok(error instanceof WorkerCrashedError)
      assert.equal(error.exitCode, 7)
      assert.match(error.message, /dieOnce.*exit code 7.*last words/s)
      assert.deepEqual(error.lastOutput, ['last words'])
      return true
    })
    assert.equal(arrived(counted), 4)
  })

  test('maxRetries 0 runs it once', async () => {
    const counted = latch()
    await assert.rejects(ray.get(dieOnce.options({ maxRetries: 0 }).remote(counted, 1)), WorkerCrashedError)
    assert.equal(arrived(counted), 1)
  })

  test('an error thrown too late ends the worker and is told', async () => {
    await assert.rejects(ray.get(throwLate.options({ maxRetries: 0 }).remote()), (error) => {
      assert.ok(error instanceof WorkerCrashedError)
      assert.match(error.message, /too late to catch/)
      return true
    })
    assert.equal(await ray.get(add.remote(1, 1)), 2)
  })

  test('Ctrl-C in a terminal, which all of its processes get, ends no worker', async () => {
    if (engine !== 'processes' || noSignals) return
    const before = await ray.get(thread.remote())
    process.kill(Number.parseInt(before, 10), 'SIGINT')
    assert.equal(await ray.get(thread.options({ maxRetries: 0 }).remote()), before)
  })

  test('a worker that reaches its heap limit, which may be a fraction, says which', async () => {
    await begin({ numCpus: 1, resourceLimits: { maxOldGenerationSizeMb: 24.5, maxYoungGenerationSizeMb: 4 } })
    await assert.rejects(ray.get(eatMemory.options({ maxRetries: 0 }).remote()), (error) => {
      assert.ok(error instanceof OutOfMemoryError)
      assert.equal(error.heapLimit, 24.5)
      assert.match(error.message, /24\.5 MB/)
      return true
    })
    assert.equal(await ray.get(add.remote(1, 1)), 2)
  })

  test('what fast calls returned is not lost with a worker that ends at once in the one behind them', async () => {
    await begin({ numCpus: 1 })
    await ray.get(Array.from({ length: 300 }, () => attemptOrVanish.remote(false)))
    const refs = [false, false, true].map((vanish) => attemptOrVanish.options({ maxRetries: 0 }).remote(vanish))
    assert.deepEqual(await ray.get(refs.slice(0, 2)), [1, 1])
    await assert.rejects(ray.get(refs[2]!), WorkerCrashedError)
  })

  test('answers of calls that had ended are not lost with the worker', async () => {
    const once = dieSometimes.options({ maxRetries: 0 })
    await ray.get(Array.from({ length: 20 }, () => once.remote(0)))
    // How many calls share a worker's message differs from time to time.
    for (let time = 0; time < 5; time++) {
      const refs = Array.from({ length: 50 }, (_, i) => once.remote(i))
      await assert.rejects(ray.get(refs[49]!), WorkerCrashedError)
      const before = refs.slice(0, 49)
      assert.deepEqual(await ray.get(before), [...before.keys()])
    }
  })

  test('what waits behind a dying worker is not lost', async () => {
    await begin({ numCpus: 1 })
    // Fast calls stand in line at the worker.
    await ray.get(Array.from({ length: 200 }, () => nothing.remote()))
    const before = Array.from({ length: 100 }, (_, i) => add.remote(i, 1))
    const died = dieOnce.options({ maxRetries: 0 }).remote(latch(), 1)
    const after = Array.from({ length: 100 }, (_, i) => add.remote(i, 2))
    await assert.rejects(ray.get(died), WorkerCrashedError)
    assert.deepEqual(
      await ray.get([...before, ...after]),
      [...before.keys()].map((i) => i + 1).concat([...after.keys()].map((i) => i + 2)),
    )
    // Nor has it been tried.
    await ray.get(Array.from({ length: 200 }, () => attemptOrDie.remote(0)))
    const attempts = await ray.get(Array.from({ length: 60 }, (_, i) => attemptOrDie.remote(i)))
    assert.deepEqual(
      attempts,
      attempts.map((_, i) => (i === 10 ? 2 : 1)),
    )
  })

  test('fast calls of one function among which some die: each gets its own end', async () => {
    await ray.get(Array.from({ length: 20 }, () => dieSometimes.remote(0)))
    const refs = Array.from({ length: 200 }, (_, i) => dieSometimes.options({ maxRetries: 1 }).remote(i))
    const ends = await Promise.allSettled(refs.map((ref) => ray.get(ref)))
    for (const [i, end] of ends.entries())
      if (i % 50 === 49) assert.ok(end.status === 'rejected' && end.reason instanceof WorkerCrashedError, `${i}`)
      else assert.equal(end.status === 'fulfilled' && end.value, i)
  })

  test('a call behind a long one moves to a worker that is free', async () => {
    await ray.get(Array.from({ length: 300 }, () => fastOrHeld.remote(null)))
    const shared = latch()
    const long = fastOrHeld.remote(shared)
    const others = Array.from({ length: 50 }, () => fastOrHeld.remote(null))
    await started(shared)
    assert.equal((await ray.get(others)).length, 50)
    letGo(shared)
    assert.equal(await ray.get(long), 1)
  })

  test('the bytes of a call that moves to another worker are counted once', async () => {
    const load = 'x'.repeat(10_000)
    const moved = async () => (await ray.stats()).bytes.copied
    await ray.get(Array.from({ length: 300 }, () => fastOrHeld.remote(null)))
    const begin = await moved()
    await ray.get(fastOrHeld.remote(null, load))
    const one = (await moved()) - begin
    const shared = latch()
    const long = fastOrHeld.remote(shared)
    const others = Array.from({ length: 50 }, () => fastOrHeld.remote(null, load))
    await started(shared)
    await ray.get(others)
    letGo(shared)
    await ray.get(long)
    const all = (await moved()) - begin - one
    assert.ok(Math.abs(all / one - 50) < 0.9, `${all / one} calls' bytes`)
  })

  test('output of workers comes tagged with who printed it', async () => {
    const written: string[] = []
    const { write } = process.stdout
    const seen = new Promise<void>((resolve) => {
      process.stdout.write = ((text: string) => {
        written.push(text)
        if (written.join('').includes('(say) hello\n')) resolve()
        return true
      }) as typeof write
    })
    try {
      await ray.get(say.remote('hello'))
      await seen
    } finally {
      process.stdout.write = write
    }
  })

  test('shutdown in the middle of calls ends everything', async () => {
    const shared = latch()
    const ref = hold.remote(shared)
    const rejected = assert.rejects(ray.get(ref), { code: 'RAY_NOT_INITIALIZED' })
    await started(shared)
    await ray.shutdown()
    await rejected
    assert.equal(ray.isInitialized(), false)
    await ray.shutdown()
  })
})
