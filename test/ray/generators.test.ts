import assert from 'node:assert/strict'
import { test } from 'node:test'
import v8 from 'node:v8'
import vm from 'node:vm'
import {
  ActorDiedError,
  NotSerializableError,
  type ObjectRef,
  ObjectRefGenerator,
  RayTaskError,
  ray,
  TaskCancelledError,
  WorkerCrashedError,
} from '#src/ray/index.js'
import { yieldAll } from '#src/ray/worker/yields.js'
import { echo, hold, leaveWaiting, Temperature } from './functions.js'
import {
  askUnfit,
  Cameras,
  counted,
  dying,
  dyingReader,
  endless,
  failing,
  list,
  makeCamera,
  naturals,
  pairOf,
  refs,
  relay,
  squares,
  stepwise,
  stumbling,
  temperatures,
  throwing,
  total,
  unfit,
  waitingForBoth,
  waitingForOne,
} from './generators.js'
import { inOneSession, latch, letGo, started } from './helpers.js'
import { arrived, isOpen } from './latch.js'

v8.setFlagsFromString('--expose-gc')
const collect = vm.runInNewContext('gc') as () => void

/** Everything a generator gives. */
async function all<T>(generator: AsyncIterable<ObjectRef<T>>): Promise<T[]> {
  const values: T[] = []
  for await (const ref of generator) values.push(await ray.get(ref))
  return values
}

/** Resolves when `done`, looked at in turns of the event loop. */
async function until(done: () => boolean): Promise<void> {
  const end = Date.now() + 30_000
  while (!done()) {
    assert.ok(Date.now() < end, 'it took longer than 30 s')
    await new Promise((resolve) => setImmediate(resolve))
  }
}

test('a generator that is cancelled cleans up, whatever becomes of the answer to what it yielded', async () => {
  const abort = new AbortController()
  const unanswered = () => {
    setImmediate(() => abort.abort())
    return new Promise<boolean>(() => {})
  }
  let cleaned = false
  const values = (function* () {
    try {
      for (;;) yield 1
    } finally {
      cleaned = true
    }
  })()
  await yieldAll(values, 'values', 0, unanswered, abort.signal)
  assert.ok(cleaned)
})

test('what a generator throws is told after the values before it, however long these take on their way', async () => {
  let arrived = () => {}
  const given = new Promise<boolean>((resolve) => {
    arrived = () => resolve(true)
  })
  const values = (function* () {
    yield 1
    throw new RangeError('too far')
  })()
  let told: unknown = null
  const ended = yieldAll(values, 'values', 1, () => given, new AbortController().signal).catch((error) => {
    told = error
  })
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(told, null)
  arrived()
  await ended
  assert.match(String(told), /too far/)
})

test('a value that turns out to be none that can travel ends a generator, the last one too, however long it goes on', async () => {
  for (const pauses of [true, false]) {
    const values = (async function* () {
      yield 1
      if (pauses) await new Promise((resolve) => setImmediate(resolve))
    })()
    const refuse = async () => {
      throw new RangeError('cannot travel')
    }
    await assert.rejects(yieldAll(values, 'values', 1, refuse, new AbortController().signal), /cannot travel/)
  }
})

