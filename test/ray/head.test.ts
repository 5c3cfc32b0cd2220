import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Bus } from '#src/ray/engines/nats/bus.js'
import { HeadLock } from '#src/ray/engines/nats/server/head-lock.js'
import type { ClusterStatus } from '#src/ray/engines/nats/status/cluster-status.js'
import { noSignals } from '../windows.js'
import { COMMAND, clusterMissing, printed, WorkerProcess } from './cluster.js'
import { until } from './helpers.js'

const skip = clusterMissing()
const data = mkdtempSync(join(tmpdir(), 'rayito-head-'))
after(() => rmSync(data, { recursive: true, force: true, maxRetries: 5 }))

const rayito = (...args: string[]) => rayitoWith({}, ...args)
const rayitoWith = (env: NodeJS.ProcessEnv, ...args: string[]) =>
  spawnSync(process.execPath, [COMMAND, ...args], { encoding: 'utf8', env: { ...process.env, ...env } })
const exit = (child: ChildProcess) =>
  new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)))

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

describe('rayito start --head', skip ? { skip } : {}, () => {
  const children: ChildProcess[] = []
  afterEach(async () => {
    for (const child of children.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      const ended = exit(child)
      child.kill('SIGTERM')
      await ended
    }
  })

  /** Its address, and what it printed until then. */
  async function head(...args: string[]): Promise<{ child: ChildProcess; address: string; said: string }> {
    const child = spawn(process.execPath, [COMMAND, 'start', '--head', '--port', '0', '--data', data, ...args])
    children.push(child)
    const said = await printed(child, /work on it .*\n/)
    return { child, said, address: /rayito start --address (\S+),/.exec(said)![1]! }
  }

  test('a second one on the same data folder is refused with the address of the first, which goes on', async () => {
    const first = await head()
    const { status, stderr } = rayito('start', '--head', '--port', '0', '--data', data)
    assert.equal(status, 1)
    assert.match(stderr, /^rayito: A head \(process \d+\) has the data folder .*\n$/)
    assert.ok(stderr.includes(first.address) && stderr.includes(data))
    const bus = await Bus.open(first.address, 'test')
    await bus.close()
  })

  test('with a token it takes whoever brings it, and nobody else', async () => {
    const { address, said } = await head('--token')
    const token = new URL(address).username
    assert.match(token, /^[0-9a-f]{32}$/)
    assert.ok(said.includes(`rayito worker --address ${address}\n`))
    assert.equal(rayito('status', '--address', address).status, 0)
    for (const wrong of ['', 'another@']) {
      const { status, stderr } = rayito('status', '--address', address.replace(`${token}@`, wrong))
      assert.equal(status, 1)
      assert.match(stderr, /^rayito: The NATS server at nats:\/\/127[\d.]+:\d+ refused the credentials/)
    }
    const { mode } = statSync(join(data, 'rayito-head.conf'))
    if (process.platform !== 'win32') assert.equal(mode & 0o777, 0o600)
  })

  test('one that was killed leaves its server: the next takes the folder over, with what it holds', async () => {
    const first = await head()
    const before = await Bus.open(first.address, 'test')
    await before.state.put('kept', 'what outlives it')
    await before.close()
    const killed = exit(first.child)
    first.child.kill('SIGKILL')
    await killed
    const { pid } = (JSON.parse(readFileSync(join(data, 'rayito-head.json'), 'utf8')) as { server: { pid: number } })
      .server
    const next = await head()
    // Windows ends it with its head.
    if (!noSignals) assert.match(next.said, /ends the server at .* that was killed/)
    assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
    const bus = await Bus.open(next.address, 'test')
    assert.equal((await bus.state.get('kept'))?.string(), 'what outlives it')
    await bus.close()
  })

  test('of two that find at once what one that was killed has left, one takes the folder', async () => {
    const folder = join(data, 'left')
    mkdirSync(folder)
    const server = { pid: 2 ** 30, address: 'nats://127.0.0.1:1', id: 'LEFT' }
    writeFileSync(join(folder, 'rayito-head.json'), JSON.stringify({ pid: 2 ** 30, server }))
    const both = await Promise.allSettled([1, 2].map(() => HeadLock.take(folder, () => {})))
    const refused = both.flatMap((one) => (one.status === 'rejected' ? [one.reason.code] : []))
    assert.deepEqual(refused, ['RAY_HEAD_RUNNING'])
    assert.deepEqual(readdirSync(folder), ['rayito-head.json'])
  })

  test('one whose server ends by itself says so and fails', async () => {
    const { child } = await head()
    const { server } = JSON.parse(readFileSync(join(data, 'rayito-head.json'), 'utf8')) as { server: { pid: number } }
    let said = ''
    child.stderr!.on('data', (text) => (said += text))
    const closed = new Promise((resolve) => child.once('close', resolve))
    process.kill(server.pid, 'SIGKILL')
    assert.equal(await closed, 1)
    assert.match(
      said,
      noSignals ? /^rayito: nats-server ended with 1: .*\n$/ : /^rayito: nats-server ended with SIGKILL: .*\n$/,
    )
    assert.equal(existsSync(join(data, 'rayito-head.json')), false)
  })

  test('one that ends leaves the folder free', { skip: noSignals }, async () => {
    const { child } = await head()
    const ended = exit(child)
    child.kill('SIGTERM')
    assert.equal(await ended, 0)
    assert.equal(existsSync(join(data, 'rayito-head.json')), false)
  })

  test('the address that it tells can be used, on all addresses and on IPv6', async () => {
    for (const host of ['0.0.0.0', '::1']) {
      const { child, address } = await head('--host', host)
      const worker = await WorkerProcess.start(address, { name: 'node' })
      assert.match(rayito('status', '--address', address).stdout, /^node /m)
      const { nodes } = JSON.parse(rayitoWith({ RAY_ADDRESS: address }, 'status', '--json').stdout) as ClusterStatus
      assert.deepEqual(
        nodes.map(({ name }) => name),
        ['node'],
      )
      await worker.end()
      const ended = exit(child)
      child.kill('SIGTERM')
      await ended
    }
  })

  test('status --watch goes on when the server is started again', async () => {
    const first = await head()
    const watch = spawn(process.execPath, [COMMAND, 'status', '--watch', '--address', first.address])
    children.push(watch)
    await printed(watch, '0 drivers')
    const ended = exit(first.child)
    first.child.kill('SIGTERM')
    await ended
    assert.doesNotMatch(
      await printed(watch, `rayito: The NATS server at ${first.address} does not answer`),
      /\n {4}at /,
    )
    await head('--port', new URL(first.address).port)
    await printed(watch, '0 drivers')
    const code = exit(watch)
    watch.kill('SIGTERM')
    assert.equal(await code, noSignals ? 'SIGTERM' : 0)
  })

  test('what cannot be is refused with exit code 2', () => {
    const told =
      /^rayito: .*(Expected (a port from 0 to 65535|a folder|a number above 0|a name of one line|letters, digits|`--address)|data folder .* cannot be used).*\n$/
    for (const args of [
      ['start', '--head', '--port', 'abc'],
      ['start', '--head', '--port', '65536'],
      ['start', '--head', '--token', 'my "secret"'],
      ['worker', '--allow', join(data, 'missing')],
      ['worker', '--num-cpus', '4097', '--address', 'nats://127.0.0.1:1'],
      ['worker', '--name', '', '--address', 'nats://127.0.0.1:1'],
      ['worker', '--name', 'two\nlines', '--address', 'nats://127.0.0.1:1'],
      ['status'],
      ['start', '--head', '--port', '0', '--data', join(fileURLToPath(import.meta.url), 'within')],
    ]) {
      const { status, stderr } = rayitoWith({ RAY_ADDRESS: '' }, ...args)
      assert.equal(status, 2, args.join(' '))
      assert.match(stderr, told)
    }
  })

  test('options of a head without it, and of the notebooks with it, are refused', () => {
    for (const [args, told] of [
      [['--port', '4222'], /^rayito: --port goes with --head/],
      [['--data', data, '--images', '5'], /^rayito: --data goes with --head/],
      [['--head', '--images', '5'], /^rayito: --images goes without --head/],
    ] as const) {
      const { status, stderr } = rayito('start', ...args)
      assert.equal(status, 2)
      assert.match(stderr, told)
    }
  })

  test('a port that another has is told in one sentence, without the rest of the log', async () => {
    const { address } = await head()
    const other = join(data, 'other')
    const { status, stderr } = rayito('start', '--head', '--port', new URL(address).port, '--data', other)
    assert.equal(status, 1)
    assert.match(stderr, /^rayito: nats-server ended with 1: Error listening on port: [^|\n]*--port.*\n$/)
    // Windows has words of its own, in the user's language.
    if (process.platform !== 'win32') assert.match(stderr, /in use/)
  })

  test('a cache that nothing can be installed into is told', () => {
    const cache = join(fileURLToPath(import.meta.url), 'within')
    const env = { ...process.env, NATS_SERVER: '', PATH: '', RAYITO_CACHE: cache }
    const args = [COMMAND, 'start', '--head', '--install', '--port', '0', '--data', data]
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', env })
    assert.equal(status, 1)
    assert.match(stderr, /^rayito: nats-server cannot be installed into .*within.* RAYITO_CACHE .*\n$/)
  })

  test('a signal while the server is installed ends the installer, and asks no other', {
    skip: noSignals,
  }, async () => {
    const bin = mkdtempSync(join(data, 'bin-'))
    const log = join(bin, 'log')
    const program = `#!${process.execPath}\nrequire('node:fs').appendFileSync('${log}', process.pid + '\\n')\nsetInterval(() => {}, 1000)\n`
    for (const name of ['python3', 'python', 'py', 'go']) writeFileSync(join(bin, name), program, { mode: 0o755 })
    const env = { ...process.env, NATS_SERVER: '', PATH: bin, RAYITO_CACHE: join(bin, 'cache') }
    const args = [COMMAND, 'start', '--head', '--install', '--port', '0', '--data', join(bin, 'data')]
    const child = spawn(process.execPath, args, { env })
    children.push(child)
    assert.match(await printed(child, '…\n'), /^installing nats-server [\d.]+ …\n$/)
    await until(async () => existsSync(log))
    const code = exit(child)
    child.kill('SIGTERM')
    assert.equal(await code, 0)
    const [installer, ...others] = readFileSync(log, 'utf8').trim().split('\n')
    assert.deepEqual(others, [])
    await until(async () => !lives(Number(installer)))
  })

  test('NATS_SERVER that names no file is told, not passed over', () => {
    const { status, stderr } = spawnSync(
      process.execPath,
      [COMMAND, 'start', '--head', '--port', '0', '--data', data],
      {
        encoding: 'utf8',
        env: { ...process.env, NATS_SERVER: join(data, 'missing') },
      },
    )
    assert.equal(status, 1)
    assert.match(stderr, /^rayito: NATS_SERVER names .*missing/)
  })
})
