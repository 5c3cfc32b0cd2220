import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { Bus } from '#src/ray/engines/nats/bus.js'
import { consumerOf, STREAM } from '#src/ray/engines/nats/subjects.js'
import { ray, WorkerCrashedError } from '#src/ray/index.js'
import { clusterMissing, Server, WorkerProcess } from './cluster.js'
import { add, heldFirst } from './functions.js'
import { latch, letGo, started } from './helpers.js'
import { arrived } from './latch.js'

const skip = clusterMissing()

describe('a task that may run once, where the server has forgotten to whom it gave it', skip ? { skip } : {}, () => {
  afterEach(() => ray.shutdown())

  test('does not run twice, and its answer comes', async (t) => {
    const server = await Server.startFor(t)
    const workers = await Promise.all(
      ['one', 'two'].map((name) => WorkerProcess.start(server.address, { name, numCpus: 1 })),
    )
    t.after(() => Promise.all(workers.map((worker) => worker.end())))
    const bus = await Bus.open(server.address, 'test')
    t.after(() => bus.close())
    await ray.init({ address: server.address })
    const gate = latch()
    const task = heldFirst.options({ maxRetries: 0 }).remote(gate)
    await started(gate)
    // What a server loses that is killed before it has written down what it gave away.
    await bus.jsm.consumers.delete(STREAM, consumerOf(1000).durable)
    // It stands behind the other in the queue.
    assert.equal(await ray.get(add.remote(1, 2), { timeout: 30_000 }), 3)
    letGo(gate)
    assert.equal(await ray.get(task, { timeout: 30_000 }), 1)
    assert.equal(arrived(gate), 1)
  })

  test('is told to have died, not run again, where its worker is lost as well', async (t) => {
    const server = await Server.startFor(t)
    const first = await WorkerProcess.start(server.address, { name: 'first', numCpus: 1 })
    t.after(() => first.end())
    const bus = await Bus.open(server.address, 'test')
    t.after(() => bus.close())
    await ray.init({ address: server.address })
    const gate = latch()
    const told = assert.rejects(
      ray.get(heldFirst.options({ maxRetries: 0 }).remote(gate), { timeout: 60_000 }),
      WorkerCrashedError,
    )
    await started(gate)
    await first.end()
    await bus.jsm.consumers.delete(STREAM, consumerOf(1000).durable)
    const second = await WorkerProcess.start(server.address, { name: 'second', numCpus: 1 })
    t.after(() => second.end())
    await told
    assert.equal(arrived(gate), 1)
  })
})

describe('a task that may run once', skip ? { skip } : {}, () => {
  afterEach(() => ray.shutdown())

  test('runs elsewhere where the worker that it was given to is lost before it could begin', async (t) => {
    const server = await Server.startFor(t)
    const first = await WorkerProcess.start(server.address, { name: 'first', numCpus: 1 })
    t.after(() => first.end())
    const bus = await Bus.open(server.address, 'test')
    t.after(() => bus.close())
    await ray.init({ address: server.address })
    assert.equal(await ray.get(add.remote(1, 2), { timeout: 30_000 }), 3)
    const given = async () => (await bus.jsm.consumers.info(STREAM, consumerOf(1000).durable)).num_ack_pending
    while ((await given()) > 0) await new Promise((resolve) => setTimeout(resolve, 20))
    // Its request stands with the server, which gives it what comes.
    first.child.kill('SIGSTOP')
    const sum = add.options({ maxRetries: 0 }).remote(3, 4)
    while ((await given()) === 0) await new Promise((resolve) => setTimeout(resolve, 20))
    await first.end()
    const second = await WorkerProcess.start(server.address, { name: 'second', numCpus: 1 })
    t.after(() => second.end())
    assert.equal(await ray.get(sum, { timeout: 60_000 }), 7)
  })
})
