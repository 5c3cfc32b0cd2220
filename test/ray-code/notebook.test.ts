import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Kernel } from '#src/lab/notebook/kernel.js'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

describe('functions of a notebook’s cells', () => {
  const folder = mkdtempSync(join(ROOT, '.build', 'notebook-'))
  let kernel: Kernel
  const RAY = relative(folder, join(ROOT, 'dist', 'ray', 'index.js'))
    .split(sep)
    .join('/')

  before(async () => {
    kernel = await Kernel.start({ cwd: folder })
    await cell(`import { ray } from '${RAY}'`)
  })
  after(async () => {
    await kernel?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  /** Runs a cell; gives what it printed. */
  async function cell(code: string): Promise<string> {
    let text = ''
    const { status } = await kernel.execute(code, ({ content }) => {
      if (typeof content.text === 'string') text += content.text
    })
    assert.equal(status, 'ok', text)
    return text.trim()
  }

  test('use names of their own cell and of others', async () => {
    await cell(`const scale = 3
      let calls = 0
      function helper(x: number) { calls++; return x * scale }
      enum Colour { Red = 1, Blue }
      const table = new Float64Array(1000).fill(2)
      class Base { hello() { return 'hello ' } }`)
    assert.equal(
      await cell(`class Derived extends Base { constructor(readonly n: number) { super() } go() { return this.hello() + helper(this.n) } }
        const late = 5
        const f = ray.remote((x: number) => [helper(x), table.length, Colour.Blue, new Derived(2).go(), late, calls].join())
        await ray.get(f.remote(2))`),
      '6,1000,2,hello 6,5,2',
    )
    assert.equal(await cell('calls'), '0')
  })

  test('use classes as decorators left them', async () => {
    await cell(`function loud(_: unknown, name: string, method: PropertyDescriptor) {
        const { value } = method
        method.value = function (x: number) { return name + '! ' + value.call(this, x) }
      }
      function tagged(type: any) { type.tag = 'tagged' }
      @tagged class Service { @loud run(x: number) { return 2 * x } @loud static go(x: number) { return -x } }`)
    assert.equal(
      await cell(`const decorated = ray.remote(() => [new Service().run(2), Service.go(1), Object.keys(Service)].join())
        await ray.get(decorated.remote())`),
      'run! 4,go! -1,tag',
    )
  })

  test('use what cells import', async () => {
    await cell(`import fs, { existsSync } from 'node:fs'
      import * as os from 'os'
      import axios from 'axios'`)
    assert.equal(
      await cell(`const g = ray.remote(async () => {
          const { join } = await import('node:path')
          return [existsSync('.'), typeof fs.readFileSync, os.EOL.length > 0, typeof axios.get, typeof ray.get, join('a', 'b').length]
        })
        ;(await ray.get(g.remote())).join()`),
      'true,function,true,function,function,3',
    )
  })

  test('use modules beside the notebook, which the kernel keeps in memory', async () => {
    writeFileSync(
      join(folder, 'beside.ts'),
      `import { sep } from 'node:path'
      let calls = 0
      export function beside(x: number): string { return x * ++calls + sep }
      export class Thing { name: string = beside(2) }`,
    )
    await cell(`import { beside, Thing } from './beside'`)
    assert.equal(await cell(`await ray.get(ray.remote(() => beside(5) + new Thing().name).remote())`), `5${sep}4${sep}`)
  })

  test('can be actors, and call themselves', async () => {
    assert.equal(
      await cell(`const Counter = ray.remote(class Counter { n = scale; add(k: number) { this.n += helper(k); return this.n } })
        const counter = Counter.remote()
        const fib: any = ray.remote(async (n: number): Promise<number> => {
          if (n < 2) return n
          const [a, b] = await ray.get([fib.remote(n - 1), fib.remote(n - 2)]) as number[]
          return a + b
        })
        ;[await ray.get(counter.add.remote(1)), await ray.get(counter.add.remote(1)), await ray.get(fib.remote(4))].join()`),
      '6,9,3',
    )
  })

  test('share the variables of their cell', async () => {
    assert.equal(
      await cell(`let n = 0
        const up = () => ++n
        const now = () => n
        await ray.get(ray.remote(() => { up(); up(); return now() }).remote())`),
      '2',
    )
  })

  test('that one function made have a variable each', async () => {
    await cell('function adder(n: number) { return (x: number) => x + n }')
    await cell('const counters = [1, 1].map((n) => () => ++n)')
    assert.equal(
      await cell(`const one = adder(1), ten = adder(10)
        await ray.get(ray.remote(() => [one(1), ten(1), new Set([one, ten]).size].join()).remote())`),
      '2,11,2',
    )
    assert.match(
      await cell(
        'await ray.get(ray.remote(() => counters.map((next) => next())).remote()).catch((error: Error) => error.message)',
      ),
      /`n` is a variable that .* share and that changes/,
    )
  })

  test('are told what they cannot take along, and what to do', async () => {
    await cell(`import { createServer } from 'node:net'
      const server = createServer()`)
    const message = await cell(
      `await ray.get(ray.remote(() => server.address()).remote()).catch((error: Error) => error.message)`,
    )
    assert.match(
      message,
      /`server` is used by the remote function, and is an open Server.*await import\(…\).*a module of its own/,
    )
  })

  test('see what is defined again only when they are made again, as in Ray', async () => {
    await cell('const answer = () => 1')
    await cell('const ask = ray.remote(() => answer())')
    assert.equal(await cell('await ray.get(ask.remote())'), '1')
    await cell('const answer = () => 2')
    assert.equal(await cell('await ray.get(ask.remote())'), '1')
    await cell('const ask = ray.remote(() => answer())')
    assert.equal(await cell('await ray.get(ask.remote())'), '2')
  })
})
