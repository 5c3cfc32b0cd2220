import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Actor } from '#src/ray/actor.js'
import { Cpus } from '#src/ray/engines/local/cpus.js'
import { Bus } from '#src/ray/engines/nats/bus.js'
import { ActorNames } from '#src/ray/engines/nats/driver/actor-names.js'
import type { DriverSide } from '#src/ray/engines/nats/driver/driver-side.js'
import type { NodePeer } from '#src/ray/engines/nats/driver/node-peer.js'
import type { Queued } from '#src/ray/engines/nats/messages.js'
import type { NameRecord } from '#src/ray/engines/nats/name-record.js'
import { LostNames } from '#src/ray/engines/nats/node/lost-names.js'
import { NodeQueue } from '#src/ray/engines/nats/node/node-queue.js'
import { LEASES, nameKey, STATE, STREAM, wardKey } from '#src/ray/engines/nats/subjects.js'
import { encodeWard, type Ward, Wards } from '#src/ray/engines/nats/wards.js'
import { packageVersion } from '#src/ray/version.js'
import { encodeWire } from '#src/ray/wire.js'
import { clusterMissing, Server } from './cluster.js'
import { node as life } from './lives.js'

const skip = clusterMissing()

/**
 * A bus whose answers to some requests of the bucket are lost: the server has done what it was asked, or was away.
 * @param done whether it has
 */
