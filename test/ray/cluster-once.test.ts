import assert from 'node:assert/strict'
import { afterEach, describe, type TestContext, test } from 'node:test'
import type { EngineHost } from '#src/ray/engine.js'
import { Bus } from '#src/ray/engines/nats/bus.js'
import { CallEnds, type CallEndsEvents } from '#src/ray/engines/nats/driver/call-ends.js'
import { SentCalls } from '#src/ray/engines/nats/driver/sent-calls.js'
import { consumerOf, STREAM, toPeer } from '#src/ray/engines/nats/subjects.js'
import { ray, WorkerCrashedError } from '#src/ray/index.js'
import type { Task } from '#src/ray/task.js'
import { noSignals } from '../windows.js'
import { clusterMissing, Server, WorkerProcess } from './cluster.js'
import { add, heldFirst, thread } from './functions.js'
import { latch, letGo, started } from './helpers.js'
import { arrived } from './latch.js'

const skip = clusterMissing()

/** A cluster of its own, with a session on it; workers join with one CPU each. */
async function cluster(t: TestContext) {
  const { address } = await Server.startFor(t)
  const bus = await Bus.open(address, 'test')
  t.after(() => bus.close())
  await ray.init({ address })
  const join = async (name: string) => {
    const worker = await WorkerProcess.start(address, { name, numCpus: 1 })
    t.after(() => worker.end())
    return worker
  }
  return { bus, join }
}

describe('a task that may run once, where the server has forgotten to whom it gave it', skip ? { skip } : {}, () => {
  afterEach(() => ray.shutdown())

  test('does not run twice, and its answer comes', async (t) => {
    const { join, bus } = await cluster(t)
    await Promise.all([join('one'), join('two')])
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
    const { join, bus } = await cluster(t)
    const first = await join('first')
    const gate = latch()
    const told = assert.rejects(
      ray.get(heldFirst.options({ maxRetries: 0 }).remote(gate), { timeout: 60_000 }),
      WorkerCrashedError,
    )
    await started(gate)
    await first.end()
    await bus.jsm.consumers.delete(STREAM, consumerOf(1000).durable)
    await join('second')
    await told
    assert.equal(arrived(gate), 1)
  })
})

describe('a task that may run once', skip ? { skip } : {}, () => {
  afterEach(() => ray.shutdown())

  test('runs elsewhere where the worker that it was given to is lost before it could begin', {
    skip: noSignals,
  }, async (t) => {
    const { join, bus } = await cluster(t)
    const first = await join('first')
    assert.equal(await ray.get(add.remote(1, 2), { timeout: 30_000 }), 3)
    const given = async () => (await bus.jsm.consumers.info(STREAM, consumerOf(1000).durable)).num_ack_pending
    while ((await given()) > 0) await new Promise((resolve) => setTimeout(resolve, 20))
    // Its request stands with the server, which gives it what comes.
    first.child.kill('SIGSTOP')
    const sum = add.options({ maxRetries: 0 }).remote(3, 4)
    while ((await given()) === 0) await new Promise((resolve) => setTimeout(resolve, 20))
    await first.end()
    await join('second')
    assert.equal(await ray.get(sum, { timeout: 60_000 }), 7)
  })
})

describe('a task that the queue gives to a second worker', skip ? { skip } : {}, () => {
  afterEach(() => ray.shutdown())

  /** A task that runs on one worker, was given to another and has come back from there. */
  async function givenTwice(t: TestContext) {
    const { join, bus } = await cluster(t)
    const workers = await Promise.all([join('one'), join('two')])
    const working = new Promise<string>((resolve) => {
      bus.subscribe('$JS.ACK.>', (subject, answer) => `${answer}` === '+WPI' && resolve(subject))
    })
    const heard = (what: string) =>
      new Promise<void>((resolve) => {
        bus.subscribe(toPeer('*', '*'), (_, frame) => frame.includes(what) && resolve())
      })
    const told = heard('running')
    const gate = latch()
    const task = heldFirst.remote(gate)
    const [subject] = await Promise.all([working, told, started(gate)])
    const returned = heard('returned')
    bus.publish(subject, Buffer.from('-NAK'))
    await returned
    return { gate, task, workers }
  }

  test('goes on where it is, and does not run twice', async (t) => {
    const { gate, task } = await givenTwice(t)
    // Whoever it was given to has heard that it is not to run there when it has run something else.
    assert.equal(await ray.get(add.remote(1, 2), { timeout: 30_000 }), 3)
    letGo(gate)
    assert.equal(await ray.get(task, { timeout: 30_000 }), 1)
    assert.equal(arrived(gate), 1)
  })

  test('runs again where the first is lost then, though no queue has it any more', async (t) => {
    const { task, workers } = await givenTwice(t)
    const [idle] = (await ray.get(thread.remote())).split(':')
    await workers.find(({ child }) => `${child.pid}` !== idle)!.end()
    assert.equal(await ray.get(task, { timeout: 60_000 }), 2)
  })
})

test('a task that came back is published again once, though the queue had given it away twice', () => {
  const submitted: Task[] = []
  const sent = new SentCalls()
  const host = { copied: () => {} } as unknown as EngineHost
  const ends = new CallEnds(sent, host, { submit: (task: Task) => submitted.push(task) } as unknown as CallEndsEvents)
  const task = { args: [], definition: { code: null }, state: 'running' } as unknown as Task
  const publish = (publication: number) => {
    const message = { publication, seq: 1, left: 1, cancelled: [], begun: null }
    sent.set('task-1', { task, message, copied: 0, shared: 0, node: null, orphan: false })
  }
  publish(1)
  ends.returned('task-1', 1, false)
  assert.deepEqual([submitted, sent.size], [[task], 0])
  ends.returned('task-1', 1, false)
  publish(2)
  ends.returned('task-1', 1, false)
  assert.deepEqual([submitted, sent.size], [[task], 1])
})