inOneSession('generators', { numCpus: 2 }, () => {
  test('what a task yields comes as refs, in order, each while the task goes on', async () => {
    const step = latch()
    const generator = stepwise.remote(step)
    assert.ok(generator instanceof ObjectRefGenerator)
    const first = await generator.next()
    assert.equal(await ray.get(first.value!), 'first')
    assert.equal((await ray.wait([generator.completed()], { timeout: 0 }))[0].length, 0)
    const second = generator.next()
    letGo(step)
    assert.equal(await ray.get((await second).value!), 'second')
    assert.deepEqual(await generator.next(), { done: true, value: undefined })
    assert.deepEqual(await generator.next(), { done: true, value: undefined })
    assert.equal(await ray.get(generator.completed()), undefined)
    assert.deepEqual(await all(squares.remote(5)), [0, 1, 4, 9, 16])
    assert.deepEqual(await all(squares.remote(0)), [])
    // Asked for all at once, and from a loop that is left and taken up again.
    const asked = squares.remote(3)
    const given = await Promise.all(Array.from({ length: 5 }, () => asked.next()))
    assert.deepEqual(await ray.get(given.flatMap(({ value }) => value ?? [])), [0, 1, 4])
    const left = squares.remote(3)
    for await (const ref of left) {
      assert.equal(await ray.get(ref), 0)
      break
    }
    assert.deepEqual(await all(left), [1, 4])
  })

  test('wait takes generators: one is ready when its next ref is, and next gives that at once', async () => {
    const step = latch()
    const held = stepwise.remote(step)
    await held.next()
    const gate = latch()
    const slow = hold.remote(gate)
    await started(gate)
    assert.deepEqual(await ray.wait([held, slow], { timeout: 1 }), [[], [held, slow]])
    letGo(step)
    assert.deepEqual(await ray.wait([slow, held]), [[held], [slow]])
    assert.deepEqual(await ray.wait([held]), [[held], []])
    assert.equal(await ray.get((await held.next()).value!), 'second')
    // The end is something that need not be waited for, and so is a failure.
    assert.deepEqual(await ray.wait([held, slow]), [[held], [slow]])
    assert.deepEqual(await held.next(), { done: true, value: undefined })
    const bad = failing.remote(0)
    assert.deepEqual(await ray.wait([slow, bad]), [[bad], [slow]])
    await assert.rejects(ray.get((await bad.next()).value!), RayTaskError)
    letGo(gate)
    await ray.get(slow)
    // All that is waited for comes, in order.
    const both = [squares.remote(4), squares.remote(3)]
    const values: number[][] = [[], []]
    for (let left = [...both]; left.length > 0; ) {
      const [[next]] = await ray.wait(left)
      const { done, value } = await next!.next()
      if (done) left = left.filter((one) => one !== next)
      else values[both.indexOf(next!)]!.push(await ray.get(value))
    }
    assert.deepEqual(values, [
      [0, 1, 4, 9],
      [0, 1, 4],
    ])
    assert.equal(await ray.get(waitingForOne.remote()), 0)
    assert.deepEqual(await ray.get(waitingForBoth.remote()), [0, 0])
    await assert.rejects(ray.wait([3 as never]), /`refs\[0\]` to be an ObjectRef or an ObjectRefGenerator/)
  })

  test('refs can be passed on, and values may hold refs', async () => {
    const { value } = await squares.remote(3).next()
    assert.equal(await ray.get(echo.remote(value!)), 0)
    const [inside] = await all(refs.remote())
    assert.equal(await ray.get(inside!.ref), 'inside')
  })

  test('of a number of returns those keep their values that came before the generator threw, or ended', async () => {
    const ends = async (refs: readonly ObjectRef[]) => {
      const all = await Promise.allSettled(refs.map((ref) => ray.get(ref)))
      return all.map((one) => (one.status === 'fulfilled' ? one.value : String(one.reason.cause)))
    }
    const three = { numReturns: 3 } as const
    const thrown = 'RangeError: no more'
    assert.deepEqual(await ends(failing.options(three).remote(1)), [0, thrown, thrown])
    assert.deepEqual(await ends(failing.options(three).remote(0)), [thrown, thrown, thrown])
    assert.deepEqual(await ends(failing.options(three).remote(3)), [0, 1, 2])
    const short = await ends(squares.options(three).remote(2))
    assert.deepEqual(short.slice(0, 2), [0, 1])
    assert.match(`${short[2]}`, /Expected squares to return 3 values \(numReturns\), got 2/)
    // Values that take a while to describe, and such as hold refs.
    const hot = await ends(temperatures.options({ numReturns: 4 }).remote())
    assert.deepEqual(hot.slice(1), [2, hot[2], 'RangeError: too hot'])
    const [held, missing] = stumbling.options({ numReturns: 2 }).remote()
    assert.equal(await ray.get((await ray.get(held)).ref), 'inside')
    await assert.rejects(ray.get(missing), /stumbled/)
    const again = { numReturns: 2, retryExceptions: true } as const
    assert.deepEqual(await ends(throwing.options(again).remote(latch())), ['a', 'b'])
  })

  test('what a generator throws behind the last value that was asked for is told, since nobody hears of it', async () => {
    const { write } = process.stderr
    let told = ''
    const seen = new Promise<void>((resolve) => {
      process.stderr.write = ((text: string) => {
        told += text
        if (told.includes('no more')) resolve()
        return true
      }) as typeof write
    })
    try {
      assert.deepEqual(await ray.get(failing.options({ numReturns: 2 }).remote(2)), [0, 1])
      await seen
    } finally {
      process.stderr.write = write
    }
    assert.match(told, /failing threw after its last value: RangeError: no more/)
  })

  test('a number of returns asks for that many refs at once; a list can be streamed', async () => {
    const both = squares.options({ numReturns: 2 }).remote(2)
    assert.deepEqual(await ray.get(both), [0, 1])
    assert.deepEqual(await ray.get(pairOf.options({ numReturns: 2 }).remote(5)), [5, 6])
    // More than that many are not computed; what follows the last is.
    const [cleaned, ended] = [latch(), latch()]
    const [first, second] = await ray.get(endless.options({ numReturns: 2 }).remote(cleaned))
    assert.deepEqual([first[0], second[0]], [0, 1])
    assert.ok(isOpen(cleaned))
    assert.deepEqual(await ray.get(naturals.options({ numReturns: 3 }).remote(ended)), [0, 1, 2])
    assert.ok(isOpen(ended))
    assert.deepEqual(await all(list.options({ numReturns: 'streaming' }).remote(3)), [0, 1, 2])
    await assert.rejects(all(echo.options({ numReturns: 'streaming' }).remote(5)), ({ cause }: Error) =>
      /Expected echo to return an iterator.*got number/s.test(String(cause)),
    )
  })

  test('values that take a while to be sent come in their places, the last before an error too', async () => {
    const refs: ObjectRef<Temperature | number>[] = []
    for await (const ref of temperatures.remote()) refs.push(ref)
    assert.deepEqual(await ray.get(refs.slice(0, 3)), [new Temperature(1), 2, new Temperature(3)])
    await assert.rejects(ray.get(refs[3]!), /too hot/)
    assert.equal(refs.length, 4)
  })

  test('what it throws is the last ref; values from before stay', async () => {
    const generator = failing.remote(2)
    const [first, second, last] = [await generator.next(), await generator.next(), await generator.next()]
    assert.deepEqual(await ray.get([first.value!, second.value!]), [0, 1])
    await assert.rejects(ray.get(last.value!), (error) => {
      assert.ok(error instanceof RayTaskError && error.cause instanceof RangeError, String(error))
      return true
    })
    assert.equal((await generator.next()).done, true)
    await assert.rejects(ray.get(generator.completed()), RayTaskError)
    // A value that cannot travel ends it as well.
    const cleaned = latch()
    await assert.rejects(all(unfit.remote(cleaned)), (error: Error) => {
      const cause = error instanceof RayTaskError ? error.cause : error
      assert.ok(cause instanceof NotSerializableError, String(error))
      assert.match(cause.message, /value 1 of unfit/)
      return true
    })
    assert.ok(isOpen(cleaned))
  })

  test('a limit pauses it until values are taken', async () => {
    const computed = latch()
    const generator = counted.options({ generatorBackpressureNumObjects: 2 }).remote(computed, 6)
    await started(computed, 2)
    const { value } = await generator.next()
    assert.equal(await ray.get(value!), 0)
    await started(computed, 3)
    // It had a chance to go on: a task in the meantime went there and back.
    await ray.get(echo.remote(1))
    assert.equal(arrived(computed), 3)
    assert.deepEqual(await all(generator), [1, 2, 3, 4, 5])
    // Started again, it pauses where it did before.
    const twice = latch()
    const camera = Cameras.options({ maxRestarts: 1, maxTaskRetries: 1 }).remote()
    const frames = camera.counted.options({ generatorBackpressureNumObjects: 2 }).remote(twice, 4)
    await started(twice, 2)
    ray.kill(camera, { noRestart: false })
    await started(twice, 4)
    await ray.get(echo.remote(1))
    assert.equal(arrived(twice), 4)
    assert.deepEqual(await all(frames), [0, 1, 2, 3])
    assert.throws(() => echo.options({ generatorBackpressureNumObjects: 2 }).remote(1), /is for generators/)
  })

  test('what is asked of an actor while a generator of its pauses waits there, and is run by no other worker', async () => {
    const camera = Cameras.remote()
    const computed = latch()
    const frames = camera.counted.options({ generatorBackpressureNumObjects: 1 }).remote(computed, 3)
    const count = camera.count.remote()
    await started(computed, 1)
    // Its first value had a chance to come: a task in the meantime went there and back.
    await ray.get(echo.remote(1))
    assert.deepEqual(await all(frames), [0, 1, 2])
    assert.equal(await ray.get(count), 0)
  })

  test('cancelled, it cleans up and its worker is free', async () => {
    const cleaned = latch()
    const generator = endless.options({ generatorBackpressureNumObjects: 3 }).remote(cleaned)
    const first = await generator.next()
    ray.cancel(generator)
    assert.equal((await ray.get(first.value!)).length, 10_000)
    await assert.rejects(all(generator), TaskCancelledError)
    assert.equal((await generator.next()).done, true)
    await until(() => isOpen(cleaned))
    assert.equal(await ray.get(echo.remote(2)), 2)
  })

  test('a worker that dies in the middle: it is made again, and no value comes twice', async () => {
    const tries = latch()
    const generator = dying.remote(tries, 1)
    const seen = [(await generator.next()).value!, (await generator.next()).value!]
    letGo(tries)
    assert.deepEqual([...(await ray.get(seen)), ...(await all(generator))], ['0', '1', '2', '3'])
    assert.equal(arrived(tries), 2)
    const again = latch()
    letGo(again)
    await assert.rejects(all(dying.options({ maxRetries: 0 }).remote(again, 1)), WorkerCrashedError)
    // One whose reader died is not held up: it would keep its CPU for ever.
    const readers = [1, 2].map(() => dyingReader.remote(latch(), latch()))
    assert.deepEqual(await ray.get(readers), [
      [0, 1, 2],
      [0, 1, 2],
    ])
    assert.deepEqual(await all(throwing.options({ retryExceptions: true }).remote(latch())), ['a', 'b'])
  })

  test('a worker that ends and knew nothing but its end takes no value from whoever reads it', async () => {
    const generator = squares.remote(3)
    const gate = latch()
    letGo(gate)
    const knows = leaveWaiting.options({ maxRetries: 0 }).remote({ ref: generator.completed() }, gate)
    await assert.rejects(ray.get(knows), WorkerCrashedError)
    assert.deepEqual(await all(generator), [0, 1, 4])
  })

  test('an actor’s generators, also of its parent class, hold it until they end', async () => {
    const camera = Cameras.remote()
    const frames = camera.frames.remote(3)
    const count = camera.count.remote()
    assert.deepEqual(
      await all(frames),
      [0, 1, 2].map((i) => new Uint8Array([i])),
    )
    assert.equal(await ray.get(count), 3)
    const step = latch()
    const slow = camera.slow.remote(step)
    assert.equal(await ray.get((await slow.next()).value!), 3)
    ray.kill(camera)
    await assert.rejects(all(slow), { code: 'RAY_ACTOR_DIED' })
    // A handle that came out of a task knows them too.
    const { camera: made } = await ray.get(makeCamera.remote())
    assert.equal((await all(made.frames.remote(2))).length, 2)
  })

  test('a task can read one, and hand on what it reads', async () => {
    assert.equal(await ray.get(total.remote(4)), 14)
    const values = await all(relay.remote(3))
    assert.deepEqual(await ray.get(values.map(({ ref }) => ref)), [0, 1, 4])
    await assert.rejects(ray.get(askUnfit.remote()), /`known` is used by looking, and is a WeakMap/)
    // @ts-expect-error the compiler says so, too
    await assert.rejects(ray.get(squares.remote(1)), /a generator gives with `for await`, got `ObjectRefGenerator\(/)
    assert.throws(() => echo.remote(squares.remote(1)), {
      code: 'RAY_NOT_SERIALIZABLE',
      message: /args\[0\] is an ObjectRefGenerator, which only its maker can read/,
    })
  })

  test('values that nobody can take any more are let go, and do not hold it up', async () => {
    const computed = latch()
    const completed = await (async () => {
      const generator = counted.options({ generatorBackpressureNumObjects: 1 }).remote(computed, 8)
      await generator.next()
      return generator.completed()
    })()
    // Its end may be waited for still.
    const ended = ray.get(completed)
    const still = Symbol()
    for (let end: unknown = still; end === still; ) {
      collect()
      end = await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 2, still))])
    }
    assert.equal(arrived(computed), 8)
    while ((await ray.availableResources()).CPU < 2) await new Promise((resolve) => setImmediate(resolve))
  })
})

test('generators of a session that is over end with its error', async () => {
  ray.init({ numCpus: 1 })
  const generator = endless.options({ generatorBackpressureNumObjects: 1 }).remote(latch())
  await generator.next()
  await ray.shutdown()
  await assert.rejects(all(generator))
  assert.equal((await generator.next()).done, true)
})

test('a generator that cannot be asked for is not kept in sight', async () => {
  await ray.shutdown()
  await ray.init({ numCpus: 1 })
  const camera = Cameras.remote()
  await ray.shutdown()
  await ray.init({ numCpus: 1 })
  const step = latch()
  const used = () => {
    collect()
    return process.memoryUsage().heapUsed
  }
  const ask = (times: number) => {
    for (let i = 0; i < times; i++) assert.throws(() => camera.slow.remote(step), ActorDiedError)
  }
  ask(1000)
  const before = used()
  ask(5000)
  const more = used() - before
  assert.ok(more < 1_000_000, `${more} bytes are left of 5000 calls`)
  await ray.shutdown()
})
