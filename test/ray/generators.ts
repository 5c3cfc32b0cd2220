/** Remote generators of the tests: in a module, as users' are. */
import { setTimeout as delay } from 'node:timers/promises'
import { type ObjectRef, ray } from '#src/ray/index.js'
import { Temperature } from './functions.js'
import { arrive, arrived, holdUntil, isOpen, type Latch, letGo } from './latch.js'

export const squares = ray.remote(function* squares(count: number) {
  for (let i = 0; i < count; i++) yield i * i
})
/** Yields, and goes on only when it is let go. */
export const stepwise = ray.remote(function* stepwise(step: Latch) {
  yield 'first'
  holdUntil(() => isOpen(step))
  yield 'second'
})
/** Says of each value that it computed it. */
export const counted = ray.remote(async function* counted(computed: Latch, count: number) {
  for (let i = 0; i < count; i++) {
    arrive(computed)
    yield i
  }
})
/** For ever; says that it cleans up behind itself. */
export const endless = ray.remote(async function* endless(cleaned: Latch) {
  try {
    for (let i = 0; ; i++) yield new Uint8Array(10_000).fill(i)
  } finally {
    letGo(cleaned)
  }
})
/** The same with whole numbers, one after the other. */
export const naturals = ray.remote(function* naturals(cleaned: Latch) {
  try {
    for (let i = 0; ; i++) yield i
  } finally {
    letGo(cleaned)
  }
})
export const failing = ray.remote(function* failing(good: number): Generator<unknown> {
  for (let i = 0; i < good; i++) yield i
  throw new RangeError('no more')
})
export const unfit = ray.remote(function* unfit(cleaned: Latch): Generator<unknown> {
  try {
    yield 1
    yield () => 1
  } finally {
    letGo(cleaned)
  }
})
/** Its process or thread ends in the middle of its first `lives` runs. */
export const dying = ray.remote(function* dying(tries: Latch, lives: number) {
  const before = arrive(tries)
  for (let i = 0; i < 4; i++) {
    // The values before are on their way; wait until somebody has them.
    if (i === 2 && before < lives) {
      holdUntil(() => isOpen(tries))
      process.exit(7)
    }
    yield `${i}`
  }
})
/** Stands still in the middle of its first run, for as long as it lives. */
export const heldStream = ray.remote(function* heldStream(tries: Latch) {
  const before = arrive(tries)
  for (let i = 0; i < 4; i++) {
    if (i === 2 && before === 0) holdUntil(() => false)
    yield i
  }
})
export const throwing = ray.remote(function* throwing(tries: Latch) {
  const before = arrive(tries)
  yield 'a'
  if (before === 0) throw new TypeError('not yet')
  yield 'b'
})
/** Of an instance it takes a while to find out how it travels; of a number it does not. */
export const temperatures = ray.remote(function* temperatures(): Generator<Temperature | number> {
  yield new Temperature(1)
  yield 2
  yield new Temperature(3)
  throw new RangeError('too hot')
})
/** Reads another's values; its first run ends in the middle. */
export const dyingReader = ray.remote(async function dyingReader(tries: Latch, computed: Latch) {
  const before = arrive(tries)
  const values: number[] = []
  for await (const ref of counted.options({ generatorBackpressureNumObjects: 1 }).remote(computed, 3)) {
    values.push(await ray.get(ref))
    if (before > 0) continue
    // The next value waits for its reader already.
    while (arrived(computed) < 2) await delay(1)
    process.exit(7)
  }
  return values
})
/** Asks for a generator that cannot travel. */
export const askUnfit = ray.remote(async function askUnfit() {
  const key = {}
  const known = new WeakMap<object, number>([[key, 1]])
  const generator = ray.remote(function* looking() {
    yield known.has(key)
  })
  await generator.remote().next()
})
export const pairOf = ray.remote(async function* pairOf(value: number) {
  yield value
  yield value + 1
})
/** A list is no generator, but can be streamed. */
export const list = ray.remote((count: number) => Array.from({ length: count }, (_, i) => i))
export const refs = ray.remote(function* refs(): Generator<{ ref: ObjectRef<string> }> {
  yield { ref: ray.put('inside') }
})
export const stumbling = ray.remote(async function* stumbling(): AsyncGenerator<{ ref: ObjectRef<string> }> {
  yield { ref: ray.put('inside') }
  throw new Error('stumbled')
})
/** Reads another's values inside a task. */
export const total = ray.remote(async (count: number) => {
  let sum = 0
  for await (const ref of squares.remote(count)) sum += await ray.get(ref)
  return sum
})
export const relay = ray.remote(async function* relay(count: number) {
  for await (const ref of squares.remote(count)) yield { ref }
})
export class Camera {
  taken = 0
  count() {
    return this.taken
  }
  *frames(count: number) {
    for (let i = 0; i < count; i++) yield new Uint8Array([this.taken++])
  }
  *counted(computed: Latch, count: number) {
    for (let i = 0; i < count; i++) {
      arrive(computed)
      yield i
    }
  }
  async *slow(step: Latch) {
    yield this.taken
    while (!isOpen(step)) await delay(1)
    yield this.taken
  }
}
export class BetterCamera extends Camera {}
export const Cameras = ray.remote(BetterCamera)
/** Makes an actor inside a task and hands it out. */
export const makeCamera = ray.remote(async () => ({ camera: Cameras.remote() }))
/** Waits, inside a task, for one of two generators that need the task's CPU, and then for the other. */
export const waitingForBoth = ray.remote(async function waitingForBoth() {
  const [[ready], [rest]] = await ray.wait([2, 3].map((count) => squares.options({ numCpus: 2 }).remote(count)))
  const values: number[] = []
  for (const generator of [ready!, rest!]) values.push(await ray.get((await generator.next()).value!))
  return values
})
/** Waits, inside a task, for a generator that needs the task's CPU. */
export const waitingForOne = ray.remote(async function waitingForOne() {
  const [[ready]] = await ray.wait([squares.options({ numCpus: 2 }).remote(2)])
  return ray.get((await ready!.next()).value!)
})
