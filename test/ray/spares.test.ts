import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { Worker } from 'node:worker_threads'
import { Threads } from '#src/ray/engines/threads/threads.js'
import { ray } from '#src/ray/index.js'
import { add, hold, Surroundings } from './functions.js'
import { latch, letGo } from './latch.js'
import { scripts } from './programs.js'

const run = scripts()

/** Whether the actor that was made last got a thread that was there already: it took none of its time to start. */
async function wasAhead(): Promise<boolean> {
  const starts = (await ray.timeline()).filter(({ cat, ph }) => cat === 'start' && ph === 'X')
  return starts.at(-1)!.dur === 0
}

describe('threads that are started ahead', () => {
  after(() => ray.shutdown())

  test('a session at rest starts one; whatever thread an actor gets, its environment is that of now', async () => {
    await ray.init({ numCpus: 1 })
    process.env.RAYITO_TEST_GONE = 'before the session had any thread'
    for (let i = 0, ahead = 0; ahead < 2; i++) {
      process.env.RAYITO_TEST_NOW = `${i}`
      const actor = Surroundings.remote()
      const seen = [actor.variable.remote('RAYITO_TEST_NOW'), actor.variable.remote('RAYITO_TEST_GONE')]
      assert.deepEqual(await ray.get(seen), [`${i}`, i > 0 ? undefined : 'before the session had any thread'])
      if (await wasAhead()) ahead++
      ray.kill(actor)
      process.env.RAYITO_TEST_GONE = 'while it was at rest'
      // A session that always has something to do starts none.
      await new Promise((resolve) => setTimeout(resolve, 20 * (i % 20)))
      delete process.env.RAYITO_TEST_GONE
    }
    delete process.env.RAYITO_TEST_NOW
  })

  test('none is started beside work, nor once the session has ended', { timeout: 60_000 }, async (t) => {
    await ray.shutdown()
    let started = 0
    const count = () => void started++
    process.on('worker', count)
    t.after(() => process.off('worker', count))
    const come = async (threads: number) => {
      while (started < threads) await pause(5)
    }
    ray.init({ numCpus: 2 })
    await come(2)
    const held = latch()
    const ref = hold.remote(held)
    await pause(200)
    assert.equal(started, 2, 'while a task runs')
    letGo(held)
    await ray.get(ref)
    for (const end = performance.now() + 200; performance.now() < end; await pause(1)) await ray.get(add.remote(1, 1))
    assert.equal(started, 2, 'while one task comes after the other')
    await come(3)
    const last = Surroundings.remote()
    await ray.get(last.variable.remote('PATH'))
    await ray.shutdown()
    await pause(150)
    const { workers } = process.report.getReport() as unknown as { workers: unknown[] }
    assert.equal(workers.length, 0, 'after the session')
  })

  test('no more are kept than asked for, and closing ends them', async () => {
    const threads = new Threads(2)
    const started = once(process, 'worker') as Promise<[Worker]>
    assert.deepEqual(
      [1, 2, 3].map(() => threads.prepare(undefined)),
      [true, true, false],
    )
    const [spare] = await started
    await spare.terminate()
    assert.equal(threads.prepare(undefined), true, 'one that ended has made room')
    assert.equal(threads.prepare(undefined), false)
    await threads.close()
    assert.equal(threads.prepare(undefined), true, 'there is room again')
    await threads.close()
  })

  test('they do not hold a program that has nothing else to do', async () => {
    const { code, stdout } = await run(`
      import { Threads } from ${JSON.stringify(import.meta.resolve('#src/ray/engines/threads/threads.js'))}
      new Threads(1).prepare(undefined)
      ray.init({ numCpus: 2 })
      console.log(await ray.get(ray.remote((x) => x + 1).remote(1)))
    `)
    assert.deepEqual([code, stdout], [0, '2\n'])
  })
})

test('actors that are killed while their threads import leave no files open', async () => {
  const { code, stdout, stderr } = await run(`
    import { existsSync, readdirSync, readlinkSync } from 'node:fs'
    const library = ${JSON.stringify(import.meta.resolve('#src/index.js'))}
    const Loader = ray.remote(class Loader {
      constructor() { this.loaded = import(library) }
      async ready() { await this.loaded }
    })
    // Linux says which files are open.
    const files = '/proc/self/fd'
    const pathOf = (file) => { try { return readlinkSync(files + '/' + file) } catch { return '' } }
    const open = () => (existsSync(files) ? readdirSync(files) : []).filter((file) => pathOf(file).endsWith('.js')).length
    ray.init({ numCpus: 2 })
    const began = performance.now()
    await ray.get(Loader.remote().ready.remote())
    const took = performance.now() - began
    for (let i = 0; i < 40; i++) {
      const loader = Loader.remote()
      await new Promise((resolve) => setTimeout(resolve, (took * i) / 30))
      ray.kill(loader)
    }
    await ray.shutdown()
    if (open() > 15) console.error(open())`)
  assert.deepEqual([code, stdout, stderr], [0, '', ''])
})
