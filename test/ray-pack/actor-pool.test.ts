import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { GetTimeoutError, type ObjectRef, RayTaskError, ray } from '#src/ray/index.js'
import { Worker } from './pool-actor.js'

after(() => ray.shutdown())

const Remote = ray.remote(Worker)
const pool = (size = 2) => new ray.ActorPool(Array.from({ length: size }, () => Remote.remote()))
/** Opened by `open`: calls that wait for it go on. */
const latch = () => new Int32Array(new SharedArrayBuffer(4))
const open = (gate: Int32Array) => {
  Atomics.store(gate, 0, 1)
  Atomics.notify(gate, 0)
}

async function collect<T>(values: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const value of values) list.push(value)
  return list
}

describe('a pool of actors', () => {
  test('maps in order, whatever ends first', async () => {
    const gate = latch()
    const actors = pool()
    function* values() {
      yield* [0, 1, 2]
      // By now the first waits and the second is being called.
      open(gate)
      yield 3
    }
    const call = (a: ReturnType<typeof Remote.remote>, n: number) =>
      n === 0 ? a.wait.remote(gate, n) : a.double.remote(n)
    assert.deepEqual(await collect(actors.map(call, values())), [0, 2, 4, 6])
  })

  test('maps in the order of completion', async () => {
    const gate = latch()
    const mapped = pool().mapUnordered(
      (a, n: number) => (n === 0 ? a.wait.remote(gate, n) : a.double.remote(n)),
      [0, 1, 2, 3],
    )
    const first = [await mapped.next(), await mapped.next(), await mapped.next()].map(({ value }) => value)
    assert.deepEqual(first, [2, 4, 6])
    open(gate)
    assert.deepEqual((await mapped.next()).value, 0)
    assert.equal((await mapped.next()).done, true)
  })

  test('takes values as they come, a bounded number ahead', async () => {
    let asked = 0
    async function* values() {
      for (;;) yield asked++
    }
    const results: number[] = []
    for await (const value of pool().map((a, n: number) => a.double.remote(n), values())) {
      results.push(value)
      if (results.length === 20) break
    }
    assert.deepEqual(
      results,
      Array.from({ length: 20 }, (_, i) => 2 * i),
    )
    assert.ok(asked <= 20 + 2 * 4 + 1, `${asked} asked for`)
  })

  test('spreads calls over its actors', async () => {
    const actors = pool(3)
    const ids = await collect(actors.map((a, n: number) => a.whoAmI.remote(n), Array(30).fill(0)))
    assert.equal(new Set(ids).size, 3)
  })

  test('submit and getNext keep the order', async () => {
    const actors = pool()
    for (const n of [1, 2, 3]) actors.submit((a, x: number) => a.double.remote(x), n)
    assert.ok(actors.hasNext())
    assert.deepEqual([await actors.getNext(), await actors.getNext(), await actors.getNext()], [2, 4, 6])
    assert.ok(!actors.hasNext())
    await assert.rejects(actors.getNext(), /No more results/)
  })

  test('getNext may be called before the last is there', async () => {
    const actors = pool()
    for (const n of [1, 2, 3]) actors.submit((a, x: number) => a.double.remote(x), n)
    assert.deepEqual(await Promise.all([actors.getNext(), actors.getNext(), actors.getNext()]), [2, 4, 6])
  })

  test('getNext after getNextUnordered is an error while results are left', async () => {
    const actors = pool()
    for (const n of [1, 2]) actors.submit((a, x: number) => a.double.remote(x), n)
    await actors.getNextUnordered()
    await assert.rejects(actors.getNext(), { code: 'RAY_MISUSE' })
    await actors.getNextUnordered()
    actors.submit((a, x: number) => a.double.remote(x), 5)
    assert.equal(await actors.getNext(), 10)
  })

  test('a timeout leaves the result, or drops it if told to', async () => {
    const gate = latch()
    const actors = pool(1)
    actors.submit((a, x: number) => a.wait.remote(gate, x), 1)
    await assert.rejects(actors.getNext({ timeout: 10 }), GetTimeoutError)
    await assert.rejects(actors.getNextUnordered({ timeout: 10 }), GetTimeoutError)
    open(gate)
    assert.equal(await actors.getNextUnordered({ timeout: 60_000 }), 1)
    const second = latch()
    actors.submit((a, x: number) => a.wait.remote(second, x), 2)
    await assert.rejects(actors.getNext({ timeout: 10, ignoreIfTimedout: true }), GetTimeoutError)
    assert.ok(!actors.hasNext())
    open(second)
    actors.submit((a, x: number) => a.double.remote(x), 3)
    assert.equal(await actors.getNextUnordered(), 6)
  })

  test('a result that is late is the next still, before those of later calls', async () => {
    const gate = latch()
    const actors = pool()
    actors.submit((a, x: number) => a.wait.remote(gate, x), 1)
    actors.submit((a, x: number) => a.double.remote(x), 2)
    await assert.rejects(actors.getNext({ timeout: 10 }), GetTimeoutError)
    open(gate)
    assert.deepEqual([await actors.getNext(), await actors.getNext()], [1, 4])
  })

  test('without order, a timeout drops the first of those that are late, if told to', async () => {
    const gate = latch()
    const actors = pool(1)
    for (const n of [1, 2]) actors.submit((a, x: number) => a.wait.remote(gate, x), n)
    await assert.rejects(actors.getNextUnordered({ timeout: 10, ignoreIfTimedout: true }), GetTimeoutError)
    open(gate)
    assert.equal(await actors.getNextUnordered(), 2)
    assert.ok(!actors.hasNext())
  })

  test('a timeout of Infinity is none', async () => {
    const gate = latch()
    const actors = pool(1)
    actors.submit((a, x: number) => a.wait.remote(gate, x), 1)
    const next = actors.getNext({ timeout: Infinity })
    next.catch(() => {})
    actors.submit((a, x: number) => a.wait.remote(gate, x), 2)
    await assert.rejects(actors.getNext({ timeout: 10 }), GetTimeoutError)
    open(gate)
    assert.equal(await next, 1)
  })

  test('a call that fails rejects its getNext, the pool goes on', async () => {
    const actors = pool(1)
    actors.submit((a, x: number) => a.fail.remote(x), 1)
    actors.submit((a, x: number) => a.double.remote(x), 2)
    await assert.rejects(
      actors.getNext(),
      (error) => error instanceof RayTaskError && error.cause instanceof RangeError,
    )
    assert.equal(await actors.getNext(), 4)
    await assert.rejects(
      collect(actors.map((a, x: number) => (x === 1 ? a.fail.remote(x) : a.double.remote(x)), [0, 1, 2])),
      RayTaskError,
    )
    assert.deepEqual(await collect(actors.map((a, x: number) => a.double.remote(x), [7])), [14])
  })

  test('an actor that has died fails one call, and the others do the rest; where all are dead, all calls fail', async () => {
    const members = [Remote.remote(), Remote.remote()]
    await ray.get(members.map((actor) => actor.double.remote(0)))
    const actors = new ray.ActorPool(members)
    const results = async () => {
      for (let x = 0; x < 10; x++) actors.submit((a, x: number) => a.double.remote(x), x)
      const results: unknown[] = []
      while (actors.hasNext()) results.push(await actors.getNext().catch((error: Error) => error.name))
      return results
    }
    ray.kill(members[0]!)
    assert.deepEqual(await results(), ['ActorDiedError', 2, 4, 6, 8, 10, 12, 14, 16, 18])
    ray.kill(members[1]!)
    assert.deepEqual(await results(), Array(10).fill('ActorDiedError'))
    actors.push(Remote.remote())
    assert.deepEqual((await results()).slice(1), [2, 4, 6, 8, 10, 12, 14, 16, 18])
  })

  test('what cannot be sent is the submitter’s error, now or when its turn comes', async () => {
    const actors = pool(1)
    const send = (a: unknown, x: unknown) => (a as { double: { remote(x: unknown): never } }).double.remote(x)
    assert.throws(() => actors.submit(send, () => 1), { code: 'RAY_NOT_SERIALIZABLE' })
    actors.submit((a, x: number) => a.double.remote(x), 1)
    actors.submit(send, Promise.resolve())
    assert.equal(await actors.getNext(), 2)
    await assert.rejects(actors.getNext(), { code: 'RAY_NOT_SERIALIZABLE' })
  })

  test('it is told whoever waits for it, though all other actors go on', async () => {
    const gate = latch()
    const actors = pool(1)
    const called: ObjectRef<number>[] = []
    actors.submit((a, x: number) => called[called.push(a.wait.remote(gate, x)) - 1]!, 1)
    actors.submit((a) => a.double.remote((() => 1) as never), 2)
    const first = actors.getNext()
    const second = assert.rejects(actors.getNext(), { code: 'RAY_NOT_SERIALIZABLE' })
    actors.push(Remote.remote())
    await second
    assert.deepEqual(await ray.wait(called, { timeout: 0 }), [[], called])
    open(gate)
    assert.equal(await first, 1)
  })

  test('in a map it comes at its place', async () => {
    const results: unknown[] = []
    const mapped = pool().map((a, n: number) => a.double.remote(n === 2 ? ((() => n) as never) : n), [0, 1, 2])
    await assert.rejects(async () => {
      for await (const value of mapped) results.push(value)
    }, /args\[0\] is a function/)
    assert.deepEqual(results, [0, 2])
  })

  test('actors come and go', async () => {
    const actors = pool(1)
    assert.ok(actors.hasFree())
    const taken = actors.popIdle()!
    assert.ok(!actors.hasFree() && actors.popIdle() === undefined)
    actors.submit((a, x: number) => a.double.remote(x), 4)
    await assert.rejects(actors.getNext(), /The pool has no actors/)
    actors.push(taken)
    assert.equal(await actors.getNext(), 8)
    assert.throws(() => actors.push(taken), { code: 'RAY_MISUSE' })
  })

  test('what actors have done that were taken out is there still', async () => {
    const actors = pool(1)
    const submit = (x: number) => actors.submit((a, n: number) => a.double.remote(n), x)
    for (const x of [1, 2]) submit(x)
    while (!actors.hasFree()) await new Promise((resolve) => setImmediate(resolve))
    const taken = actors.popIdle()!
    submit(3)
    assert.equal(await actors.getNext(), 2)
    assert.equal(await actors.getNextUnordered(), 4)
    await assert.rejects(actors.getNext(), /has no actors/)
    await assert.rejects(actors.getNextUnordered(), /has no actors/)
    actors.push(taken)
    assert.equal(await actors.getNextUnordered(), 6)
  })

  test('map drops what was submitted and not fetched', async () => {
    const actors = pool(1)
    actors.submit((a, x: number) => a.double.remote(x), 100)
    assert.deepEqual(await collect(actors.map((a, x: number) => a.double.remote(x), [1, 2])), [2, 4])
    assert.ok(!actors.hasNext())
  })

  test('whoever waits for any result is told at once when a map drops them', async () => {
    const gate = latch()
    const actors = pool(1)
    const called: ObjectRef<number>[] = []
    actors.submit((a, x: number) => called[called.push(a.wait.remote(gate, x)) - 1]!, 1)
    const waiting = assert.rejects(actors.getNextUnordered(), /No more results/)
    assert.deepEqual(await collect(actors.map((a, x: number) => a.double.remote(x), [])), [])
    await waiting
    assert.deepEqual(await ray.wait(called, { timeout: 0 }), [[], called])
    open(gate)
  })

  test('a map that is left begins nothing more', async () => {
    const gate = latch()
    const actors = pool(1)
    const begun: number[] = []
    const call = (a: ReturnType<typeof Remote.remote>, n: number) => {
      begun.push(n)
      return n === 0 ? a.double.remote(n) : a.wait.remote(gate, n)
    }
    for await (const _ of actors.map(call, [0, 1, 2, 3, 4])) break
    open(gate)
    actors.submit(call, 5)
    assert.equal(await actors.getNext(), 5)
    assert.deepEqual(begun, [0, 1, 5])
  })

  test('two maps at once give each its own results', async () => {
    const actors = pool(2)
    const map = (from: number) =>
      collect(
        actors.map(
          (a, x: number) => a.double.remote(x),
          Array.from({ length: 20 }, (_, i) => from + i),
        ),
      )
    const doubled = (from: number) => Array.from({ length: 20 }, (_, i) => 2 * (from + i))
    assert.deepEqual(await Promise.all([map(0), map(100)]), [doubled(0), doubled(100)])
    assert.ok(!actors.hasNext() && actors.hasFree())
  })

  test('a result that is waited for comes, whatever map drops', async () => {
    const gate = latch()
    const actors = pool(1)
    for (const n of [1, 2, 3]) actors.submit((a, x: number) => a.wait.remote(gate, x), n)
    const waiting = Promise.all([actors.getNext(), actors.getNext()])
    const mapped = collect(actors.map((a, x: number) => a.double.remote(x), [4]))
    open(gate)
    assert.deepEqual(await waiting, [1, 2])
    assert.deepEqual(await mapped, [8])
  })

  test('of two that wait for the last result, one is told that there is none left', async () => {
    const gate = latch()
    const actors = pool(1)
    actors.submit((a, x: number) => a.wait.remote(gate, x), 1)
    const [first, second] = [actors.getNextUnordered(), actors.getNextUnordered()]
    open(gate)
    assert.equal(await first, 1)
    await assert.rejects(second, { code: 'RAY_MISUSE', message: /No more results/ })
  })

  test('a function that returns no ref is told so, and its actor stays free', () => {
    const idle = pool(1)
    assert.throws(() => idle.submit(() => 5 as never, 1), /Expected `fn\(actor, value\)` to be an ObjectRef, got `5`/)
    assert.deepEqual([idle.hasFree(), idle.hasNext()], [true, false])
  })

  test('is deeply equal to itself only', () => {
    const [actors, others] = [pool(1), pool(1)]
    assert.notDeepEqual(actors, others)
    assert.deepEqual([actors], [actors])
  })

  test('says what it expects', async () => {
    assert.throws(() => new ray.ActorPool(5 as never), /Expected `actors` to be a list of actors, got `5`/)
    assert.throws(() => pool(1).submit(5 as never, 1), /Expected `fn`/)
    const actors = pool(1)
    await assert.rejects(actors.getNext({ timeout: -1 }), /Expected `timeout`/)
  })
})
