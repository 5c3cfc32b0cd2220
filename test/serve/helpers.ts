import { after, afterEach } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { ray } from '#src/ray/index.js'
import { serve } from '#src/serve/index.js'

/** Each test's applications are ended after it. */
export function servers(): void {
  afterEach(() => serve.shutdown())
  after(() => ray.shutdown())
}

/** Where the server that runs answers. */
export function url(path = ''): string {
  return `${serve.status().url}${path}`
}

export function latch(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(12))
}

/** Resolves when the word at `index` is at least `count`. */
export async function reached(shared: Int32Array, index: number, count: number): Promise<void> {
  const alive = setInterval(() => {}, 1000)
  try {
    for (let seen = Atomics.load(shared, index); seen < count; seen = Atomics.load(shared, index)) {
      const wait = Atomics.waitAsync(shared, index, seen, 20_000)
      if (wait.async && (await wait.value) === 'timed-out') throw new Error(`${seen} instead of ${count} after 20 s`)
    }
  } finally {
    clearInterval(alive)
  }
}

export function letGo(shared: Int32Array): void {
  Atomics.store(shared, 1, 1)
  Atomics.notify(shared, 1)
}

/** Resolves when `holds` does. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 20_000
  while (!(await holds())) {
    if (Date.now() > end) throw new Error('did not come about in 20 s')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** Resolves when nothing holds what a WeakRef refers to. */
export function collected(ref: WeakRef<object>): Promise<void> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  return until(() => {
    collect()
    return ref.deref() === undefined
  })
}
