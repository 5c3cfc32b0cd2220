import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RayTaskError, ray } from '#src/ray/index.js'
import { add, Counter, countdown, failInside, fibonacci, findCounter, makeCounter, openBox } from './functions.js'
import { onEachEngine } from './helpers.js'

onEachEngine('tasks and actors made by tasks', { numCpus: 1 }, ({ engine }) => {
  test('a task that waits for others lends them its CPU', async () => {
    // Elsewhere each worker takes longer to start.
    const [n, value] = engine === 'threads' ? [7, 13] : [5, 5]
    assert.equal(await ray.get(fibonacci.remote(n)), value)
    // What is free on other machines is known from their signs of life.
    if (engine === 'nats')
      while ((await ray.availableResources()).CPU !== 1) await new Promise((resolve) => setTimeout(resolve, 20))
    assert.deepEqual(await ray.availableResources(), { CPU: 1 })
  })

  test('a recursion deeper than there are workers for does not stand still', async () => {
    const deep = engine === 'threads' ? 25 : 19
    assert.equal(await ray.get(countdown.remote(deep)), deep)
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

  test('an error goes through as many tasks as it has to', async () => {
    await assert.rejects(
      ray.get(failInside.remote()),
      (error) => error instanceof RayTaskError && /inside/.test(error.message),
    )
  })
})
