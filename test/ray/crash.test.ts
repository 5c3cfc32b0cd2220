import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ray, WorkerCrashedError } from '#src/ray/index.js'
import { OWN_KILL } from '../windows.js'
import { add, crash } from './functions.js'
import { onEachEngine } from './helpers.js'
import { scripts } from './programs.js'

onEachEngine(
  'code that ends its process',
  { numCpus: 1 },
  () => {
    test('takes nothing else with it, and is told with its signal', async () => {
      await assert.rejects(ray.get(crash.options({ maxRetries: 1 }).remote()), (error) => {
        assert.ok(error instanceof WorkerCrashedError)
        assert.equal(error.signal, 'SIGABRT')
        assert.match(error.message, /crash.*SIGABRT/s)
        return true
      })
      assert.equal(await ray.get(add.remote(1, 1)), 2)
    })
  },
  { engines: process.platform === 'win32' ? [] : ['processes'] },
)

describe('a program whose workers are processes', () => {
  const run = scripts()

  test('ends by itself when nothing is left to do', async () => {
    const { code, stdout, stderr } = await run(`
      ray.init({ workers: 'processes', numCpus: 2 })
      const double = ray.remote((x) => 2 * x)
      const Counter = ray.remote(class Counter { n = 0; add(k) { this.n += k; return this.n } })
      const counter = Counter.remote()
      const count = ray.remote(function* () { yield* [0, 1, 2] }, { generatorBackpressureNumObjects: 1 })
      for await (const ref of (globalThis.kept = count.remote())) break
      console.log(await ray.get([1, 2, 3].map((x) => double.remote(x))), await ray.get(counter.add.remote(2)))`)
    assert.deepEqual([code, stdout, stderr], [0, '[ 2, 4, 6 ] 2\n', ''])
  })

  test('keeps its exit code in the middle of work', async () => {
    const { code, stderr } = await run(`
      ray.init({ workers: 'processes', numCpus: 2 })
      const spin = ray.remote(() => { for (;;); })
      const refs = [spin.remote(), spin.remote()]
      setTimeout(() => process.exit(5), 200)
      await ray.get(refs)`)
    assert.deepEqual([code, stderr], [5, ''])
  })

  test('leaves no worker behind that spins, however it ends', async () => {
    const { signal, stdout } = await run(`
      ray.init({ workers: 'processes', numCpus: 1 })
      const own = ray.remote(() => process.pid)
      console.log(await ray.get(own.remote()))
      const spin = ray.remote(() => { for (;;); })
      spin.remote()
      setTimeout(() => process.kill(process.pid, 'SIGKILL'), 200)
      await new Promise(() => {})`)
    assert.equal(signal, OWN_KILL)
    const worker = Number(stdout)
    assert.ok(worker > 0)
    while (lives(worker)) await new Promise((resolve) => setTimeout(resolve, 50))
  })
})

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
