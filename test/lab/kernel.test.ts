import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import * as zeromq from 'zeromq'
import { failure } from '#src/lab/notebook/failure.js'
import { freePorts } from '#src/lab/notebook/free-ports.js'
import { Kernel } from '#src/lab/notebook/kernel.js'
import { patientSockets } from '#src/lab/notebook/sockets.js'
import { type Message, Wire } from '#src/lab/notebook/wire.js'
import { temporaryFolder } from './notebook-files.js'

const cwd = join(fileURLToPath(new URL('../../..', import.meta.url)), 'notebooks')
/** One for all tests. */
let kernel: Kernel
before(async () => {
  kernel = await Kernel.start({ cwd })
})
after(() => kernel?.close())

/** Runs a cell and gives all it prints. */
async function run(
  code: string,
  onText: (text: string) => void = () => {},
  where = kernel,
): Promise<{ status: string; text: string }> {
  let text = ''
  const { status } = await where.execute(code, ({ content }) => {
    text += (content.text as string | undefined) ?? ''
    onText(text)
  })
  return { status, text }
}

test('of what comes only what is signed with the key of the session is a message', () => {
  const { frames } = new Wire('key').encode('status', { execution_state: 'idle' })
  const bytes = ['somebody', ...frames].map((frame) => Buffer.from(frame))
  assert.deepEqual(new Wire('key').decode(bytes)?.content, { execution_state: 'idle' })
  assert.equal(new Wire('another').decode(bytes), null)
  assert.equal(new Wire('key').decode([...bytes.slice(0, -1), Buffer.from('{}')]), null, 'another content')
  assert.equal(new Wire('key').decode(bytes.slice(0, -1)), null, 'a part is missing')
  assert.equal(new Wire('key').decode(bytes.slice(0, 2)), null, 'all are')
  assert.equal(new Wire('key').decode(bytes.with(2, Buffer.from('short'))), null, 'no signature at all')
})

/** Sends again and again until what is waited for is there. */
async function until(done: Promise<unknown>, send: () => Promise<void>): Promise<void> {
  let over = false
  done.finally(() => (over = true))
  while (!over) {
    await send()
    await new Promise((resolve) => setImmediate(resolve))
  }
}

describe('ray in a notebook', () => {
  test('functions and classes of cells use what other cells define', async () => {
    await run(`import { ray } from '../dist/index.js'\nimport * as path from 'node:path'`)
    await run(
      `const factor = 3\nfunction times(x: number) { return x * factor }\nclass Base { double(x: number) { return 2 * x } }`,
    )
    await run(`const triple = ray.remote(async (x: number) => times(x) + path.sep.length)`)
    await run(`const Engine = ray.remote(class Engine extends Base { triple(x: number) { return times(x) } })`)
    assert.deepEqual(await run(`await ray.get(triple.remote(4))`), { status: 'ok', text: '13\n' })
    const { status, text } = await run(
      `const engine = Engine.remote()\nawait ray.get([engine.double.remote(4), engine.triple.remote(4)])`,
    )
    assert.deepEqual([status, text], ['ok', '[ 8, 12 ]\n'])
  })

  test('interrupting a cell cancels what it started; the kernel goes on', async () => {
    await run(`import { ray } from '../dist/index.js'\nawait ray.shutdown()\nray.init({ numCpus: 1 })`)
    await run(
      `const spin = ray.remote((shared: Int32Array) => { Atomics.store(shared, 0, 1); Atomics.notify(shared, 0); for (;;); })`,
    )
    await run(`const shared = new Int32Array(new SharedArrayBuffer(4))\nconst ref = spin.remote(shared)`)
    await run(`const begun = (Atomics as any).waitAsync(shared, 0, 0)\nawait begun.value`)
    // Printed a turn later: Node's watch over a cell's synchronous part can lose a signal that comes at its very end.
    const spinning = await run(`setTimeout(() => console.log('waiting'), 1)\nawait ray.get(ref)`, (text) => {
      if (text === 'waiting\n') kernel.interrupt()
    })
    assert.equal(spinning.status, 'error')
    const next = await run(`await ray.get(ref).catch((error) => error.code)`)
    assert.deepEqual(next, { status: 'ok', text: 'RAY_TASK_CANCELLED\n' })
    assert.equal((await run(`await ray.get(ray.remote((x: number) => x + 1).remote(1))`)).text, '2\n')
  })
})

