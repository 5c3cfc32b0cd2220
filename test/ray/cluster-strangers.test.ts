import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { HOME } from '#src/core/package-file.js'
import { moduleHash } from '#src/ray/code/module-hash.js'
import { Bus } from '#src/ray/engines/nats/bus.js'
import { Channel } from '#src/ray/engines/nats/channel.js'
import type { FromNode, NetArgument, NetCode, NetTask, Queued } from '#src/ray/engines/nats/messages.js'
import { toPeer } from '#src/ray/engines/nats/subjects.js'
import { decodeError } from '#src/ray/pack/error-codec.js'
import { encodeWire } from '#src/ray/wire.js'
import { clusterMissing, Server, WorkerProcess } from './cluster.js'
import { driver } from './lives.js'

const skip = clusterMissing()
const folder = mkdtempSync(join(tmpdir(), 'rayito-strangers-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const tasks = join(folder, 'tasks.mjs')
writeFileSync(
  tasks,
  `export const add = (a, b) => a + b
  export const NODE_OPTIONS = () => [process.env.NODE_OPTIONS ?? 'none', process.env.RAYITO_TOLD].join()
  export default function make() {}`,
)

/** A driver of its own making, which checks nothing before it sends. */
class Stranger {
  readonly #results = new Map<string, (result: unknown) => void>()
  #sent = 0

  private constructor(
    private readonly bus: Bus,
    private readonly id: string,
  ) {
    const channels = new Map<string, Channel>()
    const message = (message: unknown) => {
      const [kind, results] = message as FromNode
      if (kind !== 'results') return
      for (const [task, ok, values] of results)
        this.#results.get(task)!(ok ? (values as [unknown[]])[0][0] : decodeError(values as never))
    }
    bus.frames(id, (from, frame) => {
      let channel = channels.get(from)
      if (!channel) {
        const publish = (answer: Buffer) => bus.publish(toPeer(from, id), answer)
        channel = new Channel(bus.maxFrame, bus.uplink, {
          publish,
          message,
          failed: (error) => assert.fail(String(error)),
        })
        channels.set(from, channel)
      }
      channel.receive(frame)
    })
  }

  static async come(address: string, env: Record<string, string> = {}): Promise<Stranger> {
    const bus = await Bus.open(address, 'stranger')
    const id = `stranger-${process.hrtime.bigint()}`
    const stranger = new Stranger(bus, id)
    const lease = { ...driver, id, env, sizes: [1000] }
    await bus.makeConsumer(1000, () => false)
    await bus.leases.put(`driver.${id}`, JSON.stringify(lease))
    return stranger
  }

  /** What a task gives, or the error that it ends with. */
  async call(code: unknown, args: readonly NetArgument[] = []): Promise<unknown> {
    const task: NetTask = {
      id: `${this.id}/${++this.#sent}`,
      label: 'f',
      code: ['f', code] as NetCode,
      method: null,
      args,
      numReturns: 1,
      numCpus: 1,
      attempt: 0,
      maxRetries: 1,
      retryExceptions: false,
      timeout: undefined,
    }
    const result = new Promise((resolve) => this.#results.set(task.id, resolve))
    const queued: Queued = { driver: this.id, publication: this.#sent, tasks: [task] }
    await this.bus.enqueue(this.id, 1000, task.id, () => encodeWire(queued))
    return result
  }

  leave(): Promise<void> {
    return this.bus.close()
  }
}

const value = (data: unknown, special = false): NetArgument => ['value', [data, special, [], 0]]
const hash = (file: string) => moduleHash(file).whole
const ofUser = (name: string, whole = hash(tasks)) => ({
  kind: 'module',
  module: `user-module:${whole}-:${pathToFileURL(tasks).href}`,
  name,
})
const ofPackage = (path: string, name: string) => ({
  kind: 'module',
  module: `rayito-module:${hash(fileURLToPath(new URL(path, HOME)))}:${path}`,
  name,
})
const source = (node: object) => ({ kind: 'source', name: 'f', nodes: [node], bags: [], data: [], special: false })
const written = (text: string) =>
  source({ kind: 'function', id: 'x', name: 'f', text, strict: true, uses: [], group: 0, file: 'f.js', line: 0 })
/** A value that something special stands for. */
const special = (...what: unknown[]) => {
  const box = [undefined]
  return value([box, [what], [[box, 0]]], true)
}

describe('a worker runs what it allows, whoever sends it', skip ? { skip } : {}, () => {
  let server: Server
  let worker: WorkerProcess
  let stranger: Stranger
  before(async () => {
    server = await Server.start()
    worker = await WorkerProcess.start(server.address, { name: 'strict', numCpus: 1, allow: folder })
    stranger = await Stranger.come(server.address)
  })
  after(async () => {
    await stranger.leave()
    await worker.end()
    await server.end()
  })

  const refused = async (code: unknown, args?: readonly NetArgument[], message?: RegExp) => {
    const error = (await stranger.call(code, args)) as Error & { code?: string }
    assert.ok(error instanceof Error, `it ran: ${String(error)}`)
    assert.equal(error.code, 'RAY_CLUSTER_CODE', error.message)
    if (message) assert.match(error.message, message)
  }

  test('an export of a module that it allows, and what this package exports to everybody', async () => {
    assert.equal(await stranger.call(ofUser('add'), [value(1), value(2)]), 3)
    assert.equal(await stranger.call(ofPackage('lab/exercise-1/moving.js', 'weigh'), [value(new Uint8Array(5))]), 5)
    assert.equal(
      await stranger.call(ofPackage('lab/time.js', 'time'), [value('a call'), special('code', ofUser('default'))]),
      undefined,
    )
  })

  test('no code, be it a function or a value', async () => {
    await refused(written('() => 1'), [], /f came as code/)
    await refused(source({ kind: 'global', path: ['eval'] }), [value('1 + 1')])
    await refused(source({ kind: 'require', from: pathToFileURL(tasks).href }), [value('node:os')])
    await refused(source({ kind: 'import', url: pathToFileURL(tasks).href }), [value('node:os')])
    await refused(ofUser('add'), [special('code', written('() => 1'))])
    await refused(ofUser('add'), [
      special('instance', written('class { static [Symbol.for("rayito.deserialize")]() {} }'), [1]),
    ])
  })

  test('no module without its hash, nor by a name of its own', async () => {
    await refused(ofUser('add', ''), [value(1), value(2)])
    await refused({ kind: 'module', module: pathToFileURL(tasks).href, name: 'add' })
    await refused({ kind: 'module', module: 'node:child_process', name: 'execSync' }, [value('id')])
    await refused({ kind: 'module', module: 'data:text/javascript,export const f = () => 1', name: 'f' })
  })

  test('nothing that this package keeps to itself, and no member that all functions have', async () => {
    const inside: [string, string][] = [
      ['ray/code/revive.js', 'revive'],
      ['ray/code/import-export.js', 'importExport'],
      ['core/package-file.js', 'packageFile'],
      ['lab/exercise-2/service.js', 'Service'],
    ]
    for (const [path, name] of inside) await refused(ofPackage(path, name), [], /is not for other machines/)
    await refused(ofUser('add'), [
      special('travel', ofPackage('core/package-file.js', '').module, 'packageFile', ['x']),
    ])
    const error = (await stranger.call(ofUser('constructor'), [value('return 1')])) as Error
    assert.match(error.message, /is not exported here/)
  })

  test('of its environment a driver sets what is this package’s', async () => {
    const other = await Stranger.come(server.address, { NODE_OPTIONS: '--title=other', RAYITO_TOLD: 'told' })
    assert.equal(await other.call(ofUser('NODE_OPTIONS')), 'none,told')
    await other.leave()
  })
})

test(
  'a folder that holds this package lets others have no more of it than is meant for them',
  skip ? { skip } : {},
  async (t) => {
    const server = await Server.startFor(t)
    const allow = fileURLToPath(HOME)
    const worker = await WorkerProcess.start(server.address, { name: 'wide', numCpus: 1, allow })
    t.after(() => worker.end())
    const stranger = await Stranger.come(server.address)
    t.after(() => stranger.leave())
    const file = join(allow, 'core', 'package-file.js')
    const module = `user-module:${hash(file)}-:${pathToFileURL(file).href}`
    const error = await stranger.call({ kind: 'module', module, name: 'packageFile' }, [value('index.js')])
    assert.equal((error as { code?: string }).code, 'RAY_CLUSTER_CODE', String(error))
  },
)
