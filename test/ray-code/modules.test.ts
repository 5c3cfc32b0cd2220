import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { runInThisContext } from 'node:vm'
import { SPANS, type Span } from '#src/core/spans.js'
import { callSite, describe as describeCode, importAhead, revive } from '#src/ray/code/index.js'
import { moduleHash } from '#src/ray/code/module-hash.js'
import { ray } from '#src/ray/index.js'
import { elsewhere } from './elsewhere.js'
import * as functions from './functions.js'
import settings, { Gauge, hidden, hiddenPlace, inline, outer, remoteDouble, tools } from './functions.js'

const folder = mkdtempSync(join(tmpdir(), 'rayito-modules-'))
after(() => rmSync(folder, { recursive: true, force: true }))
let files = 0
/** A module's file, and its URL. */
function write(extension: string, source: string): { file: string; url: string } {
  const file = join(folder, `m${++files}.${extension}`)
  writeFileSync(file, source)
  return { file, url: pathToFileURL(file).href }
}

const HERE = new URL('./functions.js', import.meta.url).href
type Fn = () => unknown

describe('a function that a module exports', () => {
  test('travels as the module and the export, wherever remote() was called', async () => {
    assert.deepEqual(await describeCode(functions.plain), { kind: 'module', module: HERE, name: 'plain' })
    assert.deepEqual(await describeCode(Gauge as never), { kind: 'module', module: HERE, name: 'Gauge' })
    assert.deepEqual(await describeCode(inline as Fn, import.meta.url), {
      kind: 'module',
      module: HERE,
      name: 'inline',
    })
  })

  test('waits for what its thread imports ahead, which counts as importing', async (t) => {
    const { url } = write('mjs', 'export const here = () => 1')
    const seen: Span[] = []
    const listen = (span: unknown) => void seen.push(span as Span)
    SPANS.subscribe(listen)
    t.after(() => SPANS.unsubscribe(listen))
    importAhead(Promise.resolve())
    await revive({ kind: 'module', module: url, name: 'here' }, () => {})
    const imports = seen.filter(({ category }) => category === 'import')
    assert.deepEqual(
      imports.map(({ name }) => name),
      ['rayito', url.slice(url.lastIndexOf('/') + 1)],
    )
  })

  test('may be exported as what is remote of it', async () => {
    const target = (remoteDouble as unknown as Record<symbol, Fn>)[Symbol.for('rayito.remote')]!
    assert.deepEqual(await describeCode(target, HERE), { kind: 'module', module: HERE, name: 'remoteDouble' })
  })

  test('may be the default export, or of another name', async () => {
    const { url } = write('mjs', 'export default () => 1; const a = () => 2; export { a as b }')
    const module = await import(url)
    assert.deepEqual(await describeCode(module.default), { kind: 'module', module: url, name: 'default' })
    assert.deepEqual(await describeCode(module.b), { kind: 'module', module: url, name: 'b' })
  })

  test('may be of a CommonJS module, required or imported', async () => {
    const require = createRequire(import.meta.url)
    const one = write('cjs', 'exports.f = () => "one"')
    const two = write('cjs', 'const f = () => "two"; module.exports = Object.fromEntries([["f", f]])')
    const three = write('cjs', 'module.exports = () => "three"')
    assert.deepEqual(await describeCode(require(one.file).f), { kind: 'module', module: one.url, name: 'f' })
    for (const [{ file }, pick] of [
      [one, (m: { f: Fn }) => m.f],
      [two, (m: { f: Fn }) => m.f],
      [three, (m: Fn) => m],
    ] as [{ file: string }, (m: unknown) => Fn][]) {
      const fn = pick(require(file))
      assert.equal(await elsewhere(fn), fn())
    }
    const four = write('cjs', 'exports.f = () => "four"')
    assert.equal(await elsewhere((await import(four.url)).f), 'four')
  })

  test('may be a member of a function that a CommonJS module is, which only the module itself tells', async () => {
    const { file, url } = write('cjs', 'module.exports = Object.assign(() => "all", { ["pa" + "rt"]: () => "part" })')
    const { default: all } = await import(url)
    const { part } = all
    assert.deepEqual(
      [await elsewhere(all), await elsewhere(part), await elsewhere(() => part())],
      ['all', 'part', 'part'],
    )
    assert.deepEqual(await describeCode(part, url), { kind: 'module', module: url, name: 'part' })
    assert.equal(createRequire(import.meta.url)(file).part, part)
  })

  test('may be the default export of a module that was compiled to CommonJS', async () => {
    const { file, url } = write(
      'cjs',
      `Object.defineProperty(exports, '__esModule', { value: true })
       exports.default = (x) => x + 1
       exports.Engine = class Engine { run() { return 'runs' } }`,
    )
    const helper_1 = createRequire(import.meta.url)(file)
    const { default: helper } = helper_1
    assert.deepEqual(await describeCode(helper), { kind: 'module', module: url, name: 'default.default' })
    assert.equal(await elsewhere(helper, 1), 2)
    assert.equal(
      await elsewhere(() => [helper(1), helper_1.default(2), new helper_1.Engine().run()].join()),
      '2,3,runs',
    )
    const { default: pkg } = await import(url)
    assert.equal(await elsewhere(() => pkg.default(4)), 5)
    // As its caller, its exports are looked at first.
    const again = write('cjs', 'exports.__esModule = true; exports.default = () => "default"')
    const other = createRequire(import.meta.url)(again.file).default
    assert.deepEqual(await describeCode(other, again.url), {
      kind: 'module',
      module: again.url,
      name: 'default.default',
    })
    const written = write('mjs', 'export default () => "as written"')
    const revived = await revive({ kind: 'module', module: written.url, name: 'default.default' }, () => {})
    assert.equal((revived as Fn)(), 'as written', 'also where it is loaded as the ES module that it was compiled from')
  })

  test('of the program’s first file travels by source: a worker must not run the program again', async () => {
    assert.equal((await describeCode(exportedHere, import.meta.url)).kind, 'source')
  })

  test('that is not exported travels by source, with what its module imports', async () => {
    assert.equal((await describeCode(hidden())).kind, 'source')
    assert.deepEqual(await elsewhere(hidden(), 2), [4, 'a sample', 7])
    const common = write('cjs', 'let n = 0; module.exports = () => [() => ++n, () => n]')
    const [add, read] = createRequire(import.meta.url)(common.file)()
    assert.deepEqual(await elsewhere(() => [add(), read()]), [1, 1], 'and its variables, in CommonJS, too')
    const place = hiddenPlace()
    assert.deepEqual(await elsewhere(() => [import.meta.url, place()]), [import.meta.url, HERE], 'each its own module')
  })
})

