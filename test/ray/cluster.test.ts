import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { after, afterEach, before, beforeEach, describe, type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Bus } from '#src/ray/engines/nats/bus.js'
import { unknownFrame } from '#src/ray/engines/nats/channel.js'
import type { NameRecord } from '#src/ray/engines/nats/name-record.js'
import { Node } from '#src/ray/engines/nats/node/node.js'
import { Observer } from '#src/ray/engines/nats/status/observe.js'
import { LEASES, nameKey, STATE, STREAM, toPeer, wardKey } from '#src/ray/engines/nats/subjects.js'
import { decodeWard, encodeWard } from '#src/ray/engines/nats/wards.js'
import { ActorDiedError, type ActorHandle, RayError, ray, WorkerCrashedError } from '#src/ray/index.js'
import { noSignals, OWN_KILL } from '../windows.js'
import { COMMAND, clusterMissing, printed, Server, WorkerProcess } from './cluster.js'
import {
  add,
  Counter,
  type CounterClass,
  counted,
  fastOrHeld,
  heldFirst,
  hold,
  make,
  nothing,
  size,
} from './functions.js'
import { type Camera, heldStream, squares } from './generators.js'
import { latch, letGo, started } from './helpers.js'
import { relays } from './hosts.js'
import { arrive, arrived, type Latch } from './latch.js'
import { scripts } from './programs.js'

const skip = clusterMissing()

/** Whether no actor has a name. */
function isFree(name: string): Promise<boolean> {
  return ray.getActor(name).then(
    () => false,
    ({ code }) => code === 'RAY_ACTOR_NAME',
  )
}

/** A cluster of its own, with one CPU. */
async function small(t: TestContext): Promise<Server> {
  const server = await Server.startFor(t)
  const worker = await WorkerProcess.start(server.address, { name: 'small', numCpus: 1 })
  t.after(() => worker.end())
  return server
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20))
}
const BUILT = fileURLToPath(new URL('.', import.meta.url))
const FUNCTIONS = import.meta.resolve('./functions.js')