test('a cell may give what another defines by its name alone, in an object and from one', async () => {
  await run(`import { ray } from '../dist/index.js'\nimport * as path from 'node:path'`)
  await run(`const total = 2, numCpus = 1\nlet dtype = 'q8', model: string | undefined`)
  await run(
    `const chosen = { total, path, dtype: { dtype } }\nfunction give(dtype = 'inner') { return { total, dtype } }`,
  )
  assert.deepEqual(await run('[chosen.total, chosen.path.sep.length, chosen.dtype, give()]'), {
    status: 'ok',
    text: `[ 2, 1, { dtype: 'q8' }, { total: 2, dtype: 'inner' } ]\n`,
  })
  const taken = `({ dtype, model = 'tiny' } = { dtype: 'fp32' } as { dtype: string; model?: string })`
  assert.equal((await run(taken)).status, 'ok')
  assert.deepEqual(await run('[dtype, model]'), { status: 'ok', text: `[ 'fp32', 'tiny' ]\n` })
  const names = `const { total: sum, ...others } = { ...chosen, total }\nconst add = ({ total = 1 }) => ({ total, sum })`
  assert.equal((await run(names)).status, 'ok')
  assert.deepEqual(await run('[sum, add({})]'), { status: 'ok', text: '[ 2, { total: 1, sum: 2 } ]\n' })
  await run(`await ray.shutdown()\nawait ray.init({ numCpus })\nconst far = ray.remote(() => ({ total }))`)
  assert.deepEqual(await run('await ray.get(far.remote())'), { status: 'ok', text: '{ total: 2 }\n' })
})

test('what is wrong in a cell with such an object is told where it stands', async () => {
  await run('const rows = [1]')
  const { text } = await run(`const both = { rows }, wrong: string = 5`)
  assert.match(text, /^1:24 - Type 'number' is not assignable to type 'string'\.\n/)
  assert.match((await run('\nconst none = { rows, missing }')).text, /^2:22 - No value exists in scope for/)
  assert.match(
    (await run('const o = { rows }; throw new Error(`no`)')).text,
    /line 1 of the cell: const o = \{ rows \};/,
  )
})

test('a cell may loop with await over what comes, with or without another await', async () => {
  const squares = `import { ray } from '../dist/index.js'\nconst squares = ray.remote(function* (n: number) { for (let i = 0; i < n; i++) yield i * i })`
  await run(squares)
  const loop = 'for await (const ref of squares.remote(3)) console.log(await ray.get(ref))'
  assert.deepEqual(await run(loop), { status: 'ok', text: '0\n1\n4\n' })
  assert.deepEqual(await run('{\n  for await (const x of [1, 2]) console.log(x)\n}'), { status: 'ok', text: '1\n2\n' })
  const inside = `const all = async () => { for await (const x of [1]) console.log(x) }\nconst later = 2`
  assert.deepEqual(await run(inside), { status: 'ok', text: '' })
  assert.match((await run('for await (const x of 5) console.log(x)')).text, /Type '5' must have/)
})

test('what failed and was never asked for is told below the cell that ends the session', async () => {
  await run(`import { ray } from '../dist/index.js'\nawait ray.shutdown()`)
  await run(`const boom = ray.remote(function boom() { throw new Error('unseen') })\nconst failed = boom.remote()`)
  await run(`await ray.wait([failed])`)
  const { status, text } = await run('await ray.shutdown()')
  assert.equal(status, 'ok')
  assert.match(text, /^rayito: .*boom.* failed, and nobody asked for .*unseen/)
})

