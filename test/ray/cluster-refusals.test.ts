import assert from 'node:assert/strict'
import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, describe, test } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { inspect } from 'node:util'
import { Bus } from '#src/ray/engines/nats/bus.js'
import { type InitOptions, type RayError, type RemoteFunction, ray } from '#src/ray/index.js'
import {
  COMMAND,
  clusterMissing,
  freePort,
  natsServer,
  printed,
  Server,
  WorkerProcess,
  type WorkerProcessOptions,
} from './cluster.js'
import { add, Counter, environment } from './functions.js'

const skip = clusterMissing()
const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'rayito-refusals-'))
after(() => rmSync(folder, { recursive: true, force: true }))

describe('a cluster that cannot be used says so, and nothing hangs', skip ? { skip } : {}, () => {
  const ends: (() => Promise<void>)[] = []
  afterEach(async () => {
    await ray.shutdown()
    for (const end of ends.splice(0).reverse()) await end()
  })

  async function serverWith(...options: string[]): Promise<Server> {
    const server = await Server.start(options)
    ends.push(() => server.end())
    return server
  }
  async function worker(address: string, options: Partial<WorkerProcessOptions> = {}) {
    const process = await WorkerProcess.start(address, { name: 'node', numCpus: 1, ...options })
    ends.push(() => process.end())
    return process
  }
  /** How a worker ends that cannot join. */
  const notJoined = (address: string) =>
    new Promise<{ code: number | null; stderr: string }>((resolve) => {
      const child = spawn(process.execPath, [COMMAND, 'worker', '--address', address])
      let stderr = ''
      child.stderr.on('data', (data) => {
        stderr += data
      })
      child.on('close', (code) => resolve({ code, stderr }))
    })
  const begin = async (options: InitOptions) => ray.init(options)

  test('what a lost node alone is large enough for waits for one to be there again; what is larger is refused', async () => {
    const { address } = await serverWith()
    const [, large] = await Promise.all([
      worker(address, { name: 'small' }),
      worker(address, { name: 'large', numCpus: 3 }),
    ])
    await begin({ address })
    assert.equal(await ray.get(add.options({ numCpus: 3 }).remote(1, 2)), 3)
    await large.end()
    while ((await ray.nodes()).length > 1) await new Promise((resolve) => setTimeout(resolve, 20))
    const sum = ray.get(add.options({ numCpus: 3 }).remote(1, 2), { timeout: 30_000 })
    const counter = Counter.options({ numCpus: 2 }).remote(0)
    const count = ray.get(counter.add.remote(1), { timeout: 30_000 })
    await assert.rejects(ray.get(add.options({ numCpus: 4 }).remote(1, 2)), { code: 'RAY_INFEASIBLE' })
    await Promise.all([sum, worker(address, { name: 'large', numCpus: 5 })])
    assert.deepEqual(await Promise.all([sum, count]), [3, 1])
  })

  test('no server at the address', async () => {
    const address = `nats://127.0.0.1:${await freePort()}`
    const session = ray.init({ address })
    const ref = add.remote(1, 2)
    await assert.rejects(ray.get(ref), { code: 'RAY_CLUSTER_UNREACHABLE' })
    await assert.rejects(async () => session, { code: 'RAY_CLUSTER_UNREACHABLE' })
    await assert.rejects(ray.get(add.remote(1, 2)), { code: 'RAY_CLUSTER_UNREACHABLE' })
    // The next session begins without more ado.
    assert.equal(ray.isInitialized(), false)
    assert.equal((await ray.init({ numCpus: 1 })).address, 'local')
    assert.equal(await ray.get(add.remote(1, 2)), 3)
  })

  test('an address that is none', () => {
    assert.throws(() => ray.init({ address: 'http://example.org' }), /nats:\/\//)
    assert.throws(() => ray.init({ address: 'nats://127.0.0.1:1', numCpus: 2 }), { code: 'RAY_MISUSE' })
    const wrong = [
      'ana:secret@localhost:4222',
      'nats:/ana:secret@localhost',
      'nats://ana:sec/ret@localhost',
      'nats://ana:sec,ret@localhost',
      'nats://ana:secret@localhost,foo',
    ]
    for (const address of wrong)
      assert.throws(
        () => ray.init({ address }),
        ({ code, message }: RayError) => code === 'INVALID_ARGUMENT' && !/sec|ana/.test(message),
      )
  })

  test('the commands say so of one that is none, without what may be a password', () => {
    for (const address of ['foo', 'localhost:4222', 'ana:secret@localhost:4222', 'http://localhost']) {
      const { status, stderr } = spawnSync(process.execPath, [COMMAND, 'status', '--address', address], {
        encoding: 'utf8',
      })
      assert.equal(status, 2)
      assert.match(stderr, /^rayito: Expected `address` to be nats:\/\/HOST:PORT, got .*\n$/)
      assert.doesNotMatch(stderr, /secret/)
    }
  })

  test('user and password are passed on; wrong ones are refused, and not repeated in the error', async () => {
    const { address } = await serverWith('--user', 'ana', '--pass', 'p@ss')
    await assert.rejects(begin({ address: address.replace('//', '//ana:wrong@') }), (error: RayError) => {
      assert.equal(error.code, 'RAY_CLUSTER_REFUSED')
      assert.doesNotMatch(error.message, /ana:wrong/)
      return true
    })
    await ray.shutdown()
    await assert.rejects(begin({ address }), { code: 'RAY_CLUSTER_REFUSED' })
    await ray.shutdown()
    const right = address.replace('//', '//ana:p%40ss@')
    await worker(right)
    // What a notebook shows of it is kept with its outputs.
    assert.doesNotMatch(inspect([ray.init({ address: right }), await ray.init()]), /p%40ss/)
    assert.equal(await ray.get(add.remote(1, 2)), 3)
  })

  test('of several servers the one that answers is taken, by drivers, workers and commands; where none does, no password is shown', async () => {
    const none = async () => `127.0.0.1:${await freePort()}`
    const lists = [
      `nats://ana:s3cret@${await none()},nats://ana:s3cret@${await none()}`,
      `nats://s3cret@${await none()}, nats://s3cret@${await none()}`,
    ]
    for (const list of lists) {
      const bare = list.replace(/[\w:]+@| /g, '')
      const message = new RegExp(`^No NATS server answers at ${bare}: `)
      await assert.rejects(begin({ address: list }), { code: 'RAY_CLUSTER_UNREACHABLE', message })
      await ray.shutdown()
      const { stderr } = await notJoined(list)
      assert.match(stderr, new RegExp(`^rayito: No NATS server answers at ${bare}: `))
      assert.doesNotMatch(stderr, /s3cret/)
    }
    const { address } = await serverWith('--user', 'ana', '--pass', 's3cret')
    const list = `nats://ana:s3cret@${await none()},${address.replace('//', '//ana:s3cret@')}`
    await worker(list)
    const { address: told } = await begin({ address: list })
    assert.equal(told, list.replaceAll('ana:s3cret@', ''))
    assert.equal(await ray.get(add.remote(1, 2)), 3)
  })

  test('a token is passed on; a wrong one is refused', async () => {
    const { address } = await serverWith('--auth', 's3cret')
    await assert.rejects(begin({ address: address.replace('//', '//wrong@') }), { code: 'RAY_CLUSTER_REFUSED' })
    await ray.shutdown()
    const right = address.replace('//', '//s3cret@')
    await worker(right)
    // What a notebook shows of it is kept with its outputs.
    assert.doesNotMatch(inspect([ray.init({ address: right }), await ray.init()]), /s3cret/)
    assert.equal(await ray.get(add.remote(1, 2)), 3)
  })

  test('a user that may not do what a cluster needs is told what, at once: neither drivers nor workers wait', async () => {
    const file = join(folder, 'server.conf')
    const user = (name: string, publish: string, subscribe: string) =>
      `{ user: ${name}, password: p, permissions: { publish: ${publish}, subscribe: ${subscribe} } }`
    const users = [
      user('nothing', '{ deny: ["$JS.API.>"] }', '">"'),
      user('mute', '["$JS.>", "rayito.>"]', '">"'),
      user('deaf', '">"', '["_INBOX.>"]'),
      user('enough', '["$JS.>", "$KV.>", "_INBOX.>", "rayito.>"]', '["$KV.>", "_INBOX.>", "rayito.>"]'),
    ]
    writeFileSync(file, `authorization { users = [\n${users.join('\n')}\n] }`)
    const { address } = await serverWith('--config', file)
    for (const name of ['nothing', 'mute', 'deaf']) {
      const as = address.replace('//', `//${name}:p@`)
      await assert.rejects(begin({ address: as }), {
        code: 'RAY_CLUSTER_REFUSED',
        message: /does not allow.*rayito\.>/,
      })
      await ray.shutdown()
      const { code, stderr } = await notJoined(as)
      assert.equal(code, 1)
      assert.match(stderr, /^rayito: .* does not allow .*\n$/)
    }
    const right = address.replace('//', '//enough:p@')
    await worker(right)
    await begin({ address: right })
    assert.equal(await ray.get(add.remote(1, 2)), 3)
  })

  test('a server without JetStream is told so', async () => {
    const port = await freePort()
    const child = spawn(natsServer()!, ['-a', '127.0.0.1', '-p', `${port}`], { stdio: ['ignore', 'pipe', 'pipe'] })
    await printed(child, 'Server is ready')
    const message = /has no JetStream/
    await assert.rejects(begin({ address: `nats://127.0.0.1:${port}` }), { code: 'RAY_CLUSTER_UNREACHABLE', message })
    child.kill()
  })

  test('a server that is too old is told so: neither drivers nor workers wait', async () => {
    const server = await serverWith()
    // What it says of itself, when greeting and afterwards, has the version.
    const older = createServer((client) => {
      const real = connect(server.port, '127.0.0.1', () => client.pipe(real).once('close', () => client.destroy()))
      real.on('data', (said) =>
        client.write(said.toString('latin1').replace(/"version":"[^"]*"/, '"version":"2.10.26"'), 'latin1'),
      )
    }).listen(0, '127.0.0.1')
    ends.push(async () => void older.close())
    await once(older, 'listening')
    const address = `nats://127.0.0.1:${(older.address() as AddressInfo).port}`
    const message = /is nats-server 2\.10\.26, 2\.11 is the oldest that will do/
    await assert.rejects(begin({ address }), { code: 'RAY_CLUSTER_UNREACHABLE', message })
    const { code, stderr } = await notJoined(address)
    assert.equal(code, 1)
    assert.match(stderr, message)
  })

  test('a server that can store nothing is told so: neither drivers nor workers wait', async () => {
    const config = join(folder, 'full.conf')
    writeFileSync(config, 'jetstream { max_file_store: 100, max_memory_store: 100 }')
    const { address } = await serverWith('-c', config)
    // The limit is told once something is beyond it.
    await (await Bus.open(address, 'first')).close()
    const message = /cannot store what it must: .*max_file_store/
    await assert.rejects(begin({ address }), { code: 'RAY_CLUSTER_UNREACHABLE', message })
    const { code, stderr } = await notJoined(address)
    assert.equal(code, 1)
    assert.match(stderr, message)
  })

  const openssl = spawnSync('openssl', ['version']).status === 0
  test('TLS with certificates on both sides; without them it is refused', {
    skip: !openssl && 'there is no openssl to make certificates with',
  }, async () => {
    const { ca, cert, key } = certificates()
    const tls = ['--tls', '--tlscert', cert, '--tlskey', key, '--tlsverify', '--tlscacert', ca]
    const server = await serverWith(...tls)
    const address = server.address.replace('nats:', 'tls:')
    await assert.rejects(begin({ address }), { code: 'RAY_CLUSTER_UNREACHABLE' })
    await ray.shutdown()
    const env = { NATS_CA: ca, NATS_CERT: cert, NATS_KEY: key }
    Object.assign(process.env, env)
    try {
      await worker(address, { env })
      await begin({ address })
      assert.equal(await ray.get(add.remote(1, 2)), 3)
      await ray.shutdown()
    } finally {
      for (const name of Object.keys(env)) delete process.env[name]
    }
  })

  test('a module whose contents differ on the worker is refused, by its file', async () => {
    const { address } = await serverWith()
    const file = (place: string) => join(folder, place, 'tasks.mjs')
    const source = `import { ray } from ${JSON.stringify(import.meta.resolve('#src/ray/index.js'))}
      export const twice = ray.remote((x) => 2 * x)`
    for (const [place, text] of Object.entries({ here: source, there: `${source} // another version` })) {
      mkdirSync(join(folder, place))
      writeFileSync(file(place), text)
    }
    await worker(address, { allow: join(folder, 'there') })
    await begin({ address })
    const { twice } = (await import(pathToFileURL(file('here')).href)) as {
      twice: RemoteFunction<[x: number], number>
    }
    await assert.rejects(ray.get(twice.remote(1)), (error: RayError & { file?: string }) => {
      assert.equal(error.code, 'RAY_CLUSTER_CODE')
      assert.match(error.message, /there.tasks\.mjs is not what the driver has: their contents differ/)
      assert.equal(error.file, file('there'))
      return true
    })
    writeFileSync(file('there'), source)
    await worker(address, { name: 'mended', numCpus: 2, allow: join(folder, 'there') })
    assert.equal(await ray.get(twice.options({ numCpus: 2 }).remote(1)), 2)
  })

  test('so is one whose imports differ, by the file that does, in TypeScript and CommonJS as well', async () => {
    const { address } = await serverWith()
    const write = (place: string, deepest: string) => {
      const files = {
        'entry.mjs': `import { ray } from ${JSON.stringify(import.meta.resolve('#src/ray/index.js'))}
          import { createRequire } from 'node:module'
          const require = createRequire(import.meta.url)
          const { factor } = require('./middle.cjs')
          export const times = ray.remote((x) => factor * x)`,
        'middle.cjs': "exports.factor = require('./lib/deepest').factor // and not import type { T } from './types'",
        'lib/deepest.js': deepest,
      }
      for (const [path, text] of Object.entries(files)) {
        mkdirSync(join(folder, place, 'lib'), { recursive: true })
        writeFileSync(join(folder, place, path), text)
      }
      return join(folder, place)
    }
    const here = write('driver', 'exports.factor = 2')
    const there = write('worker', 'exports.factor = 3')
    await worker(address, { allow: there })
    await begin({ address })
    const { times } = (await import(pathToFileURL(join(here, 'entry.mjs')).href)) as {
      times: RemoteFunction<[x: number], number>
    }
    await assert.rejects(ray.get(times.remote(1)), { code: 'RAY_CLUSTER_CODE', file: join(there, 'lib', 'deepest.js') })
  })

  test('a worker of another version is told with both versions', async () => {
    const { address } = await serverWith()
    await worker(address, { command: otherVersion() })
    await assert.rejects(begin({ address }), {
      code: 'RAY_CLUSTER_VERSION',
      message: /Node node runs rayito 99\.0\.0, this driver \d+\.\d+\.\d+\. Install the same version/,
    })
  })

  test('a worker of another version may not join those that work, who go on', async () => {
    const { address } = await serverWith()
    await worker(address)
    await begin({ address })
    const [command, ...args] = [...otherVersion(), 'worker', '--address', address, '--name', 'late']
    const { code, stderr } = await new Promise<{ code: unknown; stderr: string }>((resolve) =>
      execFile(command!, args, (error, _stdout, stderr) => resolve({ code: error?.code, stderr })),
    )
    assert.equal(code, 1)
    assert.match(stderr, /runs rayito \d+\.\d+\.\d+, node late 99\.0\.0\. Install the same version/)
    assert.equal(await ray.get(add.remote(1, 2)), 3)
  })

  test('one of another version that was killed does not count, neither for workers nor for drivers', async () => {
    const { address } = await serverWith()
    const other = await worker(address, { command: otherVersion(), name: 'other' })
    await other.end('SIGKILL')
    await worker(address, { name: 'right' })
    await begin({ address })
    assert.equal(await ray.get(add.remote(1, 2)), 3)
  })

  test('a function of no module is refused with the remedy, before anything is sent', async () => {
    const { address } = await serverWith()
    await begin({ address })
    const local = ray.remote((x: number) => x + 1)
    await assert.rejects(ray.get(local.remote(1)), {
      code: 'RAY_NOT_SERIALIZABLE',
      message: /does not travel to other machines.*module of its own, export it.*rayito worker --allow FOLDER/,
    })
  })

  test("workers have the driver's settings of the environment, as threads have", async () => {
    const { address } = await serverWith()
    await worker(address, { env: { RAYITO_DTYPE: 'fp32', RAYITO_CACHE: 'theirs' } })
    Object.assign(process.env, { RAYITO_DTYPE: 'q8' })
    try {
      await begin({ address })
      assert.deepEqual(await ray.get([environment.remote('RAYITO_DTYPE'), environment.remote('RAYITO_CACHE')]), [
        'q8',
        'theirs',
      ])
    } finally {
      delete process.env.RAYITO_DTYPE
    }
  })
})

/** The command of a copy of this package with another version. */
function otherVersion(): string[] {
  const other = join(folder, 'other')
  if (!existsSync(other)) {
    cpSync(join(ROOT, 'dist'), join(other, 'dist'), { recursive: true })
    symlinkSync(join(ROOT, 'node_modules'), join(other, 'node_modules'), 'junction')
    const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }
    writeFileSync(join(other, 'package.json'), JSON.stringify({ ...manifest, version: '99.0.0' }))
  }
  return [process.execPath, join(other, 'dist', 'cli', 'main.js')]
}

/** A certificate for 127.0.0.1 and the authority that vouches for it, made for this run. */
function certificates(): { ca: string; cert: string; key: string } {
  const file = (name: string) => join(folder, name)
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'ignore' })
  const fresh = ['-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
  openssl('req', '-x509', ...fresh, '-keyout', file('ca.key'), '-out', file('ca.pem'), '-subj', '/CN=ca', '-days', '2')
  openssl('req', ...fresh, '-keyout', file('key.pem'), '-out', file('request.pem'), '-subj', '/CN=127.0.0.1')
  writeFileSync(file('names'), 'subjectAltName=IP:127.0.0.1')
  const authority = ['-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-CAcreateserial', '-days', '2']
  openssl('x509', '-req', '-in', file('request.pem'), ...authority, '-extfile', file('names'), '-out', file('cert.pem'))
  return { ca: file('ca.pem'), cert: file('cert.pem'), key: file('key.pem') }
}