function losing(bus: Bus, request: 'create' | 'get' | 'purge' | 'update' | 'put', times: number, done = true): Bus {
  const state = new Proxy(bus.state, {
    get(target, name) {
      const value = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      return async (...args: unknown[]) => {
        if (!done && name === request && times-- > 0) throw new Error('timeout')
        const answer = await Reflect.apply(value, target, args)
        if (name === request && times-- > 0) throw new Error('timeout')
        return answer
      }
    },
  })
  return new Proxy(bus, {
    get(target, name) {
      if (name === 'state') return state
      const value = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

const ward = (id: string): Ward =>
  ({
    actor: { id, className: 'Counter', label: 'Counter#1', key: `name.${id}`, maxRestarts: 1, numCpus: 0 },
    lease: { kind: 'driver', id: 'gone', version: packageVersion() },
    node: 'lost',
  }) as unknown as Ward

describe('where the server is away, or its answers are lost', skip ? { skip } : {}, () => {
  let server: Server
  let bus: Bus
  before(async () => {
    server = await Server.start()
    bus = await Bus.open(server.address, 'test')
  })
  after(async () => {
    await bus.close()
    await server.end()
  })

  for (const request of ['update', 'put'] as const)
    test(`a node that takes over an actor starts it once, and says where it is, though the answer to its ${request} is lost`, async (t) => {
      const id = `actor-${request}`
      const adopted: Ward[] = []
      const node = new Wards(losing(bus, request, 1), 'me', {
        room: () => true,
        adopt: async (ward) => void adopted.push(ward),
        orphans: () => [],
        taken: () => {},
      })
      t.after(() => node.end())
      await node.follow()
      const told = (async () => {
        let times = 0
        for await (const { key, value } of await bus.state.watch({ key: `name.${id}` })) {
          assert.equal(key, `name.${id}`)
          assert.equal((JSON.parse(new TextDecoder().decode(value)) as NameRecord).node, 'me')
          if (++times === (request === 'put' ? 2 : 1)) return
        }
      })()
      await bus.state.put(wardKey(id), encodeWard(ward(id)))
      await told
      assert.deepEqual(
        adopted.map(({ node, actor }) => [node, actor.id, actor.maxRestarts]),
        [['me', id, 0]],
      )
    })

  test('a node that is back at a server that was gone takes over no actor yet: others may be back later', async (t) => {
    const id = 'actor-late'
    const adopted: string[] = []
    const node = new Wards(bus, 'me', {
      room: () => true,
      adopt: async ({ actor }) => void adopted.push(actor.id),
      orphans: () => [],
      taken: () => {},
    })
    t.after(() => node.end())
    await bus.state.put(wardKey(id), encodeWard(ward(id)))
    await node.follow()
    const looked = new Promise<void>((resolve) => {
      let looks = 0
      const asked = bus.subscribe(`$JS.API.DIRECT.GET.KV_${LEASES}`, () => {
        if (++looks === 1) node.reconnected()
        if (looks < 5) return
        asked.unsubscribe()
        resolve()
      })
    })
    await looked
    assert.deepEqual(adopted, [])
    await bus.state.purge(wardKey(id))
  })

  test('a node takes over actors, too, once the server has lost its data', async (t) => {
    const forgetful = await Server.startFor(t)
    const mine = await Bus.open(forgetful.address, 'test')
    const adopted: string[] = []
    let came = () => {}
    const over = new Promise<void>((resolve) => {
      came = resolve
    })
    const node = new Wards(mine, 'me', {
      room: () => true,
      adopt: async ({ actor }) => {
        adopted.push(actor.id)
        came()
      },
      orphans: () => [],
      taken: () => {},
    })
    t.after(async () => {
      node.end()
      await mine.close()
    })
    // It has heard of more than the next bucket will have.
    const lost = ward('actor-lost')
    for (let i = 0; i < 10; i++) await mine.state.put(wardKey('actor-lost'), encodeWard({ ...lost, node: 'me' }))
    await node.follow()
    const back = new Promise<void>((resolve) => {
      mine.watch({
        disconnected: () => {},
        closed: () => {},
        reconnected: () => {
          node.reconnected()
          resolve()
        },
      })
    })
    await forgetful.down('SIGKILL')
    forgetful.lose()
    await forgetful.up()
    await back
    const next = await Bus.open(forgetful.address, 'test')
    t.after(() => next.close())
    await next.state.put(wardKey('actor-new'), encodeWard(ward('actor-new')))
    await over
    assert.deepEqual(adopted, ['actor-new'])
  })

  test('a node ends what is not its own any more, once its driver is gone, and nothing that may be', async (t) => {
    const here = new Set(['killed', 'forgotten', 'followed', 'elsewhere', 'unplaced', 'missed', 'claimed', 'mine'])
    const keyOf = (id: string) => nameKey('orphans', id)
    const record = (id: string, node: string | null) => JSON.stringify({ id, owner: 'gone', node })
    await bus.state.put(keyOf('killed'), record('killed', 'me'))
    await bus.state.purge(keyOf('killed'))
    await bus.state.put(keyOf('followed'), record('another', 'me'))
    await bus.state.put(keyOf('elsewhere'), record('elsewhere', 'other'))
    await bus.state.put(keyOf('unplaced'), record('unplaced', null))
    await bus.state.put(keyOf('missed'), record('missed', 'lost'))
    // Between the two steps of a node that takes one over: the claim, and then the name.
    await bus.state.put(wardKey('claimed'), encodeWard({ ...ward('claimed'), node: 'me' }))
    await bus.state.put(keyOf('claimed'), record('claimed', 'other'))
    await bus.state.put(keyOf('mine'), record('mine', 'me'))
    const other = bus.frames('other', () => {})
    const ended: string[] = []
    const node = new Wards(bus, 'me', {
      room: () => false,
      adopt: async () => {},
      orphans: () => [...here].map((id) => ({ id, key: keyOf(id) })),
      taken: (id) => here.delete(id) && ended.push(id),
    })
    t.after(() => {
      node.end()
      other.unsubscribe()
    })
    const looked = new Promise<void>((resolve) => {
      let looks = 0
      bus.subscribe(`$JS.API.DIRECT.GET.KV_${STATE}.$KV.${STATE}.${keyOf('mine')}`, () => ++looks === 5 && resolve())
    })
    await node.follow()
    await looked
    assert.deepEqual(ended, ['killed', 'forgotten', 'followed', 'elsewhere'])
  })

  test('names of actors that went with their node and their driver are free after a while, though nobody asks for them', async (t) => {
    const record = (id: string, owner: string, node: string | null) => JSON.stringify({ id, owner, node })
    const keyOf = (id: string) => nameKey('lost', id)
    await bus.leases.put('node.living', JSON.stringify({ ...life, id: 'living' }))
    const living = bus.frames('living', () => {})
    t.after(() => living.unsubscribe())
    await bus.state.put(keyOf('lost'), record('lost', 'gone', 'lost'))
    await bus.state.put(keyOf('unplaced'), record('unplaced', 'gone', null))
    await bus.state.put(keyOf('there'), record('there', 'gone', 'living'))
    await bus.state.put(keyOf('owned'), record('owned', 'living', 'lost'))
    await bus.state.put(keyOf('again'), record('again', 'gone', 'lost'))
    await bus.state.put(wardKey('again'), encodeWard(ward('again')))
    const kept = async () => {
      const ids = ['lost', 'unplaced', 'there', 'owned', 'again']
      const entries = await Promise.all(ids.map((id) => bus.state.get(keyOf(id))))
      return ids.filter((_, i) => entries[i]?.operation === 'PUT')
    }
    const patient = new LostNames(bus)
    await patient.look()
    await patient.look()
    assert.equal((await kept()).length, 5)
    await new LostNames(bus, 0).look()
    assert.deepEqual(await kept(), ['there', 'owned', 'again'])
    await bus.state.purge(wardKey('again'))
  })

  const node = { id: 'node-1' } as NodePeer
  const actorOf = (id: string, name: string, detached = false) => {
    const settings = { name, namespace: 'default', maxConcurrency: 1, detached }
    return { id, className: 'Tally', label: 'Tally#1', restarts: 0, settings } as unknown as Actor
  }
  const namesOver = (bus: Bus, nodes = [node]) => {
    const engine = { id: 'me', bus, nodesById: new Map(nodes.map((node) => [node.id, node])), down: false }
    return new ActorNames(engine as unknown as DriverSide, () => true)
  }

  test('where a named actor is is told again, until the server knows', async () => {
    const names = namesOver(losing(bus, 'put', 2, false))
    const actor = actorOf('actor-1', 'tally')
    assert.equal(await names.reserve(actor), true)
    await names.placed(actor, node, null)
    assert.equal((await names.locate({ name: 'tally', namespace: 'default' }, null, null))?.node, node)
  })

  test('an actor has its name though the answer to its asking for it is lost; another has not', async () => {
    const names = namesOver(losing(bus, 'create', 1))
    const actor = actorOf('actor-2', 'count')
    assert.equal(await names.reserve(actor), true)
    assert.equal(await names.reserve(actorOf('actor-3', 'count')), false)
    await names.placed(actor, node, null)
    assert.equal((await names.locate({ name: 'count', namespace: 'default' }, null, null))?.record.id, actor.id)
  })

  test('where a named actor is is asked again, until the server says', async () => {
    const asked = losing(bus, 'get', 2, false)
    const names = namesOver(asked)
    const actor = actorOf('actor-4', 'known')
    assert.equal(await names.reserve(actor), true)
    await names.placed(actor, node, null)
    assert.equal((await names.locate({ name: 'known', namespace: 'default' }, null, null))?.node, node)
    assert.equal(await names.locate({ name: 'unknown', namespace: 'default' }, null, null), null)
  })

  test('an actor that has ended leaves its name, though the server is away at first; not one that another has by now', async () => {
    const [first, next] = [actorOf('actor-5', 'free', true), actorOf('actor-6', 'free')]
    const key = nameKey('default', 'free')
    const names = namesOver(losing(bus, 'purge', 2, false))
    assert.equal(await names.reserve(first), true)
    await bus.state.put(wardKey(first.id), encodeWard(ward(first.id)))
    await names.forget(first)
    assert.equal((await bus.state.get(key))?.operation, 'PURGE')
    assert.equal((await bus.state.get(wardKey(first.id)))?.operation, 'PURGE')
    const unheard = namesOver(losing(bus, 'purge', 2))
    assert.equal(await unheard.reserve(first), true)
    const freed = unheard.forget(first)
    while ((await bus.state.get(key))?.operation !== 'PURGE') await new Promise((resolve) => setImmediate(resolve))
    assert.equal(await names.reserve(next), true)
    await freed
    assert.equal((await bus.state.get(key))?.json<NameRecord>().id, next.id)
  })

  test('a driver that was given up leaves a name alone that another has by now, when it ends and when its actor does', async () => {
    const names = namesOver(bus)
    const actor = actorOf('actor-7', 'taken')
    assert.equal(await names.reserve(actor), true)
    const key = nameKey('default', 'taken')
    await bus.state.put(key, JSON.stringify({ id: 'actor-8', owner: 'other', node: null }))
    const has = async () => (await bus.state.get(key))?.json<NameRecord>().id
    await names.end()
    assert.equal(await has(), 'actor-8')
    await names.forget(actor)
    assert.equal(await has(), 'actor-8')
  })

  test('the name of an actor on a node that lives is taken, though the server has forgotten that node', async () => {
    const names = namesOver(bus)
    const key = nameKey('default', 'kept')
    await bus.state.put(key, JSON.stringify({ id: 'actor-9', owner: 'other', node: node.id }))
    assert.equal(await names.reserve(actorOf('actor-10', 'kept')), false)
    const without = namesOver(bus, [])
    assert.equal(await without.locate({ name: 'kept', namespace: 'default' }, null, node), null)
    assert.equal(await names.reserve(actorOf('actor-10', 'kept')), true)
  })

  /** A bus on which the first request for a consumer fails, and the first for what waits there. */
  function slowToServe(bus: Bus): Bus {
    const failing = new Set<string | symbol>(['consumer', 'next'])
    return new Proxy(bus, {
      get(target, name) {
        const value = Reflect.get(target, name)
        if (typeof value !== 'function') return value
        return (...args: unknown[]) =>
          failing.delete(name) ? Promise.reject(new Error('timeout')) : Reflect.apply(value, target, args)
      },
    })
  }

  test('tasks are pulled once the server is there, and what cannot begin yet is said to be worked on', async (t) => {
    let asked = () => {}
    const came = new Promise<void>((resolve) => {
      asked = resolve
    })
    let leave: (session: null) => void = () => {}
    const session = new Promise<null>((resolve) => {
      leave = resolve
    })
    const queue = new NodeQueue(slowToServe(bus), new Cpus(4), {
      known: () => undefined,
      isLost: () => false,
      taken: () => {},
      session: () => {
        asked()
        return session
      },
    })
    t.after(() => queue.drain())
    await Promise.all([2_000, 1_500].map((size) => bus.makeConsumer(size, () => false)))
    const task = encodeWire({ driver: 'driver-2', publication: 1, tasks: [] } satisfies Queued)
    await bus.enqueue('driver-2', 2_000, 'driver-2.1', () => task)
    queue.want(new Set([2_000, 1_500]))
    await came
    const told = new Promise<void>((resolve) => {
      const answers = bus.subscribe('$JS.ACK.>', (_, bytes) => {
        if (`${bytes}` !== '+WPI') return
        answers.unsubscribe()
        resolve()
      })
    })
    await bus.flush()
    queue.beat()
    await told
    leave(null)
  })

  test('a task whose driver cannot be asked for stays in the queue, for whoever can; one whose driver has gone does not', async (t) => {
    const asked: string[] = []
    let gone = () => {}
    const over = new Promise<void>((resolve) => {
      gone = resolve
    })
    const queue = new NodeQueue(bus, new Cpus(1), {
      known: () => undefined,
      isLost: () => false,
      taken: () => {},
      session: async (driver) => {
        asked.push(driver)
        if (asked.length === 1) throw new Error('timeout')
        gone()
        return null
      },
    })
    t.after(() => queue.drain())
    await bus.makeConsumer(1_000, () => false)
    const task = encodeWire({ driver: 'driver-1', publication: 1, tasks: [] } satisfies Queued)
    await bus.enqueue('driver-1', 1_000, 'driver-1.1', () => task)
    queue.want(new Set([1_000]))
    await over
    assert.deepEqual(asked, ['driver-1', 'driver-1'])
    while ((await bus.jsm.streams.info(STREAM)).state.messages > 0)
      await new Promise((resolve) => setImmediate(resolve))
  })
})
