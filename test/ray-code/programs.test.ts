import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'

const RAY = import.meta.resolve('#src/ray/index.js')
const CODE = import.meta.resolve('#src/ray/code/index.js')
const folder = mkdtempSync(join(tmpdir(), 'rayito-code-'))
after(() => rmSync(folder, { recursive: true, force: true }))

/** As NODE_V8_COVERAGE writes it of each script. */
interface ScriptCoverage {
  url: string
  functions: { ranges: { endOffset: number }[] }[]
}

/** Runs a program of several files, the first of them; gives what it printed as JSON. */
async function run(files: Record<string, string>, ...flags: string[]): Promise<unknown> {
  for (const [name, source] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(
      join(folder, name),
      source.replaceAll('RAY', JSON.stringify(RAY)).replaceAll('CODE', JSON.stringify(CODE)),
    )
  }
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [
    ...flags,
    join(folder, Object.keys(files)[0]!),
  ])
  assert.equal(stderr, '')
  return JSON.parse(stdout)
}

describe('functions of a program', () => {
  test('of its first file take along what they use, and the program runs once', async () => {
    const printed = await run({
      'first.mjs': `
        import { ray } from RAY
        import { isMainThread } from 'node:worker_threads'
        import { triple } from './triple.mjs'
        if (!isMainThread) throw new Error('the program ran again')
        const offset = 1
        const ref = ray.put([1, 2, 3])
        const sum = ray.remote(async function sum(x) {
          const list = await ray.get(ref)
          return list.reduce((a, b) => a + b, triple(x) + offset)
        })
        class Counter { n = offset; add(k) { return (this.n += triple(k)) } }
        const counter = ray.remote(Counter).remote()
        const fib = ray.remote(async (n) => {
          if (n < 2) return n
          const [a, b] = await ray.get([fib.remote(n - 1), fib.remote(n - 2)])
          return a + b
        })
        const viaHandle = ray.remote(() => ray.get(counter.add.remote(1)))
        const values = await ray.get([sum.remote(2), counter.add.remote(1), fib.remote(5)])
        console.log(JSON.stringify([...values, await ray.get(viaHandle.remote()), import.meta.url.endsWith('first.mjs')]))`,
      'triple.mjs': 'export const triple = (x) => 3 * x',
    })
    assert.deepEqual(printed, [13, 4, 5, 7, true])
  })

  test('use what modules of Node’s export, also where a getter gives it', async () => {
    const uses = `[aborted.name, new BlockList().check('127.0.0.1'), new AsyncLocalStorage().run(1, () => 2), ReadStream.name]`
    const printed = await run({
      'first.mjs': `
        import { ray } from RAY
        import { AsyncLocalStorage } from 'node:async_hooks'
        import { ReadStream } from 'node:fs'
        import { BlockList } from 'node:net'
        import { aborted } from 'node:util'
        import { work } from './required.cjs'
        const imported = await ray.get(ray.remote(() => ${uses}).remote())
        console.log(JSON.stringify([imported, await work(ray)]))`,
      'required.cjs': `
        const { AsyncLocalStorage } = require('node:async_hooks')
        const { ReadStream } = require('node:fs')
        const { BlockList } = require('node:net')
        const { aborted } = require('node:util')
        exports.work = (ray) => ray.get(ray.remote(() => ${uses}).remote())`,
    })
    const used = ['aborted', false, 2, 'ReadStream']
    assert.deepEqual(printed, [used, used])
  })

  test('take what they use as it is at the first call; in a module only once its exports were looked at', async () => {
    const counts = `
      const state = { n: 0 }
      let n = 0
      const got = () => n
      const count = ray.remote(() => [n, state.n, got()].join())
      const refs = []
      for (; n < 2; state.n = ++n) refs.push(count.remote())`
    const printed = await run({
      'first.mjs': `
        import { ray } from RAY
        import { counted } from './counted.mjs'
        ${counts}
        const inWorker = ray.remote(async () => { ${counts}; return ray.get(refs) })
        console.log(JSON.stringify([await ray.get(refs), await ray.get(inWorker.remote()), await counted(), await counted()]))`,
      'counted.mjs': `
        import { ray } from RAY
        export async function counted() { ${counts}; return ray.get(refs) }`,
    })
    assert.deepEqual(printed, [
      ['0,0,0', '0,0,0'],
      ['0,0,0', '0,0,0'],
      ['2,2,2', '2,2,2'],
      ['0,0,0', '0,0,0'],
    ])
  })

  test('may be CommonJS', async () => {
    const printed = await run({
      'first.cjs': `
        const path = require('node:path')
        const { double } = require('./double.cjs')
        // As esbuild and tsx write \`import fs from 'node:fs'\`.
        const import_node_fs = Object.defineProperty({ ...require('node:fs'), process }, 'default', { value: require('node:fs') })
        let calls = 0
        const called = () => ++calls
        exports.base = 5
        async function work(x) {
          called(); called()
          const { double: again } = require('./double.cjs')
          return [double(x), again(x), path.basename(__filename), exports.base, calls, typeof import_node_fs.default.readFileSync, (await import('./double.cjs')).double(x)]
        }
        import(RAY).then(async ({ ray }) => {
          console.log(JSON.stringify(await ray.get(ray.remote(work).remote(4))))
        })`,
      'double.cjs': 'exports.double = (x) => 2 * x',
    })
    assert.deepEqual(printed, [8, 8, 'first.cjs', 5, 2, 'function', 8])
  })

  test('use what a package exports as it is once the package is loaded, however they came by it', async () => {
    const printed = await run({
      'first.mjs': `
        import { ray } from RAY
        import Shape from 'shape'
        const { default: Same, tools, area } = await import('shape')
        const uses = [() => new Shape(3).area(), () => new Same(4).area(), () => Same.unit, () => tools.double(3), () => area(new Shape(2))]
        console.log(JSON.stringify(await ray.get(uses.map((use) => ray.remote(use).remote()))))`,
      'node_modules/shape/package.json': '{ "type": "module", "exports": "./index.js" }',
      'node_modules/shape/index.js': `
        import Shape from './class.js'
        import complete from './area.js'
        complete(Shape)
        export * as tools from './tools.js'
        export const area = (shape) => shape.area()
        export default Shape`,
      'node_modules/shape/class.js': 'export default class Shape { constructor(n) { this.n = n } }',
      'node_modules/shape/area.js': `
        export default (Shape) => {
          Shape.unit = 'cm'
          Shape.prototype.area = function () { return this.n ** 2 }
        }`,
      'node_modules/shape/tools.js': `export * from './double.js'`,
      'node_modules/shape/double.js': 'export const double = (x) => 2 * x',
    })
    assert.deepEqual(printed, [9, 16, 'cm', 6, 4])
  })

  test('are told what a bundler made of import(…), require and import.meta in them, and how to keep it from that', async () => {
    const printed = (await run({
      'first.cjs': `
        const __webpack_require__ = require('./runtime.cjs')
        __webpack_require__.m[7] = (module, exports) => __webpack_require__.d(exports, { seven: () => 7 })
        class Context {}
        // As Turbopack calls them, minified or not.
        for (const name of 'AirsvxyjntfUzalL') Context.prototype[name] = (id) => ({ default: id })
        const kept = (e) => async () => (await import(/* webpackIgnore: true */ 'node:path')).sep.length
        const made = [
          () => __webpack_require__(7).seven,
          async () => (await Promise.resolve().then(__webpack_require__.bind(__webpack_require__, 7))).seven,
          ((e) => async () => (await e.A(7)).default)(new Context()),
          ((e) => () => { const inner = () => e.r(7); return inner() })(new Context()),
          kept(new Context()),
        ]
        import(RAY).then(async ({ ray }) => {
          const told = await Promise.all(made.map((fn) => ray.get(ray.remote(fn).remote()).catch(({ message }) => message)))
          console.log(JSON.stringify([__webpack_require__(7).seven, ...told]))
        })`,
      'runtime.cjs': `
        const modules = {}
        const cache = {}
        function __webpack_require__(id) {
          if (cache[id]) return cache[id].exports
          const module = (cache[id] = { exports: {} })
          modules[id](module, module.exports, __webpack_require__)
          return module.exports
        }
        __webpack_require__.m = modules
        __webpack_require__.o = (object, key) => Object.prototype.hasOwnProperty.call(object, key)
        __webpack_require__.r = (exports) => Object.defineProperty(exports, '__esModule', { value: true })
        __webpack_require__.d = (exports, getters) => {
          for (const key in getters) Object.defineProperty(exports, key, { enumerable: true, get: getters[key] })
        }
        module.exports = __webpack_require__`,
    })) as unknown[]
    assert.deepEqual([printed[0], printed.at(-1)], [7, 1])
    for (const message of printed.slice(1, -1))
      assert.match(
        String(message),
        /^`(__webpack_require__|e)` is used by .* a bundler put in the place of import\(…\), .* by await import\(\/\* webpackIgnore: true/,
      )
  })

  test('are told the same where what a bundler made of it is written in their own file, and leads to what cannot travel', async () => {
    // As webpack writes it in one file, for development and for production.
    const development = `
      var __webpack_modules__ = ({
        "node:path": (module) => { module.exports = import("node:path") },
        "./make.mjs": (module, exports, __webpack_require__) => { module.exports = () => made.deref() },
      })
      const __webpack_module_cache__ = {}
      function __webpack_require__(moduleId) {
      \tconst cachedModule = __webpack_module_cache__[moduleId]
      \tif (cachedModule !== undefined) {
      \t\treturn cachedModule.exports
      \t}
      \tconst module = __webpack_module_cache__[moduleId] = {
      \t\t// no module.id needed
      \t\texports: {}
      \t}
      \t__webpack_modules__[moduleId](module, module.exports, __webpack_require__)
      \treturn module.exports
      }
      const made = new WeakRef([])
      const fn = async () => (await Promise.resolve().then(() => (__webpack_require__("node:path")))).sep.length`
    const production = `
      var r={328(e){e.exports=import("node:path")}};const t={};
      function o(e){const a=t[e];if(void 0!==a)return a.exports;const n=t[e]={exports:{}};return r[e](n,n.exports,o),n.exports}
      const fn=async()=>(await Promise.resolve().then(()=>o(328))).sep.length;o(328)`
    for (const [what, source] of Object.entries({ WeakRef: development, promise: production })) {
      const printed = (await run({
        [`${what}.mjs`]: `
          import { ray } from RAY
          ${source}
          const kept = async () => (await import(/* webpackIgnore: true */ 'node:path')).sep.length
          const told = await ray.get(ray.remote(fn).remote()).catch(({ message }) => message)
          console.log(JSON.stringify([await ray.get(ray.remote(kept).remote()), told]))
          await ray.shutdown()`,
      })) as [number, string]
      assert.equal(printed[0], 1)
      const told = new RegExp(
        `^\`.*\` is used by .*, and is a ${what}.*\\. .* by await import\\(/\\* webpackIgnore: true`,
      )
      assert.match(printed[1], told)
    }
  })

  test('are of CommonJS that requires the package, which their thread may be importing just then', async (t) => {
    if (!process.features.require_module) return t.skip('this Node requires no ES modules')
    const printed = await run({
      'first.mjs': `
        import { importAhead, revive } from CODE
        const work = { kind: 'module', module: new URL('required-work.cjs', import.meta.url).href, name: 'work' }
        importAhead(import(RAY))
        const [fn, again] = [await revive(work), await revive(work)]
        console.log(JSON.stringify([await fn(1), again === fn]))`,
      'required-work.cjs': `
        const { ray } = require(require('node:url').fileURLToPath(RAY))
        exports.work = (x) => typeof ray.remote(() => x)`,
    })
    assert.deepEqual(printed, ['function', true])
  })

  test('may be CommonJS’s that one function made, each with a variable of its own', async () => {
    const printed = await run({
      'first.cjs': `
        globalThis.adder = (n) => (x) => x + n
        import(RAY).then(async ({ ray }) => {
          globalThis.closures = [adder(1), adder(10)]
          console.log(JSON.stringify(await ray.get(ray.remote(() => closures.map((add) => add(1))).remote())))
        })`,
    })
    assert.deepEqual(printed, [2, 11])
  })

  test('of a module that waits for them at its top do not wait for ever', async () => {
    const printed = await run({
      'first.mjs': `import { answer } from './waits.mjs'; console.log(JSON.stringify(answer))`,
      'waits.mjs': `
        import { ray } from RAY
        const one = 1
        export const f = ray.remote((x) => x + one)
        export const answer = await ray.get(f.remote(1))`,
    })
    assert.equal(printed, 2)
  })

  test('are no lines of their file to what measures which of them ran, since they run in a text of their own', async () => {
    const coverage = join(folder, 'coverage')
    const source = `
        import { ray } from RAY
        const offset = 1
        const near = (x) => import('./near.mjs').then(({ y }) => x + y)
        const outer = ray.remote(async (x) => {
          const [inner] = await ray.get([ray.remote((z) => near(z + offset)).remote(x)])
          return inner
        })
        const value = await ray.get(outer.remote(2))
        await ray.shutdown()
        console.log(JSON.stringify(value))`
    process.env.NODE_V8_COVERAGE = coverage
    try {
      assert.equal(await run({ 'measured.mjs': source, 'near.mjs': 'export const y = 4' }), 7)
    } finally {
      delete process.env.NODE_V8_COVERAGE
    }
    const [url, length] = [
      pathToFileURL(join(folder, 'measured.mjs')).href,
      statSync(join(folder, 'measured.mjs')).size,
    ]
    const ends = readdirSync(coverage).flatMap((name) => {
      const { result } = JSON.parse(readFileSync(join(coverage, name), 'utf8')) as { result: ScriptCoverage[] }
      return result.filter((script) => script.url === url).map(({ functions }) => functions[0]!.ranges[0]!.endOffset)
    })
    assert.deepEqual(ends, [length])
  })

  test('are those of a program that has frozen Error, or all that is of the language', async () => {
    const source = (frozen: string) => `
        import { ray } from RAY
        import { twice } from './twice.mjs'
        ${frozen}
        const offset = 1
        const travelled = await ray.get([ray.remote(twice).remote(4), ray.remote((x) => x + offset).remote(2)])
        let refused = ''
        try {
          ray.remote(() => Promise).remote(new WeakRef({}))
        } catch (error) {
          refused = error.code
        }
        await ray.shutdown()
        console.log(JSON.stringify([...travelled, refused]))`
    const twice = { 'twice.mjs': 'export const twice = (x) => 2 * x' }
    const expected = [8, 3, 'RAY_NOT_SERIALIZABLE']
    assert.deepEqual(await run({ 'frozen.mjs': source('Object.freeze(Error)'), ...twice }), expected)
    const flags = ['--frozen-intrinsics', '--no-warnings']
    assert.deepEqual(await run({ 'frozen-all.mjs': source(''), ...twice }, ...flags), expected)
  })

  test('given on the command line', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--input-type=module',
      '--eval',
      `import { ray } from ${JSON.stringify(RAY)}
       const k = 2
       console.log(await ray.get(ray.remote((x) => x * k).remote(4)))`,
    ])
    assert.equal(stdout, '8\n')
  })

  test('remote functions and refs can be used by functions that a worker makes remote', async () => {
    const printed = await run({
      'first.mjs': `
        import { ray } from RAY
        import { isMainThread } from 'node:worker_threads'
        if (!isMainThread) throw new Error('the program ran again')
        const outer = ray.remote(async () => {
          const ref = ray.put(20)
          const inner = ray.remote(async (x) => x + (await ray.get(ref)))
          return ray.get(inner.remote(1))
        })
        console.log(JSON.stringify(await ray.get(outer.remote())))`,
    })
    assert.equal(printed, 21)
  })

  test('where V8’s inspector is forbidden, what travels by its own goes on, and the rest says what is missing', async () => {
    const permission = process.allowedNodeEnvironmentFlags.has('--permission')
      ? '--permission'
      : '--experimental-permission'
    const { stdout } = await promisify(execFile)(process.execPath, [
      permission,
      '--allow-fs-read=*',
      '--allow-worker',
      '--no-warnings',
      '--input-type=module',
      '--eval',
      `import { ray } from ${JSON.stringify(RAY)}
       const k = 2
       console.log(await ray.get(ray.remote((x) => Math.abs(x)).remote(-4)))
       console.log(await ray.get(ray.remote(function scale(x) { return x * k }).remote(4)).catch((error) => error.message))`,
    ])
    const flag = process.allowedNodeEnvironmentFlags.has('--allow-inspector')
      ? 'Give Node --allow-inspector, or m'
      : 'M'
    const why = `scale uses k from around it, which this Node has no inspector to look up. ${flag}ove the function into a module`
    assert.equal(stdout.slice(0, 2 + why.length), `4\n${why}`)
  })

  test('a module that a worker cannot import is named', async () => {
    const printed = await run({
      'first.mjs': `
        import { ray } from RAY
        import { f } from './main-only.mjs'
        const error = await ray.get(ray.remote(f).remote()).catch((error) => error)
        console.log(JSON.stringify(String(error.message)))`,
      'main-only.mjs': `
        import { isMainThread } from 'node:worker_threads'
        if (!isMainThread) throw new Error('not here')
        export const f = () => 1`,
    })
    assert.match(String(printed), /main-only\.mjs.*cannot be imported.*not here/)
  })
})
