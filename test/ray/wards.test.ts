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
import { NodeQueue } from '#src/ray/engines/nats/node/node-queue.js'
import { STREAM, wardKey } from '#src/ray/engines/nats/subjects.js'
import { encodeWard, type Ward, Wards } from '#src/ray/engines/nats/wards.js'
import { packageVersion } from '#src/ray/version.js'
import { encodeWire } from '#src/ray/wire.js'
import { clusterMissing, Server } from './cluster.js'

const skip = clusterMissing()

/**
 * A bus whose answers to some requests of the bucket are lost: the server has done what it was asked, or was away.
 * @param done whether it has
 */
function losing(bus: Bus, request: 'update' | 'put', times: number, done = true): Bus {
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

  test('where a named actor is is told again, until the server knows', async () => {
    const node = { id: 'node-1' } as NodePeer
    const engine = { id: 'me', bus: losing(bus, 'put', 2, false), nodesById: new Map([[node.id, node]]), down: false }
    const names = new ActorNames(engine as unknown as DriverSide, () => true)
    const settings = { name: 'tally', namespace: 'default', maxConcurrency: 1, detached: false }
    const actor = { id: 'actor-1', className: 'Tally', label: 'Tally#1', restarts: 0, settings } as unknown as Actor
    assert.equal(await names.reserve(actor), true)
    await names.placed(actor, node, null)
    assert.equal((await names.locate('tally', 'default', null))?.node, node)
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
