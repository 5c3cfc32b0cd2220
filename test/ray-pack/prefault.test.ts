import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { subscribe } from 'node:diagnostics_channel'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { ray } from '#src/ray/index.js'
import { FREE, TOUCHED, touch } from '#src/ray/pack/fresh.js'
import { Prefault } from '#src/ray/pack/prefault.js'

/** Bytes of which no two pages are alike. */
function noise(length: number, seed: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4))
  for (let i = 0; i < words.length; i++) words[i] = Math.imul(i + 1, 2654435761) ^ seed
  return new Uint8Array(words.buffer, 0, length)
}

/** Threads that this process has started since. */
const started: Worker[] = []
subscribe('worker_threads', (message) => started.push((message as { worker: Worker }).worker))

/** Those that have not ended. */
const threads = (): number => started.filter(({ threadId }) => threadId !== -1).length

test('a copy is what was copied, wherever the thread that goes ahead and the one that copies meet', async () => {
  const prefault = new Prefault(0, 8192)
  prefault.begin()
  try {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat({ max: 3_000_000 }), fc.integer()), { minLength: 1, maxLength: 8 }),
        async (given) => {
          const sources = given.map(([length, seed]) => noise(length, seed))
          const copies = sources.map((source) => prefault.copy(source))
          // Whatever the thread still had to do is done.
          prefault.letGo()()
          for (const [i, copy] of copies.entries()) assert.ok(Buffer.from(copy).equals(sources[i]!), `${given[i]}`)
        },
      ),
      { numRuns: 60 },
    )
  } finally {
    await prefault.end()
  }
})

test('who goes ahead touches every page that nobody has taken, and none behind one that somebody has', () => {
  const memory = new SharedArrayBuffer(10 * 4096 + 1)
  const bytes = new Uint8Array(memory).fill(1)
  const pieces = new SharedArrayBuffer(4 * 6)
  const states = new Int32Array(pieces)
  const TAKEN = 9
  states[1] = TAKEN
  touch({ memory, piece: 2 * 4096, pieces })
  assert.deepEqual([...states], [FREE, TAKEN, TOUCHED, TOUCHED, TOUCHED, TOUCHED])
  const touched = Array.from({ length: 11 }, (_, page) => bytes[page * 4096] === 0)
  assert.deepEqual(touched, [...Array(4).fill(false), ...Array(7).fill(true)])
})

test('a thread helps from the first large copy of a session to the end of the last', async () => {
  const prefault = new Prefault(1000)
  const helped = availableParallelism() > 1 ? 1 : 0
  prefault.copy(noise(2000, 1))
  assert.equal(threads(), 0)
  prefault.begin()
  prefault.begin()
  prefault.copy(noise(1000, 1))
  assert.equal(threads(), 0)
  prefault.copy(noise(2000, 1))
  prefault.copy(noise(2000, 2))
  assert.equal(threads(), helped)
  await prefault.end()
  assert.equal(threads(), helped)
  await prefault.end()
  assert.equal(threads(), 0)
})

test('large objects that a session puts and passes on arrive whole, their memory comes back, and no thread stays', async () => {
  ray.init({ numCpus: 1, objectStoreMemory: 170_000_000 })
  try {
    const sum = ray.remote((bytes: Uint8Array) => {
      let all = 0
      for (const byte of bytes) all += byte
      return all
    })
    const source = new Uint8Array(40_000_000).fill(3)
    // Room for one more than what is in use: the source, what the worker and this loop had last, and what is put.
    for (let i = 0; i < 8; i++) {
      source[i] = 4
      const ref = ray.put(source)
      assert.ok(Buffer.from((await ray.get(ref)).buffer).equals(source))
      if (i === 0) assert.equal(await ray.get(sum.remote(ref)), 120_000_001 + i)
    }
    assert.equal(await ray.get(sum.remote(source)), 120_000_008)
  } finally {
    await ray.shutdown()
  }
  assert.equal(threads(), 0)
})

test('the thread that helps holds no program that has nothing else to do, and runs nothing that the program preloads', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'rayito-prefault-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const [preload, program] = [join(folder, 'preload.cjs'), join(folder, 'program.mjs')]
  writeFileSync(preload, `require('node:fs').writeSync(1, 'preloaded ')`)
  const module = (path: string) => JSON.stringify(import.meta.resolve(`#src/ray/${path}`))
  writeFileSync(
    program,
    `import { ray } from ${module('index.js')}
     import { prefault } from ${module('pack/prefault.js')}
     ray.init({ numCpus: 1 })
     const ref = ray.put(new Uint8Array(34_000_000))
     // It has begun.
     prefault.letGo()()
     console.log((await ray.get(ref)).length)`,
  )
  const ended = spawnSync(process.execPath, ['--require', preload, program], { encoding: 'utf8', timeout: 20_000 })
  assert.deepEqual([ended.status, ended.stdout, ended.stderr], [0, 'preloaded 34000000\n', ''])
})
