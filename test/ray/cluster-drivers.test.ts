import assert from 'node:assert/strict'
import { after, afterEach, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Kvm } from '@nats-io/kv'
import { connect } from '@nats-io/transport-node'
import type { Driver } from '#src/ray/driver/driver.js'
import type { LocalWorker } from '#src/ray/engines/local/worker.js'
import { Bus } from '#src/ray/engines/nats/bus.js'
import type { NameRecord } from '#src/ray/engines/nats/name-record.js'
import { Node } from '#src/ray/engines/nats/node/node.js'
import type { NodeActor } from '#src/ray/engines/nats/node/node-actor.js'
import { nameKey, STATE, STREAM, wardKey } from '#src/ray/engines/nats/subjects.js'
import { ActorDiedError, ObjectLostError, type ObjectRef, ray } from '#src/ray/index.js'
import { peekRuntime } from '#src/ray/runtime.js'
import { noSignals, OWN_KILL } from '../windows.js'
import { anotherDriver, clusterMissing, Server, WorkerProcess } from './cluster.js'
import {
  add,
  Counter,
  type CounterClass,
  fastOrHeld,
  Giver,
  type GiverClass,
  hold,
  Keeper,
  nothing,
  Ticker,
} from './functions.js'
import { latch, letGo, started } from './helpers.js'
import { scripts } from './programs.js'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const skip = clusterMissing()
const BUILT = fileURLToPath(new URL('.', import.meta.url))

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20))
}

