import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, open, rm, stat, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { dirname, join, posix, relative, sep, win32 } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import v8 from 'node:v8'
import vm from 'node:vm'
import { Worker } from 'node:worker_threads'
import { ERRORS, expected, RayitoError } from '#src/core/errors.js'
import { adoptFindings, FINDINGS, finding, found } from '#src/core/findings.js'
import { bytes, plural } from '#src/core/format.js'
import { Line } from '#src/core/line.js'
import { isInside, rayitoCache } from '#src/core/paths.js'
import { percentiles } from '#src/core/percentiles.js'
import { rename } from '#src/core/rename.js'
import { retryAfter } from '#src/core/retry-after.js'
import { SPANS, type Span, span } from '#src/core/spans.js'
import { userStack } from '#src/core/user-stack.js'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('.ts'),
)

/** The house from bottom to top: each may import those before it. On top is the public face, for which the command has no use. */
const FLOORS = [
  'core',
  'hub',
  'embedded',
  'datasets',
  'transformers',
  'encyclopaedia',
  'ray',
  'serve',
  'ray-server',
  'ray-server.ts',
  'lab',
  'cli',
  'index.ts',
]

/** What files import when they are imported themselves. What they import as types only is gone once they are compiled. */
const imported = new Map(
  sources.map((file) => {
    const text = readFileSync(join(root, 'src', file), 'utf8')
    const targets = text.matchAll(/^(?:import|export) (?!type )(?:[^';]+ from )?'([^']+)'/gm)
    return [file, [...targets].map(([, target]) => target!)]
  }),
)

/** Of what a file imports the files of ours. */
const ours = (file: string, targets: readonly string[]) =>
  targets
    .filter((target) => target.startsWith('.'))
    .map((target) => join(dirname(file), target.replace(/\.js$/, '.ts')))

const needs = (file: string) => ours(file, imported.get(file) ?? [])

/** The files of ours that one names, be it for a type. */
const names = (file: string) => {
  const text = readFileSync(join(root, 'src', file), 'utf8')
  return ours(
    file,
    [...text.matchAll(/^(?:import|export) [^';]*from '([^']+)'/gm)].map(([, target]) => target!),
  )
}

describe('the house', () => {
  test('imports run one way', () => {
    const wrong: string[] = []
    for (const file of sources) {
      const floor = FLOORS.indexOf(file.split(sep)[0]!)
      assert.ok(floor >= 0, `src/${file} stands on no floor`)
      for (const [, target] of readFileSync(join(root, 'src', file), 'utf8').matchAll(
        /(?:from|import)\s*\(?\s*'(\.[^']+)'/g,
      )) {
        const imported = relative(join(root, 'src'), join(root, 'src', dirname(file), target!))
        const below = FLOORS.indexOf(imported.replace(/\.js$/, '.ts').split(sep)[0]!)
        if (below > floor) wrong.push(`src/${file} imports ${target}`)
      }
    }
    assert.deepEqual(wrong, [])
  })

  /** Ways from a file to itself. */
  function circles(next: (file: string) => readonly string[]): string[] {
    const done = new Set<string>()
    const found: string[] = []
    function visit(file: string, way: readonly string[]): void {
      if (way.includes(file)) found.push([...way.slice(way.indexOf(file)), file].join(' → '))
      else if (!done.has(file)) for (const other of next(file)) visit(other, [...way, file])
      done.add(file)
    }
    for (const file of sources) visit(file, [])
    return found
  }

  test('no file needs, in the end, itself', () => {
    assert.deepEqual(circles(needs), [])
  })

  test('nor does one name itself by its types, but for a data set and the splits that it is divided into', () => {
    const [set, splits] = [join('datasets', 'dataset.ts'), join('datasets', 'dataset-dict.ts')]
    assert.ok(names(set).includes(splits))
    const others = (file: string) => names(file).filter((other) => file !== splits || other !== set)
    assert.deepEqual(circles(others), [])
  })

  test('the client of NATS is imported by nobody but who joins a cluster', () => {
    const all = new Set(['index.ts', join('ray', 'worker', 'main.ts')])
    for (const file of all) for (const next of needs(file)) all.add(next)
    assert.ok(all.has(join('ray', 'engines', 'nats', 'driver', 'engine.ts')))
    assert.deepEqual(
      [...all].filter((file) => imported.get(file)!.some((target) => target.startsWith('@nats-io/'))),
      [],
    )
  })

  test('every error has a meaning, is thrown somewhere and is described in ERRORS.md', () => {
    const measuring = readdirSync(join(root, 'bench'), { recursive: true, encoding: 'utf8' })
    const text = [...sources.map((file) => join('src', file)), ...measuring.map((file) => join('bench', file))]
      .filter((file) => file.endsWith('.ts') && file !== join('src', 'core', 'errors.ts'))
      .map((file) => readFileSync(join(root, file), 'utf8'))
      .join('\n')
    const page = readFileSync(join(root, 'ERRORS.md'), 'utf8')
    const core = readFileSync(join(root, 'src', 'core', 'errors.ts'), 'utf8')
    for (const [code, { meaning, remedy }] of Object.entries(ERRORS)) {
      assert.ok(meaning.endsWith('.'), code)
      assert.ok(text.includes(`'${code}'`) || core.split(`'${code}'`).length > 1, `${code} is never thrown`)
      const row = page.split('\n').find((line) => line.startsWith(`| \`${code}\` |`))
      assert.ok(row, `${code} is missing in ERRORS.md`)
      assert.ok(row.includes(meaning) && row.includes(remedy), `ERRORS.md says something else of ${code}`)
    }
  })
})

test('what was expected is told with what was got, in one line', () => {
  class Shown {
    toString = () => 'shown'
  }
  function several(lines: number) {
    return lines
  }
  const cases: [unknown, string][] = [
    [undefined, '`undefined` (undefined)'],
    [null, '`null` (null)'],
    [2n, '`2n` (bigint)'],
    ['x'.repeat(100), `\`${'x'.repeat(80)}\` (string)`],
    [[1, [2]], '`[ 1, [Array] ]` (object)'],
    [{ a: 1 }, '`{ a: 1 }` (object)'],
    [new Shown(), '`shown` (object)'],
    [Array(30).fill('a\nb'), `\`${`[ ${Array(30).fill("'a\\nb'").join(', ')} ]`.slice(0, 80)}\` (object)`],
    ['one\r\n\ttwo\u2028\u001b[31m', '`one\\r\\n\\ttwo\\u2028\\u001b[31m` (string)'],
    [several, '`[Function several]` (function)'],
    [
      (
        () => () =>
          1
      )(),
      '`[Function (anonymous)]` (function)',
    ],
    [Shown, '`[class Shown]` (function)'],
    [Object.defineProperty(class {}, 'name', { value: () => {} }), '`[class (anonymous)]` (function)'],
    [Object.create(Object.create(null)), '`Object <[Object: null prototype] {}> {}` (object)'],
  ]
  for (const [got, told] of cases)
    assert.throws(() => expected('n', 'a number', got), {
      code: 'INVALID_ARGUMENT',
      option: 'n',
      message: `Expected \`n\` to be a number, got ${told}`,
    })
  const plain = new RayitoError('RAY_MISUSE', 'No', { found: 1 })
  assert.deepEqual([plain.message, 'cause' in plain, { ...plain }], ['No', false, { code: 'RAY_MISUSE', found: 1 }])
  assert.deepEqual(new RayitoError('USAGE', 'No', { cause: null }).cause, null)
  assert.equal(new RayitoError('USAGE', 'No', { remedy: 'Do.' }).message, 'No. Do.')
})

v8.setFlagsFromString('--expose-gc')
const collect = vm.runInNewContext('gc') as () => void

test('a line holds nothing that has left it, though others still stand in it', async () => {
  const line = new Line<object>()
  const fill = () => {
    const first = {}
    for (const item of [first, {}, {}]) line.push(item)
    return new WeakRef(first)
  }
  const first = fill()
  line.shift()
  await new Promise((resolve) => setImmediate(resolve))
  collect()
  assert.deepEqual([first.deref(), line.length], [undefined, 2])
  assert.ok(line.first)
})

test('a line that is never empty does not grow by what has left it', () => {
  const line = new Line<number>()
  const used = () => {
    collect()
    return process.memoryUsage().heapUsed
  }
  line.push(0)
  const before = used()
  for (let i = 1; i <= 4_000_000; i++) {
    line.push(i)
    line.shift()
  }
  assert.ok(used() - before < 8e6, 'it holds the places of those that have left')
  assert.deepEqual([line.first, line.length], [4_000_000, 1])
})

test('a line is left in order, also by what was put before all others, and by one that stands in its midst', () => {
  const line = new Line<number>()
  for (let i = 0; i < 5_000; i++) line.push(i)
  for (let i = 0; i < 2_000; i++) line.shift()
  line.unshift([-2, -1])
  line.remove(3_000)
  line.remove(5)
  assert.deepEqual([line.first, line.length, line.find((i) => i > 2_999)], [-2, 3_001, 3_001])
  assert.deepEqual(line.takeAll().slice(0, 4), [-2, -1, 2_000, 2_001])
  assert.deepEqual([line.first, line.length], [undefined, 0])
  for (const i of [1, 2, 3, 4]) line.push(i)
  line.shift()
  line.remove(2)
  assert.deepEqual([line.takeAll(), line.length], [[3, 4], 0])
  line.push(5)
  line.shift()
  line.push(6)
  assert.deepEqual([line.first, line.length], [6, 1])
})

test('a stack does not end with frames of rayito’s own, whether they name URLs or, under tsx, also paths', () => {
  const own = import.meta.resolve('#src/ray/worker/loop.js')
  const thrown = 'TypeError: no\n    at fail (/home/me/actors.ts:9:11)'
  const stack = `${thrown}\n    at #apply (${own}:213:29)\n    at take (${fileURLToPath(own)}:15:24)`
  assert.equal(userStack(stack), thrown)
  assert.equal(userStack(`${stack}\n    at node:internal/main/worker_thread:212:22`), thrown)
  const unchanged = [
    `${thrown}\n    at node:internal/timers:581:17`,
    `TypeError: no\n    at #apply (${own}:213:29)`,
    `TypeError: no\n    at #apply (${own}:213:29)\n    at fail (/home/me/actors.ts:9:11)`,
    'TypeError: no',
    undefined,
  ]
  assert.deepEqual(unchanged.map(userStack), unchanged)
})

test('a file lies in a folder of its own drive only', () => {
  const windows = (file: string) => isInside('C:\\work', file, win32)
  assert.deepEqual(['C:\\work\\tasks.js', 'C:\\other\\tasks.js', 'D:\\work\\tasks.js'].map(windows), [
    true,
    false,
    false,
  ])
  const here = (file: string) => isInside('/work', file, posix)
  assert.deepEqual(['/work/..old/tasks.js', '/worker/tasks.js', '/work'].map(here), [true, false, false])
})

test('a file that somebody reads for a moment is replaced', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'rayito-rename-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const [fresh, old] = [join(folder, 'fresh'), join(folder, 'old')]
  await Promise.all([writeFile(fresh, 'new'), writeFile(old, 'old')])
  const reader = await open(old)
  const replaced = rename(fresh, old)
  // By now Windows has refused it.
  await stat(folder).finally(() => reader.close())
  await replaced
  assert.equal(readFileSync(old, 'utf8'), 'new')
  await assert.rejects(rename(fresh, old), { code: 'ENOENT' })
})

test('what is kept lies where RAYITO_CACHE says, else in the platform’s folder for caches', (t) => {
  const { RAYITO_CACHE, XDG_CACHE_HOME } = process.env
  t.after(() => {
    for (const [name, value] of Object.entries({ RAYITO_CACHE, XDG_CACHE_HOME })) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  })
  Object.assign(process.env, { RAYITO_CACHE: '/own', XDG_CACHE_HOME: '/caches' })
  assert.equal(rayitoCache(), '/own')
  process.env.RAYITO_CACHE = ''
  assert.equal(rayitoCache(), join('/caches', 'rayito'))
  delete process.env.XDG_CACHE_HOME
  if (process.platform === 'linux') assert.equal(rayitoCache(), join(homedir(), '.cache', 'rayito'))
})

test('bytes are told in the unit that suits them, and counts with their noun', () => {
  const cases: [number, string][] = [
    [0, '0 B'],
    [999, '999 B'],
    [1_000, '1.0 KB'],
    [99_940, '99.9 KB'],
    [99_960, '100 KB'],
    [999_400, '999 KB'],
    [999_500, '1.0 MB'],
    [3_140_000, '3.1 MB'],
    [2e15, '2000 TB'],
  ]
  for (const [amount, text] of cases) assert.equal(bytes(amount), text)
  assert.deepEqual(
    [0, 1, 1_200].map((count) => plural(count, 'row')),
    ['0 rows', '1 row', '1,200 rows'],
  )
})

test('what was found is known in threads that are not ray’s, too', async () => {
  found('test: known everywhere', true)
  const read = `import(workerData.module).then(({ finding }) => parentPort.postMessage(finding('test: known everywhere')))`
  const thread = new Worker(`const { parentPort, workerData } = require('node:worker_threads'); ${read}`, {
    eval: true,
    workerData: { module: import.meta.resolve('#src/core/findings.js') },
  })
  assert.deepEqual(await once(thread, 'message'), [true])
})

test('what is found again is told once; what a driver told holds in its worker, whatever that finds itself', (t) => {
  const key = 'test: found twice'
  const told: unknown[] = []
  const listen = (one: unknown) => void told.push(one)
  FINDINGS.subscribe(listen)
  t.after(() => FINDINGS.unsubscribe(listen))
  for (const value of [true, true, false]) found(key, value)
  assert.deepEqual(told, [
    [key, true],
    [key, false],
  ])
  assert.equal(finding(key), false)
  adoptFindings([[key, true]])
  assert.equal(finding(key), true)
})

test('how long to wait is said in seconds or as a date: what is past is now, and what is neither says nothing', () => {
  const said = ['2', '0.5', '-1', 'Thu, 01 Jan 1970 00:00:00 GMT', 'soon', 'Infinity', '', null]
  assert.deepEqual(said.map(retryAfter), [2_000, 500, 0, 0, undefined, undefined, undefined, undefined])
  assert.ok(retryAfter('Fri, 31 Dec 9999 23:59:59 GMT')! > 2.5e14)
})

test('a percentile is one of the values: the nearest below which that share of them lies; of none it is none', () => {
  assert.deepEqual(percentiles([40, 10, 30, 20], [0, 0.25, 0.26, 0.5, 1]), [10, 10, 20, 20, 40])
  assert.deepEqual(percentiles([], [0.5]), [Number.NaN])
})

test('a span ends once the promise of its work is settled, whatever that gives or throws', async (t) => {
  const told: Span[] = []
  const listen = (one: unknown) => told.push(one as Span)
  SPANS.subscribe(listen)
  t.after(() => SPANS.unsubscribe(listen))
  const fail = () => {
    throw new Error('as it is')
  }
  assert.equal(
    span('profile', 'now', () => 1),
    1,
  )
  assert.throws(() => span('profile', 'thrown', fail), /as it is/)
  let finish = (_: number) => {}
  const work = new Promise<number>((resolve) => {
    finish = resolve
  })
  const later = span('profile', 'later', () => work, { of: 2 })
  assert.deepEqual(
    told.map(({ name }) => name),
    ['now', 'thrown'],
  )
  finish(2)
  assert.equal(await later, 2)
  await assert.rejects(
    span('profile', 'rejected', async () => fail()),
    /as it is/,
  )
  assert.deepEqual(
    told.slice(2).map(({ name, args }) => [name, args]),
    [
      ['later', { of: 2 }],
      ['rejected', undefined],
    ],
  )
})

test('what a process writes as it ends arrives whole, however slow its reader is; one that has gone ends nothing', async () => {
  const program = `
    import { writeNow } from ${JSON.stringify(import.meta.resolve('#src/core/write-now.js'))}
    // Node's own stream, once it is there, lets nobody wait for the pipe.
    process.once('exit', () => void process.stdout)
    process.once('exit', () => writeNow('stdout', 'ä'.repeat(1e6)))
    process.once('exit', () => writeNow('stderr', 'end'))`
  const begin = () => spawn(process.execPath, ['--input-type=module', '-e', program])
  const slow = begin()
  // It is read from only once the pipe holds something, which it fills at once.
  await once(slow.stdout, 'readable')
  assert.equal(await text(slow.stdout), 'ä'.repeat(1e6))
  const alone = begin()
  alone.stdout.destroy()
  const [said, [code]] = await Promise.all([text(alone.stderr), once(alone, 'exit')])
  assert.deepEqual([said, code], ['end', 0])
})
