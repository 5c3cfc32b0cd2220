import assert from 'node:assert/strict'
import { after, afterEach, before, describe, test } from 'node:test'
import { ray } from '#src/ray/index.js'
import { COMMAND, clusterMissing, Server, WorkerProcess } from './cluster.js'
import { add, Counter, counted, hold, make, makeCounted, size } from './functions.js'
import { latch, letGo, started } from './helpers.js'
import { type Host, type Hosts, makeHosts, slowLine } from './hosts.js'
import { arrived } from './latch.js'

const skip = clusterMissing()

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20))
}

describe('a cluster of several hosts', skip ? { skip } : {}, () => {
  let hosts: Hosts
  let server: Server
  const workers: WorkerProcess[] = []

  async function join(
    name: string,
    host: Pick<Host, 'address' | 'prefix'>,
    env: object = {},
    numCpus = 1,
  ): Promise<void> {
    const command = [...host.prefix, process.execPath, COMMAND]
    workers.push(await WorkerProcess.start(host.address, { name, numCpus, env, command }))
  }
  const names = async () => (await ray.nodes()).map(({ name }) => name).sort()

  before(async () => {
    hosts = makeHosts()
    server = await Server.start([], hosts.listen)
  })
  afterEach(async () => {
    await ray.shutdown()
    await Promise.all(workers.splice(0).map((worker) => worker.end()))
  })
  after(async () => {
    await server.end()
    await hosts.end()
  })

  test('a host that is cut off is given up, its work goes on elsewhere; once back it works again', async (t) => {
    t.diagnostic(`hosts are ${hosts.kind}`)
    const [near, far] = [await hosts.add(server.port), await hosts.add(server.port)]
    await Promise.all([join('near', near), join('far', far)])
    await ray.init({ address: server.address })
    const runs = latch()
    const gate = latch()
    const bytes = ray.put(new Uint8Array(3_000_000))
    const lasting = Counter.options({ maxRestarts: -1, maxTaskRetries: -1 })
    const counters = [lasting.remote(10), lasting.remote(20)]
    await ray.get(counters.map((counter) => counter.add.remote(0)))
    const held = [hold.remote(gate), hold.remote(gate)]
    await started(gate, 2)
    const refs = Array.from({ length: 200 }, (_, i) => counted.remote(runs, i))

    far.cut()
    await until(async () => (await ray.nodes()).length === 1)
    assert.deepEqual(await names(), ['near'])
    const calls = counters.map((counter) => counter.add.remote(1))
    letGo(gate)
    assert.deepEqual(await ray.get(calls), [11, 21])
    assert.deepEqual(
      await ray.get(refs),
      refs.map((_, i) => i),
    )
    assert.ok(arrived(runs) >= 200)
    await ray.get(held)

    far.mend()
    await until(async () => (await ray.nodes()).length === 2)
    const next = latch()
    const both = [hold.remote(next), hold.remote(next)]
    await Promise.race([started(next, 2), ray.get(both)])
    letGo(next)
    await ray.get(both)
    assert.deepEqual(await ray.get([size.remote(bytes), size.remote(bytes)]), [3_000_000, 3_000_000])
  })

  test('a node on a slow line is not taken for lost while it sends much, which goes over the line once', async (t) => {
    const line = await slowLine(server.address, 600_000, t)
    await join('slow', { address: line.address, prefix: [] })
    await ray.init({ address: server.address })
    const length = 6_500_000
    const result = await ray.get(make.options({ maxRetries: 0 }).remote(length))
    assert.equal(result.length, length)
    assert.deepEqual(await names(), ['slow'])
    assert.ok(line.carried < 1.1 * length, `${line.carried} bytes`)
  })

  test('a node on a slow line begins no more than it can keep the results of, and goes on once they have left', async (t) => {
    const line = await slowLine(server.address, 60_000_000, t)
    await join('slow', { address: line.address, prefix: [] }, {}, 2)
    await ray.init({ address: server.address })
    const begun = latch()
    // One of the results is more than all that may wait.
    const lengths = [...new Array(12).fill(8_000_000), 48_000_000, ...new Array(20).fill(8_000_000)]
    let waiting = lengths.map((length) => makeCounted.remote(begun, length))
    let [got, most] = [0, 0]
    while (waiting.length) {
      const [ready, left] = await ray.wait(waiting)
      most = Math.max(most, arrived(begun) - got)
      got += ready.length
      ray.free(ready)
      waiting = left
    }
    assert.ok(most <= 12, `${most} had begun whose results were not here`)
  })

  test('clocks that are an hour apart change nothing', async () => {
    const shift = (hours: number) => ({
      NODE_OPTIONS: `--import "data:text/javascript,const now=Date.now;Date.now=()=>now()+${hours}*36e5"`,
    })
    const host = await hosts.add(server.port)
    await Promise.all([join('early', host, shift(-1)), join('late', host, shift(1))])
    await ray.init({ address: server.address })
    const gate = latch()
    const counter = Counter.remote(1)
    const held = [hold.remote(gate), hold.remote(gate)]
    await started(gate, 2)
    // Longer than a node may be silent.
    await new Promise((resolve) => setTimeout(resolve, 6_500))
    assert.deepEqual(await names(), ['early', 'late'])
    letGo(gate)
    await ray.get(held)
    assert.equal(arrived(gate), 2)
    assert.equal(await ray.get(counter.add.remote(1)), 2)
  })

  test('32 workers: all of them work, and no result is lost or comes twice', async () => {
    const host = await hosts.add(server.port)
    await Promise.all(['a', 'b', 'c', 'd'].map((name) => join(name, host, {}, 8)))
    const { numCpus } = await ray.init({ address: server.address })
    assert.equal(numCpus, 32)
    const gate = latch()
    const all = Array.from({ length: 32 }, () => hold.remote(gate))
    await started(gate, 32)
    letGo(gate)
    await ray.get(all)
    const refs = Array.from({ length: 3_200 }, (_, i) => add.remote(i, 1))
    assert.deepEqual(
      await ray.get(refs),
      refs.map((_, i) => i + 1),
    )
    const { perWorker, tasks } = await ray.stats()
    assert.deepEqual([tasks.finished, tasks.failed], [3_232, 0])
    assert.equal(
      Object.values(perWorker).reduce((sum, n) => sum + n),
      3_232,
    )
    assert.equal(Object.keys(perWorker).length, 32)
  })
})
