import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { after, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { clusterMissing, Server, WorkerProcess } from '../ray/cluster.js'
import { until } from '../serve/helpers.js'
import { noSignals } from '../windows.js'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const command = join(root, 'dist', 'cli', 'main.js')
const apps = join(root, '.build', 'test', 'serve', 'cli-apps')
const folder = mkdtempSync(join(tmpdir(), 'rayito-serve-cli-'))
const children = new Set<ChildProcess>()
after(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

const onWindows = process.platform === 'win32'
/** How a program ends that is told to: there it is ended. */
const TOLD = onWindows ? null : 0

class Program {
  stdout = ''
  stderr = ''
  readonly child: ChildProcess
  readonly ended: Promise<number | null>

  /** @param terminal what a shell in a terminal does, where `$@` stands for the command */
  constructor(
    args: string[],
    cwd = root,
    { terminal = '', env = {} as NodeJS.ProcessEnv, flags = [] as string[] } = {},
  ) {
    const { RAYITO_SOURCE: _, RAYITO_MODEL: __, RAYITO_DTYPE: ___, ...own } = process.env
    const words = [process.execPath, ...flags, command, 'serve', ...args]
    const quoted = words.map((word) => `'${word}'`).join(' ')
    const inTerminal = ['script', '-qec', terminal.replace('$@', quoted), '/dev/null']
    const [file, ...rest] = terminal ? inTerminal : words
    this.child = spawn(file!, rest, { cwd, env: { ...own, ...env } })
    children.add(this.child)
    this.child.stdout!.setEncoding('utf8').on('data', (text) => {
      this.stdout += text
    })
    this.child.stderr!.setEncoding('utf8').on('data', (text) => {
      this.stderr += text
    })
    this.ended = once(this.child, 'close').then(([code]) => {
      children.delete(this.child)
      return code as number | null
    })
  }

  /** Where it answers, once it says so. */
  async ready(times = 1): Promise<string> {
    const pattern = /Application '\w+' is ready at (\S+)\/\.\n/g
    await Promise.race([
      until(() => [...this.stderr.matchAll(pattern)].length >= times),
      this.ended.then((code) => assert.fail(`ended with ${code}: ${this.stderr}`)),
    ])
    return [...this.stderr.matchAll(pattern)].at(-1)![1]!
  }
}

async function fails(args: string[], cwd?: string): Promise<{ code: number | null; line: string }> {
  const program = new Program(args, cwd)
  const code = await program.ended
  const lines = program.stderr.split('\n').filter((line) => line && !/^INFO /.test(line))
  assert.equal(lines.length, 1, program.stderr)
  assert.match(lines[0]!, /^rayito: /)
  return { code, line: lines[0]! }
}

test('npm run serve, too, goes when it gets SIGTERM, and leaves no server behind', { skip: noSignals }, async (t) => {
  const env = { ...process.env, RAYITO_SOURCE: 'embedded' }
  const npm = spawn('npm', ['run', 'serve', '--', '--port', '0'], { cwd: root, env })
  children.add(npm)
  let told = ''
  npm.stderr.setEncoding('utf8').on('data', (text) => {
    told += text
  })
  await until(() => /is ready at/.test(told))
  const server = Number(/ serve (\d+) -- Running/.exec(told)![1])
  t.after(() => {
    // Its own end is not heard of: npm has gone.
    if (!/Shut down/.test(told)) process.kill(server, 'SIGKILL')
  })
  npm.kill('SIGTERM')
  await until(() => /Shut down\.\n$/.test(told))
  children.delete(npm)
})

/** A terminal for a program: util-linux's. */
const noTerminal =
  process.platform !== 'linux' || spawnSync('script', ['--version']).status !== 0 ? 'there is no script here' : false

const inTerminal = noTerminal ? { skip: noTerminal } : {}
/** For a shell in a name space of its own: of a folder and one in it, the second cannot be watched. */
const ONE_WATCH = 'echo 1 > /proc/sys/user/max_inotify_watches'
/** Not every system has such name spaces, and older Nodes look at the files from time to time instead. */
const refusal = () => {
  mkdirSync(join(folder, 'deep', 'deeper'), { recursive: true })
  const watching = `require('fs').watch('deep', { recursive: true }).close()`
  const script = `${ONE_WATCH}; exec '${process.execPath}' -e "${watching}"`
  return spawnSync('unshare', ['-U', '-r', 'sh', '-c', script], { cwd: folder, encoding: 'utf8' }).stderr ?? ''
}
const unwatched = noTerminal || !refusal().includes('ENOSPC') ? { skip: 'the system watches all' } : {}
const readyAt = ({ stdout }: Program) => /is ready at (\S+)\/\.\r\n/.exec(stdout)?.[1]

/** A request that runs until its `file`.end is there, of a server in a terminal. */
async function held(program: Program): Promise<{ file: string; running: Promise<Response> }> {
  await until(() => readyAt(program) !== undefined)
  const file = join(folder, randomUUID())
  const running = fetch(`${readyAt(program)}/hold?file=${encodeURIComponent(file)}`)
  await until(() => existsSync(`${file}.began`))
  return { file, running }
}

/** A path of Windows with its drive's letter in the other case, as VS Code's terminal has them. */
const otherLetter = ([letter, ...rest]: string) =>
  [letter === letter!.toUpperCase() ? letter!.toLowerCase() : letter!.toUpperCase(), ...rest].join('')

function moduleThatAnswers(value: string): string {
  const index = JSON.stringify(new URL('../../../dist/serve/index.js', import.meta.url).href)
  return `import { serve } from ${index}\nexport class One { call() { return ${value} } }\nexport const app = serve.deployment(One).bind()\n`
}

describe('rayito serve', () => {
  test('says as Ray does what it deploys, when it is ready and where', async () => {
    const program = new Program(['run', `${apps}:greeter`, '--port', '0', '--num-replicas', '2', '--name', 'hello'])
    const where = await program.ready()
    const said = program.stderr
      .split('\n')
      .filter(Boolean)
      .map((line) => line.replace(/^(\w+) \d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (\w+) \d+ -- /, '$1 $2 -- '))
    assert.deepEqual(
      said.filter((line) => !line.includes('Proxy')),
      [
        `INFO serve -- Running import path: '${apps}:greeter'.`,
        "INFO controller -- Deploying new version of Deployment(name='Greeter', app='hello') (initial target replicas: 2).",
        "INFO controller -- Adding 2 replicas to Deployment(name='Greeter', app='hello').",
        `INFO serve -- Application 'hello' is ready at ${where}/.`,
      ],
    )
    assert.ok(said.some((line) => /^INFO proxy -- Proxy starting on 127\.0\.0\.1 \(HTTP port: \d+\)\.$/.test(line)))
    const status = new Program(['status', '--address', where])
    assert.equal(await status.ended, 0)
    assert.match(status.stdout, /^applications:\n {2}hello:\n {4}status: RUNNING$/m)
    assert.match(status.stdout, /^ {10}RUNNING: 2$/m)
    await until(() => /"path":"\/-\/status","status":200/.test(program.stdout))
    program.child.kill('SIGINT')
    assert.equal(await program.ended, TOLD)
    if (!noSignals) assert.match(program.stderr, /Shut down\.\n$/)
  })

  test('takes the module by path or name, with or without extension, from the current folder or the package', async () => {
    const here = join(root, '.build', 'test')
    for (const [module, cwd] of [
      [`${relative(here, apps)}.js`, here],
      ['cli-apps', join(here, 'serve')],
      ['./cli-apps.js', join(here, 'serve')],
      ...(onWindows ? [[otherLetter(apps), here]] : []),
    ]) {
      const program = new Program(['run', `${module}:greeter`, '--port', '0'], cwd)
      await program.ready()
      program.child.kill('SIGTERM')
      assert.equal(await program.ended, TOLD)
    }
    const named = await fails(['run', 'ray-server:wrong'], folder)
    assert.match(named.line, /'wrong' is not exported by .*ray-server\.js: it has info/)
  })

  test('an application may have begun a session of its own, and answers below --route-prefix', async () => {
    const own = join(root, '.build', 'test', 'serve', 'cli-own-session')
    const program = new Program(['run', `${own}:greeter`, '--port', '0', '--route-prefix', '/below'])
    const ready = () => / is ready at (http:\S+)\/below\.\n/.exec(program.stderr)?.[1]
    await until(() => ready() !== undefined)
    const statuses = ['/below', '/'].map(async (path) => (await fetch(`${ready()}${path}`)).status)
    assert.deepEqual(await Promise.all(statuses), [200, 404])
    program.child.kill('SIGTERM')
    assert.equal(await program.ended, TOLD)
  })

  test('--source, --model and --dtype reach the replicas', async () => {
    const args = ['--port', '0', '--source', 'hub', '--model', 'a/b', '--dtype', 'q8']
    const program = new Program(['run', `${apps}:waiting`, ...args])
    const settings = await (await fetch(`${await program.ready()}/settings`)).json()
    assert.deepEqual(settings, { RAYITO_SOURCE: 'hub', RAYITO_MODEL: 'a/b', RAYITO_DTYPE: 'q8' })
    program.child.kill('SIGTERM')
    assert.equal(await program.ended, TOLD)
  })

  test('a folder that has the name of a model goes before it', async () => {
    mkdirSync(join(folder, 'a', 'b'), { recursive: true })
    const program = new Program(['run', `${apps}:waiting`, '--port', '0', '--model', 'a/b'], folder)
    const { RAYITO_MODEL } = (await (await fetch(`${await program.ready()}/settings`)).json()) as NodeJS.ProcessEnv
    assert.equal(realpathSync(RAYITO_MODEL!), realpathSync(join(folder, 'a', 'b')))
    program.child.kill('SIGTERM')
    assert.equal(await program.ended, TOLD)
  })

  const noCluster = clusterMissing()
  test('--address puts the replicas on the nodes of a cluster', noCluster ? { skip: noCluster } : {}, async (t) => {
    const server = await Server.startFor(t)
    const worker = await WorkerProcess.start(server.address, { name: 'alone', numCpus: 1 })
    t.after(() => worker.end())
    const program = new Program(['run', `${apps}:host`, '--port', '0', '--address', server.address])
    const where = await (await fetch(`${await program.ready()}/where`)).json()
    assert.equal(where, worker.child.pid)
    program.child.kill('SIGTERM')
    assert.equal(await program.ended, TOLD)
  })

  test('an --address that is none, or at which nobody answers, is one line', async () => {
    const none = await fails(['run', `${apps}:greeter`, '--port', '0', '--address', '127.0.0.1:4222'])
    assert.deepEqual([none.code, /got `127\.0\.0\.1:4222`/.test(none.line)], [2, true])
    const nobody = await fails(['run', `${apps}:greeter`, '--port', '0', '--address', 'nats://127.0.0.1:1'])
    assert.deepEqual([nobody.code, /No NATS server .* nats:\/\/127\.0\.0\.1:1/.test(nobody.line)], [1, true])
  })

  test('SIGTERM: running requests are answered, new ones get 503', { skip: noSignals }, async () => {
    const program = new Program(['run', `${apps}:waiting`, '--port', '0'])
    const where = await program.ready()
    const file = join(folder, 'drain')
    const running = fetch(`${where}/hold?file=${encodeURIComponent(file)}`)
    await until(() => existsSync(`${file}.began`))
    program.child.kill('SIGTERM')
    await until(() => program.stderr.includes('Draining'))
    const { status, headers } = await fetch(`${where}/settings`)
    assert.deepEqual([status, headers.get('retry-after')], [503, '1'])
    writeFileSync(`${file}.end`, '')
    assert.equal(await (await running).json(), 'answered')
    assert.equal(await program.ended, 0)
  })

  test('it ends within the bound though a request does not', { skip: noSignals }, async () => {
    const program = new Program(['run', `${apps}:hasty`, '--port', '0'])
    const where = await program.ready()
    const file = join(folder, 'bound')
    const running = fetch(`${where}/hold?file=${encodeURIComponent(file)}`).catch(() => null)
    await until(() => existsSync(`${file}.began`))
    program.child.kill('SIGTERM')
    assert.equal(await program.ended, TOLD)
    await running
  })

  test('a second signal ends it at once', { skip: noSignals }, async () => {
    const program = new Program(['run', `${apps}:waiting`, '--port', '0'])
    const where = await program.ready()
    const file = join(folder, 'twice')
    const running = fetch(`${where}/hold?file=${encodeURIComponent(file)}`).catch(() => null)
    await until(() => existsSync(`${file}.began`))
    program.child.kill('SIGINT')
    await until(() => program.stderr.includes('Draining'))
    program.child.kill('SIGINT')
    assert.equal(await program.ended, 130)
    await running
  })

  test('SIGTERM while the application is imported: nothing is served', { skip: noSignals }, async () => {
    const ended = join(root, '.build', 'test', 'serve', 'cli-ended')
    const program = new Program(['run', `${ended}:greeter`, '--port', '0'])
    assert.equal(await program.ended, 0)
    assert.match(program.stderr, /Shut down\.\n$/)
    assert.doesNotMatch(program.stderr, /Deploying/)
  })

  test('SIGTERM while the application awaits what never comes: it ends', { skip: noSignals }, async () => {
    const module = join(folder, 'waits.mjs')
    writeFileSync(module, "process.stdout.write('begins')\nawait new Promise(() => setInterval(() => {}, 1000))\n")
    const program = new Program(['run', `${module}:app`, '--port', '0'])
    await until(() => program.stdout === 'begins')
    program.child.kill('SIGTERM')
    assert.equal(await program.ended, 0)
    assert.match(program.stderr, /Shut down\.\n$/)
  })

  test('a mistake in the application, or in what it imports, is one line that says where it is', async () => {
    const needed = join(folder, 'needed.mjs')
    const module = join(folder, 'imports.mjs')
    writeFileSync(needed, '\n\nundefined.port\n')
    writeFileSync(module, "import './needed.mjs'\n")
    const wrong = await fails(['run', `${module}:app`, '--port', '0'])
    assert.equal(wrong.code, 1)
    assert.match(wrong.line, /imports\.mjs cannot be imported: Cannot read properties of undefined \(reading 'port'\)/)
    assert.ok(wrong.line.endsWith(` (${realpathSync(needed)}:3)`), wrong.line)
    const { line } = await fails(['run', `${apps}:broken`, '--port', '0'])
    assert.match(line, /: no model here \(.*classes\.js:\d+\)$/)
  })

  test('a path that is no module:variable is wrong usage', async () => {
    for (const args of [['ray-server'], [':info'], ['ray-server:'], ['ray-server:a b'], ['ray-server', '--reload']]) {
      const { code, line } = await fails(['run', ...args])
      assert.equal(code, 2)
      assert.match(line, /Expected module:variable/)
    }
    for (const args of [
      [],
      ['run'],
      ['run', 'a:b', '--port', 'x'],
      ['run', 'a:b', '--num-replicas', '0'],
      ['run', 'a:b', '--dtype', 'q4'],
    ])
      assert.equal(await new Program(args).ended, 2, args.join(' '))
  })

  test('a module or variable that is not there is one line', async () => {
    const missing = await fails(['run', 'no-such-module:info'])
    assert.deepEqual([missing.code, /There is no module 'no-such-module'/.test(missing.line)], [1, true])
    const none = await fails(['run', `${apps}:none`])
    assert.deepEqual([none.code, /'none' is not exported/.test(none.line)], [1, true])
    for (const name of ['number', 'deployment']) {
      const wrong = await fails(['run', `${apps}:${name}`])
      assert.deepEqual([wrong.code, wrong.line.includes(`'${name}' is no application`)], [1, true])
    }
  })

  test('a port in use is one line', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const { code, line } = await fails(['run', `${apps}:greeter`, '--port', String(port)])
    other.close()
    assert.equal(code, 1)
    assert.match(line, new RegExp(`Port ${port} of 127\\.0\\.0\\.1 is in use already`))
  })

  test('a constructor that throws is one line', async () => {
    const { code, line } = await fails(['run', `${apps}:broken`, '--port', '0'])
    assert.equal(code, 1)
    assert.match(line, /Deployment Broken of application 'default' could not be started: no model here/)
  })

  test('status of what does not answer is one line', async () => {
    const { code, line } = await fails(['status', '--address', 'http://127.0.0.1:1'])
    assert.deepEqual([code, /does not answer/.test(line)], [1, true])
    const other = createServer((_, response) => response.end('null')).listen(0, '127.0.0.1')
    await once(other, 'listening')
    const address = `http://127.0.0.1:${(other.address() as AddressInfo).port}`
    const stranger = await fails(['status', '--address', address])
    other.close()
    assert.equal(stranger.code, 1)
    assert.ok(stranger.line.includes(`${address} is not a server of rayito's (HTTP 200)`), stranger.line)
    const none = await fails(['status', '--address', 'localhost:8000'])
    assert.deepEqual([none.code, /begins with http/.test(none.line)], [2, true])
  })

  test('--reload starts again when a file changes, and goes on after a broken one', async () => {
    const write = (value: string) => writeFileSync(join(folder, 'app.mjs'), moduleThatAnswers(value))
    write("'first'")
    const program = new Program(['run', 'app:app', '--port', '0', '--reload'], folder)
    const value = async (times: number) => (await fetch(`${await program.ready(times)}/`)).json()
    assert.equal(await value(1), 'first')
    // What an application writes beside itself, and what is installed there, is no part of it.
    mkdirSync(join(folder, 'node_modules'))
    for (const name of ['app.log', join('node_modules', 'other.js')]) writeFileSync(join(folder, name), '')
    await pause(400)
    assert.doesNotMatch(program.stderr, /Draining/)
    write("'second'")
    assert.equal(await value(2), 'second')
    write('this is no JavaScript')
    await until(() => program.stderr.includes('cannot be imported'))
    write("'third'")
    assert.equal(await value(3), 'third')
    // One that ends by itself, also after a change, is not started again.
    writeFileSync(join(folder, 'app.mjs'), 'process.exit(0)')
    assert.equal(await program.ended, 0)
  })

  test('--reload goes on when the folder is removed and built again', async () => {
    const built = join(folder, 'built')
    const build = (value: string) => {
      mkdirSync(built, { recursive: true })
      writeFileSync(join(built, 'app.mjs'), moduleThatAnswers(value))
    }
    build("'first'")
    const program = new Program(['run', 'built/app:app', '--port', '0', '--reload'], folder)
    const value = async (times: number) => (await fetch(`${await program.ready(times)}/`)).json()
    assert.equal(await value(1), 'first')
    rmSync(built, { recursive: true })
    await until(() => program.stderr.includes("There is no module 'built/app'"))
    build("'second'")
    assert.equal(await value(2), 'second')
    build("'third'")
    assert.equal(await value(3), 'third')
    program.child.kill('SIGTERM')
    assert.equal(await program.ended, TOLD)
  })

  test('--reload says once that a folder cannot be watched, and serves on', unwatched, async () => {
    writeFileSync(join(folder, 'deep', 'app.mjs'), moduleThatAnswers("'here'"))
    const terminal = `unshare -U -r sh -c "${ONE_WATCH}; exec $@"`
    const program = new Program(['run', 'deep/app:app', '--port', '0', '--reload'], folder, { terminal })
    await until(() => readyAt(program) !== undefined)
    assert.equal(await (await fetch(`${readyAt(program)}/`)).json(), 'here')
    program.child.stdin!.write('\x03')
    assert.equal(await program.ended, 0)
    const said = [...program.stdout.matchAll(/rayito: .*/g)].map(([line]) => line.trim())
    assert.equal(said.length, 1, program.stdout)
    assert.match(
      said[0]!,
      /^rayito: --reload may miss changes: ENOSPC: .* Raise fs\.inotify\.max_user_watches \(sysctl\)\.$/,
    )
    assert.equal(program.stdout.match(/Running import path/g)!.length, 1)
  })

  test('--reload ends with an application that ends by itself; that runs with the flags of the command', async () => {
    // It is found where it was compiled to.
    mkdirSync(join(folder, 'dist'))
    writeFileSync(
      join(folder, 'dist', 'brief.mjs'),
      `process.exit(process.execArgv.includes('--no-deprecation') ? 0 : 1)`,
    )
    const flags = ['--no-deprecation']
    assert.equal(await new Program(['run', 'brief:app', '--port', '0', '--reload'], folder, { flags }).ended, 0)
  })

  test('--reload ends when it is told to while it waits for a change', async () => {
    writeFileSync(join(folder, 'broken.mjs'), 'this is no JavaScript')
    const program = new Program(['run', 'broken:app', '--port', '0', '--reload'], folder)
    await until(() => program.stderr.includes('cannot be imported'))
    const children = `/proc/${program.child.pid}/task/${program.child.pid}/children`
    await until(() => !existsSync(children) || readFileSync(children, 'utf8') === '')
    program.child.kill('SIGTERM')
    assert.equal(await program.ended, TOLD)
  })

  test('--reload: one Ctrl-C in a terminal lets running requests end', inTerminal, async () => {
    const program = new Program(['run', `${apps}:waiting`, '--port', '0', '--reload'], root, { terminal: 'exec $@' })
    const { file, running } = await held(program)
    program.child.stdin!.write('\x03')
    await until(() => program.stdout.includes('Draining'))
    writeFileSync(`${file}.end`, '')
    assert.equal(await (await running).json(), 'answered')
    assert.equal(await program.ended, 0)
  })

  test('--reload: what npm runs ends when its shell has gone and the terminal stays', inTerminal, async () => {
    const program = new Program(['run', `${apps}:greeter`, '--port', '0', '--reload'], root, {
      terminal: `sh -c "echo shell \\$\\$; $@; true"; cat`,
      env: { npm_lifecycle_event: 'serve' },
    })
    await until(() => readyAt(program) !== undefined)
    process.kill(Number(/shell (\d+)/.exec(program.stdout)![1]), 'SIGTERM')
    await until(() => program.stdout.includes('Shut down.'))
    program.child.stdin!.end('\x04')
    assert.equal(await program.ended, 0)
  })

  test('what npm runs answers what it was asked when the terminal is closed', inTerminal, async () => {
    const told = join(folder, 'told')
    const program = new Program(['run', `${join(apps, '..', 'cli-told')}:waiting`, '--port', '0'], root, {
      terminal: 'exec $@',
      env: { npm_lifecycle_event: 'serve', RAYITO_TEST_TOLD: told },
    })
    const { file, running } = await held(program)
    program.child.kill('SIGKILL')
    await until(() => existsSync(told))
    // It is told no second time, which would end it at once.
    await pause(300)
    writeFileSync(`${file}.end`, '')
    assert.equal(await (await running).json(), 'answered')
  })
})