test('a kernel of Jupyter ends when Jupyter is gone', async (t) => {
  const tslab = fileURLToPath(new URL('../../../dist/lab/notebook/tslab.js', import.meta.url))
  const folder = mkdtempSync(join(tmpdir(), 'rayito-kernel-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const names = ['shell_port', 'iopub_port', 'stdin_port', 'control_port', 'hb_port']
  const ports = await freePorts(names.length)
  const connection = { ip: '127.0.0.1', transport: 'tcp', key: 'k', signature_scheme: 'hmac-sha256' }
  const numbers = Object.fromEntries(names.map((name, i) => [name, ports[i]]))
  writeFileSync(join(folder, 'c.json'), JSON.stringify({ ...connection, ...numbers }))
  // Stands for Jupyter: it starts the kernel as its kernels' description says, and is gone at once when it is killed.
  const jupyter = spawn(
    process.execPath,
    [
      '-e',
      `require('node:child_process').spawn(process.execPath, [${JSON.stringify(tslab)}, '--config-path=' + ${JSON.stringify(join(folder, 'c.json'))}], { stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, JPY_PARENT_PID: String(process.pid) } })
`,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  t.after(() => jupyter.kill())
  const heart = new zeromq.Request()
  heart.connect(`tcp://127.0.0.1:${ports.at(-1)}`)
  await heart.send('beat')
  await heart.receive()
  heart.close()
  // The kernel has this pipe's other end, too.
  const over = once(jupyter.stdout!.resume(), 'close')
  jupyter.kill('SIGKILL')
  await over
})

test('the cell that begins the first session may be interrupted: the kernel goes on', async (t) => {
  const fresh = await Kernel.start({ cwd })
  t.after(() => fresh.close())
  await run(
    `import { ray } from '../dist/index.js'\nconst wait = ray.remote(() => new Promise(() => {}))`,
    undefined,
    fresh,
  )
  const waiting = await run(
    `setTimeout(() => console.log('waiting'), 1)\nawait ray.get(wait.remote())`,
    (text) => {
      if (text === 'waiting\n') fresh.interrupt()
    },
    fresh,
  )
  assert.equal(waiting.status, 'error')
  assert.deepEqual(await run('1 + 1', undefined, fresh), { status: 'ok', text: '2\n' })
})

test('a measured version that is interrupted ends, instead of running beside the next', async () => {
  await run(`
    import { measure } from '../dist/lab/index.js'
    await new Promise(setImmediate)
    const state = { stop: false, measured: Promise.resolve() as Promise<unknown>, listeners: process.listenerCount('SIGINT') }
    const version = measure({ versions: ['A'], images: 1 }, 'A', async (run) => {
      run.loaded()
      setTimeout(() => console.log('looping'), 1)
      while (!state.stop) {
        await new Promise(setImmediate)
        run.step()
      }
      return []
    })`)
  const looping = await run(`state.measured = version()\nawait state.measured`, (text) => {
    if (text === 'looping\n') kernel.interrupt()
  })
  assert.equal(looping.status, 'error')
  const ended = `state.stop = true\nawait state.measured.then(() => 'went on', (error) => error.code)`
  let next = await run(ended)
  while (next.status === 'aborted') next = await run(ended)
  assert.deepEqual(next, { status: 'ok', text: 'NOTEBOOK_STOPPED\n' })
  const more = await run(`await new Promise(setImmediate)\nprocess.listenerCount('SIGINT') - state.listeners`)
  assert.deepEqual(more, { status: 'ok', text: '0\n' }, 'nor does it listen any more')
})

test('a package that is installed while the kernel runs can be imported; the cells after it run', async (t) => {
  const folder = join(await temporaryFolder(), 'notebooks')
  mkdirSync(join(folder, 'node_modules'), { recursive: true })
  const there = await Kernel.start({ cwd: folder })
  t.after(() => there.close())
  const runThere = (code: string) => run(code, undefined, there)
  const wanted = `import { late } from 'late'\nlate`
  assert.match((await runThere(wanted)).text, /Cannot find module 'late'/)
  const late = join(folder, 'node_modules', 'late')
  mkdirSync(late)
  writeFileSync(join(late, 'package.json'), '{ "name": "late", "version": "1.0.0" }')
  writeFileSync(join(late, 'index.js'), 'exports.late = 7')
  writeFileSync(join(late, 'index.d.ts'), 'export declare const late: number')
  // The compiler hears of it when the system tells it.
  let said = await runThere(wanted)
  while (said.status === 'aborted' || /Cannot find module/.test(said.text)) said = await runThere(wanted)
  assert.deepEqual(said, { status: 'ok', text: '7\n' })
  rmSync(late, { recursive: true })
  assert.deepEqual(await runThere('1 + 1'), { status: 'ok', text: '2\n' })
})

test('in whatever folder a notebook lies, cells and modules beside it import the package by its name, with its types', async (t) => {
  const folder = await temporaryFolder()
  writeFileSync(
    join(folder, 'own.ts'),
    `import { ray } from 'rayito'\nexport const twice = ray.remote((x: number) => 2 * x)`,
  )
  const there = await Kernel.start({ cwd: folder })
  t.after(() => there.close())
  const imports = `import { ray } from 'rayito'\nimport { range } from 'rayito/lab'\nimport { twice } from './own'`
  assert.deepEqual(await run(imports, undefined, there), { status: 'ok', text: '' })
  await run(`const all = ray.remote((n: number) => ray.get(range(0, n).map((i) => twice.remote(i))))`, undefined, there)
  assert.deepEqual(await run('await ray.get(all.remote(3))', undefined, there), { status: 'ok', text: '[ 0, 2, 4 ]\n' })
  assert.match((await run(`twice.remote('2')`, undefined, there)).text, /'string' is not assignable/)
})

describe('a cell that fails', () => {
  test('keeps what it had defined; what it had not is unknown', async () => {
    await run(`let old: number | undefined`)
    const cell = `const first = 1, second = await Promise.resolve(2)\ntype Sum = number\nclass Held { n = 4 }\nconst absent = first + await Promise.reject(new Error('no'))\nclass Late {}`
    assert.equal((await run(cell)).status, 'error')
    const uses = `const sum: Sum = first + second + new Held().n\nconsole.log([sum, old])`
    assert.deepEqual(await run(uses), { status: 'ok', text: '[ 7, undefined ]\n' })
    for (const name of ['absent', 'Late'])
      assert.match((await run(name)).text, new RegExp(`Cannot find name '${name}'`))
  })

  test('tells its own line, and nothing of what runs cells', async () => {
    const cell = `type Unused = string\n\nconst fail = (x: number) => { throw new RangeError('no ' + x) }\n[1].map((x) => fail(x))`
    assert.deepEqual(await run(cell), {
      status: 'error',
      text: `RangeError: no 1\n    at fail (line 3 of the cell: const fail = (x: number) => { throw new RangeError('no ' + x) })\n    at line 4 of the cell: [1].map((x) => fail(x))\n    at Array.map (<anonymous>)\n    at line 4 of the cell: [1].map((x) => fail(x))\n`,
    })
    await run(`import { Image, ray } from '../dist/index.js'`)
    const { text } = await run(`const image =\n  await Image.open('nowhere.png')`)
    assert.match(
      text,
      /Check the path\.\n {4}at line 2 of the cell: await Image.open\('nowhere.png'\) \{\n {2}code: 'IMAGE_NOT_FOUND'/,
    )
    assert.doesNotMatch(text, /tslab|node:|dist/)
    const task = `const fails = ray.remote(function fails() { throw new Error('far away') })`
    assert.match(
      (await run(`${task}\nawait ray.get(fails.remote())`)).text,
      /away\n {4}at fails \(line 1 of the cell: const fails = .*\) \{\n/,
    )
    const { text: refused } = await run(`const none = null\nray.remote({} as any)`)
    assert.match(refused, /^RayitoError: .+\n {4}at line 2 of the cell: ray.remote\(\{\} as any\) \{\n/)
  })

  test('tells lines of the cells before it, and of what they sent to workers', async () => {
    await run(`import { ray } from '../dist/index.js'\ninterface Held {\n  n: number\n}\n`)
    const actor = `const Longer = ray.remote(class Longer {\n  held: Held | null = null\n  size(text: string) {\n    const all = text.length\n    return all + this.held!.n\n  }\n})`
    await run(actor)
    await run(`function parsed(text: string) {\n  // a comment\n  return JSON.parse(text)\n}`)
    const there = await run(`\nawait ray.get(Longer.remote().size.remote('a'))`)
    assert.match(there.text, /\n {4}at Longer\.size \(line 5 of cell \d+: return all \+ this\.held!\.n\)/)
    const here = await run(`\n\nparsed('{')`)
    assert.match(
      here.text,
      /\n {4}at parsed \(line 3 of cell \d+: return JSON\.parse\(text\)\)\n {4}at line 3 of the cell: parsed\('\{'\)\n/,
    )
  })

  test('of a request that was refused tells what was asked, and the service’s own words', async () => {
    await run(`import { serve } from '../dist/index.js'\nimport axios from 'axios'\nimport FormData from 'form-data'`)
    await run(
      `class Taker { take() { return 'taken' } }
const Serving = serve.deployment(serve.ingress(Taker, { 'POST /whatis': { call: 'take', file: 'file' } }))
await serve.run(Serving.bind(), { port: 0 })
const url = serve.status().url + '/whatis/'`,
    )
    const posted = await run(
      `const form = new FormData()\nform.append('picture', 'a')\nconst response = await axios.post(url, form)`,
    )
    assert.match(
      posted.text,
      /^AxiosError: Request failed with status code 422\nPOST http:\S+\/whatis\/ was answered with 422 /,
    )
    assert.match(posted.text, / 422 .+:\n\{ detail: \[.* loc: \[ 'body', 'file' \], msg: 'Field required', .*\n/)
    assert.match(posted.text, /\n {4}at line 3 of the cell: const response = await axios\.post\(url, form\)\n$/)
    assert.equal(posted.text.split('\n').length, 5)
    const { message } = failure('', posted.text, { cell: 1, cells: 1, title: 'T' })
    assert.match(message, /Request failed with status code 422\nPOST .+\n.+'Field required'.+$/)
    const got = await run(
      `const ask = () => axios.get('/whatis/', { baseURL: serve.status().url! + '/' })\nawait ask()`,
    )
    assert.match(got.text, /\nGET http:\/\/[^/]+\/whatis\/ was answered with 405 Method Not Allowed:\n\{ detail: /)
    const inside = `const cause = await axios.get(url, { responseType: 'stream' }).catch((error) => error)
throw new Error('no answer', { cause })`
    const { text } = await run(inside)
    assert.match(
      text,
      /^Error: no answer\n {4}at line 2 .+\n {2}\[cause\]: AxiosError: .+\n.*GET \S+ was answered with 405 .+Allowed\n/,
    )
    assert.ok(text.split('\n').length < 9, text)
    const round = await run(`const own = new Error('in a circle')\nown.cause = own\nthrow own`)
    assert.match(round.text, /Error: in a circle\n/)
    await run('await serve.shutdown()')
    const gone = await run('await axios.post(url, new FormData())')
    assert.match(gone.text, /^\w*Error: .+\nPOST \S+ had no answer \(ECONN\w+\)\n {4}at line 1 of the cell: .+\n$/)
  })

  test('on a class with private members inside an expression tells where that may stand', async () => {
    await run(`import { ray } from '../dist/index.js'`)
    const body = `{ constructor(private n: number) {}\n#half = 0.5\nget() { return this.n * this.#half } }`
    const inside = await run(`const Inside = ray.remote(class Inside ${body})`)
    assert.match(
      inside.text,
      /private or protected\. Define the class in a statement of its own and give its name here\.\n/,
    )
    await run(`class Own ${body}\nconst Remote = ray.remote(Own)`)
    assert.deepEqual(await run('await ray.get(Remote.remote(4).get.remote())'), { status: 'ok', text: '2\n' })
  })

  test('costs what was given at once with it, but nothing that is asked afterwards', async () => {
    const given = [run(`await Promise.reject(new Error('no'))`), run('1 + 1')]
    assert.deepEqual(
      (await Promise.all(given)).map(({ status }) => status),
      ['error', 'aborted'],
    )
    assert.equal((await run(`throw new Error('no')`)).status, 'error')
    assert.deepEqual(await run('1 + 1'), { status: 'ok', text: '2\n' })
  })

  test('after another costs what was given while it waited for that', async (t) => {
    assert.equal((await run(`throw new Error('no')`)).status, 'error')
    // The kernel knows of the client's clock what its messages say.
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
    const failing = run(`throw new Error('no')`)
    t.mock.timers.tick(60)
    const [{ status }, behind] = await Promise.all([failing, run('1 + 1')])
    assert.deepEqual([status, behind.status], ['error', 'aborted'])
    assert.equal((await run('1 + 1')).status, 'aborted')
    t.mock.timers.tick(5_000)
    assert.deepEqual(await run('1 + 1'), { status: 'ok', text: '2\n' })
  })
})

test('a request that fails in a service of the notebook is told below the cell', async () => {
  await run(`import { serve } from '../dist/index.js'`)
  const cell = `await serve.run(serve.deployment(class Poor { call() { throw new Error('out of luck') } }).bind(), { port: 0 })
    console.log((await fetch(serve.status().url!)).status)
    await serve.shutdown()`
  const { text } = await run(cell)
  assert.match(
    text,
    /^GET \/ failed: Error: out of luck\n {4}at Poor\.call \(line 1 of the cell: await serve\.run\(.*\)\n/m,
  )
  assert.match(text, /^500\n/m)
})

test('a client hears a cell’s number when it begins', async () => {
  const heard: Message[] = []
  const { count } = await kernel.execute('1 + 1', (message) => heard.push(message))
  assert.deepEqual(
    heard.filter(({ type }) => type === 'execute_input').map(({ content }) => content),
    [{ code: '1 + 1', execution_count: count }],
  )
})

test('where require takes no ES modules, as before Node 20.19 and 22.12, a cell imports those of the package', async (t) => {
  const old = await Kernel.start({ cwd, env: { ...process.env, NODE_OPTIONS: '--no-experimental-require-module' } })
  t.after(() => old.close())
  assert.equal((await run('process.features.require_module', undefined, old)).text, 'false\n')
  const imports = `import { ray } from '../dist/index.js'\nimport { inference, range } from '../dist/lab/index.js'\nimport { info } from '../dist/ray-server.js'`
  assert.equal((await run(imports, undefined, old)).status, 'ok')
  await run(`const twice = ray.remote((n: number) => range(0, n).map((i) => 2 * i))`, undefined, old)
  assert.deepEqual(await run('await ray.get(twice.remote(3))', undefined, old), { status: 'ok', text: '[ 0, 2, 4 ]\n' })
  await run('await ray.shutdown()', undefined, old)
})

test('the kernel is busy until the last of the cells that were given at once has ended', async () => {
  const received = join(await temporaryFolder(), 'received')
  const first = run(
    `import { existsSync } from 'node:fs'\nwhile (!existsSync(${JSON.stringify(received)})) await new Promise(setImmediate)`,
  )
  const heard: unknown[] = []
  const second = kernel.execute(`await new Promise(setImmediate)`, ({ content }) => {
    if (content.execution_state) heard.push(content.execution_state)
    writeFileSync(received, '')
  })
  assert.deepEqual([(await first).status, (await second).status], ['ok', 'ok'])
  // When it came, and when the first, whose end told that the kernel is idle, had ended.
  assert.deepEqual(heard, ['busy', 'busy'])
})

/** In a cell: a client of this kernel sends what `sent` gives, and prints the first answer's type. */
const clientCell = (sent: string) => `
    import { readFileSync } from 'node:fs'
    import { Dealer } from 'zeromq'
    import { Wire } from '../dist/lab/notebook/wire.js'
    const path = process.argv.join(' ').replace(/.*--config-path=/, '')
    const { key, shell_port } = JSON.parse(readFileSync(path, 'utf8'))
    const socket = new Dealer({ linger: 0 })
    socket.connect(\`tcp://127.0.0.1:\${shell_port}\`)
    for (const [signedWith, type] of ${sent}) await socket.send(new Wire(signedWith).encode(type, {}).frames)
    const answer = new Wire(key).decode(await socket.receive())
    socket.close()
    console.log(answer!.type)`

test('a client of another kernel, which had the port before, disturbs no cell', async () => {
  const { status, text } = await run(
    clientCell(`[['of another kernel', 'kernel_info_request'], [key, 'kernel_info_request']]`),
  )
  assert.deepEqual({ status, text }, { status: 'ok', text: 'kernel_info_reply\n' })
})

test('whoever asks, the kernel answers as one session, its own', async () => {
  const cell = `${clientCell(`[[key, 'kernel_info_request'], [key, 'comm_info_request']]`)}
    const sessions = async () => {
      const one = new Dealer({ linger: 0 })
      one.connect(\`tcp://127.0.0.1:\${shell_port}\`)
      const { frames } = new Wire(key).encode('kernel_info_request', {})
      await one.send(frames)
      const answer = await one.receive()
      one.close()
      return [frames, answer].map((parts) => JSON.parse(String(parts[parts.findIndex((part) => String(part) === '<IDS|MSG>') + 2])).session)
    }
    const [[asker, first], [another, second]] = [await sessions(), await sessions()]
    console.log(asker === another, first === second, first === asker)`
  assert.equal((await run(cell)).text, 'kernel_info_reply\nfalse true false\n')
})

test('what a client asks beside the cells, such as their history, is no output of the cell that runs', async () => {
  const { status, text } = await run(clientCell(`[[key, 'history_request'], [key, 'kernel_info_request']]`))
  assert.deepEqual({ status, text }, { status: 'ok', text: 'kernel_info_reply\n' })
})

test('a client may ask for an interruption, as Jupyter does where there are no signals', async () => {
  const cell = `${clientCell(`[[key, 'kernel_info_request']]`)}
    const { control_port } = JSON.parse(readFileSync(path, 'utf8'))
    const control = new Dealer({ linger: 0 })
    control.connect(\`tcp://127.0.0.1:\${control_port}\`)
    const interrupt = () => control.send(new Wire(key).encode('interrupt_request', {}).frames)`
  assert.equal((await run(cell)).status, 'ok')
  assert.equal((await run('setTimeout(interrupt, 1)\nawait new Promise(() => {})')).status, 'error')
  const { text } = await run('console.log(new Wire(key).decode(await control.receive())!.type)\ncontrol.close()')
  assert.equal(text, 'interrupt_reply\n')
})

test('around what the kernel does not answer stand its states, too: JupyterLab shows it as unknown until it hears one', async () => {
  const cell = `${clientCell(`[[key, 'kernel_info_request']]`)}
    const { Subscriber } = await import('zeromq')
    const { iopub_port } = JSON.parse(readFileSync(path, 'utf8'))
    const [sender, listener] = [new Dealer({ linger: 0 }), new Subscriber()]
    sender.connect(\`tcp://127.0.0.1:\${shell_port}\`)
    listener.connect(\`tcp://127.0.0.1:\${iopub_port}\`)
    listener.subscribe()
    const wire = new Wire(key)
    const { id, frames } = wire.encode('history_request', {})
    const states: unknown[] = []
    const heard = (async () => {
      for await (const parts of listener) {
        const message = wire.decode(parts)
        const state = message?.parent === id && message.content.execution_state
        // It may have begun to listen in the middle of an answer.
        if (state && (states.length || state !== 'idle')) states.push(state)
        if (states.length === 2) return
      }
    })()
    while (states.length < 2) {
      await sender.send(frames)
      await new Promise(setImmediate)
    }
    await heard
    sender.close()
    listener.close()
    console.log(states.join(' '))`
  assert.equal((await run(cell)).text, 'kernel_info_reply\nbusy idle\n')
})

describe('what a cell shows', () => {
  test('arrives whole, however much the cells before it have shown', async () => {
    // Two at a time, with a turn of the event loop between: as a progress bar does, over many cells.
    const pairs = `for (let i = 0; i < 1_100; i += 2) {
      console.log(i)
      console.log(i + 1)
      await new Promise((resolve) => setImmediate(resolve))
    }`
    const { status, text } = await run(pairs)
    assert.equal(status, 'ok')
    assert.deepEqual(text.trim().split('\n').map(Number), [...Array(1_100).keys()])
  })
})

test('a kernel whose messages nobody takes for a while loses none of them', async () => {
  const { Publisher } = patientSockets(zeromq)
  const publisher = new Publisher({ linger: 0 })
  // One that has one message and reads no further: what is sent stays with the publisher, but for what TCP holds.
  const reader = new zeromq.Subscriber({ linger: 0, receiveHighWaterMark: 1, receiveBufferSize: 65_536 })
  try {
    await publisher.bind('tcp://127.0.0.1:*')
    reader.subscribe()
    reader.connect(publisher.lastEndpoint!)
    const first = reader.receive()
    await until(first, () => publisher.send('begin'))
    const padding = 'x'.repeat(10_000)
    for (let i = 0; i < 5_000; i++) await publisher.send([String(i), padding])
    const came: string[] = []
    const read = (async () => {
      for (let name = ''; name !== 'end'; came.push(name)) name = String((await reader.receive())[0])
    })()
    await until(read, () => publisher.send('end'))
    assert.deepEqual(
      came.filter((name) => name !== 'begin'),
      [...Array(5_000).keys(), 'end'].map(String),
    )
  } finally {
    publisher.close()
    reader.close()
  }
})

test('a kernel that still binds its sockets reads what comes, and sends, once they are bound', async () => {
  const { Publisher, Reply, Router } = patientSockets(zeromq)
  const router = new Router({ linger: 0 })
  const publisher = new Publisher({ linger: 0 })
  const reply = new Reply({ linger: 0 })
  const dealer = new zeromq.Dealer({ linger: 0 })
  try {
    const bound = Promise.all([router, publisher, reply].map((socket) => socket.bind('tcp://127.0.0.1:*')))
    const received = router.receive()
    const [sent] = await Promise.all([publisher.send('status'), bound])
    assert.equal(sent, undefined)
    dealer.connect(router.lastEndpoint!)
    await dealer.send('a request')
    assert.equal(String((await received).at(-1)), 'a request')
    await assert.rejects(router.bind('tcp://nowhere.invalid:1'))
    await dealer.send('another')
    assert.equal(String((await router.receive()).at(-1)), 'another')
  } finally {
    for (const socket of [router, publisher, reply, dealer]) socket.close()
  }
})
