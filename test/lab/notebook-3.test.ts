import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { Cluster, findCluster, nodesFed, scaledSeconds, scalingChart, scalingText } from '#src/lab/index.js'
import { readNotebook } from '#src/lab/notebook/nbformat.js'
import { codeCells } from '#src/lab/notebook/run.js'
import { clusterMissing, natsServer, printed, Server } from '../ray/cluster.js'
import { scripts } from '../ray/programs.js'
import { noSignals, OWN_KILL } from '../windows.js'
import { outputOf } from './output-of.js'
import { root, tinyHub } from './tiny-hub.js'

const NAME = '3-past-one-machine'
const skip = clusterMissing()
const cwd = mkdtempSync(join(tmpdir(), 'rayito-notebook-3-'))
after(() => rmSync(cwd, { recursive: true, force: true, maxRetries: 5 }))

/** `rayito ARGS` to its end. */
async function rayito(env: NodeJS.ProcessEnv, ...args: string[]): Promise<{ code: number | null; said: string }> {
  const child = spawn(process.execPath, [join(root, 'dist', 'cli', 'main.js'), ...args], { cwd, env })
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (text) => {
      said += text
    })
  const [code] = await once(child, 'close')
  return { code, said }
}

/** Whether anybody listens at nats://HOST:PORT. */
function listens(address: string): Promise<boolean> {
  const { hostname, port } = new URL(address)
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname)
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20))
}

test('without a nats-server it ends with one line that says how to get one', async () => {
  const { NATS_SERVER: _, RAY_ADDRESS: __, ...env } = process.env
  const nowhere = { ...env, PATH: '', Path: '', RAYITO_CACHE: join(cwd, 'nothing') }
  const { code, said } = await rayito(nowhere, 'start', '--notebook', '3')
  assert.equal(code, 1)
  assert.match(said, /^rayito: There is no nats-server .* Run `rayito start --head --install`.*\n$/)
})

describe('notebook 3', skip ? { skip } : {}, () => {
  test('a worker is unplugged in each version and no picture is lost; nothing is left running', async (t) => {
    const hub = await tinyHub()
    t.after(() => hub.close())
    const { code, said } = await rayito(
      { ...hub.env, NATS_SERVER: natsServer()! },
      'start',
      '--notebook',
      '3',
      '--images',
      '40',
    )
    assert.equal(code, 0, said)
    assert.ok(existsSync(join(cwd, 'out', `${NAME}.html`)))
    const cells = codeCells(await readNotebook(join(cwd, 'out', `${NAME}.ipynb`)))
    const shown = (id: string) => outputOf(cells.find((cell) => cell.id === id)!)
    assert.match(shown('status'), /alpha .*\nbeta .*\n2 nodes, 2 CPUs; 0 drivers/)
    assert.match(shown('join'), /alpha: 1 CPU\(s\)\n|beta: 1 CPU\(s\)\n/)
    assert.match(shown('agreement'), /^B, C2, B, C2: the same 40 classes in the same order/)
    assert.match(shown('who'), /B .*(alpha|beta)\/worker#1/)
    assert.match(shown('unplug-c2'), /beta is gone[\s\S]*C2, C2: the same 40 classes in the same order/)
    assert.match(shown('unplug-status'), /1 node, 1 CPU; 1 driver;/)
    assert.match(shown('unplug-b'), /gamma is gone[\s\S]*B, B: the same 40 classes in the same order/)
    assert.match(shown('another-program'), /Another program counts 42/)
    assert.match(shown('model'), /A picture takes .* to classify and .* to send[\s\S]*<svg/)
    const [address] = /nats:\/\/\S+:\d+/.exec(shown('cluster'))!
    await until(async () => !(await listens(address)))
  })

  test('its cluster ends with its program, however that ends', async () => {
    const file = join(cwd, 'cluster.mjs')
    const run = scripts(`import { findCluster } from ${JSON.stringify(import.meta.resolve('#src/lab/index.js'))}
      import { writeFileSync } from 'node:fs'`)
    const { signal } = await run(`
      const { address } = await findCluster({ address: undefined })
      writeFileSync(${JSON.stringify(file)}, address)
      process.kill(process.pid, 'SIGKILL')`)
    assert.equal(signal, OWN_KILL)
    const address = readFileSync(file, 'utf8')
    await until(async () => !(await listens(address)))
  })

  test('its cell may be run again: the same cluster, with the workers that were unplugged meanwhile', async () => {
    process.env.NATS_SERVER ??= natsServer()!
    const starting = findCluster({ address: undefined })
    const cluster = await findCluster({ address: undefined })
    assert.equal(await starting, cluster, 'there is one, also for who asks while it starts')
    assert.deepEqual(cluster.workers, ['alpha', 'beta'])
    await cluster.unplug('alpha')
    assert.equal(await findCluster({ address: undefined }), cluster)
    assert.deepEqual(cluster.workers, ['beta', 'alpha'])
    await cluster.stop()
    const next = await findCluster({ address: undefined })
    assert.notEqual(next, cluster)
    await next.stop()
  })

  test('a cluster that is there already is taken, and goes on afterwards', async () => {
    const server = await Server.start()
    try {
      const cluster = await findCluster({ address: server.address })
      assert.ok(cluster instanceof Cluster && !cluster.started)
      assert.deepEqual(cluster.workers, [])
      await cluster.join('guest', 2)
      // A cell may be run again.
      await cluster.join('guest', 2)
      const { nodes } = await cluster.status()
      assert.deepEqual(
        nodes.map(({ name, cpus }) => [name, cpus]),
        [['guest', 2]],
      )
      await assert.rejects(cluster.unplug('nobody'), { code: 'INVALID_ARGUMENT', message: /guest/ })
      await cluster.stop()
      assert.ok(await listens(server.address))
    } finally {
      await server.end()
    }
  })

  test('start --head takes a free port and says it; SIGTERM ends it and its server', async () => {
    const data = join(cwd, 'data')
    const command = join(root, 'dist', 'cli', 'main.js')
    const child = spawn(process.execPath, [command, 'start', '--head', '--port', '0', '--data', data], { cwd })
    const [address] = /nats:\/\/\S+:\d+/.exec(await printed(child, 'work on it'))!
    assert.ok(await listens(address))
    child.kill('SIGTERM')
    const [code] = await once(child, 'exit')
    assert.equal(code, noSignals ? null : 0)
    // There the system ends it with its parent, in a moment.
    if (noSignals) await until(async () => !(await listens(address)))
    assert.ok(!(await listens(address)))
  })
})

test('the model: nodes share the inference, the driver sends everything', () => {
  const figures = { pictures: 100, loading: 1, inference: 0.1, transfer: 0.01 }
  assert.equal(scaledSeconds(figures, 1), 11)
  assert.equal(scaledSeconds(figures, 4), 3.5)
  assert.equal(scaledSeconds(figures, 10), scaledSeconds(figures, 64))
  assert.equal(nodesFed(figures), 10)
  assert.match(
    scalingText(figures),
    /100 ms to classify and 10 ms to send.*to 10 nodes .*11\.0 s on one .* 2\.00 s on 64/,
  )
  assert.match(scalingText({ ...figures, transfer: 0.2 }), /more nodes gain nothing/)
  assert.match(scalingText({ ...figures, pictures: 1 }), /\. 1 picture would take/)
  const chart = scalingChart(figures)
  assert.equal(chart.match(/<circle/g)?.length, 7)
  assert.equal(chart.match(/<polyline/g)?.length, 3)
  assert.doesNotMatch(chart, /NaN|Infinity|undefined/)
})
