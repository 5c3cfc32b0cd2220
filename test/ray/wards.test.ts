import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { NameRecord } from '#src/ray/engines/nats/actor-names.js'
import { Bus } from '#src/ray/engines/nats/bus.js'
import { wardKey } from '#src/ray/engines/nats/subjects.js'
import { encodeWard, type Ward, Wards } from '#src/ray/engines/nats/wards.js'
import { packageVersion } from '#src/ray/version.js'
import { clusterMissing, Server } from './cluster.js'

const skip = clusterMissing()

/** A bus whose answers to some requests of the bucket are lost: the server has done what it was asked. */
function losing(bus: Bus, request: 'update' | 'put', times: number): Bus {
  const state = new Proxy(bus.state, {
    get(target, name) {
      const value = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      return async (...args: unknown[]) => {
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

describe('a node that takes over an actor whose own was lost', skip ? { skip } : {}, () => {
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
    test(`starts it once, and says where it is, though the answer to its ${request} is lost`, async (t) => {
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
})