export function exportedHere(): number {
  return 1
}

describe('what a function uses from modules', () => {
  test('functions, classes and objects that a module exports are imported', async () => {
    const use = () => [
      outer(),
      new Gauge(2).read(),
      tools.twice(4),
      settings.level,
      functions.plain(1),
      functions.tools === tools,
    ]
    assert.deepEqual(await elsewhere(use), ['outer', 'gauge 2', 8, 7, 2, true])
  })

  test('an instance that a module exports is the worker’s own', async () => {
    const { url } = write(
      'mjs',
      `import { isMainThread } from 'node:worker_threads'
       class Pool { where = isMainThread ? 'main' : 'worker'; query() { return this.where } }
       export const pool = new Pool()`,
    )
    const { pool } = await import(url)
    assert.equal(await elsewhere(() => pool.query()), 'worker')
  })

  test('an object with functions is found inside other data', async () => {
    const holder = { list: [{ tools }] }
    assert.equal(await elsewhere(() => holder.list[0]!.tools.twice(1)), 2)
  })

  test('ray itself', async () => {
    assert.deepEqual(await elsewhere(() => Object.keys(ray).length), Object.keys(ray).length)
  })
})

test('a module of a kind that workers cannot load is named, with what to do', async () => {
  const { url } = write('typed', 'export const f = () => 1')
  await assert.rejects(
    revive({ kind: 'module', module: url, name: 'f' }, () => {}),
    /\.typed cannot be imported here: .*Unknown file extension.*does not reach worker threads: ray\.init\(\{ workers: 'processes' \}\)/,
  )
  await assert.rejects(
    revive(
      { kind: 'module', module: `user-module:${moduleHash(fileURLToPath(url)).whole}:${url}`, name: 'f' },
      () => {},
    ),
    /^NotSerializableError: file:[^ ]*\.typed cannot be imported here: .*The worker's Node, v[^ ]+, loads no such files/,
  )
})

describe('the file that calls', () => {
  test('is found', () => {
    assert.equal(callSite(), import.meta.url)
  })

  test('is nobody’s in a text that is in no file', () => {
    const site = globalThis as { callSite?: unknown }
    site.callSite = callSite
    const found = runInThisContext('callSite()')
    delete site.callSite
    assert.equal(found, undefined)
  })
})
