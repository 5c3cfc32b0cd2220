import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import {
  InfeasibleError,
  NotSerializableError,
  type ObjectRef,
  RayTaskError,
  ray,
  TaskCancelledError,
} from '#src/ray/index.js'
import {
  add,
  askForRetries,
  attempt,
  Counter,
  contextKeys,
  echo,
  fail,
  fastOrHeld,
  giveFunction,
  here,
  hold,
  makeBlob,
  meet,
  namedOrHeld,
  Overloaded,
  overloadedOnce,
  pair,
  passOn,
  session,
  thread,
  throwOnce,
  typeOf,
  Unavailable,
} from './functions.js'
import { inOneSession, latch, letGo, started } from './helpers.js'
import type { Latch } from './latch.js'

inOneSession('tasks', { numCpus: 2 }, ({ engine, begin }) => {
  test('a remote function returns a ref at once and its value to get', async () => {
    const ref = add.remote(2, 3)
    assert.match(String(ref), /^ObjectRef\(/)
    assert.equal(await ray.get(ref), 5)
  })

  test('it runs on another thread', async () => {
    assert.notEqual(await ray.get(thread.remote()), here())
  })

  test('ray.init in a worker tells of the session that it belongs to', async () => {
    const { numCpus, address } = await ray.init()
    const { atOnce, ...told } = await ray.get(session.remote())
    assert.deepEqual(told, { numCpus, address })
    assert.equal(atOnce, numCpus)
  })

  test('parts of CPUs make up whole ones', async () => {
    const shared = latch()
    const parts = [0.1, 0.3, 0.6, 1].map((numCpus) => meet.options({ numCpus }).remote(shared, 4))
    assert.deepEqual(await ray.get(parts, { timeout: 20_000 }), [true, true, true, true])
  })

  test('as many run at once as there are CPUs', async () => {
    const shared = latch()
    assert.deepEqual(await ray.get([meet.remote(shared, 2), meet.remote(shared, 2)]), [true, true])
  })

  test('of two idle workers the one that has loaded a function before runs it again', async () => {
    const shared = latch()
    await ray.get([meet.remote(shared, 2), meet.remote(shared, 2)])
    assert.equal(await ray.get(thread.remote()), await ray.get(thread.remote()))
  })

  test('a function of the first file travels by its source, with the values around it; to other machines it does not', async () => {
    const factor = 3
    const triple = (x: number) => x * factor
    const remote = ray.remote(async (x: number) => triple(x) + 1)
    if (engine === 'nats') await assert.rejects(ray.get(remote.remote(2)), /module of its own/)
    else assert.equal(await ray.get(remote.remote(2)), 7)
  })

  if (engine !== 'nats')
    test('a function that was refused for a value around it is taken once that can travel', async () => {
      let around: unknown = createServer()
      const remote = ray.remote(() => String(around))
      await assert.rejects(ray.get(remote.remote()), /around/)
      around = 'fine'
      assert.equal(await ray.get(remote.remote()), 'fine')
    })

  if (engine !== 'nats')
    test('a method that is called `class` is a function', async () => {
      const grade = {
        class(points: number): string {
          return points > 5 ? 'first' : 'second'
        },
      }
      assert.equal(await ray.get(ray.remote(grade.class).remote(7)), 'first')
    })

  // Threads share them.
  if (engine !== 'threads')
    test('what lives in one process only is refused as an argument, by its path', async () => {
      const { WebAssembly } = globalThis as unknown as { WebAssembly: { Module: new (bytes: Uint8Array) => object } }
      const empty = new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0))
      for (const [value, message] of [
        [{ a: [new Blob(['x'])] }, /^args\[0\]\.a\[0\] is a Blob, which lives in one process only\. Pass the data/],
        [empty, /^args\[0\] is a Module, which lives in one process only/],
      ] as const)
        assert.throws(
          () => typeOf.remote(value),
          (error: Error) => error instanceof NotSerializableError && message.test(error.message),
        )
      assert.equal(await ray.get(typeOf.remote('x')), 'string')
      await assert.rejects(ray.get(makeBlob.remote()), /\.blob is a Blob, which lives in one process only/)
      // Nothing of that holds a CPU.
      const shared = latch()
      assert.deepEqual(await ray.get([meet.remote(shared, 2), meet.remote(shared, 2)]), [true, true])
    })

  test('a ref as an argument is replaced by its value, inside another value it stays a ref', async () => {
    const ref = add.remote(1, 1)
    assert.equal(await ray.get(add.remote(ref, ray.put(40))), 42)
    assert.equal(await ray.get(typeOf.remote(ref)), 'number')
    const inside = await ray.get(echo.remote({ ref }))
    assert.equal(await ray.get((inside as { ref: typeof ref }).ref), 2)
  })

  test('results come in the order of the refs', async () => {
    const refs = Array.from({ length: 500 }, (_, i) => add.remote(i, i))
    assert.deepEqual(
      await ray.get(refs),
      refs.map((_, i) => 2 * i),
    )
  })

  test('an exception is thrown by every get of it and of what depends on it', async () => {
    const ref = fail.remote('no')
    const check = (error: unknown) => {
      assert.ok(error instanceof RayTaskError)
      assert.equal(error.code, 'RAY_TASK_ERROR')
      assert.match(error.message, /fail.*no/s)
      const cause = error.cause as Error
      assert.ok(cause instanceof RangeError)
      assert.equal(cause.message, 'no')
      assert.equal((cause.cause as Error).message, 'the cause')
      // Where it was thrown, without the frames of the worker that called it.
      assert.match(cause.stack!, /^RangeError: no\n +at fail \(file:.*functions\.js:\d+:\d+\)$/)
      return true
    }
    await assert.rejects(ray.get(ref), check)
    await assert.rejects(ray.get(ref), check)
    await assert.rejects(ray.get([add.remote(ref, 1)]), check)
  })

  test('a chain may be as long as one likes, where its first fails, too', async () => {
    const long = (ref: ObjectRef<number>) => {
      for (let i = 0; i < 10_000; i++) ref = add.remote(ref, 1)
      return ref
    }
    await assert.rejects(ray.get(long(fail.remote('no') as never)), RayTaskError)
    const first = hold.remote(latch()) as never
    const last = long(first)
    ray.cancel(first)
    await assert.rejects(ray.get(last), TaskCancelledError)
  })

  test('exceptions are not retried unless asked for, by class if wanted', async () => {
    await assert.rejects(ray.get(throwOnce.remote(latch(), 1)), /not yet/)
    assert.equal(await ray.get(throwOnce.options({ retryExceptions: true }).remote(latch(), 3)), 4)
    assert.equal(await ray.get(throwOnce.options({ retryExceptions: [TypeError] }).remote(latch(), 1)), 2)
    await assert.rejects(ray.get(throwOnce.options({ retryExceptions: [RangeError] }).remote(latch(), 1)), /not yet/)
    await assert.rejects(
      ray.get(throwOnce.options({ retryExceptions: true, maxRetries: 1 }).remote(latch(), 2)),
      /not yet/,
    )
  })

  test('an exception is retried for each class that it is an instance of, whatever its name', async () => {
    for (const type of [Overloaded, Unavailable, Error])
      assert.equal(await ray.get(overloadedOnce.options({ retryExceptions: [type] }).remote(latch())), 2, type.name)
    await assert.rejects(ray.get(overloadedOnce.options({ retryExceptions: [TypeError] }).remote(latch())), /too much/)
    assert.equal(await ray.get(passOn.options({ retryExceptions: [Unavailable] }).remote(latch())), 2)
    assert.equal(await ray.get(askForRetries.remote(latch())), 2)
  })

  test('numReturns gives a ref for each value', async () => {
    const [number, text] = pair.options({ numReturns: 2 }).remote(7)
    assert.equal(await ray.get(number), 7)
    assert.equal(await ray.get(text), '7')
    assert.deepEqual(await ray.get(pair.options({ numReturns: 1 }).remote(7)), [7, '7'])
    const wrong = pair.options({ numReturns: 3 }).remote(7) as unknown as [typeof number]
    await assert.rejects(ray.get(wrong[0]), /return 3 values/)
    // What knows how many it holds is not cut off.
    const [some] = echo.options({ numReturns: 2 }).remote(new Set([1, 2, 3])) as unknown as [typeof number]
    await assert.rejects(ray.get(some), /return 2 values \(numReturns\), got 3/)
  })

  test('what asks for more CPUs than there are says so', async () => {
    await assert.rejects(ray.get(add.options({ numCpus: 5 }).remote(1, 2)), (error) => {
      assert.ok(error instanceof InfeasibleError)
      assert.match(error.message, /5.*2/)
      return true
    })
  })

  test('a call that takes all CPUs runs beside no other, however fast its function was before', async () => {
    await ray.get(Array.from({ length: 300 }, () => fastOrHeld.remote(null)))
    const gates = [latch(), latch()] as const
    const [first, second] = gates.map((gate) => hold.remote(gate))
    await Promise.all(gates.map((gate) => started(gate)))
    const whole = fastOrHeld.options({ numCpus: 2 }).remote(null)
    letGo(gates[0])
    await ray.get(first!)
    for (let i = 0; i < 5; i++) await ray.get(add.options({ numCpus: 0 }).remote(i, 1))
    assert.deepEqual(await ray.wait([whole], { timeout: 0 }), [[], [whole]])
    letGo(gates[1])
    assert.deepEqual(await ray.get([second!, whole]), [1, 0])
  })

  test('fractions of a CPU let more run at once', async () => {
    const shared = latch()
    const half = meet.options({ numCpus: 0.5 })
    assert.deepEqual(await ray.get([1, 2, 3, 4].map(() => half.remote(shared, 4))), [true, true, true, true])
  })

  test('an argument that cannot cross is named before anything is sent', () => {
    const bad = { session: { fn: () => 1 } }
    assert.throws(
      () => echo.remote(bad),
      (error) => error instanceof NotSerializableError && /args\[0\]\.session\.fn/.test(error.message),
    )
  })

  test('a result that cannot cross is the error of the task', async () => {
    await assert.rejects(ray.get(giveFunction.remote()), /result.*function/s)
  })

  test('wrong options are refused with their name', () => {
    assert.throws(() => add.options({ maxRetries: 1.5 }).remote(1, 2), /`maxRetries` to be a whole number/)
    assert.throws(() => ray.remote((x: number) => x, { cpus: 1 } as object), /no option `cpus`/)
  })

  test('options that a call does not have are refused, as Python names them too', async () => {
    const ref = add.remote(1, 2)
    await assert.rejects(ray.get(ref, { timeoutMs: 1 } as object), /no option `timeoutMs`.*timeout, signal/)
    await assert.rejects(ray.wait([ref], { num_returns: 1 } as object), /no option `num_returns`.*numReturns, timeout/)
    await assert.rejects(ray.getActor('one', { ns: 'x' } as object), /no option `ns`/)
    assert.throws(() => ray.cancel(ref, { now: true } as object), /no option `now`/)
    const counter = Counter.remote(1)
    assert.throws(() => ray.kill(counter, { no_restart: true } as object), /no option `no_restart`/)
    await assert.rejects(
      ray.get(ref, ref as never),
      /`options` to be an object – refs go into a list –, got `ObjectRef/,
    )
    assert.equal(await ray.get(ref, { timeout: 60_000 }), 3)
  })

  test('wait is told of what is no list of refs', async () => {
    const ref = add.remote(1, 2)
    await assert.rejects(ray.wait(ref as never), /`refs` to be a list of them, got `ObjectRef\(.+\)` \(object\)/)
    await assert.rejects(ray.wait([add.remote(1, 2)], { numReturns: 2 }), /from 1 to 1, the number of refs/)
    await assert.rejects(ray.wait([ref], { numReturns: 0 }), /`numReturns` to be a whole number from 1 to 1, the/)
  })

  test('wait has each ref once, and nothing to wait for where there is none', async () => {
    const [ref, other] = [add.remote(1, 2), add.remote(3, 4)]
    await assert.rejects(ray.wait([other, ref, ref]), /`refs\[2\]` to be another than refs\[1\], got `ObjectRef/)
    const [again] = await ray.get(echo.remote([ref]) as ObjectRef<[ObjectRef<number>]>)
    await assert.rejects(ray.wait([ref, again]), /`refs\[1\]` to be another than refs\[0\]/)
    assert.deepEqual(await ray.wait([]), [[], []])
    assert.deepEqual(await ray.wait([], { numReturns: 3, timeout: 0 }), [[], []])
  })

  test('a remote function, class or method called directly says how to call it', () => {
    assert.throws(() => (add as unknown as () => void)(), /add\.remote\(…\) and ray\.get of what it returns/)
    assert.throws(() => new (Counter as unknown as new () => object)(), /CounterClass\.remote\(…\) for a handle/)
    const counter = Counter.remote(1) as unknown as { add(n: number): void }
    assert.throws(() => counter.add(1), /CounterClass\.add is an actor's method.*\.add\.remote\(…\)/)
  })

  test('the context has what it tells when it is spread, and nothing else', async () => {
    const keys = ['worker', 'task', 'attempt', 'signal', 'currentActor']
    assert.deepEqual(await ray.get(contextKeys.remote()), keys)
    assert.deepEqual(Object.keys({ ...ray.getRuntimeContext() }), keys)
  })

  test('the context tells the attempt', async () => {
    assert.equal(await ray.get(attempt.remote()), 1)
  })

  test('a result does not wait for the call behind it, however fast the function was before', async () => {
    await begin({ numCpus: 1 })
    const numbers = (gate: Latch | null) => fastOrHeld.remote(gate)
    const names = (gate: Latch | null) => namedOrHeld.remote(gate, 'Ana')
    const calls: [(gate: Latch | null) => ObjectRef<unknown>, unknown[]][] = [
      [numbers, [0, 0, 1, 0]],
      [names, Array(4).fill({ name: 'Ana' })],
    ]
    for (const [call, results] of calls) {
      await ray.get(Array.from({ length: 300 }, () => call(null)))
      const gate = latch()
      const refs = [null, null, gate, null].map(call)
      await started(gate)
      assert.deepEqual(await ray.get(refs.slice(0, 2), { timeout: 20_000 }), results.slice(0, 2))
      letGo(gate)
      assert.deepEqual(await ray.get(refs), results)
    }
  })

  test('workers beyond the CPUs are used again while there is work, and end once there is none for a while', async () => {
    await begin({ numCpus: 2 })
    const eight = async () => {
      const shared = latch()
      const quarter = meet.options({ numCpus: 0.25 })
      await ray.get(Array.from({ length: 8 }, () => quarter.remote(shared, 8)))
      return Object.keys((await ray.stats()).perWorker).length
    }
    const workers = await eight()
    for (let times = 0; times < 5; times++) assert.equal(await eight(), workers)
    // That they end is a matter of time.
    await new Promise((resolve) => setTimeout(resolve, 3_000))
    assert.equal(await eight(), workers + 6)
  })

  test('a timeout of Infinity, or of more than timers know, is no millisecond', async () => {
    for (const timeout of [Infinity, 2 ** 31]) {
      const shared = latch()
      const slow = hold.options({ timeout }).remote(shared)
      await started(shared)
      const got = ray.get(slow, { timeout })
      const waited = ray.wait([slow], { timeout })
      got.catch(() => {})
      assert.deepEqual(await ray.wait([slow], { timeout: 20 }), [[], [slow]])
      letGo(shared)
      assert.equal(await got, 1)
      assert.deepEqual(await waited, [[slow], []])
    }
  })

  test('wait returns what is ready first, in order, and the rest', async () => {
    const shared = latch()
    const slow = meet.remote(shared, 2)
    const [a, b] = [add.remote(1, 1), add.remote(2, 2)]
    const [ready, rest] = await ray.wait([slow, a, b], { numReturns: 2 })
    assert.deepEqual(ready, [a, b])
    assert.deepEqual(rest, [slow])
    const [none, all] = await ray.wait([slow], { timeout: 1 })
    assert.deepEqual([none, all], [[], [slow]])
    assert.equal(await ray.get(meet.remote(shared, 2)), true)
    await assert.rejects(ray.wait([slow], { numReturns: 2 }), /from 1 to 1/)
  })
})
