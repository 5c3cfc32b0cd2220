import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { Bus } from '#src/ray/engines/nats/bus.js'
import type { DriverLease } from '#src/ray/engines/nats/lease.js'
import type { NetTask, Queued } from '#src/ray/engines/nats/messages.js'
import { Node } from '#src/ray/engines/nats/node/node.js'
import { LEASES, STREAM } from '#src/ray/engines/nats/subjects.js'
import { packageVersion } from '#src/ray/version.js'
import { encodeWire } from '#src/ray/wire.js'
import { clusterMissing, Server } from './cluster.js'

const skip = clusterMissing()

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20))
}

const waiting = async (bus: Bus) => (await bus.jsm.streams.info(STREAM)).state.messages

describe('a worker that gets a task of a driver that it has no session for', skip ? { skip } : {}, () => {
  const lease = (id: string): DriverLease => ({
    kind: 'driver',
    id,
    version: packageVersion(),
    namespace: '',
    timeline: false,
    resourceLimits: null,
    env: {},
    findings: [],
    sizes: [1_000],
    unfinished: 1,
    host: 'there',
    pid: 1,
  })
  const task = { args: [], code: ['f', { kind: 'module', module: 'node:nothing', name: 'f' }], attempt: 0, numCpus: 1 }

  /** A worker, one driver that gives signs of life, and what another can do. */
  async function cluster(t: TestContext) {
    const { address } = await Server.startFor(t)
    const bus = await Bus.open(address, 'test')
    const node = await Node.join({ address, name: 'alone', numCpus: 1, allow: [] })
    t.after(async () => {
      await node.leave()
      await bus.close()
    })
    const listen = (id: string) =>
      new Promise<'results'>((resolve) => {
        bus.frames(id, (_, frame) => frame.includes('results') && resolve('results'))
      })
    const give = (id: string) => bus.leases.put(`driver.${id}`, JSON.stringify(lease(id)))
    const ask = async (id: string) => {
      const tasks = [{ ...task, id, label: id, maxRetries: 3, numReturns: 1 } as unknown as NetTask]
      const message = encodeWire({ driver: id, publication: 1, tasks } satisfies Queued)
      await bus.makeConsumer(1_000, () => false)
      await bus.enqueue(id, 1_000, `${id}.1`, () => message)
    }
    const dropped = async () => {
      await until(async () => (await waiting(bus)) === 0)
      return 'dropped' as const
    }
    return { bus, listen, give, ask, dropped }
  }

  test('runs it where it has heard of the driver, though the server has forgotten that', async (t) => {
    const { bus, listen, give, ask, dropped } = await cluster(t)
    const results = listen('driver-1')
    await give('driver-1')
    // As after an outage for longer than the server keeps a sign of life.
    await bus.jsm.streams.purge(`KV_${LEASES}`, { filter: `$KV.${LEASES}.driver.driver-1` })
    await ask('driver-1')
    assert.equal(await Promise.race([results, dropped()]), 'results')
  })

  test('waits for its sign of life where the driver listens', async (t) => {
    const { bus, listen, give, ask, dropped } = await cluster(t)
    void listen('driver-1')
    await give('driver-1')
    const results = listen('driver-2')
    const looked = new Promise<void>((resolve) => {
      bus.subscribe('$JS.API.DIRECT.GET.>', (subject) => subject.endsWith('driver.driver-2') && resolve())
    })
    await bus.flush()
    await ask('driver-2')
    await Promise.race([looked, results])
    await give('driver-2')
    assert.equal(await Promise.race([results, dropped()]), 'results')
  })

  test('drops it where the driver has ended', async (t) => {
    const { listen, give, ask, dropped } = await cluster(t)
    void listen('driver-1')
    await give('driver-1')
    await ask('driver-2')
    assert.equal(await dropped(), 'dropped')
  })
})
