import assert from 'node:assert/strict'
import { connect, createServer, type Socket } from 'node:net'
import { after, afterEach, before, describe, type TestContext, test } from 'node:test'
import { Observer } from '#src/ray/engines/nats/status/observe.js'
import { toPeer } from '#src/ray/engines/nats/subjects.js'
import { ray } from '#src/ray/index.js'
import { clusterMissing, freePort, Server, WorkerProcess } from './cluster.js'
import { add, Counter, make, size } from './functions.js'

const skip = clusterMissing()

/** Bytes in an array that becomes, on its way, one of a kind that no Node has yet. */
const ODD = 77
const length = Buffer.alloc(8)
length.writeDoubleLE(ODD)
/** A view, its kind, whether its memory is shared, where it begins there, and how long it is. */
const VIEW = new RegExp(`\\\\\\x02([\\x00\\x01][^]{8}${length.toString('latin1')})`, 'g')

/** A line to a server on which such arrays are changed. */
async function changing(server: Server, t: TestContext): Promise<string> {
  const port = await freePort()
  const sockets = new Set<Socket>()
  const pass = (from: Socket, to: Socket) => {
    sockets.add(from.on('error', () => {}).on('close', () => to.destroy()))
    from.on('data', (data) => to.write(data.toString('latin1').replace(VIEW, '\\c$1'), 'latin1'))
  }
  const listener = createServer((near) => {
    const far = connect(server.port, '127.0.0.1')
    pass(near, far)
    pass(far, near)
  })
  await new Promise<void>((resolve) => listener.listen(port, '127.0.0.1', resolve))
  t.after(() => {
    listener.close()
    for (const socket of sockets) socket.destroy()
  })
  return `nats://127.0.0.1:${port}`
}

describe("what one side's Node cannot read of the other's", skip ? { skip } : {}, () => {
  let server: Server
  let worker: WorkerProcess
  before(async () => {
    server = await Server.start()
    worker = await WorkerProcess.start(server.address, { name: 'alone', numCpus: 1 })
  })
  afterEach(() => ray.shutdown())
  after(async () => {
    await worker.end()
    await server.end()
  })

  const odd = () => new Uint8Array(ODD)
  const cases = {
    'an argument of a task': () => size.remote(odd()),
    'one of a task that is too large for the queue': () => add.remote(odd() as never, 'x'.repeat(3e6) as never),
    "one of an actor's call": () => Counter.remote(0).take.remote(odd()),
    'a result': () => make.remote(ODD),
  }
  for (const [what, ask] of Object.entries(cases))
    test(`${what} is told, and the worker goes on for others`, async (t) => {
      await ray.init({ address: await changing(server, t) })
      await assert.rejects(ray.get(ask() as never, { timeout: 15_000 }), {
        code: 'RAY_NOT_SERIALIZABLE',
        message: /^A value is of a type that Node v[\d.]+ lacks\. Run the same version of Node on all machines\.$/,
      })
      await ray.shutdown()
      await ray.init({ address: server.address })
      assert.equal(await ray.get(add.remote(1, 2), { timeout: 15_000 }), 3)
    })

  test('what is no frame at all makes no worker deaf', async (t) => {
    const observer = await Observer.open(server.address)
    t.after(() => observer.close())
    const { nodes } = await observer.status()
    observer.bus.publish(toPeer(nodes[0]!.id, 'nobody'), Buffer.from('no'))
    await observer.bus.flush()
    await ray.init({ address: server.address })
    assert.equal(await ray.get(add.remote(1, 2), { timeout: 15_000 }), 3)
  })
})
