import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { AckPolicy } from '@nats-io/jetstream'
import { Bus } from '#src/ray/engines/nats/bus.js'
import type { Lease } from '#src/ray/engines/nats/lease.js'
import { Leases, OwnLease } from '#src/ray/engines/nats/leases.js'
import { keptLeases } from '#src/ray/engines/nats/live-leases.js'
import { NodeRecorder } from '#src/ray/engines/nats/node/node-recorder.js'
import { Observer } from '#src/ray/engines/nats/status/observe.js'
import { BEAT, consumerOf, HELLO, LEASES, NODE_PATIENCE, STATE, STREAM } from '#src/ray/engines/nats/subjects.js'
import type { Task } from '#src/ray/task.js'
import { clusterMissing, Server, WorkerProcess } from './cluster.js'
import { relays } from './hosts.js'
import { driver, node } from './lives.js'

const skip = clusterMissing()

describe('whoever follows who lives', skip ? { skip } : {}, () => {
  test('takes nobody for lost while it hears nothing of the server itself, and who falls silent after that', async (t) => {
    const { there, here, host } = await apart(t)
    // It listens all along: that its process has ended cannot be found out by asking.
    there.frames(node.id, () => {})

    const give = () => there.leases.put(`node.${node.id}`, JSON.stringify(node))
    there.subscribe(HELLO, () => void give())
    await give()
    const beat = setInterval(() => void give(), BEAT)
    t.after(() => clearInterval(beat))
    const own = new OwnLease(here, () => driver)
    await own.give()
    const said: string[] = []
    let told = () => {}
    let hear = () => {}
    const leases = new Leases({
      seen: () => hear(),
      lost: ({ id }: Lease) => {
        said.push(id)
        told()
      },
    })
    here.watch({
      disconnected: () => leases.disconnected(),
      reconnected: () => leases.reconnected(),
      closed: () => {},
    })
    await leases.follow(here, own, 'node')
    t.after(() => leases.end())
    assert.deepEqual(
      leases.nodes().map(({ name }) => name),
      ['one'],
    )

    host.cut()
    // Longer than a node may be silent.
    await new Promise((resolve) => setTimeout(resolve, NODE_PATIENCE + 1_500))
    assert.deepEqual(said, [])
    const heard = new Promise<void>((resolve) => {
      hear = resolve
    })
    host.mend()
    await heard

    const lost = new Promise<void>((resolve) => {
      told = resolve
    })
    clearInterval(beat)
    await lost
    assert.deepEqual(said, [node.id])
  })

  test('takes nobody for lost, back at a server that was gone, who may notice that later', async (t) => {
    const { there, here, host } = await apart(t)
    await there.leases.put(`node.${node.id}`, JSON.stringify(node))
    const own = new OwnLease(here, () => driver)
    await own.give()
    const said: string[] = []
    const leases = new Leases({ seen: () => {}, lost: ({ id }: Lease) => said.push(id) })
    const back = new Promise<void>((resolve) => {
      here.watch({
        disconnected: () => leases.disconnected(),
        reconnected: () => {
          leases.reconnected()
          resolve()
        },
        closed: () => {},
      })
    })
    await leases.follow(here, own, 'node')
    leases.lives(node)
    t.after(() => leases.end())
    host.mend()
    await back
    // Long enough to find out twice that it does not listen.
    await new Promise<void>((resolve) => {
      let beats = 0
      there.subscribe(`$KV.${LEASES}.driver.*`, () => ++beats === 6 && resolve())
    })
    assert.deepEqual(said, [])
  })
})

/** Two on one server, of which one can be cut off. */
async function apart(t: TestContext) {
  const server = await Server.startFor(t)
  const hosts = relays()
  t.after(() => hosts.end())
  const host = await hosts.add(server.port)
  const [there, here] = [await Bus.open(server.address, 'there'), await Bus.open(host.address, 'here')]
  t.after(() => Promise.all([there.close(), here.close()]))
  return { there, here, host }
}

/** A server and somebody on it who gives signs of life. */
async function alive(t: TestContext, lease: Lease = driver): Promise<{ bus: Bus; own: OwnLease; address: string }> {
  const server = await Server.startFor(t)
  const bus = await Bus.open(server.address, 'here')
  t.after(() => bus.close())
  const own = new OwnLease(bus, () => lease)
  t.after(() => own.end())
  return { bus, own, address: server.address }
}

test(
  'who asks in vain who lives, since the server starts again just then, hears of them all the same',
  skip ? { skip } : {},
  async (t) => {
    const { bus, own, address } = await alive(t)
    const there = await Bus.open(address, 'there')
    t.after(() => there.close())
    there.subscribe(HELLO, () => void there.leases.put(`node.${node.id}`, JSON.stringify(node)))
    await there.flush()
    await bus.jsm.streams.update(`KV_${LEASES}`, { allow_direct: false })
    const leases = new Leases({ seen: () => {}, lost: () => {} })
    t.after(() => leases.end())
    await leases.follow(bus, own, 'node')
    assert.deepEqual(
      leases.nodes().map(({ name }) => name),
      ['one'],
    )
  },
)