describe('a cluster of several processes', skip ? { skip } : {}, () => {
  const run = scripts(`
    import { Counter, add, hold } from ${JSON.stringify(FUNCTIONS)}
    import { arrive, isOpen, started } from ${JSON.stringify(import.meta.resolve('./latch.js'))}`)
  let server: Server
  const workers = new Map<string, WorkerProcess>()

  async function join(name: string, numCpus = 1): Promise<void> {
    workers.set(name, await WorkerProcess.start(server.address, { name, numCpus }))
  }
  async function leave(name: string, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await workers.get(name)!.end(signal)
    workers.delete(name)
  }

  /** Those that are there from now on, whoever was there before. */
  async function members(...names: string[]): Promise<void> {
    await Promise.all([...workers.keys()].filter((name) => !names.includes(name)).map((name) => leave(name, 'SIGTERM')))
    await Promise.all(names.filter((name) => !workers.has(name)).map((name) => join(name)))
    // Without signals they leave without a word, and count until they are missed.
    if (noSignals) await onlyThere(names)
  }

  async function onlyThere(names: readonly string[]): Promise<void> {
    const observer = await Observer.open(server.address)
    await until(async () => (await observer.status()).nodes.every(({ name }) => names.includes(name)))
    await observer.close()
  }

  before(async () => {
    server = await Server.start()
  })
  beforeEach(() => members('alpha', 'beta'))
  afterEach(() => ray.shutdown())
  after(async () => {
    await members()
    await server.end()
  })

  test('its nodes and CPUs are told', async () => {
    const { numCpus, address } = await ray.init({ address: server.address })
    assert.deepEqual([numCpus, address], [2, server.address])
    assert.deepEqual((await ray.nodes()).map(({ name }) => name).sort(), ['alpha', 'beta'])
  })

  test('large objects, arguments and results cross, whatever the server takes in one message', async () => {
    await ray.init({ address: server.address })
    const bytes = new Uint8Array(5_000_000).fill(3)
    const ref = ray.put(bytes)
    assert.deepEqual(await ray.get([size.remote(ref), size.remote(ref), size.remote(bytes)]), [5e6, 5e6, 5e6])
    const made = await ray.get(make.remote(20_000_000))
    assert.deepEqual([made.length, made[19_999_999]], [20_000_000, 7])
  })

  test('actors spread over the nodes', async () => {
    await ray.init({ address: server.address })
    const pid = async (counter: ActorHandle<CounterClass>) => (await ray.get(counter.thread.remote())).split(':')[0]
    const [first, second] = [Counter.remote(0), Counter.remote(0)]
    const [here, there] = [await pid(first), await pid(second)]
    assert.notEqual(here, there)
    ray.kill(second)
    assert.equal(await pid(Counter.remote(0)), there)
    // Those that need no CPU go where one is free, though there are more of them there.
    const busy = await pid(Counter.options({ numCpus: 1 }).remote(0))
    await until(async () => (await ray.availableResources()).CPU === 1)
    const free = await Promise.all([1, 2, 3].map(() => pid(Counter.options({ numCpus: 0 }).remote(0))))
    assert.ok(free.every((one) => one !== busy))
  })

  test('that a task has taken a CPU is known before the next sign of life is due', async (t) => {
    const alone = await small(t)
    const idle = await WorkerProcess.start(alone.address, { name: 'idle', numCpus: 0.5 })
    const bus = await Bus.open(alone.address, 'test')
    t.after(() => Promise.all([idle.end(), bus.close()]))
    await ray.init({ address: alone.address })
    const available = async (cpus: number) => (await ray.availableResources()).CPU === cpus
    let signs = 0
    bus.subscribe(`$KV.${LEASES}.node.*`, (_, lease) => lease.includes('"idle"') && signs++)
    for (let i = 0; i < 20; i++) {
      const gate = latch()
      const held = hold.remote(gate)
      await until(() => available(0.5))
      letGo(gate)
      await ray.get(held)
      await until(() => available(1.5))
    }
    assert.ok(signs < 10, `${signs} signs of life of one that does nothing`)
  })

  test('no actor is made on a worker that is leaving, though that has the most room', async (t) => {
    const alone = await Server.startFor(t)
    const node = await Node.join({ address: alone.address, name: 'leaving', numCpus: 2, allow: [BUILT] })
    await ray.init({ address: alone.address })
    const gate = latch()
    const last = Counter.remote(1).hold.remote(gate)
    await started(gate)
    const staying = await WorkerProcess.start(alone.address, { name: 'staying', numCpus: 1 })
    t.after(() => staying.end())
    const left = node.drain()
    const observer = await Observer.open(alone.address)
    t.after(() => observer.close())
    await until(async () => (await observer.status()).nodes.some(({ draining }) => draining))
    const [pid] = (await ray.get(Counter.remote(0).thread.remote())).split(':')
    assert.equal(pid, `${staying.child.pid}`)
    letGo(gate)
    assert.equal(await ray.get(last), 1)
    await left
  })

  test('a named actor that is detached outlives its driver, and its name is known to others', async () => {
    const made = await run(`
      await ray.init({ address: ${JSON.stringify(server.address)} })
      const counter = Counter.options({ name: 'lasting', lifetime: 'detached' }).remote(40)
      console.log(await ray.get(counter.add.remote(1)))`)
    assert.deepEqual([made.code, made.stdout], [0, '41\n'], made.stderr)
    await ray.init({ address: server.address })
    const counter = await ray.getActor<CounterClass>('lasting')
    assert.equal(await ray.get(counter.add.remote(1)), 42)
    const taken = Counter.options({ name: 'lasting' }).remote(0)
    await assert.rejects(ray.get(taken.add.remote(1)), { code: 'RAY_ACTOR_NAME' })
    const same = Counter.options({ name: 'lasting', getIfExists: true }).remote(0)
    assert.equal(await ray.get(same.add.remote(1)), 43)
    ray.kill(counter)
  })

  test('a detached actor whose driver leaves, or is killed, does not wait for its answers', async () => {
    const computed = [latch(), latch()] as const
    const make = (name: string, latch: Latch, end: string) =>
      run(`
        await ray.init({ address: ${JSON.stringify(server.address)} })
        const { Cameras } = await import(${JSON.stringify(FUNCTIONS.replace('functions.js', 'generators.js'))})
        const camera = Cameras.options({ name: '${name}', lifetime: 'detached' }).remote()
        const computed = ${JSON.stringify(latch)}
        const values = camera.counted.options({ generatorBackpressureNumObjects: 1 }).remote(computed, 9)
        await values.next()
        await started(computed, 2)
        // What nobody reads does not keep it.
        globalThis.kept = values
        ${end}`)
    const [left, killed] = await Promise.all([
      make('camera', computed[0], ''),
      make('orphan', computed[1], "process.kill(process.pid, 'SIGKILL')"),
    ])
    assert.deepEqual([left.code, killed.signal], [0, OWN_KILL], left.stderr)
    await ray.init({ address: server.address })
    for (const name of ['camera', 'orphan']) {
      const camera = await ray.getActor<Camera>(name)
      assert.equal(await ray.get(camera.count.remote(), { timeout: 30_000 }), 0)
      ray.kill(camera)
    }
    assert.deepEqual(computed.map(arrived), [2, 2])
  })

  test('a detached actor without its driver starts again on another worker when its own is lost, as often as it may', async (t) => {
    const alone = await Server.startFor(t)
    const nodes = await Promise.all(['one', 'two'].map((name) => WorkerProcess.start(alone.address, { name })))
    t.after(() => Promise.all(nodes.map((node) => node.end())))
    const made = await run(`
      await ray.init({ address: ${JSON.stringify(alone.address)} })
      const { size } = await import(${JSON.stringify(FUNCTIONS)})
      const options = { name: 'ward', lifetime: 'detached', maxRestarts: 1 }
      const counter = Counter.options(options).remote(ray.put(40))
      console.log(await ray.get(counter.add.remote(1)))`)
    assert.deepEqual([made.code, made.stdout], [0, '41\n'], made.stderr)
    await ray.init({ address: alone.address })
    const host = async (counter: ActorHandle<CounterClass>) => {
      const [pid] = (await ray.get(counter.thread.remote())).split(':')
      return nodes.find(({ child }) => `${child.pid}` === pid)!
    }
    const counter = await ray.getActor<CounterClass>('ward')
    const first = await host(counter)
    const lose = async (node: WorkerProcess) => {
      await node.end('SIGKILL')
      await until(async () => !(await ray.nodes()).some(({ name }) => name === node.name))
    }
    await lose(first)
    assert.equal(await ray.get(counter.add.remote(2)), 42)
    const second = await host(counter)
    assert.notEqual(second, first)
    nodes.push(await WorkerProcess.start(alone.address, { name: 'three' }))
    await lose(second)
    await assert.rejects(ray.get(counter.add.remote(1)), ActorDiedError)
    await assert.rejects(ray.getActor('ward'), { code: 'RAY_ACTOR_NAME' })
  })

  test('a worker that did not hear of the end of a detached actor asks for it once, and no more', async (t) => {
    const alone = await Server.startFor(t)
    const first = await WorkerProcess.start(alone.address, { name: 'first' })
    const second = await WorkerProcess.start(alone.address, { name: 'second', numCpus: 2 })
    t.after(() => Promise.all([first.end(), second.end()]))
    const made = await run(`
      await ray.init({ address: ${JSON.stringify(alone.address)} })
      const lasting = (name) => Counter.options({ name, lifetime: 'detached', maxRestarts: -1 }).remote(40)
      const counters = [lasting('gone'), lasting('stays')]
      const [pid, other] = await Promise.all(counters.map(async (one) => (await ray.get(one.thread.remote())).split(':')[0]))
      console.log(pid !== other && pid)
      await ray.shutdown()`)
    assert.equal(made.code, 0, made.stderr)
    const bus = await Bus.open(alone.address, 'test')
    t.after(() => bus.close())
    const { id } = (await bus.state.get(nameKey('', 'gone')))!.json<NameRecord>()
    const subject = `$KV.${STATE}.${wardKey(id)}`
    // As of one that ended while they were away, for so long that the server has forgotten that, too.
    await bus.jsm.streams.purge(`KV_${STATE}`, { filter: subject })
    let claims = 0
    const looked = new Promise<void>((resolve) => {
      let looks = 0
      bus.subscribe(subject, () => claims++)
      bus.subscribe(`$JS.API.DIRECT.GET.KV_${LEASES}`, () => {
        if (claims > 0 && ++looks === 3) resolve()
      })
    })
    await [first, second].find(({ child }) => `${child.pid}` === made.stdout.trim())!.end('SIGKILL')
    await looked
    assert.equal(claims, 1)
  })

  test('a worker ends its detached actor when another has taken that over, whose name and future it leaves alone', async (t) => {
    const alone = await Server.startFor(t)
    const node = await Node.join({ address: alone.address, name: 'alone', numCpus: 1, allow: [BUILT] })
    await ray.init({ address: alone.address })
    const counter = Counter.options({ name: 'taken', lifetime: 'detached', maxRestarts: -1 }).remote(1)
    await ray.get(counter.add.remote(1))
    await ray.shutdown()
    const bus = await Bus.open(alone.address, 'test')
    t.after(() => bus.close())
    const key = nameKey('', 'taken')
    const record = (await bus.state.get(key))!.json<NameRecord>()
    const ward = decodeWard((await bus.state.get(wardKey(record.id)))!.value)
    assert.equal(node.actors.size, 1)
    // As if this node had been cut off for so long that another took it for lost.
    await bus.state.put(wardKey(record.id), encodeWard({ ...ward, node: 'other' }))
    await until(async () => node.actors.size === 0)
    await node.leave()
    for (const kept of [key, wardKey(record.id)]) assert.equal((await bus.state.get(kept))?.operation, 'PUT')
  })

  test('a worker that is back after it was cut off ends its detached actor that was killed meanwhile by a driver which has left', async (t) => {
    const alone = await Server.startFor(t)
    const line = relays()
    const host = await line.add(alone.port)
    t.after(() => line.end())
    const node = await Node.join({ address: host.address, name: 'alone', numCpus: 1, allow: [BUILT] })
    t.after(() => node.leave())
    const cut = latch()
    const driver = run(`
      await ray.init({ address: ${JSON.stringify(alone.address)} })
      const counter = Counter.options({ name: 'cut', lifetime: 'detached' }).remote(1)
      await ray.get(counter.add.remote(1))
      arrive(${JSON.stringify(cut)})
      await started(${JSON.stringify(cut)}, 2)
      ray.kill(counter)
      await ray.shutdown()`)
    await started(cut)
    host.cut()
    arrive(cut)
    const { code, stderr } = await driver
    assert.equal(code, 0, stderr)
    assert.equal(node.actors.size, 1)
    host.mend()
    await until(async () => node.actors.size === 0)
    assert.equal(node.cpus.available, 1)
  })

  test('a detached actor is not taken for dead while the node that took it over is about to say where it is', async (t) => {
    const made = await run(`
      await ray.init({ address: ${JSON.stringify(server.address)} })
      const counter = Counter.options({ name: 'moving', lifetime: 'detached', maxRestarts: 1 }).remote(40)
      console.log(await ray.get(counter.add.remote(1)))
      await ray.shutdown()`)
    assert.deepEqual([made.code, made.stdout], [0, '41\n'], made.stderr)
    const bus = await Bus.open(server.address, 'test')
    t.after(() => bus.close())
    const key = nameKey('', 'moving')
    const placed = (await bus.state.get(key))!.json<NameRecord>()
    const ward = decodeWard((await bus.state.get(wardKey(placed.id)))!.value)
    // As it stands between the two steps of the node: the claim, and then the name.
    await bus.state.put(wardKey(placed.id), encodeWard({ ...ward, actor: { ...ward.actor, maxRestarts: 0 } }))
    await bus.state.put(key, JSON.stringify({ ...placed, node: 'lost' } satisfies NameRecord))
    await ray.init({ address: server.address })
    const lookedTwice = new Promise<void>((resolve) => {
      let looks = 0
      bus.subscribe(`$JS.API.DIRECT.GET.>`, (subject) => {
        if (subject.endsWith(wardKey(placed.id)) && ++looks === 2) resolve()
      })
    })
    const found = ray.getActor<CounterClass>('moving')
    await Promise.race([found, lookedTwice])
    await bus.state.put(key, JSON.stringify(placed))
    const counter = await found
    assert.equal(await ray.get(counter.add.remote(1)), 42)
    ray.kill(counter)
  })

  test('a detached actor that ends without its driver leaves its name free; each of its starts counts', async (t) => {
    const made = await run(`
      await ray.init({ address: ${JSON.stringify(server.address)} })
      const counter = Counter.options({ name: 'brief', lifetime: 'detached', maxRestarts: 1 }).remote(40)
      console.log(await ray.get(counter.add.remote(1)))`)
    assert.deepEqual([made.code, made.stdout], [0, '41\n'], made.stderr)
    await ray.init({ address: server.address })
    const counter = await ray.getActor<CounterClass>('brief')
    await assert.rejects(ray.get(counter.exit.remote(3)), { code: 'RAY_ACTOR_UNAVAILABLE' })
    assert.equal(await ray.get(counter.add.remote(2)), 42)
    // Also should it be another worker that starts it next.
    const bus = await Bus.open(server.address, 'test')
    t.after(() => bus.close())
    const { id } = (await bus.state.get(nameKey('', 'brief')))!.json<NameRecord>()
    await until(async () => decodeWard((await bus.state.get(wardKey(id)))!.value).actor.maxRestarts === 0)
    await assert.rejects(ray.get(counter.exit.remote(3)), ActorDiedError)
    await until(() => isFree('brief'))
    const again = Counter.options({ name: 'brief' }).remote(0)
    assert.equal(await ray.get(again.add.remote(1)), 1)
  })

  test('a worker killed in mid-task: the task runs again elsewhere, and what shares its message; without retries it is told', async (t) => {
    const names = ['alpha', 'beta', 'gamma']
    await members(...names)
    await ray.init({ address: server.address })
    const counters = names.map(() => Counter.remote(0))
    const bus = await Bus.open(server.address, 'test')
    t.after(() => bus.close())
    let messages = 0
    bus.subscribe('rayito.task.>', () => messages++)
    // Until the slow first calls are forgotten: calls share a message by how long they took of late.
    do {
      messages = 0
      await ray.get(Array.from({ length: 100 }, () => fastOrHeld.remote(null)))
    } while (messages > 20)
    const [again, once, among] = [latch(), latch(), latch()]
    const retried = heldFirst.remote(again)
    const single = heldFirst.options({ maxRetries: 0 }).remote(once)
    const told = assert.rejects(ray.get(single), (error: Error) => {
      assert.ok(error instanceof WorkerCrashedError)
      const why =
        /^(A node that|Node [a-z]+, which) was lost,? ended while it ran heldFirst\. See why that node ended, and .*maxRetries/
      assert.match(error.message, why)
      return true
    })
    await Promise.all([started(again), started(once)])
    const sharing = Array.from({ length: 20 }, (_, i) => fastOrHeld.remote(i === 1 ? among : null))
    await Promise.all([started(among), ray.get(sharing[0]!)])
    // Its worker hears with the next call there that the result has come.
    await ray.get(counters.map((counter) => counter.add.remote(1)))
    await Promise.all(names.map((name) => leave(name)))
    letGo(among)
    await join('delta')
    assert.equal(await ray.get(retried), 2)
    assert.deepEqual(
      await ray.get(sharing),
      sharing.map((_, i) => (i === 1 ? 1 : 0)),
    )
    await told
    assert.equal(arrived(once), 1)
  })

  test('a worker killed while it yields: the values from before stay, and none comes twice', async () => {
    await members('gamma')
    await ray.init({ address: server.address })
    const tries = latch()
    const generator = heldStream.remote(tries)
    const values = [(await generator.next()).value!, (await generator.next()).value!]
    await leave('gamma')
    await join('gamma')
    for await (const ref of generator) values.push(ref)
    assert.deepEqual(await ray.get(values), [0, 1, 2, 3])
    assert.equal(arrived(tries), 2)
  })

  test('an actor of a lost node starts again elsewhere where it may, and loses no call', async () => {
    await members('gamma', 'delta')
    await ray.init({ address: server.address })
    const lasting = Counter.options({ maxRestarts: -1, maxTaskRetries: -1 })
    const counters = [lasting.remote(10), lasting.remote(10)]
    const mortal = Counter.remote(0)
    await ray.get([...counters, mortal].map((counter) => counter.add.remote(1)))
    const gate = latch()
    const calls = counters.map((counter) => counter.hold.remote(gate))
    const last = mortal.hold.remote(gate)
    const died = assert.rejects(ray.get(last), ActorDiedError)
    await started(gate, 3)
    await Promise.all([leave('gamma'), leave('delta')])
    const gone = Date.now() * 1e3
    await join('alpha')
    letGo(gate)
    assert.deepEqual(await ray.get(calls), [10, 10])
    await died
    const { functions } = await ray.summary()
    // One node may be missed before the other, where its actors are tried meanwhile.
    const { retries } = functions.find(({ name }) => name === 'CounterClass.constructor')!
    assert.ok(retries >= 2 && retries <= 4, `${retries}`)
    // What a lost node did is not known, until it was missed: it was not idle.
    const events = await ray.timeline()
    const lost = events.filter(({ ph, args }) => ph === 'M' && /^(gamma|delta) /.test(String(args.name)))
    assert.equal(lost.length, 2)
    for (const { ph, pid, ts, dur = 0, name } of events)
      if (ph !== 'M' && lost.some((node) => node.pid === pid)) assert.ok(ts + dur <= gone + 50_000, name)
    ray.kill(counters[0]!)
  })

  test('an actor that needs more CPUs than any worker has that is left waits for one, and starts as often as it may', async (t) => {
    const alone = await small(t)
    const large = await WorkerProcess.start(alone.address, { name: 'large' })
    await ray.init({ address: alone.address })
    const counter = Counter.options({ numCpus: 2, maxRestarts: 2, maxTaskRetries: -1 }).remote(10)
    const exit = () => ray.get(counter.exit.options({ maxTaskRetries: 0 }).remote(3))
    await assert.rejects(exit(), { code: 'RAY_ACTOR_UNAVAILABLE' })
    assert.equal(await ray.get(counter.add.remote(1)), 11)
    await large.end()
    await until(async () => (await ray.nodes()).length === 1)
    const call = counter.add.remote(2)
    const other = await WorkerProcess.start(alone.address, { name: 'other' })
    t.after(() => other.end())
    assert.equal(await ray.get(call), 12)
    await assert.rejects(exit(), ActorDiedError)
  })

  test('a worker that stands still is given up, and taken back as a new one: each result comes once', {
    skip: noSignals,
  }, async () => {
    await ray.init({ address: server.address })
    const gate = latch()
    const counter = Counter.options({ maxRestarts: -1, maxTaskRetries: -1 }).remote(10)
    const others = [hold.remote(gate), hold.remote(gate)]
    const host = (await ray.get(counter.thread.remote())).split(':')[0]!
    await started(gate, 2)
    const [still] = [...workers.values()].filter(({ child }) => `${child.pid}` === host)
    assert.ok(still)
    still.child.kill('SIGSTOP')
    await until(async () => (await ray.nodes()).length === 1)
    const call = counter.add.remote(1)
    letGo(gate)
    assert.equal(await ray.get(call), 11)
    still.child.kill('SIGCONT')
    await ray.get(others)
    await until(async () => (await ray.nodes()).length === 2)
    // Both take work again: neither alone has CPUs for two.
    const next = latch()
    const held = [hold.remote(next), hold.remote(next)]
    await started(next, 2)
    letGo(next)
    await ray.get(held)
    assert.equal(await ray.get(counter.add.remote(1)), 12)
  })

  test('a task of a worker that was given up and is back at once runs again, on the same worker too', {
    skip: noSignals,
  }, async (t) => {
    const alone = await Server.startFor(t)
    const still = await WorkerProcess.start(alone.address, { name: 'still', numCpus: 1 })
    t.after(() => still.end())
    const bus = await Bus.open(alone.address, 'test')
    t.after(() => bus.close())
    // By and by the driver is told that it runs there.
    const told = new Promise<void>((resolve) => {
      bus.subscribe(toPeer('*', '*'), (_, frame) => frame.includes('running') && resolve())
    })
    // Nothing else is said to it, such as questions for its clock.
    await ray.init({ address: alone.address, timeline: false })
    const gate = latch()
    const task = heldFirst.remote(gate)
    await Promise.all([started(gate), told])
    still.child.kill('SIGSTOP')
    await until(async () => (await ray.nodes()).length === 0)
    still.child.kill('SIGCONT')
    assert.equal(await ray.get(task, { timeout: 60_000 }), 2)
  })

  test('tasks survive the server: started again under load, each result comes once', async () => {
    await ray.init({ address: server.address })
    const runs = latch()
    const streamed = squares.remote(300)
    await streamed.next()
    const refs = Array.from({ length: 400 }, (_, i) => counted.remote(runs, i))
    await ray.get(refs[20]!)
    await server.down('SIGKILL')
    await server.up()
    assert.deepEqual(
      await ray.get(refs),
      refs.map((_, i) => i),
    )
    assert.ok(arrived(runs) >= 400)
    let next = 1
    for await (const ref of streamed) assert.equal(await ray.get(ref), (next++) ** 2)
    assert.equal(next, 300)
  })

  test('ten thousand tasks while workers join and leave: each result once', async () => {
    await ray.init({ address: server.address })
    const seen = new Array<number>(10_000).fill(0)
    const refs = seen.map((_, i) => add.remote(i, 1))
    const all = Promise.all(
      refs.map(async (ref, i) => {
        assert.equal(await ray.get(ref), i + 1)
        seen[i]!++
      }),
    )
    await ray.get(refs[500]!)
    await join('gamma')
    await leave('alpha')
    await ray.get(refs[3_000]!)
    await join('alpha')
    await leave('gamma', 'SIGTERM')
    await all
    assert.ok(seen.every((times) => times === 1))
    assert.equal((await ray.stats()).tasks.finished, 10_000)
  })

  test('tasks of several sizes: none waits behind another while a worker is idle, and being passed on is no try', async () => {
    await ray.init({ address: server.address })
    const half = add.options({ numCpus: 0.5, maxRetries: 0 })
    const both = () => ray.get([half.remote(1, 2), half.remote(1, 2), add.remote(1, 2), add.remote(1, 2)])
    await both()
    const gate = latch()
    const held = hold.options({ maxRetries: 0 }).remote(gate)
    await started(gate)
    const sums = await ray.get(
      Array.from({ length: 40 }, (_, i) => half.remote(i, 1)),
      { timeout: 20_000 },
    )
    assert.deepEqual(
      sums,
      Array.from({ length: 40 }, (_, i) => i + 1),
    )
    letGo(gate)
    assert.equal(await ray.get(held), 1)
    assert.deepEqual(await both(), [3, 3, 3, 3])
  })

  test('the bytes of a task that a node hands back are counted once', async () => {
    await ray.init({ address: server.address })
    const load = 'x'.repeat(100_000)
    const [whole, half] = [1, 0.5].map((numCpus) => fastOrHeld.options({ numCpus, maxRetries: 0 }))
    const moved = async () => (await ray.stats()).bytes.copied
    await ray.get([whole!.remote(null), half!.remote(null)])
    const begin = await moved()
    await ray.get(whole!.remote(null, load))
    const one = (await moved()) - begin
    // Both sizes are asked for with the same CPUs: of what comes at once a part finds none.
    await ray.get(Array.from({ length: 20 }, () => [whole!.remote(null, load), half!.remote(null, load)]).flat())
    const all = (await moved()) - begin - one
    assert.ok(Math.abs(all / one - 40) < 0.5, `${all / one} tasks' bytes`)
  })

  test('status counts what runs and what waits, of drivers that are busy themselves too, and forgets the killed', async (t) => {
    const observer = await Observer.open(server.address)
    t.after(() => observer.close())
    const now = async () => {
      const { nodes, drivers, running, waiting } = await observer.status()
      return `${[nodes.length, drivers.length, running, waiting]}`
    }
    const [gate, counted, blocked] = [latch(), latch(), latch()]
    const child = run(`
      await ray.init({ address: ${JSON.stringify(server.address)} })
      const gate = ${JSON.stringify(gate)}
      const counter = Counter.remote(1)
      await ray.get([counter.add.remote(1), add.remote(1, 2)])
      const refs = Array.from({ length: 7 }, () => hold.remote(gate))
      await started(gate, 2)
      refs.push(...Array.from({ length: 50 }, () => add.remote(1, 2)))
      refs.push(counter.hold.remote(gate), counter.add.remote(1), counter.add.remote(1))
      await started(${JSON.stringify(counted)})
      arrive(${JSON.stringify(blocked)})
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)`)
    await started(gate, 3)
    await until(async () => (await now()) === '2,1,3,57')
    arrive(counted)
    await started(blocked)
    assert.equal(await now(), '2,1,3,57')
    process.kill(child.pid, 'SIGKILL')
    await child
    await until(async () => (await now()) === '2,0,0,0')
    await join('killed')
    assert.equal(await now(), '3,0,0,0')
    await leave('killed')
    assert.equal(await now(), '2,0,0,0')
  })

  test('status counts nothing as waiting once all has ended', async (t) => {
    const observer = await Observer.open(server.address)
    t.after(() => observer.close())
    await ray.init({ address: server.address })
    const gate = latch()
    const refs = Array.from({ length: 7 }, () => hold.remote(gate))
    await until(async () => (await observer.status()).waiting === 5)
    letGo(gate)
    await ray.get(refs)
    // a question on another connection may overtake the driver's word
    await until(async () => (await observer.status()).waiting === 0)
  })

  test('a driver that is killed leaves no work running', async () => {
    const gate = latch()
    const child = run(`
      await ray.init({ address: ${JSON.stringify(server.address)} })
      const gate = ${JSON.stringify(gate)}
      await ray.get(Counter.options({ name: 'orphan' }).remote(1).add.remote(1))
      const refs = [hold.remote(gate), hold.remote(gate), hold.remote(gate)]
      await started(gate, 2)
      process.kill(process.pid, 'SIGKILL')`)
    assert.equal((await child).signal, OWN_KILL)
    await ray.init({ address: server.address })
    // Its tasks hold all CPUs until they are taken away.
    assert.equal(await ray.get(nothing.remote(), { timeout: 60_000 }), undefined)
    assert.equal(arrived(gate), 2)
    // one worker may hear of the driver's end a moment after the other
    await until(() => isFree('orphan'))
    const again = Counter.options({ name: 'orphan' }).remote(40)
    assert.equal(await ray.get(again.add.remote(1)), 41)
  })

  test('what a killed driver left in the queue does not run, however late a worker takes it', async () => {
    const gate = latch()
    const child = run(`
      await ray.init({ address: ${JSON.stringify(server.address)} })
      const gate = ${JSON.stringify(gate)}
      const refs = [hold.remote(gate), hold.remote(gate)]
      await started(gate, 2)
      process.kill(process.pid, 'SIGKILL')`)
    const lost = ['alpha', 'beta'].map((name) => printed(workers.get(name)!.child, `:${child.pid} was lost`))
    await started(gate, 2)
    const bus = await Bus.open(server.address, 'test')
    const queue = async () => (await bus.jsm.streams.info(STREAM)).state
    const left = (await bus.jsm.streams.getMessage(STREAM, { seq: (await queue()).last_seq }))!
    await Promise.all([child, ...lost])
    // Workers pull tasks of the sizes that a living driver has.
    await ray.init({ address: server.address })
    await ray.get(nothing.remote())
    // As if a worker had been faster than the clearing of the queue; the first of them may still be cleared away.
    for (let times = 0; times < 10 && arrived(gate) === 2; times++) {
      const { last_seq: last } = await queue()
      bus.publish(left.subject, left.data)
      await until(async () => {
        const { last_seq, messages } = await queue()
        return arrived(gate) > 2 || (last_seq > last && messages === 0)
      })
    }
    await bus.close()
    assert.equal(arrived(gate), 2)
  })

  test('a driver that stood still until it was given up is told so: each of its calls rejects, once, and no new one runs', {
    skip: noSignals,
  }, async () => {
    const gate = latch()
    const child = run(`
      await ray.init({ address: ${JSON.stringify(server.address)} })
      const gate = ${JSON.stringify(gate)}
      const counter = Counter.remote(1)
      const refs = [counter.hold.remote(gate), hold.remote(gate), hold.remote(gate), hold.remote(gate)]
      const codes = []
      const ended = Promise.all(refs.map((ref) => ray.get(ref).then(() => codes.push('ran'), ({ code }) => codes.push(code))))
      await started(gate, 3)
      process.kill(process.pid, 'SIGSTOP')
      await ended
      const why = await ray.get(add.remote(1, 2)).catch(({ code, message }) => (codes.push(code), message))
      console.log(codes.join())
      console.log(why)
      await ray.shutdown()`)
    // By its id: drivers of other tests are lost as well.
    await printed(workers.get('alpha')!.child, `:${child.pid} was lost`)
    process.kill(child.pid, 'SIGCONT')
    const { code, stdout } = await child
    const [codes, why] = stdout.split('\n')
    assert.deepEqual([code, codes], [0, Array(5).fill('RAY_CLUSTER_LOST').join()])
    assert.match(why!, /: this program did not get to its event loop for \d+ s\. Whoever stops a program,/)
  })

  test('what a driver that has lost its cluster left on the nodes ends though its process lives', async (t) => {
    const alone = await Server.startFor(t)
    const node = await WorkerProcess.start(alone.address, { name: 'alone', numCpus: 1 })
    t.after(() => node.end())
    await ray.init({ address: alone.address })
    const counter = Counter.remote(0)
    await ray.get(counter.add.remote(1))
    const observer = await Observer.open(alone.address)
    t.after(() => observer.close())
    const { drivers, nodes } = await observer.status()
    observer.bus.publish(toPeer(drivers[0]!.id, nodes[0]!.id), unknownFrame())
    await assert.rejects(async () => {
      for (;;) await ray.get(counter.add.remote(1))
    })
    for (const call of [counter.add.remote(1), Counter.remote(0).add.remote(1)])
      await assert.rejects(ray.get(call, { timeout: 10_000 }), { code: 'RAY_CLUSTER_LOST' })
    await until(async () => {
      const { drivers, nodes } = await observer.status()
      return drivers.length === 0 && nodes[0]!.actors === 0
    })
    await ray.shutdown()
  })

  test('a program that has lost its cluster ends when it has nothing else to do, though the server is gone', async (t) => {
    const alone = await Server.startFor(t)
    const node = await WorkerProcess.start(alone.address, { name: 'alone', numCpus: 1 })
    t.after(() => node.end())
    const [made, lost, gone] = [latch(), latch(), latch()]
    const child = run(`
      await ray.init({ address: ${JSON.stringify(alone.address)} })
      const counter = Counter.remote(0)
      await ray.get(counter.add.remote(1))
      arrive(${JSON.stringify(made)})
      try {
        for (;;) await ray.get(counter.add.remote(1))
      } catch ({ code }) {
        console.log(code)
      }
      arrive(${JSON.stringify(lost)})
      while (!isOpen(${JSON.stringify(gone)})) await new Promise((resolve) => setTimeout(resolve, 10))`)
    await started(made)
    const observer = await Observer.open(alone.address)
    const { drivers, nodes } = await observer.status()
    observer.bus.publish(toPeer(drivers[0]!.id, nodes[0]!.id), unknownFrame())
    await started(lost)
    await observer.close()
    await alone.down('SIGKILL')
    letGo(gone)
    const { code, stdout, stderr } = await child
    assert.deepEqual([code, stdout, stderr], [0, 'RAY_CLUSTER_LOST\n', ''])
  })

  test('a worker that is sent away before its task is done gives it to another', async (t) => {
    const alone = await Server.startFor(t)
    const node = await Node.join({ address: alone.address, name: 'leaving', numCpus: 1, allow: [BUILT] })
    await ray.init({ address: alone.address })
    const gate = latch()
    const result = ray.get(heldFirst.remote(gate), { timeout: 60_000 })
    await started(gate)
    const other = await WorkerProcess.start(alone.address, { name: 'staying', numCpus: 1 })
    t.after(() => other.end())
    await node.drain(0)
    assert.equal(await result, 2)
  })

  test('a task that was asked for before any worker came, and is too large for those that came, says so and waits', async (t) => {
    const alone = await Server.startFor(t)
    const child = run(`
      await ray.init({ address: ${JSON.stringify(alone.address)} })
      console.log(await ray.get(add.options({ numCpus: 3 }).remote(1, 2)))
      await ray.shutdown()`)
    const told = (text: string) =>
      new Promise<void>((resolve) => child.child.stderr!.on('data', (data) => `${data}`.includes(text) && resolve()))
    await told('work waits, no worker has joined: rayito worker --address')
    const small = await WorkerProcess.start(alone.address, { name: 'small', numCpus: 2 })
    t.after(() => small.end())
    await told('work waits, a task needs 3 CPUs and the largest worker has 2: rayito worker --address')
    const large = await WorkerProcess.start(alone.address, { name: 'large', numCpus: 3 })
    t.after(() => large.end())
    assert.deepEqual([(await child).code, (await child).stdout], [0, '3\n'])
  })

  test('a program that waits for a CPU which an idle actor holds goes on, and is told what it waits for', async (t) => {
    const alone = await small(t)
    const { code, stdout, stderr } = await run(`
      await ray.init({ address: ${JSON.stringify(alone.address)} })
      const { write } = process.stderr
      const holder = () => Counter.options({ numCpus: 1 }).remote(0)
      const first = holder()
      await ray.get(first.add.remote(1))
      process.stderr.write = (...text) => {
        queueMicrotask(() => ray.kill(first))
        return write.apply(process.stderr, text)
      }
      console.log(await ray.get(add.remote(1, 2)))
      const second = holder()
      await ray.get(second.add.remote(1))
      process.stderr.write = (...text) => {
        queueMicrotask(() => ray.kill(second))
        return write.apply(process.stderr, text)
      }
      console.log(await ray.get(holder().add.remote(4)))
      await ray.shutdown()`)
    assert.deepEqual([code, stdout], [0, '3\n4\n'])
    const told = (who: string) =>
      `rayito: work waits, ${who} needs 1 CPU, which actors hold that compute nothing; .*numCpus: 0.*`
    assert.match(stderr, new RegExp(`^${told('add')}\n${told('CounterClass#3')}\n$`))
  })

  test('a CPU that an actor or a generator holds which nobody can ask any more is given to what waits for it', async (t) => {
    const alone = await small(t)
    const { code, stdout, stderr } = await run(`
      import { askOnce } from ${JSON.stringify(FUNCTIONS)}
      import { squares } from ${JSON.stringify(import.meta.resolve('./generators.js'))}
      await ray.init({ address: ${JSON.stringify(alone.address)} })
      const ask = async () => ray.get(Counter.options({ numCpus: 1 }).remote(1).add.remote(2))
      const slow = squares.options({ generatorBackpressureNumObjects: 1 })
      const read = async () => { for await (const ref of slow.remote(9)) return ray.get(ref) }
      const answers = []
      for (const use of [ask, read, () => ray.get(askOnce.options({ numCpus: 0 }).remote()), () => ray.get(add.remote(1, 2))])
        answers.push(await use(), await use())
      answers.push(...(await Promise.all(Array.from({ length: 7 }, ask))))
      console.log(answers.join())
      await ray.shutdown()`)
    assert.deepEqual([code, stdout, stderr], [0, '3,3,0,0,3,3,3,3,3,3,3,3,3,3,3\n', ''])
  })

  test('a module that a worker may not run is refused, by name', async () => {
    const worker = await WorkerProcess.start(server.address, {
      name: 'strict',
      numCpus: 3,
      allow: fileURLToPath(new URL('../lab', import.meta.url)),
    })
    await ray.init({ address: server.address })
    await assert.rejects(ray.get(add.options({ numCpus: 3 }).remote(1, 2)), (error) => {
      assert.ok(error instanceof RayError)
      assert.equal(error.code, 'RAY_CLUSTER_CODE')
      assert.match(error.message, /functions\.js/)
      return true
    })
    await worker.end()
  })

  test('a worker runs modules of each of the folders that it allows', async (t) => {
    const alone = await Server.startFor(t)
    const allowed = [BUILT, fileURLToPath(new URL('../lab', import.meta.url))].flatMap((folder) => ['--allow', folder])
    const worker = spawn(process.execPath, [COMMAND, 'worker', '--address', alone.address, ...allowed])
    t.after(() => worker.kill('SIGKILL'))
    await printed(worker, 'joined')
    await ray.init({ address: alone.address })
    assert.equal(await ray.get(add.remote(1, 2)), 3)
  })

  test('rayito status shows the nodes, rayito stop sends them away', async () => {
    const command = fileURLToPath(import.meta.resolve('#src/cli/main.js'))
    const rayito = (...args: string[]) => spawn(process.execPath, [command, ...args, '--address', server.address])
    await printed(rayito('status'), /alpha.*beta.*2 nodes, 2 CPUs/s)
    // Named as a cloud names its machines: the table fits into a terminal, with both ends of the name.
    const name = `ip-10-20-30-40.${'department.'.repeat(6)}example.org-4711`
    const long = await WorkerProcess.start(server.address, { name })
    const shown = await printed(rayito('status'), /3 nodes, 4 CPUs/)
    assert.match(shown, /^ip-10.*….*-4711 {2}0 of 2/m)
    assert.ok(
      shown.split('\n').every(({ length }) => length <= 80),
      shown,
    )
    await long.end('SIGTERM')
    const ended = Promise.all(
      ['alpha', 'beta'].map((name) => new Promise((resolve) => workers.get(name)!.child.once('exit', resolve))),
    )
    await printed(rayito('stop'), '2 nodes were asked to leave')
    assert.deepEqual(await ended, [0, 0])
    workers.clear()
  })
})
