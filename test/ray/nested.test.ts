import assert from 'node:assert/strict'
import { test } from 'node:test'
import v8 from 'node:v8'
import vm from 'node:vm'
import { ActorNameError, RayTaskError, ray } from '#src/ray/index.js'
import {
  add,
  askAndGo,
  Counter,
  countdown,
  failInside,
  fibonacci,
  findCounter,
  giveHandle,
  giveRef,
  giveTaken,
  giveUnfit,
  hold,
  makeAndForget,
  makeCounter,
  openBox,
} from './functions.js'
import { inOneSession, latch, letGo, started } from './helpers.js'

v8.setFlagsFromString('--expose-gc')
const collect = vm.runInNewContext('gc') as () => void

inOneSession('tasks and actors made by tasks', { numCpus: 1 }, ({ engine }) => {
  test('a task that waits for others lends them its CPU', async () => {
    assert.equal(await ray.get(fibonacci.remote(5)), 5)
    // What is free on other machines is known from their signs of life.
    if (engine === 'nats')
      while ((await ray.availableResources()).CPU !== 1) await new Promise((resolve) => setTimeout(resolve, 20))
    assert.deepEqual(await ray.availableResources(), { CPU: 1 })
  })

  test('a recursion deeper than there are workers for does not stand still', async () => {
    // There are 16 beyond the CPUs.
    assert.equal(await ray.get(countdown.remote(19)), 19)
  })

  test('a ref inside an argument can be asked for', async () => {
    assert.equal(await ray.get(openBox.remote({ ref: ray.put(41) })), 42)
    assert.equal(await ray.get(openBox.remote({ ref: add.remote(1, 1) })), 3)
  })

  test('an actor made by a task outlives it through its handle', async () => {
    const { counter } = await ray.get(makeCounter.remote(5))
    assert.equal(await ray.get(counter.add.remote(1)), 7)
  })

  test('a named actor is found by a task', async () => {
    const counter = Counter.options({ name: 'shared' }).remote(1)
    assert.equal(await ray.get(findCounter.remote('shared')), 11)
    assert.equal(await ray.get(counter.add.remote(1)), 12)
  })

  test('a ref that a task returns is known, its function being new to the worker too', async () => {
    const { ref } = await ray.get(giveRef.remote(4))
    assert.equal(await ray.get(ref), 8)
  })

  test('so is the handle of an actor that it has just made', async () => {
    const { counter } = await ray.get(giveHandle.remote())
    assert.equal(await ray.get(counter.add.remote(1)), 21)
  })

  test('an actor that a task makes and lets go at once ends', async () => {
    await ray.get(makeAndForget.remote())
    const task = add.remote(1, 2)
    let sum: number | undefined
    for (let times = 0; times < 100 && sum === undefined; times++) {
      collect()
      sum = await ray.get(task, { timeout: 100 }).catch(() => undefined)
    }
    assert.equal(sum, 3)
  })

  test('an actor that a task cannot make fails its calls with the reason, whoever waits for them', async () => {
    const first = Counter.options({ name: 'only' }).remote(0)
    await ray.get(first.add.remote(1))
    const { ref } = await ray.get(giveTaken.remote('only'))
    await assert.rejects(ray.get(ref), ActorNameError)
  })

  test('whatever a task cannot send is told where it was given, and does not end its worker', async () => {
    const told = await ray.get(giveUnfit.options({ maxRetries: 0 }).remote())
    assert.deepEqual(told, Array(4).fill('RAY_NOT_SERIALIZABLE'))
  })

  test('a task that does not wait for what it asked for gives its CPU back once', async () => {
    const gate = latch()
    const slow = hold.options({ numCpus: 0 }).remote(gate)
    await started(gate)
    for (let i = 0; i < 3; i++) await ray.get(askAndGo.remote({ ref: slow }))
    const next = hold.remote(gate)
    await started(gate, 2)
    if (engine !== 'nats') assert.deepEqual(await ray.availableResources(), { CPU: 0 })
    letGo(gate)
    assert.equal((await ray.get([slow, next])).length, 2)
  })

  test('an error goes through as many tasks as it has to', async () => {
    await assert.rejects(
      ray.get(failInside.remote()),
      (error) => error instanceof RayTaskError && /inside/.test(error.message),
    )
  })
})
