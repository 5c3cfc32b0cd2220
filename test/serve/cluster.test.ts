import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { unknownFrame } from '#src/ray/engines/nats/channel.js'
import { Observer } from '#src/ray/engines/nats/status/observe.js'
import { toPeer } from '#src/ray/engines/nats/subjects.js'
import { ray } from '#src/ray/index.js'
import { serve } from '#src/serve/index.js'
import { COMMAND, clusterMissing, printed, Server, WorkerProcess } from '../ray/cluster.js'
import { Host } from './classes.js'
import { until, url } from './helpers.js'

const skip = clusterMissing()

describe('an application on a cluster', skip ? { skip } : {}, () => {
  let server: Server
  let workers: WorkerProcess[]

  before(async () => {
    server = await Server.start()
    const join = (name: string) => WorkerProcess.start(server.address, { name, numCpus: 1 })
    workers = await Promise.all([join('alpha'), join('beta')])
    await ray.init({ address: server.address })
  })
  after(async () => {
    await serve.shutdown()
    await ray.shutdown()
    await Promise.all(workers.map((worker) => worker.end()))
    await server.end()
  })

  test("'auto' is a replica for each CPU, spread over the nodes; a node that is lost costs no request", async () => {
    await serve.run(serve.deployment(Host, { numReplicas: 'auto' }).bind(), { port: 0 })
    const state = () => serve.status().applications.default!.deployments.Host!
    assert.equal(state().replicas.RUNNING, 2)
    const ask = async (milliseconds = 0) => {
      const response = await fetch(url(`/where?after=${milliseconds}`))
      return { status: response.status, pid: (await response.json()) as number }
    }
    const pids = new Set(workers.map(({ child }) => child.pid))
    const seen = new Set<number>()
    await until(async () => seen.add((await ask()).pid).size === 2)
    assert.deepEqual(seen, pids)

    // Some run on each node when one of them is lost; others come while nobody knows it yet.
    const asked = Array.from({ length: 8 }, () => ask(2_000))
    await until(() => state().ongoing === 8)
    await workers[0]!.end('SIGKILL')
    while ((await ray.nodes()).length === 2) {
      asked.push(ask(), ask(100))
      await asked.at(-2)
    }
    const answers = await Promise.all(asked)
    assert.deepEqual(
      answers.filter(({ status }) => status !== 200),
      [],
    )
    assert.ok(answers.slice(0, 8).every(({ pid }) => pid === workers[1]!.child.pid))
    await until(() => state().replicas.RUNNING === 2)
    assert.equal(state().restarts, 1)
  })

  test('`rayito serve run` whose cluster is lost ends and says why: it would answer 503 for ever', async () => {
    const app = `${fileURLToPath(new URL('cli-apps.js', import.meta.url))}:greeter`
    const args = ['serve', 'run', app, '--port', '0', '--address', server.address]
    const child = spawn(process.execPath, [COMMAND, ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
    let stderr = ''
    child.stderr.on('data', (data) => {
      stderr += data
    })
    const ended = once(child, 'close')
    await printed(child, 'is ready')
    const observer = await Observer.open(server.address)
    const { nodes, drivers } = await observer.status()
    const { id } = drivers.find(({ pid }) => pid === child.pid)!
    // As a node says it that has heard nothing of it for too long.
    for (const node of nodes) observer.bus.publish(toPeer(id, node.id), unknownFrame())
    const [code] = await ended
    await observer.close()
    assert.equal(code, 1)
    assert.match(stderr, /\nrayito: Node \w+ heard nothing of this driver .*ended its work.*\n$/)
  })
})
