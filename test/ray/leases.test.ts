import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Bus } from '#src/ray/engines/nats/bus.js'
import { type DriverLease, type Lease, Leases, type NodeLease, OwnLease } from '#src/ray/engines/nats/leases.js'
import { BEAT, HELLO, NODE_PATIENCE } from '#src/ray/engines/nats/subjects.js'
import { clusterMissing, Server } from './cluster.js'
import { relays } from './hosts.js'

const skip = clusterMissing()

const node = { kind: 'node', id: 'node-1', name: 'one' } as NodeLease
const driver = { kind: 'driver', id: 'driver-1' } as DriverLease

describe('whoever follows who lives', skip ? { skip } : {}, () => {
  test('takes nobody for lost while it hears nothing of the server itself, and who falls silent after that', async (t) => {
    const server = await Server.startFor(t)
    const hosts = relays()
    t.after(() => hosts.end())
    const host = await hosts.add(server.port)
    const [there, here] = [await Bus.open(server.address, 'there'), await Bus.open(host.address, 'here')]
    t.after(() => Promise.all([there.close(), here.close()]))
    // It listens all along: that its process has ended cannot be found out by asking.
    there.frames(node.id, () => {})

    const give = () => there.leases.put(`node.${node.id}`, JSON.stringify(node))
    there.subscribe(HELLO, () => void give())
    await give()
    const beat = setInterval(() => void give(), BEAT)
    t.after(() => clearInterval(beat))
    const own = new OwnLease(here.leases, () => driver)
    await own.give()
    const said: string[] = []
    let told = () => {}
    const leases = new Leases({
      seen: () => {},
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
    host.mend()

    const lost = new Promise<void>((resolve) => {
      told = resolve
    })
    clearInterval(beat)
    await lost
    assert.deepEqual(said, [node.id])
  })
})
