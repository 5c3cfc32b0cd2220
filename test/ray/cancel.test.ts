import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GetTimeoutError, ray, TaskCancelledError, TaskTimeoutError } from '#src/ray/index.js'
import {
  add,
  beginAndSpin,
  beginHeld,
  beginThere,
  borrow,
  Counter,
  fastOrHeld,
  hold,
  leave,
  listen,
  neverEnds,
  Patient,
  StubbornActor,
  spin,
  startOther,
  tidy,
} from './functions.js'
import { inOneSession, latch, letGo, started } from './helpers.js'
import { arrived, opened } from './latch.js'

inOneSession('cancel and time limits', { numCpus: 1 }, ({ begin }) => {
  test('a task that has not started is dropped', async () => {
    const shared = latch()
    const running = hold.remote(shared)
    const counted = latch()
    const queued = hold.remote(counted)
    await started(shared)
    ray.cancel(queued)
    await assert.rejects(ray.get(queued), TaskCancelledError)
    // What is asked for later is answered later: another machine has heard of it by then.
    assert.equal(await ray.get(Counter.options({ numCpus: 0 }).remote(0).add.remote(1)), 1)
    letGo(shared)
    assert.equal(await ray.get(running), 1)
    assert.equal(await ray.get(add.remote(1, 1)), 2)
    assert.equal(arrived(counted), 0)
  })

  test('a task that its worker has and has not begun gives its CPU back', async () => {
    await begin({ numCpus: 1 })
    const shared = latch()
    const ref = hold.remote(shared)
    // It has gone to a worker that is being started.
    await new Promise((resolve) => setImmediate(resolve))
    ray.cancel(ref)
    await assert.rejects(ray.get(ref), TaskCancelledError)
    assert.equal(await ray.get(add.remote(1, 1)), 2)
  })

  test('a task that runs is told through its signal, and may clean up for longer than one that spins is waited for', async () => {
    for (const told of [listen, tidy]) {
      const shared = latch()
      const ref = told.remote(shared)
      await started(shared)
      ray.cancel(ref)
      await assert.rejects(ray.get(ref), TaskCancelledError)
      assert.equal(await ray.get(add.remote(1, 1)), 2)
      await opened(shared)
    }
  })

  test('a task that ends its worker when it is told is not run again', async () => {
    const shared = latch()
    const ref = leave.remote(shared)
    await started(shared)
    ray.cancel(ref)
    await assert.rejects(ray.get(ref), TaskCancelledError)
    // What would run again would stand before the second.
    for (let i = 0; i < 2; i++) assert.equal(await ray.get(add.remote(i, 1), { timeout: 20_000 }), i + 1)
    assert.equal(arrived(shared), 1)
  })

  test('a task that spins is rejected at once and its worker replaced', async () => {
    const shared = latch()
    const ref = spin.remote(shared)
    await started(shared)
    ray.cancel(ref)
    await assert.rejects(ray.get(ref), TaskCancelledError)
    assert.equal(await ray.get(add.remote(1, 1)), 2)
  })

  test('force ends the worker at once; the task is not retried', async () => {
    const shared = latch()
    const ref = spin.remote(shared)
    await started(shared)
    ray.cancel(ref, { force: true })
    await assert.rejects(ray.get(ref), TaskCancelledError)
    assert.equal(await ray.get(add.remote(1, 1)), 2)
    assert.equal(arrived(shared), 1)
  })

  test('what a task began is cancelled with it, whatever became of it, unless told otherwise', async () => {
    const [told, never, spins, stays] = [latch(), latch(), latch(), latch()]
    const parent = startOther.remote(told, 2)
    await started(told)
    ray.cancel(parent)
    await assert.rejects(ray.get(parent), TaskCancelledError)
    assert.equal(await ray.get(add.remote(1, 1)), 2)
    await opened(told)

    const spinning = beginAndSpin.remote(never, spins)
    await started(spins)
    ray.cancel(spinning, { force: true })
    await assert.rejects(ray.get(spinning), TaskCancelledError)
    assert.equal(await ray.get(add.remote(1, 1)), 2)
    assert.equal(arrived(never), 0)

    const left = beginHeld.remote(stays)
    await started(stays)
    ray.cancel(left, { recursive: false })
    await assert.rejects(ray.get(left), TaskCancelledError)
    letGo(stays)
    await started(stays, 2)

    const [there, actor] = [latch(), StubbornActor.remote()]
    const asks = beginThere.remote(actor, there)
    await started(there)
    ray.cancel(asks)
    await assert.rejects(ray.get(asks), TaskCancelledError)
    await started(there, 2)
  })

  test('what a cancelled call begins once it has heard of it, to clean up, runs', async () => {
    for (const recursive of [true, false]) {
      const stubborn = latch()
      const call = StubbornActor.remote().begin.remote(stubborn)
      await started(stubborn)
      ray.cancel(call, { recursive })
      await started(stubborn, 2)
      await opened(stubborn)
    }
    const [counter, child] = [Counter.remote(1), latch()]
    const task = borrow.remote(counter, child)
    await started(child)
    ray.cancel(task)
    await assert.rejects(ray.get(task), TaskCancelledError)
    while ((await ray.get(counter.add.remote(0))) === 0);
    await opened(child)
  })

  test('what depends on a cancelled task is cancelled too', async () => {
    const ref = neverEnds.remote()
    const next = add.remote(ref, 1)
    ray.cancel(ref)
    await assert.rejects(ray.get(next), TaskCancelledError)
  })

  test('cancelling what is done changes nothing', async () => {
    const ref = add.remote(1, 2)
    await ray.get(ref)
    ray.cancel(ref)
    assert.equal(await ray.get(ref), 3)
  })

  test('an actor’s call is cancelled, the actor lives', async () => {
    const counter = Counter.remote(0)
    const shared = latch()
    const running = counter.hold.remote(shared)
    const queued = counter.add.remote(1)
    const behind = counter.add.remote(10)
    await started(shared)
    assert.throws(() => ray.cancel(running, { force: true }), /ray\.kill/)
    ray.cancel(queued)
    await assert.rejects(ray.get(queued), TaskCancelledError)
    letGo(shared)
    assert.equal(await ray.get(behind), 10)
    assert.equal(await ray.get(running), 0)
  })

  test('an actor’s call that is cancelled in the turn that made it, which has gone to its worker, holds nobody up', async () => {
    const counter = Counter.remote(0)
    await ray.get(counter.add.remote(1))
    const cancelled = counter.listen.remote()
    ray.cancel(cancelled)
    await assert.rejects(ray.get(cancelled), TaskCancelledError)
    assert.equal(await ray.get(counter.add.remote(1), { timeout: 20_000 }), 2)
  })

  test('what was cancelled is not run again where its actor is started again', async () => {
    const counter = Counter.options({ maxRestarts: 1, maxTaskRetries: 1 }).remote(0)
    const gate = latch()
    const running = counter.hold.remote(gate)
    await started(gate)
    ray.cancel(running)
    await assert.rejects(ray.get(running), TaskCancelledError)
    ray.kill(counter, { noRestart: false })
    letGo(gate)
    assert.equal(await ray.get(counter.add.remote(1)), 1)
    assert.equal(arrived(gate), 1)
  })

  test('what stands in line behind a task whose worker is ended with it has not been tried', async () => {
    await ray.get(Array.from({ length: 300 }, () => fastOrHeld.remote(null)))
    const gate = latch()
    const long = fastOrHeld.remote(gate)
    const behind = Array.from({ length: 20 }, () => fastOrHeld.options({ maxRetries: 0 }).remote(null))
    await started(gate)
    ray.cancel(long, { force: true })
    await assert.rejects(ray.get(long), TaskCancelledError)
    assert.deepEqual(new Set(await ray.get(behind)), new Set([0]))
  })

  test('calls that an actor has before it is made are dropped; they do not run once it is', async () => {
    const patient = Patient.options({ maxConcurrency: 3 }).remote()
    const [gate, dropped] = [latch(), latch()]
    const calls = [patient.wait.remote(dropped), patient.wait.remote(dropped)]
    // They have gone to a worker that is being started.
    await new Promise((resolve) => setImmediate(resolve))
    for (const call of calls) ray.cancel(call)
    for (const call of calls) await assert.rejects(ray.get(call), TaskCancelledError)
    letGo(gate)
    assert.equal(await ray.get(patient.wait.remote(gate)), 'let go')
    assert.equal(arrived(dropped), 0)
  })

  test('a call of an actor that waits for its argument is dropped; those behind it run', async () => {
    const counter = Counter.remote(0)
    await ray.get(counter.add.remote(1))
    const dropped = counter.add.remote(neverEnds.options({ numCpus: 0 }).remote())
    const next = counter.add.remote(1)
    ray.cancel(dropped)
    await assert.rejects(ray.get(dropped), TaskCancelledError)
    assert.equal(await ray.get(next), 2)
  })

  test('a time limit ends a task that spins', async () => {
    const shared = latch()
    await assert.rejects(ray.get(spin.options({ timeout: 50 }).remote(shared)), (error) => {
      assert.ok(error instanceof TaskTimeoutError)
      assert.match(error.message, /spin.*50 ms/)
      return true
    })
    assert.equal(await ray.get(add.remote(1, 1)), 2)
  })

  test('get gives up after its timeout, the task goes on', async () => {
    const shared = latch()
    const ref = hold.remote(shared)
    await started(shared)
    await assert.rejects(ray.get(ref, { timeout: 1 }), GetTimeoutError)
    letGo(shared)
    assert.equal(await ray.get(ref), 1)
  })

  test('get stops waiting when its signal is aborted', async () => {
    const abort = new AbortController()
    const waiting = ray.get(neverEnds.remote(), { signal: abort.signal })
    abort.abort(new Error('enough'))
    await assert.rejects(waiting, /enough/)
    await assert.rejects(ray.get(neverEnds.remote(), { signal: AbortSignal.abort(new Error('before')) }), /before/)
  })
})