describe('drivers that share a cluster', skip ? { skip } : {}, () => {
  const run = scripts(`
    import { Counter, Giver, Meeting, add, hold, size } from ${JSON.stringify(import.meta.resolve('./functions.js'))}
    import { arrive, arrived, holdUntil, isOpen, started } from ${JSON.stringify(import.meta.resolve('./latch.js'))}
    import { Bus } from ${JSON.stringify(import.meta.resolve('#src/ray/engines/nats/bus.js'))}`)
  let server: Server
  const workers = new Set<WorkerProcess>()
  const join = async (name: string, numCpus = 1) => {
    const worker = await WorkerProcess.start(server.address, { name, numCpus })
    workers.add(worker)
    return worker
  }
  const leave = async (worker: WorkerProcess, signal: NodeJS.Signals = 'SIGKILL') => {
    await worker.end(signal)
    workers.delete(worker)
  }
  const begin = () => ray.init({ address: server.address })
  /** A driver that makes something, says so and stays until it is let go. */
  const other = (source: string, address = server.address) => anotherDriver(run, address, source)

  before(async () => {
    server = await Server.start()
    await join('alpha')
  })
  afterEach(() => ray.shutdown())
  after(async () => {
    await Promise.all([...workers].map((worker) => leave(worker)))
    await server.end()
  })

  test('an actor that is killed while the server is asked for its name is not made', async (t) => {
    const bus = await Bus.open(server.address, 'test')
    t.after(() => bus.close())
    await begin()
    // What its class is has been found out.
    ray.kill(Counter.remote(0))
    await ray.get(nothing.remote())
    const counter = Counter.options({ name: 'early', numCpus: 1 }).remote(0)
    ray.kill(counter)
    await assert.rejects(ray.get(counter.add.remote(1)), ActorDiedError)
    await until(async () => (await bus.state.get(nameKey('', 'early')))?.operation === 'PURGE')
    // It would have the only CPU.
    assert.equal(await ray.get(add.remote(1, 2), { timeout: 20_000 }), 3)
  })

  test("an actor that is killed, or ends with its driver, while its name is asked for leaves that to another driver's which has it", async () => {
    const end = await other(`
      globalThis.counter = Counter.options({ name: 'theirs' }).remote(1)
      await ray.get(counter.add.remote(1))`)
    for (const kill of [true, false]) {
      await begin()
      ray.kill(Counter.remote(0))
      await ray.get(nothing.remote())
      const counter = Counter.options({ name: 'theirs' }).remote(0)
      if (kill) ray.kill(counter)
      if (kill) await assert.rejects(ray.get(counter.add.remote(1)), ActorDiedError)
      await ray.shutdown()
      await begin()
      const theirs = await ray.getActor<CounterClass>('theirs')
      assert.equal(await ray.get(theirs.add.remote(1)), kill ? 3 : 4)
      await ray.shutdown()
    }
    await end()
  })

  test('what the server keeps of a name that is free again ends by itself, where a version before made its buckets, too', async (t) => {
    const older = await Server.startFor(t)
    const connection = await connect({ servers: older.address })
    await new Kvm(connection).create(STATE, { history: 1 })
    await connection.close()
    const worker = await WorkerProcess.start(older.address, { name: 'alone', numCpus: 1 })
    t.after(() => worker.end())
    await ray.init({ address: older.address })
    const counter = Counter.options({ name: 'brief' }).remote(0)
    await ray.get(counter.add.remote(1))
    ray.kill(counter)
    const bus = await Bus.open(older.address, 'test')
    t.after(() => bus.close())
    const key = nameKey('', 'brief')
    await until(async () => (await bus.state.get(key))?.operation === 'PURGE')
    const left = await bus.jsm.streams.getMessage(`KV_${STATE}`, { last_by_subj: `$KV.${STATE}.${key}` })
    assert.equal(left!.header.get('Nats-TTL'), '3600s')
  })

  test('a driver that leaves takes its tasks with it, though no worker was there to begin them', async (t) => {
    const alone = await Server.startFor(t)
    const bus = await Bus.open(alone.address, 'test')
    t.after(() => bus.close())
    const queued = async () => (await bus.jsm.streams.info(STREAM)).state.messages
    await ray.init({ address: alone.address })
    const sum = ray.get(add.remote(1, 2)).catch(() => {})
    await until(async () => (await queued()) === 1)
    await ray.shutdown()
    await sum
    assert.equal(await queued(), 0)
  })

  test('a detached actor that its driver has killed is started again by nobody', async (t) => {
    const bus = await Bus.open(server.address, 'test')
    t.after(() => bus.close())
    await begin()
    const counter = Counter.options({ name: 'killed', lifetime: 'detached', maxRestarts: -1 }).remote(0)
    await ray.get(counter.add.remote(1))
    const { id } = (await bus.state.get(nameKey('', 'killed')))!.json<NameRecord>()
    const kept = async () => (await bus.state.get(wardKey(id)))?.operation
    await until(async () => (await kept()) === 'PUT')
    ray.kill(counter)
    await until(async () => (await kept()) === 'PURGE')
  })

  test('an actor that ends while its killed driver is still taken for alive leaves its name free, and is started again by nobody', async (t) => {
    const bus = await Bus.open(server.address, 'test')
    t.after(() => bus.close())
    await begin()
    const { signal, stderr } = await run(`
      await ray.init({ address: ${JSON.stringify(server.address)} })
      const counters = [
        Counter.options({ name: 'bereaved', lifetime: 'detached', maxRestarts: -1 }).remote(0),
        Counter.options({ name: 'orphaned' }).remote(0),
      ]
      await ray.get(counters.map((counter) => counter.add.remote(1)))
      process.kill(process.pid, 'SIGKILL')`)
    assert.equal(signal, OWN_KILL, stderr)
    const [bereaved] = await Promise.all(
      ['bereaved', 'orphaned'].map(async (name) => {
        const record = (await bus.state.get(nameKey('', name)))!.json<NameRecord>()
        ray.kill(await ray.getActor<CounterClass>(name))
        return record
      }),
    )
    for (const name of ['bereaved', 'orphaned'])
      await until(async () => (await bus.state.get(nameKey('', name)))?.operation === 'PURGE')
    await until(async () => (await bus.state.get(wardKey(bereaved!.id)))?.operation === 'PURGE')
  })

  test('what is made from refs of its driver is started again by nobody else', async (t) => {
    const bus = await Bus.open(server.address, 'test')
    t.after(() => bus.close())
    await begin()
    const ref = ray.put(7)
    const keeper = Keeper.options({ name: 'bound', lifetime: 'detached', maxRestarts: -1 }).remote({ ref })
    const record = async () => (await bus.state.get(nameKey('', 'bound')))?.json<NameRecord>()
    await until(async () => Boolean((await record())?.node))
    assert.equal(await ray.get(keeper.open.remote()), 7)
    assert.equal(await bus.state.get(wardKey((await record())!.id)), null)
    ray.kill(keeper)
  })

  test('a driver that leaves, or frees an object, while a call of a shared actor, or its making, waits for it, keeps no other call waiting', async () => {
    await begin()
    const counter = Counter.options({ name: 'shared' }).remote(0)
    assert.equal(await ray.get(counter.add.remote(1)), 1)
    const bytes = ray.put(new Uint8Array(1_000_000))
    const thread = counter.thread as unknown as { remote(bytes: ObjectRef): ObjectRef<string> }
    const freed = thread.remote(bytes)
    ray.free(bytes)
    await assert.rejects(ray.get(freed, { timeout: 20_000 }), ObjectLostError)
    const other = ray.put(new Uint8Array(1_000_000))
    const made = Counter.remote(other as never)
    ray.free(other)
    await assert.rejects(ray.get(made.add.remote(1), { timeout: 20_000 }), ActorDiedError)
    const { code, stderr } = await run(`
      await ray.init({ address: ${JSON.stringify(server.address)} })
      const counter = await ray.getActor('shared')
      counter.thread.remote(ray.put(new Uint8Array(1_000_000)))
      await ray.shutdown()`)
    assert.equal(code, 0, stderr)
    assert.equal(await ray.get(counter.add.remote(1), { timeout: 20_000 }), 2)
  })

  test('an actor that is too large for every node leaves its name free', async () => {
    await begin()
    const large = Counter.options({ name: 'sized', numCpus: 64 }).remote(0)
    await assert.rejects(ray.get(large.add.remote(1)), /64/)
    const fitting = Counter.options({ name: 'sized' }).remote(0)
    assert.equal(await ray.get(fitting.add.remote(1), { timeout: 20_000 }), 1)
  })

  test("refs and handles inside what another driver's actor is given or returns are refused, and it is said what to do", async () => {
    const end = await other(`
      globalThis.giver = Giver.options({ name: 'giver' }).remote()
      const { ref } = await ray.get(giver.ref.remote())
      await ray.get(ref)`)
    await begin()
    const giver = await ray.getActor<GiverClass>('giver')
    const results: readonly ObjectRef<unknown>[] = [giver.ref.remote(), giver.handle.remote()]
    for (const result of results)
      await assert.rejects(ray.get(result, { timeout: 20_000 }), {
        code: 'RAY_NOT_SERIALIZABLE',
        message: /^The result of Giver.*another driver's\. Return their values\.$/,
      })
    const streamed = giver.list.options({ numReturns: 'streaming' }).remote()
    const { value: refused } = await streamed.next()
    await assert.rejects(ray.get(refused!), {
      code: 'RAY_MISUSE',
      message: /^Giver.*list is to be streamed, and the actor is another driver's.* Return the values as an array\.$/,
    })
    const given = giver.named.remote({ ref: ray.put(1) } as never)
    await assert.rejects(ray.get(given, { timeout: 20_000 }), {
      code: 'RAY_NOT_SERIALIZABLE',
      message: /^An argument has refs or handles inside.*another driver's\. Pass their values\.$/,
    })
    // Those that are known here too are the same there.
    const self = await ray.get(giver.named.remote('giver'))
    assert.equal(await ray.get(self.giver.value.remote()), 1)
    await end()
  })

  test("another driver's actor runs as many calls at once as its maxConcurrency says", async () => {
    const end = await other(`
      globalThis.meeting = Meeting.options({ name: 'meeting', maxConcurrency: 3 }).remote()
      await ray.get(meeting.worker.remote())`)
    await begin()
    const meeting = await ray.getActor<{ come(count: number): Promise<number> }>('meeting')
    const all = [1, 2, 3].map(() => meeting.come.remote(3))
    assert.deepEqual(await ray.get(all, { timeout: 20_000 }), [3, 3, 3])
    await end()
  })

  test("a call of another driver's actor is tried again as often as the actor's maxTaskRetries says", async (t) => {
    const bus = await Bus.open(server.address, 'test')
    t.after(() => bus.close())
    const end = await other(`
      const options = { name: 'tried', maxRestarts: -1, maxTaskRetries: 1 }
      globalThis.counter = Counter.options(options).remote(1)
      await ray.get(counter.add.remote(1))`)
    await begin()
    const counter = await ray.getActor<CounterClass>('tried')
    assert.equal(await ray.get(counter.dieOnce.remote(latch(), 1), { timeout: 20_000 }), 2)
    await assert.rejects(ray.get(counter.dieOnce.remote(latch(), 2)), { code: 'RAY_ACTOR_UNAVAILABLE' })
    await ray.shutdown()
    // As a version before wrote it.
    const key = nameKey('', 'tried')
    const { maxTaskRetries, ...record } = (await bus.state.get(key))!.json<NameRecord>()
    assert.equal(maxTaskRetries, 1)
    await bus.state.put(key, JSON.stringify(record))
    await begin()
    const untried = await ray.getActor<CounterClass>('tried')
    await assert.rejects(ray.get(untried.dieOnce.remote(latch(), 1)), { code: 'RAY_ACTOR_UNAVAILABLE' })
    await end()
  })

  test("a call of another driver's actor that ends with its driver is told, though it might be tried again", async () => {
    const end = await other(`
      globalThis.counter = Counter.options({ name: 'leaving' }).remote(1)
      await ray.get(counter.add.remote(1))`)
    await begin()
    const counter = await ray.getActor<CounterClass>('leaving')
    const gate = latch()
    const held = counter.hold.options({ maxTaskRetries: -1 }).remote(gate)
    await started(gate)
    const told = assert.rejects(ray.get(held, { timeout: 20_000 }), ActorDiedError)
    await end()
    await told
  })

  test('getIfExists makes an actor anew once the one that another driver had made is dead', async () => {
    const end = await other(`
      globalThis.counter = Counter.options({ name: 'shared' }).remote(40)
      await ray.get(counter.add.remote(1))`)
    await begin()
    const shared = Counter.options({ name: 'shared', getIfExists: true })
    const theirs = shared.remote(0)
    assert.equal(await ray.get(theirs.add.remote(1)), 42)
    await end()
    await assert.rejects(ray.get(theirs.add.remote(1)), ActorDiedError)
    assert.equal(await ray.get(shared.remote(0).add.remote(1)), 1)
  })

  test('getIfExists makes it anew for whoever hears of its death by a call that it was running, too', async () => {
    const end = await other(`
      globalThis.counter = Counter.options({ name: 'running' }).remote(40)
      await ray.get(counter.add.remote(1))`)
    await begin()
    const running = Counter.options({ name: 'running', getIfExists: true })
    const gate = latch()
    const held = running.remote(0).hold.remote(gate)
    await started(gate)
    const made = assert.rejects(ray.get(held), ActorDiedError).then(() => running.remote(0))
    await end()
    assert.equal(await ray.get((await made).add.remote(1)), 1)
  })

  test('that an actor is gone which another driver had made is no failure of this one', async () => {
    const end = await other(`
      globalThis.counters = ['unasked', 'asked'].map((name) => Counter.options({ name }).remote(40))
      await ray.get(counters.map((counter) => counter.add.remote(1)))`)
    await begin()
    const unasked = Counter.options({ name: 'unasked', getIfExists: true }).remote(0)
    const asked = Counter.options({ name: 'asked', getIfExists: true }).remote(0)
    assert.deepEqual(await ray.get([unasked, asked].map((counter) => counter.add.remote(1))), [42, 42])
    await end()
    await assert.rejects(ray.get(asked.add.remote(1)), ActorDiedError)
    const unread = () => (peekRuntime() as Driver).unread()
    assert.deepEqual(unread(), [])
    const lost = unasked.add.remote(1)
    await ray.wait([lost])
    assert.match(unread().join(), /^rayito: CounterClass#1 failed, and nobody asked for any of its calls since: [^,]*$/)
  })

  test('an actor that starts again has the refs in the arguments that it was made with', async () => {
    await begin()
    const ref = ray.put(7)
    const keeper = Keeper.options({ maxRestarts: -1, maxTaskRetries: -1 }).remote({ ref })
    assert.equal(await ray.get(keeper.open.remote()), 7)
    await assert.rejects(ray.get(keeper.exit.options({ maxTaskRetries: 0 }).remote()), {
      code: 'RAY_ACTOR_UNAVAILABLE',
    })
    assert.equal(await ray.get(keeper.open.remote(), { timeout: 20_000 }), 7)
    // On another worker as well.
    const [first] = workers
    await Promise.all([leave(first!), join('beta')])
    assert.equal(await ray.get(keeper.open.remote(), { timeout: 30_000 }), 7)
  })

  test('calls that share a message too large for the server run, though the first of them is cancelled', async () => {
    await begin()
    const load = 'x'.repeat(200_000)
    for (let i = 0; i < 100; i++) await ray.get(fastOrHeld.remote(null))
    const gate = latch()
    const held = fastOrHeld.remote(gate)
    await started(gate)
    const refs = Array.from({ length: 30 }, () => fastOrHeld.remote(null, load))
    const cancelled = assert.rejects(ray.get(refs[0]!), { code: 'RAY_TASK_CANCELLED' })
    await until(async () => (await queue()) > 1)
    ray.cancel(refs[0]!)
    letGo(gate)
    await cancelled
    await ray.get(held)
    assert.deepEqual(await ray.get(refs.slice(1), { timeout: 30_000 }), Array(29).fill(0))
  })
  async function queue(): Promise<number> {
    const bus = await Bus.open(server.address, 'test')
    const { state } = await bus.jsm.streams.info(STREAM)
    await bus.close()
    return state.messages
  }

  test('a task whose arguments take long to come runs where it was delivered, at its only try', async () => {
    const second = await join('second')
    const child = run(`
      const bus = await Bus.open(${JSON.stringify(server.address)}, 'test')
      await ray.init({ address: ${JSON.stringify(server.address)} })
      // A slow line: as soon as the task is in the queue, nothing is answered for longer than the queue waits for a sign of life.
      let slow = true
      bus.subscribe('rayito.task.>', () => {
        if (slow) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10_000)
        slow = false
      })
      await bus.flush()
      console.log(await ray.get(size.options({ maxRetries: 0 }).remote(new Uint8Array(3e6))))
      await ray.shutdown()
      await bus.close()`)
    const { code, stdout, stderr } = await child
    assert.deepEqual([code, stdout], [0, '3000000\n'], stderr)
    await leave(second)
  })

  test('a task of which a worker that leaves has not got the arguments yet runs on another', async (t) => {
    const alone = await Server.startFor(t)
    const bus = await Bus.open(alone.address, 'test')
    t.after(() => bus.close())
    const node = await Node.join({ address: alone.address, name: 'leaving', numCpus: 1, allow: [] })
    const asked = new Promise<void>((resolve) => {
      bus.subscribe('rayito.to.*.*', (_subject, frame) => frame.includes('wantBody') && resolve())
    })
    await bus.flush()
    const left = latch()
    const child = run(`
      const bus = await Bus.open(${JSON.stringify(alone.address)}, 'test')
      await ray.init({ address: ${JSON.stringify(alone.address)} })
      const left = ${JSON.stringify(left)}
      bus.subscribe('rayito.task.>', () => holdUntil(() => isOpen(left)))
      await bus.flush()
      console.log(await ray.get(size.remote(new Uint8Array(3e6)), { timeout: 20_000 }))
      await ray.shutdown()
      await bus.close()`)
    await asked
    await node.leave()
    letGo(left)
    const other = await WorkerProcess.start(alone.address, { name: 'staying' })
    t.after(() => other.end())
    const { code, stdout, stderr } = await child
    assert.deepEqual([code, stdout], [0, '3000000\n'], stderr)
  })

  test("a worker that leaves stays until drivers have the results of its actors' last calls", async (t) => {
    const alone = await Server.startFor(t)
    const node = await Node.join({ address: alone.address, name: 'leaving', numCpus: 1, allow: [BUILT] })
    await ray.init({ address: alone.address })
    const ticker = Ticker.remote()
    await ray.get(ticker.ticks.remote())
    const result = ray.get(ticker.say.remote('x'.repeat(100_000_000)), { timeout: 30_000 })
    const outcome = result.then((text) => (text as string).length)
    outcome.catch(() => {})
    await until(async () => [...node.actors.values()].some(({ place }) => (place as LocalWorker).inflight.size > 0))
    await node.drain()
    assert.equal(await outcome, 100_000_000)
    // It said that it leaves: it is not called lost.
    await assert.rejects(ray.get(ticker.ticks.remote()), /its node leaving left/)
  })

  test('a driver that stood still until its tasks were taken out of the queue is told so, whoever knew of it', {
    skip: noSignals,
  }, async (t) => {
    const alone = await Server.startFor(t)
    const bus = await Bus.open(alone.address, 'test')
    t.after(() => bus.close())
    const worker = await WorkerProcess.start(alone.address, { name: 'busy', numCpus: 1 })
    t.after(() => worker.end())
    await ray.init({ address: alone.address })
    const gate = latch()
    const held = hold.remote(gate)
    await started(gate)
    const queued = async () => (await bus.jsm.streams.info(STREAM)).state.messages
    const child = run(`
      await ray.init({ address: ${JSON.stringify(alone.address)}, timeline: false })
      console.log(await ray.get(add.remote(1, 2), { timeout: 40_000 }).catch(({ code }) => code))
      await ray.shutdown()`)
    await until(async () => (await queued()) === 2)
    child.child.kill('SIGSTOP')
    await until(async () => (await queued()) === 1)
    child.child.kill('SIGCONT')
    letGo(gate)
    assert.equal(await ray.get(held), 1)
    const { code, stdout, stderr } = await child
    assert.deepEqual([code, stdout], [0, 'RAY_CLUSTER_LOST\n'], stderr)
  })

  test("objects that another driver's actor was given are let go there, too", async (t) => {
    const alone = await Server.startFor(t)
    const node = await Node.join({ address: alone.address, name: 'alone', numCpus: 1, allow: [BUILT] })
    t.after(() => node.leave())
    const end = await other(
      `
      globalThis.counter = Counter.options({ name: 'taking' }).remote(1)
      await ray.get(counter.add.remote(1))`,
      alone.address,
    )
    const known = () => ([...node.actors.values()][0]!.place as LocalWorker).known.size
    for (const free of [true, false]) {
      await ray.init({ address: alone.address })
      const counter = await ray.getActor<CounterClass>('taking')
      const refs = [ray.put(new Uint8Array(100_000)), ray.put(new Uint8Array(200_000))]
      assert.deepEqual(await ray.get(refs.map((ref) => counter.take.remote(ref))), [100_000, 200_000])
      assert.equal(known(), 2)
      if (free) ray.free(refs)
      else await ray.shutdown()
      await until(async () => known() === 0)
      await ray.shutdown()
    }
    await end()
  })

  test('a worker keeps nothing of an actor that has ended, nor of a driver that has left with it', async (t) => {
    const alone = await Server.startFor(t)
    const node = await Node.join({ address: alone.address, name: 'alone', numCpus: 1, allow: [BUILT] })
    t.after(() => node.leave())
    const end = await other(
      `
      const giver = Giver.options({ name: 'giver', lifetime: 'detached' }).remote()
      await ray.get(giver.ref.remote())`,
      alone.address,
    )
    const [session] = [...node.actors.values()].map(({ maker }) => new WeakRef(maker))
    await end()
    await ray.init({ address: alone.address })
    const asking = Giver.remote()
    await ray.get(asking.ref.remote())
    const place = (actor: NodeActor) => new WeakRef(actor.place as LocalWorker)
    const workers = [...node.actors.values()].map(place)
    assert.equal(workers.length, 2)
    ray.kill(asking)
    ray.kill(await ray.getActor('giver'))
    const left = () => {
      collect()
      return [session!, ...workers].filter((kept) => kept.deref() !== undefined).length
    }
    const patience = Date.now() + 10_000
    await until(async () => left() === 0 || Date.now() > patience)
    assert.equal(left(), 0)
  })

  test('a detached actor that its driver started again for the last time is not made anew when the driver leaves', async (t) => {
    const bus = await Bus.open(server.address, 'test')
    t.after(() => bus.close())
    const [lost] = workers
    const placed = latch()
    const child = run(`
      await ray.init({ address: ${JSON.stringify(server.address)} })
      const counter = Counter.options({ name: 'last', lifetime: 'detached', maxRestarts: 1, maxTaskRetries: -1 }).remote(40)
      console.log(await ray.get(counter.add.remote(1)))
      arrive(${JSON.stringify(placed)})
      while ((await ray.nodes()).some(({ name }) => name === ${JSON.stringify(lost!.name)})) await new Promise((resolve) => setTimeout(resolve, 20))
      console.log(await ray.get(counter.add.remote(1)))
      await ray.shutdown()`)
    await started(placed)
    await Promise.all([leave(lost!), join('gamma')])
    const { code, stdout, stderr } = await child
    assert.deepEqual([code, stdout], [0, '41\n41\n'], stderr)
    const { id } = (await bus.state.get(nameKey('', 'last')))!.json<NameRecord>()
    // What workers would make it from.
    assert.notEqual((await bus.state.get(wardKey(id)))?.operation, 'PUT')
    await begin()
    const counter = await ray.getActor<CounterClass>('last')
    assert.equal(await ray.get(counter.add.remote(1)), 42)
    ray.kill(counter)
  })
})
