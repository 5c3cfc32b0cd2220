import assert from 'node:assert/strict'
import { afterEach, describe, type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Bus } from '#src/ray/engines/nats/bus.js'
import type { NameRecord } from '#src/ray/engines/nats/name-record.js'
import { Node } from '#src/ray/engines/nats/node/node.js'
import { LEASES, nameKey, wardKey } from '#src/ray/engines/nats/subjects.js'
import { decodeWard, encodeWard } from '#src/ray/engines/nats/wards.js'
import { ActorDiedError, ray } from '#src/ray/index.js'
import { noSignals } from '../windows.js'
import { anotherDriver, clusterMissing, Server, WorkerProcess } from './cluster.js'
import { Counter, type CounterClass } from './functions.js'
import { latch, letGo, until as soon, started } from './helpers.js'
import { scripts } from './programs.js'

const skip = clusterMissing()
const BUILT = fileURLToPath(new URL('.', import.meta.url))

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20))
}

const gone = (worker: WorkerProcess) => until(async () => (await ray.nodes()).every(({ name }) => name !== worker.name))

describe("another driver's actor that moves, or has no place yet", skip ? { skip } : {}, () => {
  const run = scripts(`
    import { Counter } from ${JSON.stringify(import.meta.resolve('./functions.js'))}
    import { arrive, isOpen } from ${JSON.stringify(import.meta.resolve('./latch.js'))}
    const opened = async (latch) => {
      while (!isOpen(latch)) await new Promise((resolve) => setTimeout(resolve, 10))
    }`)
  afterEach(() => ray.shutdown())

  const cluster = async (t: TestContext) => {
    const server = await Server.startFor(t)
    const bus = await Bus.open(server.address, 'test')
    t.after(() => bus.close())
    const join = async (name: string, numCpus = 1) => {
      const worker = await WorkerProcess.start(server.address, { name, numCpus })
      t.after(() => worker.end())
      return worker
    }
    /** A driver that makes something, says so, and stays until it is let go. */
    const maker = (source: string) => anotherDriver(run, server.address, source)
    return { address: server.address, bus, join, maker }
  }
  /** Resolves when the server has been asked so often for what it has under a key. */
  const looked = (bus: Bus, key: string, times: number) =>
    new Promise<void>((resolve) => {
      const asked = bus.subscribe('$JS.API.DIRECT.GET.>', (subject) => {
        if (!subject.endsWith(key) || --times > 0) return
        asked.unsubscribe()
        resolve()
      })
    })

  test('can be had while it waits for a CPU: its calls wait with it, and end with its driver', async (t) => {
    const { address, join, maker } = await cluster(t)
    await join('alone')
    const free = latch()
    const leave = await maker(`
      const first = Counter.options({ numCpus: 1 }).remote(0)
      await ray.get(first.add.remote(1))
      Counter.options({ name: 'second', numCpus: 1 }).remote(40)
      const third = Counter.options({ name: 'third', numCpus: 1 }).remote(0)
      opened(${JSON.stringify(free)}).then(() => ray.kill(first))`)
    await ray.init({ address })
    const [second, third] = await Promise.all([
      ray.getActor<CounterClass>('second'),
      ray.getActor<CounterClass>('third'),
    ])
    const sums = [1, 1].map((n) => second.add.remote(n))
    const never = third.add.remote(1)
    letGo(free)
    assert.deepEqual(await ray.get(sums, { timeout: 20_000 }), [41, 42])
    const ended = assert.rejects(ray.get(never, { timeout: 20_000 }), ActorDiedError)
    await leave()
    await ended
  })

  test('is waited for as long as its driver may start it again', async (t) => {
    const { address, bus, join, maker } = await cluster(t)
    const first = await join('first')
    const leave = await maker(`
      const counter = Counter.options({ name: 'returning', maxRestarts: -1 }).remote(40)
      await ray.get(counter.add.remote(1))`)
    await ray.init({ address })
    const counter = await ray.getActor<CounterClass>('returning')
    assert.equal(await ray.get(counter.add.remote(1)), 42)
    await first.end()
    await gone(first)
    const sum = ray.get(counter.add.remote(2), { timeout: 60_000 })
    const { owner } = (await bus.state.get(nameKey('', 'returning')))!.json<NameRecord>()
    let signs = 0
    const lives = new Promise<void>((resolve) => {
      bus.subscribe(`$KV.${LEASES}.driver.${owner}`, () => ++signs === 17 && resolve())
    })
    await Promise.race([sum, lives])
    await join('second')
    assert.equal(await sum, 42)
    await leave()
  })

  test('ends where it is started again if it was killed while its node was lost, whether that was known or not', async (t) => {
    const { address, bus, join, maker } = await cluster(t)
    const first = await join('first')
    const leave = await maker(`
      const counters = ['known', 'unknown'].map((name) => Counter.options({ name, maxRestarts: -1 }).remote(40))
      await ray.get(counters.map((counter) => counter.add.remote(1)))`)
    await ray.init({ address })
    const [known, unknown] = await Promise.all(['known', 'unknown'].map((name) => ray.getActor<CounterClass>(name)))
    await ray.get([known!.add.remote(1), unknown!.add.remote(1)])
    await first.end()
    ray.kill(unknown!)
    await gone(first)
    ray.kill(known!)
    await join('second')
    for (const name of ['known', 'unknown'])
      await soon(async () => (await bus.state.get(nameKey('', name)))?.operation === 'PURGE')
    for (const name of ['known', 'unknown']) await assert.rejects(ray.getActor(name), { code: 'RAY_ACTOR_NAME' })
    await leave()
  })

  test('may live on if its killer leaves before it is anywhere, which is said', async (t) => {
    const { address, join, maker } = await cluster(t)
    await join('alone')
    const leave = await maker(`
      const first = Counter.options({ numCpus: 1 }).remote(0)
      await ray.get(first.add.remote(1))
      Counter.options({ name: 'waiting', numCpus: 1 }).remote(0)`)
    const { code, stderr } = await run(`
      await ray.init({ address: ${JSON.stringify(address)} })
      ray.kill(await ray.getActor('waiting'))
      await ray.shutdown()`)
    const said = 'rayito: CounterClass#2 may live on: it was killed, and is on no worker yet\n'
    assert.deepEqual([code, stderr], [0, said])
    await leave()
  })

  test('is waited for where it is said to be and has not arrived', async (t) => {
    const { address, bus, maker } = await cluster(t)
    const node = await Node.join({ address, name: 'alone', numCpus: 1, allow: [BUILT] })
    t.after(() => node.leave())
    const free = latch()
    const leave = await maker(`
      const first = Counter.options({ numCpus: 1 }).remote(0)
      await ray.get(first.add.remote(1))
      Counter.options({ name: 'late', numCpus: 1 }).remote(40)
      opened(${JSON.stringify(free)}).then(() => ray.kill(first))`)
    const key = nameKey('', 'late')
    await until(async () => (await bus.state.get(key))?.operation === 'PUT')
    const record = (await bus.state.get(key))!.json<NameRecord>()
    await bus.state.put(key, JSON.stringify({ ...record, node: node.id } satisfies NameRecord))
    await ray.init({ address })
    const counter = await ray.getActor<CounterClass>('late')
    const sums = [1, 1, 1].map((n) => ray.get(counter.add.remote(n), { timeout: 20_000 }))
    await Promise.race([...sums, looked(bus, key, 2)])
    letGo(free)
    assert.deepEqual(await Promise.all(sums), [41, 42, 43])
    await leave()
  })

  test('is followed by whoever has not noticed that its node was lost: calls that may run again do', {
    skip: noSignals,
  }, async (t) => {
    const { address, bus, join } = await cluster(t)
    const first = await join('first')
    await ray.init({ address })
    const counter = Counter.options({ name: 'moving', maxRestarts: -1 }).remote(40)
    await ray.get(counter.add.remote(1))
    const second = await join('second')
    const [gate, refused] = [latch(), latch()]
    const program = run(`
      await ray.init({ address: ${JSON.stringify(address)} })
      const counter = await ray.getActor('moving')
      const outcome = (call) => ray.get(call).catch(({ code }) => code)
      const held = outcome(counter.hold.options({ maxTaskRetries: 1 }).remote(${JSON.stringify(gate)}))
      const once = outcome(counter.hold.remote(${JSON.stringify(refused)}))
      console.log(await held, await once, (await outcome(counter.thread.remote())).split(':')[0])
      await ray.shutdown()`)
    await started(gate)
    // Who stands still itself takes nobody for lost.
    for (const child of [program.child, first.child]) child.kill('SIGSTOP')
    await gone(first)
    const moved = async () => (await bus.state.get(nameKey('', 'moving')))?.json<NameRecord>().node
    const [{ id } = assert.fail()] = await ray.nodes()
    await until(async () => (await moved()) === id)
    first.child.kill('SIGCONT')
    await until(async () => (await ray.nodes()).length === 2)
    program.child.kill('SIGCONT')
    await started(gate, 2)
    letGo(gate)
    letGo(refused)
    const { code, stdout, stderr } = await program
    assert.deepEqual([code, stdout], [0, `40 40 ${second.child.pid}\n`], stderr)
  })

  test('may have run what its node had begun when another took it over; what was not begun waits for it', async (t) => {
    const { address, bus, join, maker } = await cluster(t)
    await join('alone')
    const leave = await maker(`
      const options = { name: 'taken', lifetime: 'detached', maxRestarts: -1 }
      await ray.get(Counter.options(options).remote(40).add.remote(1))`)
    await leave()
    await ray.init({ address })
    const counter = await ray.getActor<CounterClass>('taken')
    const gate = latch()
    const held = ray.get(counter.hold.remote(gate))
    await started(gate)
    const { id } = (await bus.state.get(nameKey('', 'taken')))!.json<NameRecord>()
    const ward = decodeWard((await bus.state.get(wardKey(id)))!.value)
    const told = assert.rejects(held, { code: 'RAY_ACTOR_UNAVAILABLE', message: /is to go on on another node/ })
    // Of a node that is lost in turn.
    await bus.state.put(wardKey(id), encodeWard({ ...ward, node: 'other' }))
    await told
    assert.equal(await ray.get(counter.add.remote(2), { timeout: 30_000 }), 42)
    ray.kill(counter)
  })
})
