/** Functions of modules that Node did not load itself: a test runner, or a bundler, did. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { promisify } from 'node:util'
import { root } from '../lab/tiny-hub.js'

const RAY = import.meta.resolve('#src/ray/index.js')
/** Beside the package's own: the loader below asks Node for packages from here. */
const folder = mkdtempSync(join(root, '.build', 'runners-'))
after(() => rmSync(folder, { recursive: true, force: true }))

/** Runs a program of several files, the first of them, in their folder; gives what it printed as JSON. */
async function run(files: Record<string, string>, ...flags: string[]): Promise<unknown> {
  for (const [name, source] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true })
    writeFileSync(join(folder, name), source.replaceAll('RAY', JSON.stringify(RAY)))
  }
  const program = [...flags, '--no-warnings', join(folder, Object.keys(files)[0]!)]
  const { stdout, stderr } = await promisify(execFile)(process.execPath, program, { cwd: folder })
  assert.equal(stderr, '')
  return JSON.parse(stdout)
}

/** What Vitest 4 makes of a module: a function whose parameters are its imports, in the place and with the name of its file. */
const asVitest = `
  import { runInThisContext } from 'node:vm'
  import { readFileSync } from 'node:fs'
  import { fileURLToPath } from 'node:url'
  const { ray } = await import(RAY)
  /** A package's or Node's module is given behind a proxy. */
  const around = (module) => new Proxy(module, { get: (_, name) => module[name] })
  export async function evaluate(name, imports) {
    const url = new URL(name, import.meta.url).href
    const names = ['__vite_ssr_import_meta__', '__vite_ssr_dynamic_import__', ...imports.map((_, i) => '__vite_ssr_import_' + i + '__')]
    const text = "'use strict';async (" + names.join() + ') => {{' + readFileSync(new URL('translated/' + name, import.meta.url)) + '\\n}}'
    const values = await Promise.all(imports.map(async (specifier) => around(await import(specifier))))
    return runInThisContext(text, { filename: fileURLToPath(url) })({ url, env: {} }, (path) => import(path), ...values)
  }`

test('what Vitest translated travels with what it imports, and is not run again by Node', async () => {
  const printed = await run({
    'vitest.mjs': `${asVitest}
      console.log(JSON.stringify(await evaluate('case.mjs', [RAY, 'node:crypto', 'node:path', new URL('tool.mjs', import.meta.url)])))
      await ray.shutdown()`,
    'case.mjs': `console.log('run a second time')`,
    'tool.mjs': `export const twice = (x) => 2 * x; export const notCloneable = new WeakRef({})`,
    'deep/one.mjs': 'export const one = 1',
    'translated/case.mjs': `
      const { ray } = __vite_ssr_import_0__
      const offset = 1
      function digest(text) { return (0, __vite_ssr_import_1__.createHash)('md5').update(text).digest('hex').length }
      class Counter { n = offset; add(k) { return (this.n += (0, __vite_ssr_import_3__.twice)(k)) } }
      const counter = ray.remote(Counter).remote()
      return ray.get([
        ray.remote(digest).remote('x'),
        ray.remote((path) => __vite_ssr_import_2__.default.basename(path)).remote('/a/b'),
        counter.add.remote(3),
        ray.remote(() => __vite_ssr_import_meta__.url.split('/').at(-1)).remote(),
        ray.remote(async () => (await __vite_ssr_dynamic_import__('/deep/one.mjs')).one).remote(),
        ray.remote(async () => (await __vite_ssr_dynamic_import__('node:path')).sep.length).remote(),
      ])`,
  })
  assert.deepEqual(printed, [32, 'b', 7, 'case.mjs', 1, 1])
})

/** Loads modules as Jest does: in a context of its own, and by its own rules, here that `.typed` is JavaScript. */
const asJest = `
  import { readFileSync } from 'node:fs'
  import { createContext, SourceTextModule, SyntheticModule } from 'node:vm'
  const context = createContext({})
  const own = new Set(Object.getOwnPropertyNames(context))
  for (const name of Object.getOwnPropertyNames(globalThis))
    if (!(name in context) && name !== 'globalThis') context[name] = globalThis[name]
  const loaded = new Map()
  const isOurs = (url) => url.startsWith('file:') && (url.startsWith(new URL('./', import.meta.url).href) || url.startsWith(new URL('../', RAY).href))
  const resolve = (specifier, from) => /^(\\.|\\/)/.test(specifier) ? new URL(specifier, from).href : specifier
  async function module(url) {
    if (!loaded.has(url)) loaded.set(url, isOurs(url) ? source(url) : given(url))
    return loaded.get(url)
  }
  const source = (url) => new SourceTextModule(readFileSync(new URL(url), 'utf8'), {
    context, identifier: url,
    initializeImportMeta: (meta) => Object.assign(meta, { url, resolve: (path) => resolve(path, url) }),
    importModuleDynamically: async (specifier, { identifier }) => evaluated(resolve(specifier, identifier)),
  })
  async function given(specifier) {
    const namespace = await import(specifier)
    const names = Object.keys(namespace)
    return new SyntheticModule(names, function () { for (const name of names) this.setExport(name, namespace[name]) }, { context, identifier: specifier })
  }
  async function evaluated(url) {
    const found = await module(url)
    if (found.status === 'unlinked') await found.link((specifier, { identifier }) => module(resolve(specifier, identifier)))
    await found.evaluate()
    return found
  }
  await evaluated(new URL('case.typed', import.meta.url).href)`

test('what Jest loads in a context of its own travels by source, also what modules export that Node cannot load', async () => {
  const printed = await run(
    {
      'jest.mjs': asJest,
      'case.typed': `
        import { ray } from RAY
        import { createHash } from 'node:crypto'
        import { Counter, triple } from './tool.typed'
        const offset = 1
        const values = await ray.get([
          ray.remote((x) => x + offset).remote(1),
          ray.remote(triple).remote(2),
          ray.remote((x) => triple(x) + createHash('md5').update('x').digest('hex').length).remote(1),
          ray.remote(Counter).remote().add.remote(2),
        ])
        console.log(JSON.stringify(values))
        await ray.shutdown()`,
      'tool.typed': `
        const three = 3
        export const triple = (x) => three * x
        export class Counter { #n = 1; add(k) { return (this.#n += triple(k)) } }`,
    },
    '--experimental-vm-modules',
  )
  assert.deepEqual(printed, [2, 6, 35, 7])
})
