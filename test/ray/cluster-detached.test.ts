import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { ray } from '#src/ray/index.js'
import { clusterMissing, Server, WorkerProcess } from './cluster.js'
import { Counter, type CounterClass } from './functions.js'
import { scripts } from './programs.js'

const skip = clusterMissing()

describe('a detached actor that was asked for just before ray.shutdown()', skip ? { skip } : {}, () => {
  const run = scripts(`import { Counter } from ${JSON.stringify(import.meta.resolve('./functions.js'))}`)
  afterEach(() => ray.shutdown())

  test('is made, of whatever its driver had, and keeps its name', async (t) => {
    const server = await Server.startFor(t)
    const worker = await WorkerProcess.start(server.address, { name: 'alone' })
    t.after(() => worker.end())
    const cases = {
      unawaited: `Counter.options(options).remote(40)`,
      called: `Counter.options(options).remote(40).history.remote()`,
      given: `Counter.options(options).remote(ray.put(40))`,
      large: `Counter.options(options).remote(ray.put(new Uint8Array(3_000_000)))`,
    }
    for (const [name, make] of Object.entries(cases)) {
      const { code, stdout, stderr } = await run(`
        await ray.init({ address: ${JSON.stringify(server.address)} })
        const options = { name: ${JSON.stringify(name)}, lifetime: 'detached', numCpus: 0 }
        ${make}
        await ray.shutdown()`)
      assert.deepEqual([code, stdout, stderr], [0, '', ''])
    }
    await ray.init({ address: server.address })
    for (const name of Object.keys(cases)) {
      const counter = await ray.getActor<CounterClass>(name)
      const [count] = await ray.get(counter.history.remote(), { timeout: 20_000 })
      const { length } = count as unknown as Uint8Array
      assert.equal(length ?? count, name === 'large' ? 3_000_000 : 40)
      ray.kill(counter)
    }
  })

  test('is said not to be made where no worker has room for it; its name is free', async (t) => {
    const server = await Server.startFor(t)
    const worker = await WorkerProcess.start(server.address, { name: 'alone', numCpus: 1 })
    t.after(() => worker.end())
    await ray.init({ address: server.address })
    const first = Counter.options({ numCpus: 1 }).remote(0)
    await ray.get(first.add.remote(1))
    const { code, stderr } = await run(`
      await ray.init({ address: ${JSON.stringify(server.address)} })
      Counter.options({ name: 'second', lifetime: 'detached', numCpus: 1 }).remote(40)
      await ray.shutdown()`)
    const said =
      'rayito: CounterClass#1 is detached and was not made: its driver left before a worker had room for it\n'
    assert.deepEqual([code, stderr], [0, said])
    ray.kill(first)
    await assert.rejects(ray.getActor('second'), { code: 'RAY_ACTOR_NAME' })
    const second = Counter.options({ name: 'second', numCpus: 1 }).remote(0)
    assert.equal(await ray.get(second.add.remote(1), { timeout: 20_000 }), 1)
  })
})
