import { after, beforeEach } from 'node:test'
import { ray } from '#src/ray/index.js'

/** Each test has a session of its own. */
export function sessions(options: Parameters<typeof ray.init>[0] = { numCpus: 2 }): void {
  beforeEach(async () => {
    await ray.shutdown()
    ray.init(options)
  })
  after(() => ray.shutdown())
}

/** Two words in shared memory: how many started, and whether they may end. */
export function latch(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(8))
}

/** Resolves when `count` calls have said that they started. */
export async function started(shared: Int32Array, count = 1): Promise<void> {
  for (let seen = Atomics.load(shared, 0); seen < count; seen = Atomics.load(shared, 0)) {
    const wait = Atomics.waitAsync(shared, 0, seen, 20_000)
    // A promise of waitAsync holds no process.
    const alive = setInterval(() => {}, 1000)
    if (wait.async && (await wait.value) === 'timed-out') throw new Error('nothing started in 20 s')
    clearInterval(alive)
  }
}

export function letGo(shared: Int32Array): void {
  Atomics.store(shared, 1, 1)
  Atomics.notify(shared, 1)
}