test('a worker that cannot join in the end says so and ends', skip ? { skip } : {}, async (t) => {
  const { bus, address } = await alive(t)
  const { config } = await bus.jsm.streams.info(`KV_${STATE}`)
  await bus.jsm.streams.delete(config.name)
  await bus.jsm.streams.add({ ...config, max_consumers: 1 })
  await bus.jsm.consumers.add(config.name, { durable_name: 'other', ack_policy: AckPolicy.None })
  await assert.rejects(
    WorkerProcess.start(address, { name: 'late' }),
    /ended with 1: .*Node late could not join.*consumers/s,
  )
  assert.deepEqual(await keptLeases(bus, 'node.*'), [])
})

test(
  'who has looked for those that live listens no more, which would hold its process',
  skip ? { skip } : {},
  async (t) => {
    const { bus, own } = await alive(t, node)
    await own.give()
    const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
    const before = timers()
    const found = await Promise.all(['node.*', 'nobody.*', '*.*'].map((whom) => keptLeases(bus, whom)))
    assert.deepEqual(
      found.map((kept) => kept.map(({ lease }) => lease.id)),
      [[node.id], [], [node.id]],
    )
    assert.ok(timers() <= before)
  },
)

test(
  'what is no sign of life, in the place of one, keeps no worker out and hides nobody',
  skip ? { skip } : {},
  async (t) => {
    const { bus, own, address } = await alive(t)
    await own.give()
    const others = {
      'driver.a': 'not json',
      'node.b': 'null',
      'node.c': '7',
      'node.d': JSON.stringify({ ...node, kind: 'ghost' }),
      'node.e': JSON.stringify({ ...node, id: 7 }),
      'node.f': JSON.stringify({ ...node, id: 'a b' }),
      'node.g': JSON.stringify({ ...node, id: 'g', name: { first: 'g' } }),
      'node.h': JSON.stringify({ ...node, id: 'h', cpus: 'many' }),
      'driver.i': JSON.stringify({ ...driver, id: 'i', sizes: 'all' }),
    }
    const putAll = () => Promise.all(Object.entries(others).map(([key, text]) => bus.leases.put(key, text)))
    await putAll()
    const worker = await WorkerProcess.start(address, { name: 'late' })
    t.after(() => worker.end())
    const observer = await Observer.open(address)
    t.after(() => observer.close())
    assert.deepEqual(
      (await observer.status()).nodes.map(({ name }) => name),
      ['late'],
    )
    // Nor does whoever follows who lives warn of it, as it is put there.
    const warned: Error[] = []
    const note = (warning: Error) => warned.push(warning)
    process.on('warning', note)
    t.after(() => process.off('warning', note))
    const leases = new Leases({ seen: () => {}, lost: () => {} })
    await leases.follow(bus, own)
    t.after(() => leases.end())
    await putAll()
    await bus.flush()
    assert.equal(leases.nodes().length, 1)
    assert.deepEqual(warned, [])
  },
)

test('who has left gives no further sign of life', skip ? { skip } : {}, async (t) => {
  const { bus, own } = await alive(t, node)
  await own.give()
  const key = `node.${node.id}`
  assert.equal((await bus.leases.get(key))?.operation, 'PUT')
  own.changed()
  await own.end()
  await own.give()
  assert.notEqual((await bus.leases.get(key))?.operation, 'PUT')
})

test('a server that is there and stores nothing any more is told', skip ? { skip } : {}, async (t) => {
  const { bus, own } = await alive(t)
  let told = (_message: string) => {}
  const message = new Promise<string>((resolve) => {
    told = resolve
  })
  const leases = new Leases({ seen: () => {}, lost: () => {}, unstored: (message) => told(message) }, BEAT)
  await own.give()
  await leases.follow(bus, own, 'node')
  t.after(() => leases.end())
  await bus.jsm.streams.update(`KV_${LEASES}`, { max_msg_size: 10 })
  assert.match(await message, /stored nothing for 1 s \(.*size.*\): its disk, .* may be full/)
})

test('following who lives leaves nothing on the server', skip ? { skip } : {}, async (t) => {
  const { bus, own } = await alive(t)
  await own.give()
  const leases = new Leases({ seen: () => {}, lost: () => {} })
  await leases.follow(bus, own, 'node')
  leases.end()
  assert.equal((await bus.jsm.streams.info(`KV_${LEASES}`)).state.consumer_count, 0)
})

test('a size of tasks gets its consumer once the server is there again', skip ? { skip } : {}, async (t) => {
  const server = await Server.startFor(t)
  const bus = await Bus.open(server.address, 'here')
  t.after(() => bus.close())
  await server.down()
  const made = bus.makeConsumer(1_000, () => false)
  await server.up()
  await made
  assert.equal((await bus.jsm.consumers.info(STREAM, consumerOf(1_000).durable)).num_pending, 0)
})

test('what a driver’s calls did here is kept up to a number until it is told', () => {
  const task = {} as Task
  const recorder = new NodeRecorder(
    () => 'task-1',
    () => assert.fail('nothing is told before a result is'),
  )
  const call = { sent: 0, received: 0, began: 0, ended: 1, attempt: 1, bytesIn: 0, bytesOut: 0, failed: false }
  for (let i = 0; i < 10_001; i++) recorder.call(1, task, call)
  assert.equal(recorder.take().calls.length, 10_000)
  recorder.call(1, task, call)
  assert.equal(recorder.take().calls.length, 1)
})
