import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, type TestContext, test } from 'node:test'
import { Bus } from '#src/ray/engines/nats/bus.js'
import type { DriverLease } from '#src/ray/engines/nats/lease.js'
import type { NetTask, Queued } from '#src/ray/engines/nats/messages.js'
import { Node } from '#src/ray/engines/nats/node/node.js'
import { LEASES, STREAM } from '#src/ray/engines/nats/subjects.js'
import { ray } from '#src/ray/index.js'
import { packageVersion } from '#src/ray/version.js'
import { encodeWire } from '#src/ray/wire.js'
import { clusterMissing, printed, Server, WorkerProcess } from './cluster.js'
import { add, size } from './functions.js'
import { latch, letGo } from './helpers.js'
import { scripts } from './programs.js'

const skip = clusterMissing()

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20))
}

const waiting = async (bus: Bus) => (await bus.jsm.streams.info(STREAM)).state.messages

describe('a driver whose server was away', skip ? { skip } : {}, () => {
  afterEach(() => ray.shutdown())

  test('and has lost its data meanwhile is told so, once somebody has joined; the next goes on', async (t) => {
    const server = await Server.startFor(t)
    const bus = await Bus.open(server.address, 'test')
    await ray.init({ address: server.address })
    const told = assert.rejects(ray.get(add.remote(1, 2), { timeout: 30_000 }), {
      code: 'RAY_CLUSTER_LOST',
      message: /^The NATS server came back without its queue/,
    })
    await until(async () => (await waiting(bus)) === 1)
    await bus.close()
    await server.down('SIGKILL')
    server.lose()
    await server.up()
    const worker = await WorkerProcess.start(server.address, { name: 'fresh', numCpus: 1 })
    t.after(() => worker.end())
    await told
    await ray.init({ address: server.address })
    assert.equal(await ray.get(add.remote(1, 2), { timeout: 30_000 }), 3)
  })

  test('has what it asked for meanwhile, however little the server takes in one message', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'rayito-outage-'))
    const config = join(folder, 'small.conf')
    writeFileSync(config, 'max_payload: 65536')
    const server = await Server.start(['-c', config])
    t.after(async () => {
      await server.end()
      rmSync(folder, { recursive: true })
    })
    await ray.init({ address: server.address })
    await server.down()
    // It connects again, and hears nothing yet of what it connects to.
    const silent = createServer().listen(server.port, '127.0.0.1')
    const [socket] = await once(silent, 'connection')
    const result = ray.get(size.remote(new Uint8Array(300_000)), { timeout: 30_000 })
    await new Promise((resolve) => setImmediate(resolve))
    socket.destroy()
    await new Promise((resolve) => silent.close(resolve))
    await server.up()
    const worker = await WorkerProcess.start(server.address, { name: 'alone', numCpus: 1 })
    t.after(() => worker.end())
    assert.equal(await result, 300_000)
  })
})

describe('while the server is away', skip ? { skip } : {}, () => {
  const run = scripts(`import { isOpen } from ${JSON.stringify(import.meta.resolve('./latch.js'))}`)

  /** Ends what connects there, as a port does that is forwarded to it. */
  function inItsPlace({ port }: Server, t: TestContext): { refused: number } {
    const gate = { refused: 0 }
    const listener = createServer((socket) => {
      gate.refused++
      socket.destroy()
    }).listen(port, '127.0.0.1')
    t.after(() => listener.close())
    return gate
  }

  test('a connection that is held again and again warns of nothing', async (t) => {
    const server = await Server.startFor(t)
    const bus = await Bus.open(server.address, 'test')
    const warnings: Error[] = []
    const warned = (warning: Error) => warnings.push(warning)
    process.on('warning', warned)
    t.after(async () => {
      process.off('warning', warned)
      await bus.close()
    })
    await server.down('SIGKILL')
    const gate = inItsPlace(server, t)
    while (gate.refused < 3) {
      bus.hold(gate.refused % 2 === 0)
      bus.hold(true)
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    assert.deepEqual(warnings, [])
  })

  // It gave up after a minute.
  test('a program that has nothing to do any more ends', { timeout: 40_000 }, async (t) => {
    const server = await Server.startFor(t)
    const over = latch()
    const program = run(`
      await ray.init({ address: ${JSON.stringify(server.address)} })
      console.log('begun')
      while (!isOpen(${JSON.stringify(over)})) await new Promise((resolve) => setTimeout(resolve, 10))`)
    t.after(() => program.child.kill('SIGKILL'))
    await printed(program.child, 'begun')
    await server.down('SIGKILL')
    const gate = inItsPlace(server, t)
    await until(async () => gate.refused > 5)
    letGo(over)
    const { code, stderr } = await program
    assert.deepEqual([code, stderr], [0, ''])
  })
})

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
