import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { connect } from 'node:net'
import { describe, test } from 'node:test'
import { noLimits } from '../windows.js'
import { scripts } from './programs.js'

const run = scripts()

describe('a program of its own', () => {
  test('ends by itself when nothing is left to do: idle workers and actors hold nothing', async () => {
    const { code, stdout, stderr } = await run(`
      const double = ray.remote((x) => 2 * x)
      const Counter = ray.remote(class Counter { n = 0; add(k) { this.n += k; return this.n } })
      const counter = Counter.remote()
      const refs = [1, 2, 3].map((x) => double.remote(x))
      console.log(await ray.get(refs), await ray.get(counter.add.remote(2)))`)
    assert.deepEqual([code, stdout, stderr], [0, '[ 2, 4, 6 ] 2\n', ''])
  })

  test('waits for what it asked for, and only for that', async () => {
    const { code, stdout } = await run(`
      const later = ray.remote(() => new Promise((resolve) => setTimeout(resolve, 50, 'late')))
      ray.get(later.remote()).then(console.log)`)
    assert.deepEqual([code, stdout], [0, 'late\n'])
  })

  for (const workers of ['threads', 'processes'])
    test(`is told which heap limit one of its ${workers} reached that was given none of its own`, async () => {
      const program = `
        import { getHeapStatistics } from 'node:v8'
        ray.init({ workers: '${workers}', numCpus: 1 })
        const eat = ray.remote(function eat() { for (const eaten = []; ; ) eaten.push(new Array(10_000).fill(Math.random())) })
        const limit = Math.round(getHeapStatistics().heap_size_limit / 2 ** 20)
        const { name, heapLimit, message } = await ray.get(eat.options({ maxRetries: 0 }).remote()).catch((error) => error)
        console.log(name, heapLimit === limit, message.includes('reached its heap limit of ' + limit + ' MB while it ran eat'))
        await ray.shutdown()`
      const env = { ...process.env, NODE_OPTIONS: '--max-old-space-size=48' }
      const { code, stdout } = await run(program, { env })
      assert.deepEqual([code, stdout], [0, 'OutOfMemoryError true true\n'])
    })

  test('waits for no actor or task that is not to begin any more, nor for the time limit of a try that has ended', async () => {
    const { code, stdout, stderr } = await run(`
      ray.init({ numCpus: 1 })
      const attempt = ray.remote(() => {
        const { attempt } = ray.getRuntimeContext()
        return attempt > 1 ? attempt : process.exit(1)
      }, { timeout: 600_000 })
      console.log(await ray.get(attempt.remote()))
      const Holder = ray.remote(class Holder { ping() {} }, { numCpus: 1 })
      const holder = globalThis.holder = Holder.remote()
      await ray.get(holder.ping.remote())
      const turn = () => new Promise((resolve) => setImmediate(resolve))
      const waits = async () => {
        await turn()
        return process.getActiveResourcesInfo().filter((held) => held === 'Timeout').length
      }
      const late = Holder.remote()
      await turn()
      ray.kill(late)
      console.log(await waits())
      const task = ray.remote(() => {}).remote()
      await turn()
      ray.cancel(task)
      console.log(await waits())`)
    assert.deepEqual([code, stdout, stderr], [0, '2\n0\n0\n', ''])
  })

  test('a generator that waits for its reader holds nothing, and goes on when it is read again', async () => {
    const { code, stdout, stderr } = await run(`
      ray.init({ numCpus: 2 })
      const count = ray.remote(function* () { yield* [0, 1, 2] }, { generatorBackpressureNumObjects: 1 })
      const [left, taken] = (globalThis.kept = [count.remote(), count.remote()])
      for (const generator of kept) for await (const ref of generator) break
      for await (const ref of taken) console.log(await ray.get(ref))`)
    assert.deepEqual([code, stdout, stderr], [0, '1\n2\n', ''])
  })

  test('ends as soon as its session has, of processes too', async () => {
    const { code, stdout } = await run(`
      ray.init({ workers: 'processes' })
      await ray.get(ray.remote(() => 1).remote())
      await ray.shutdown()
      console.log(process.getActiveResourcesInfo().filter((held) => held === 'Timeout'))`)
    assert.deepEqual([code, stdout], [0, '[]\n'])
  })

  test('may have processes under node --watch, which hears over their channel what they import', async () => {
    const { code, stdout, stderr } = await run(`
      // As it tells Node to.
      process.env.WATCH_REPORT_DEPENDENCIES = '1'
      ray.init({ workers: 'processes' })
      console.log(await ray.get(ray.remote((x) => 2 * x).remote(2)))
      await ray.shutdown()`)
    assert.deepEqual([code, stdout, stderr], [0, '4\n', ''])
  })

  test('leaves no process behind that could not begin', async () => {
    const program = run(`
      import { writeFileSync } from 'node:fs'
      import { fileURLToPath } from 'node:url'
      const stuck = new URL('stuck.cjs', import.meta.url)
      writeFileSync(stuck, \`
        const { port } = require('node:net').createServer().listen(0).address()
        require('node:fs').writeSync(2, 'stuck at ' + port + require('node:os').EOL)
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)\`)
      process.env.NODE_OPTIONS = '--require ' + JSON.stringify(fileURLToPath(stuck))
      process.once('SIGTERM', () => process.exit())
      ray.init({ workers: 'processes', numCpus: 1 })
      await ray.get(ray.remote(() => 1).remote())`)
    let said = ''
    const port = await new Promise<number>((resolve) =>
      program.child.stderr!.on('data', (data) => {
        said += data
        const [, at] = /stuck at (\d+)\r?\n/.exec(said) ?? []
        if (at) resolve(Number(at))
      }),
    )
    program.child.kill('SIGTERM')
    await program
    const isThere = () =>
      new Promise((resolve) => {
        const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false))
        socket.on('connect', () => socket.destroy())
      })
    while (await isThere());
  })

  test('an error that nobody catches ends it with code 1 and one report', async () => {
    const { code, stderr } = await run(`
      const bad = ray.remote(function bad() { throw new TypeError('wrong') })
      await ray.get(bad.remote())`)
    assert.equal(code, 1)
    assert.match(stderr, /RayTaskError.*bad.*wrong/s)
  })

  test('is told once of each function that it gives a large value again and again; not of many values, of one given once, nor of a ref', async () => {
    const { code, stderr } = await run(`
      ray.init({ numCpus: 2 })
      const size = ray.remote(function size(bytes) { return bytes.length })
      const other = ray.remote(function other(bytes) { return bytes.length })
      const [again, alone] = [new Uint8Array(20e6), ray.put(new Uint8Array(20e6))]
      for (let i = 0; i < 12; i++)
        await ray.get([size.remote(again), other.remote(alone), other.remote(new Uint8Array(10e6))])
      await ray.get(other.remote(new Uint8Array(120e6)))
      // Of that value it was said, and of that function; texts and small values are not looked at.
      await ray.get(other.remote(again))
      const more = new Uint8Array(60e6)
      for (let i = 0; i < 2; i++) await ray.get([size.remote(more), other.remote('x'.repeat(2e6))])
      const small = new Uint8Array(900_000)
      for (let i = 0; i < 120; i++) await ray.get(other.remote(small))`)
    const told = 'rayito: size was given one and the same value of 20.0 MB 5 times, and it was copied each time. '
    assert.deepEqual([code, stderr], [0, `${told}If it stays as it is, ray.put it once and pass the ref.\n`])
  })

  test('a failure that nobody asked for is told at the end, a line for each function; one that was asked for is not', async () => {
    const source = (end: string) => `
      const bad = ray.remote(function bad(n) { throw new TypeError('wrong') })
      const add = ray.remote(function add(a, b) { return a + b })
      const never = ray.remote(function never() { return new Promise(() => {}) })
      const Counter = ray.remote(class Counter { fail() { throw new RangeError('too far') } })
      const forgotten = [bad.remote(1), bad.remote(2), Counter.remote().fail.remote()]
      const passedOn = add.remote(bad.remote(3), 1)
      await ray.get(ray.remote(function keep(box) {}).remote({ ref: bad.remote(7) }))
      await ray.get([bad.remote(4), bad.remote(5)]).catch(() => {})
      const [, second] = bad.options({ numReturns: 2 }).remote(6)
      await ray.get(second).catch(() => {})
      await ray.get(passedOn).catch(() => {})
      const cancelled = never.remote()
      ray.cancel(cancelled)
      await ray.wait([...forgotten, cancelled], { numReturns: 4 })
      ${end}`
    const told =
      'rayito: bad failed, and nobody asked for its result: TypeError: wrong (and 1 more)\n' +
      'rayito: Counter.fail failed, and nobody asked for its result: RangeError: too far\n'
    for (const end of ['await ray.shutdown()', 'process.exit(0)', '']) {
      const { code, stderr } = await run(source(end))
      assert.deepEqual([code, stderr], [0, told], end)
    }
    const late = await run(source('await ray.get(forgotten).catch(() => {})'))
    assert.deepEqual([late.code, late.stderr], [0, ''])
  })

  test('so is the failure of an actor, once, with all of its calls, unless the program ended it or asked for one of them', async () => {
    const { code, stderr } = await run(`
      ray.init({ numCpus: 2 })
      const Broken = ray.remote(class Broken { constructor() { throw new TypeError('cannot be made') } use() {} })
      const Fragile = ray.remote(class Fragile {
        dieLater() { setImmediate(() => { throw new RangeError('too late') }) }
        use() { return new Promise(() => {}) }
      })
      const brokens = [Broken.remote(), Broken.remote()]
      const refs = brokens.map((broken) => broken.use.remote())
      const asked = Broken.remote()
      await ray.get(asked.use.remote()).catch(() => {})
      const askedLater = Broken.remote()
      await ray.wait([...refs, askedLater.use.remote()], { numReturns: 3 })
      await ray.get(askedLater.use.remote()).catch(() => {})
      const fragile = Fragile.remote()
      await ray.get(fragile.dieLater.remote())
      const killed = Fragile.options({ maxRestarts: 1 }).remote()
      const interrupted = [fragile.use.remote(), killed.use.remote()]
      ray.kill(killed, { noRestart: false })
      ray.kill(killed)
      const refused = ray.remote(class Large {}).options({ numCpus: 1_000 }).remote()
      const notAsked = [
        ray.remote(function large() {}).options({ numCpus: 1_000 }).remote(),
        ray.remote(function slow() { return new Promise(() => {}) }).options({ timeout: 1 }).remote(),
        ray.remote(function unfit() { return new WeakMap() }).remote(),
      ]
      await ray.wait([...interrupted, ...notAsked], { numReturns: 5 })`)
    const all = '2 CPU. Ask for less with .options({ numCpus }), or give ray.init more.'
    assert.deepEqual(
      stderr
        .replace(/#[12]|\.use|exit code 1; /g, '')
        // Its next call may have begun by then.
        .replace('while it was idle', 'while it ran Fragile')
        .split('\n')
        .sort(),
      [
        '',
        'rayito: Broken failed, and nobody asked for any of its calls since: its constructor threw: TypeError: cannot be made (and 1 more)',
        'rayito: Fragile failed, and nobody asked for any of its calls since: it ended while it ran Fragile (RangeError: too late)',
        `rayito: Large failed, and nobody asked for any of its calls since: Large asks for 1000 CPU, all there is: ${all}`,
        `rayito: large failed, and nobody asked for its result: large asks for 1000 CPU, all there is: ${all}`,
        'rayito: slow failed, and nobody asked for its result: slow ran longer than its timeout of 1 ms. Raise the timeout option.',
        'rayito: unfit failed, and nobody asked for its result: the result of unfit is a WeakMap. Pass a Map or a Set.',
      ],
    )
    assert.equal(code, 0)
  })

  test('what workers printed is all there when it ends: lines without an end, and how often one was repeated', async () => {
    // More than a pipe holds.
    const dots = '.'.repeat(400_000)
    for (const end of ['', 'void ray.shutdown(); process.exit(0)']) {
      const { code, stdout, stderr } = await run(`
        const Talker = ray.remote(class Talker {
          talk() { console.log('working'); process.stdout.write('.'.repeat(400_000)); console.error('!') }
        })
        for (const talker of [Talker.remote(), Talker.remote()]) await ray.get(talker.talk.remote())
        ${end}`)
      const repeated = '[repeated 1x by other workers]'
      assert.deepEqual(stdout.replaceAll(dots, '…').split('\n'), [
        '(Talker#1) working',
        '(Talker#1) …',
        '(Talker#2) …',
        `(Talker#1) working ${repeated}`,
        '',
      ])
      assert.deepEqual([code, stderr], [0, `(Talker#1) !\n(Talker#1) ! ${repeated}\n`])
    }
  })

  test('functions without a name are told apart by how they begin', async () => {
    const { stdout } = await run(`
      const double = ray.remote((x) => 2 * x)
      const add = ray.remote(async (first, second) => {
        return first + second
      })
      await ray.get([double.remote(1), double.remote(2), add.remote(3, 4)])
      for (const { name, count } of (await ray.summary()).functions) console.log(name, count)
      try { double(1) } catch ({ message }) { console.log(message) }`)
    assert.deepEqual(stdout.trim().split('\n'), [
      '(x) => 2 * x 2',
      'async (first, second) => { retur… 1',
      '`(x) => 2 * x` is remote and cannot be called directly. Call its .remote(…) and ray.get of what it returns.',
    ])
  })

  test('process.exit in the middle of work keeps its code', async () => {
    const { code, stderr } = await run(`
      const spin = ray.remote(() => { for (;;); })
      const refs = [spin.remote(), spin.remote()]
      refs.length && setTimeout(() => process.exit(5), 200)
      await ray.get(refs)`)
    assert.deepEqual([code, stderr], [5, ''])
  })

  test('a session can be ended and begun again, many times', async () => {
    const { code, stdout } = await run(`
      const double = ray.remote((x) => 2 * x)
      let sum = 0
      for (let i = 0; i < 5; i++) {
        ray.init({ numCpus: 1 })
        sum += await ray.get(double.remote(i))
        await ray.shutdown()
      }
      console.log(sum)`)
    assert.deepEqual([code, stdout], [0, '20\n'])
  })

  test('what is asked of a session that is over begins no other', async () => {
    const { code, stdout } = await run(`
      const Counter = ray.remote(class Counter { n = 0; add(k) { return (this.n += k) } })
      const counter = Counter.remote()
      const refs = [ray.put(1), counter.add.remote(1)]
      await ray.get(refs)
      await ray.shutdown()
      for (const ask of [() => ray.get(refs[0]), () => ray.get(refs), () => counter.add.remote(1)])
        try { await ask() } catch ({ code }) { console.log(code) }
      console.log((await ray.wait(refs, { numReturns: 2 })).map(({ length }) => length))
      ray.cancel(refs[1])
      ray.free(refs)
      ray.kill(counter)
      console.log(ray.isInitialized())
      console.log(ray.init({ numCpus: 3 }))
      console.log(await ray.get(Counter.remote().add.remote(2)))`)
    const lost = 'RAY_OBJECT_LOST\n'
    const session = "{ numCpus: 3, address: 'local' }"
    assert.deepEqual([code, stdout], [0, `${lost}${lost}RAY_NOT_INITIALIZED\n[ 2, 0 ]\nfalse\n${session}\n2\n`])
  })

  test('ray.init once more changes nothing: with the same options, or with what holds by default; with others it throws', async () => {
    const { stdout } = await run(`
      const { availableParallelism } = await import('node:os')
      const told = (options) => {
        try { return ray.init(options).numCpus } catch ({ code, message }) { return code + message.match(/ \`.*?\`/) }
      }
      const limits = () => ({ numCpus: 1, resourceLimits: { maxOldGenerationSizeMb: 200 }, namespace: undefined })
      console.log(told(limits()), told(limits()), told({ timeline: 10_000 }))
      console.log(told({ resourceLimits: { maxOldGenerationSizeMb: 201 } }))
      console.log(await ray.get(ray.remote(() => ray.init({ numCpus: 7 }).numCpus).remote()))
      await ray.shutdown()
      ray.put(1)
      const defaults = { address: 'local', workers: 'threads', logToDriver: true, namespace: '', timeline: true }
      console.log(told({ ...defaults, numCpus: availableParallelism() }) === availableParallelism())
      for (const [name, other] of Object.entries({ workers: 'processes', logToDriver: false, timeline: false, numCpus: 1_000 }))
        console.log(told({ ...defaults, [name]: other }))`)
    assert.deepEqual(stdout.split('\n'), [
      '1 1 1',
      'RAY_MISUSE `resourceLimits`',
      '1',
      'true',
      ...['workers', 'logToDriver', 'timeline', 'numCpus'].map((name) => `RAY_MISUSE \`${name}\``),
      '',
    ])
  })

  test('a worker is not started with the flags that name another program, but with all others', () => {
    const source = `
      const stack = ray.remote(() => process.execArgv.includes('--stack-trace-limit=20') && Error.stackTraceLimit)
      console.log(await ray.get(stack.remote()))
      await ray.shutdown()
      ray.init({ workers: 'processes' })
      console.log(await ray.get(stack.remote()))`
    // V8's flags are those of the whole process: node:worker_threads refuses them in a list.
    for (const program of [
      ['--input-type=module', '-e'],
      ['--input-type', 'module', '--eval'],
      ['--test-name-pattern', 'one', '--inspect-port', '0', '--input-type=module', '-e'],
    ])
      assert.deepEqual(given(['--stack-trace-limit=20', ...program], source), [0, '20\n20\n', ''])
  })

  test('a worker that cannot be started fails what it was for, and says what Node needs', () => {
    const permission = process.allowedNodeEnvironmentFlags.has('--permission')
      ? '--permission'
      : '--experimental-permission'
    const source = `
      const add = ray.remote((x) => x + 1)
      const Actor = ray.remote(class { add(x) { return x + 1 } })
      const ends = await Promise.allSettled([ray.get(add.remote(1)), ray.get(Actor.remote().add.remote(1))])
      for (const { reason } of ends) console.log(reason.code, reason.message)`
    const flags = [permission, '--allow-fs-read=*', '--no-warnings', '--input-type=module', '-e']
    const [code, stdout, stderr] = given(flags, source)
    const [task, actor] = stdout.split('\n')
    const why = 'could not be started \\(Error: Access .*[^.]\\)\\. Give Node --allow-worker'
    assert.match(task!, new RegExp(`^RAY_WORKER_CRASHED A worker for \\(x\\) => x \\+ 1 ${why}`))
    assert.match(actor!, new RegExp(`^RAY_ACTOR_DIED .* is dead: its worker ${why}`))
    assert.deepEqual([code, stderr], [0, ''])
  })

  test('a worker that the system refuses says what it was short of, and the program goes on', {
    skip: noLimits,
  }, () => {
    const flags = ['--input-type=module', '-e']
    for (const workers of ['threads', 'processes']) {
      const source = `
      import { closeSync, openSync } from 'node:fs'
      ray.init({ numCpus: 2, workers: '${workers}' })
      const add = ray.remote((x) => x + 1)
      await ray.get(add.remote(1))
      const Actor = ray.remote(class { add(x) { return x + 1 } })
      const files = []
      try {
        for (;;) files.push(openSync('/dev/null'))
      } catch {}
      const ends = await Promise.allSettled([ray.get(Actor.remote().add.remote(1)), ray.get(add.options({ numCpus: 2 }).remote(2))])
      for (const file of files) closeSync(file)
      for (const { reason, value } of ends) console.log(value ?? reason.code + ' ' + reason.message)
      console.log(await ray.get(Actor.remote().add.remote(4)))
      await ray.shutdown()`
      const [code, stdout, stderr] = given(flags, source, 300)
      const lines = stdout.split('\n')
      assert.match(
        lines[0]!,
        /^RAY_ACTOR_DIED .* is dead: its worker could not be started \(.*EMFILE.*\)\. Allow more open files \(ulimit -n\), or give ray\.init a smaller numCpus\.$/,
      )
      assert.deepEqual([lines.slice(1), code, stderr], [['3', '5', ''], 0, ''])
    }
  })

  test('a worker that ends before it begins is not started again without end', () => {
    const ends = `data:text/javascript,import{isMainThread}from'node:worker_threads';isMainThread||process.exit(3)`
    const source = `
      ray.init({ numCpus: 1 })
      const add = ray.remote((x) => x + 1)
      const Actor = ray.remote(class { add(x) { return x + 1 } }).options({ maxRestarts: -1 })
      const ends = await Promise.allSettled([ray.get(add.remote(1)), ray.get(Actor.remote().add.remote(1))])
      console.log(ends.map(({ reason }) => reason?.code + ' ' + reason?.exitCode).join())`
    const [code, stdout] = given(['--import', ends, '--input-type=module', '-e'], source)
    assert.deepEqual([code, stdout], [0, 'RAY_WORKER_CRASHED 3,RAY_ACTOR_DIED 3\n'])
  })
})

/**
 * The end of a program on the command line, the last of Node's flags being the one that it follows.
 * @param files that it may have open
 */
function given(
  flags: readonly string[],
  source: string,
  files = 0,
): [code: number | null, stdout: string, stderr: string] {
  const program = `import { ray } from ${JSON.stringify(import.meta.resolve('#src/ray/index.js'))}\n${source}`
  const node = [process.execPath, ...flags, program]
  const [command, ...args] = files ? ['sh', '-c', `ulimit -n ${files}; exec "$0" "$@"`, ...node] : node
  const { status, stdout, stderr } = spawnSync(command!, args, {
    encoding: 'utf8',
    timeout: 60_000,
  })
  return [status, stdout, stderr]
}
