import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, test } from 'node:test'
import { loadDataset } from '#src/datasets/index.js'
import type { Exercise1 } from '#src/lab/exercise-1/exercise-file.js'
import { type Best, getBestClassAndScore, InferenceEngine, inference, range } from '#src/lab/index.js'
import { readNotebook, textOf } from '#src/lab/notebook/nbformat.js'
import { codeCells } from '#src/lab/notebook/run.js'
import { ray } from '#src/ray/index.js'
import { pipeline } from '#src/transformers/index.js'
import { clusterMissing, printed, Server, WorkerProcess } from '../ray/cluster.js'
import { root, tinyHub } from './tiny-hub.js'

const skip = clusterMissing()
const COMMAND = join(root, 'dist', 'cli', 'main.js')

describe('exercise 1 on a cluster', skip ? { skip } : {}, () => {
  let hub: Awaited<ReturnType<typeof tinyHub>>
  let server: Server
  let cwd: string
  const workers: WorkerProcess[] = []
  let made = 0

  async function joinNode(): Promise<void> {
    workers.push(await WorkerProcess.start(server.address, { name: `node-${++made}`, numCpus: 1, env: hub.env }))
  }
  const killOne = () => workers.shift()!.end('SIGKILL')

  function rayito(...args: string[]): ChildProcess {
    return spawn(process.execPath, [COMMAND, ...args], { cwd, env: hub.env, stdio: ['ignore', 'pipe', 'pipe'] })
  }

  before(async () => {
    ;[hub, server] = await Promise.all([tinyHub(), Server.start()])
    delete hub.env.RAYITO_ACTORS
    Object.assign(process.env, hub.env)
    cwd = mkdtempSync(join(tmpdir(), 'rayito-cluster-'))
  })
  afterEach(() => ray.shutdown())
  after(async () => {
    await Promise.all(workers.map((worker) => worker.end()))
    await Promise.all([hub.close(), server.end()])
    rmSync(cwd, { recursive: true, force: true, maxRetries: 5 })
  })

  test('a cluster without workers is told before anything is executed', async () => {
    const child = rayito('start', '--address', server.address, '--notebook', '1')
    await printed(child, /rayito: No worker has joined the cluster at nats:.*rayito worker --address nats:/).catch(
      () => {},
    )
    const [code] = child.exitCode === null ? await once(child, 'exit') : [child.exitCode]
    assert.equal(code, 1)
  })

  test('npm start runs notebook 1 there, and says on how many nodes and CPUs', async () => {
    await Promise.all([joinNode(), joinNode()])
    const child = rayito('start', '--address', server.address, '--notebook', '1', '--images', '20')
    const said = await printed(child, /All\s+this\s+holds\s+for[^.]*\./)
    assert.match(said.replace(/\s+/g, ' '), /a cluster of 2 nodes with 2 CPUs/)
    const exercise = JSON.parse(readFileSync(join(cwd, 'out', 'exercise-1.json'), 'utf8')) as Exercise1
    assert.equal(exercise.engine, 'nats')
    assert.deepEqual(
      exercise.nodes!.sort((a, b) => (a.name < b.name ? -1 : 1)),
      workers.map(({ name }) => ({ name, cpus: 1 })).sort((a, b) => (a.name < b.name ? -1 : 1)),
    )
    assert.ok(exercise.agreement.sameClasses && exercise.agreement.maxScoreDifference <= 1e-5)
    const [, b, c1, c2] = exercise.versions
    for (const version of [c1!, c2!]) assert.deepEqual(Object.values(version.perWorker), [10, 10])
    assert.equal(
      Object.values(b!.perWorker).reduce((sum, n) => sum + n),
      20,
    )
    assert.ok(c2!.bytesMoved - c1!.bytesMoved > 19 * 64 * 64 * 3, 'the pictures are counted')
    const cells = codeCells(await readNotebook(join(cwd, 'out', '1-parallel-classification.ipynb')))
    const [told] = cells.find(({ id }) => id === 'init')!.outputs as { text: string }[]
    assert.match(textOf(told!.text), /2 node\(s\) with 2 CPUs \[ 'node-\d', 'node-\d' \]/)
  })

  test('a worker killed at any moment loses no picture: while actors start, after the first answer, near the end', async () => {
    await ray.init({ address: server.address })
    const { train } = await loadDataset('Maysee/tiny-imagenet')
    const rows = range(0, 10_000, 100)
    const pictures = await Promise.all(rows.map(async (i) => (await train.at(i)).image))
    const classifier = await pipeline('image-classification')
    const expected: Best[] = []
    for (const image of pictures) expected.push(await getBestClassAndScore(classifier, image))
    const rclef = ray.put(classifier)
    const lasting = InferenceEngine.options({ maxRestarts: -1, maxTaskRetries: -1 })

    // Both nodes go at once, so that whatever runs anywhere is hit; two others join.
    const moments: [string, (k: number) => boolean][] = [
      ['while actors start', (k) => k === -1],
      ['after the first answer', (k) => k === 0],
      ['near the end', (k) => k === rows.length - 5],
    ]
    for (const [moment, now] of moments) {
      const lose = async (k: number) => {
        if (!now(k)) return
        await Promise.all([killOne(), killOne()])
        // Until it is known, whatever is there still waits for a node.
        while ((await ray.nodes()).length) await new Promise((resolve) => setTimeout(resolve, 20))
        await Promise.all([joinNode(), joinNode()])
      }
      const byIndex = [lasting.remote(true), lasting.remote(true)]
      const byPicture = [lasting.remote(false), lasting.remote(false)]
      await lose(-1)
      const b = pictures.map((image) => inference.remote(rclef, image))
      const c1 = rows.map((i, k) => byIndex[k % 2]!.classifyImage.remote(i))
      const c2 = pictures.map((image, k) => byPicture[k % 2]!.classifyImageObject.remote(image))
      const answers: Best[][] = []
      for (let k = 0; k < rows.length; k++) {
        answers.push(await ray.get([b[k]!, c1[k]!, c2[k]!]))
        await lose(k)
      }
      for (const version of [0, 1, 2])
        assert.deepEqual(
          answers.map((answer) => answer[version]![0]),
          expected.map(([label]) => label),
          `${moment}, version ${version}`,
        )
      for (const actor of [...byIndex, ...byPicture]) ray.kill(actor)
    }
    await classifier.close()
  })
})
