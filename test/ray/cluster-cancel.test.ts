import assert from 'node:assert/strict'
import { afterEach, describe, type TestContext, test } from 'node:test'
import { Bus } from '#src/ray/engines/nats/bus.js'
import { Observer } from '#src/ray/engines/nats/status/observe.js'
import { STREAM } from '#src/ray/engines/nats/subjects.js'
import { type ObjectRef, ray } from '#src/ray/index.js'
import { noSignals } from '../windows.js'
import { clusterMissing, Line, Server, WorkerProcess } from './cluster.js'
import { add, fastOrHeld, hold } from './functions.js'
import { latch, letGo, started, until } from './helpers.js'
import { arrived, type Latch } from './latch.js'

const skip = clusterMissing()

describe('a task that is cancelled before any worker has it', skip ? { skip } : {}, () => {
  afterEach(() => ray.shutdown())

  /** A driver over a line that can be held up. */
  async function begin(t: TestContext) {
    const server = await Server.startFor(t)
    const line = await Line.to(server, t)
    const bus = await Bus.open(server.address, 'test')
    t.after(() => bus.close())
    const queued = async () => (await bus.jsm.streams.info(STREAM)).state.messages
    const waiting = async () => {
      const observer = await Observer.open(server.address)
      const status = await observer.status()
      await observer.close()
      return status.waiting
    }
    const join = async () => {
      const worker = await WorkerProcess.start(server.address, { name: 'late', numCpus: 1 })
      t.after(() => worker.end())
      return worker
    }
    await ray.init({ address: line.address })
    return { line, queued, waiting, join }
  }
  async function cancel(ref: ObjectRef<unknown>) {
    const told = assert.rejects(ray.get(ref), { code: 'RAY_TASK_CANCELLED' })
    ray.cancel(ref)
    await told
  }
  /** Cancelled when it lies in the queue, and the server's word for that is held back. Returns what it would have told. */
  async function cancelUnconfirmed({ line, queued }: Awaited<ReturnType<typeof begin>>): Promise<Latch> {
    line.holdUp()
    const gate = latch()
    letGo(gate)
    const ref = hold.remote(gate)
    await until(async () => (await queued()) === 1)
    await cancel(ref)
    return gate
  }
  /** What ran, had it not been cancelled: a worker takes the oldest first. */
  async function neverRuns(gate: Latch) {
    assert.equal(await ray.get(add.remote(1, 2), { timeout: 20_000 }), 3)
    assert.equal(arrived(gate), 0)
  }

  test('does not run on one that joins later, though the server had not confirmed it yet', async (t) => {
    const cluster = await begin(t)
    const { line, queued, waiting, join } = cluster
    const gate = await cancelUnconfirmed(cluster)
    line.goOn()
    await until(async () => (await queued()) === 0 && (await waiting()) === 0)
    assert.deepEqual([await queued(), await waiting()], [0, 0])
    await join()
    await neverRuns(gate)
  })

  test('does not run either where the confirmation was so late that it was published once more', async (t) => {
    const cluster = await begin(t)
    const { line, queued, join } = cluster
    const gate = await cancelUnconfirmed(cluster)
    await until(async () => line.published === 2)
    line.goOn()
    await until(async () => (await queued()) === 0)
    assert.equal(await queued(), 0)
    await join()
    await neverRuns(gate)
  })

  test('does not run where others of its message do; all of a message cancelled, it is taken out of the queue', {
    skip: noSignals,
  }, async (t) => {
    const { queued, join } = await begin(t)
    /** Thirty calls in fewer messages, and no worker that could have one. */
    const share = async (worker: WorkerProcess) => {
      // Enough that the slow first call is forgotten: calls share a message by how long they took of late.
      await ray.get(Array.from({ length: 160 }, () => fastOrHeld.remote(null)))
      // All that it ran is out of the queue when it has left.
      await worker.end('SIGTERM')
      const gate = latch()
      const refs = Array.from({ length: 30 }, () => fastOrHeld.remote(gate))
      await until(async () => (await queued()) > 1)
      assert.ok((await queued()) < refs.length)
      return { gate, refs }
    }
    const half = await share(await join())
    await Promise.all(half.refs.filter((_, i) => i % 2).map(cancel))
    const next = await join()
    await started(half.gate)
    letGo(half.gate)
    await ray.get(half.refs.filter((_, i) => i % 2 === 0))
    const { gate, refs } = await share(next)
    assert.equal(arrived(half.gate), 15)
    await Promise.all(refs.map(cancel))
    await until(async () => (await queued()) === 0)
    assert.equal(await queued(), 0)
    await join()
    await neverRuns(gate)
  })
})
