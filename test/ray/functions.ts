/** Remote functions and classes of the tests: in a module, as users' are. */

import { randomFillSync } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { threadId } from 'node:worker_threads'
import { finding } from '#src/core/findings.js'
import { type ActorHandle, ObjectRef, type RemoteFunction, ray } from '#src/ray/index.js'
import { arrive, arrived, holdUntil, isOpen, type Latch, letGo, opened } from './latch.js'

/** Which thread of which process this is. */
export const here = () => `${process.pid}:${threadId}`

export const add = ray.remote(function add(a: number, b: number) {
  return a + b
})
export const nothing = ray.remote(function nothing() {})
export const echo = ray.remote(async function echo(value: unknown) {
  return value
})
export const thread = ray.remote(() => here())
export const typeOf = ray.remote((value: unknown) => (value instanceof ObjectRef ? 'ObjectRef' : typeof value))
export const fail = ray.remote(function fail(message: string): number {
  throw new RangeError(message, { cause: new Error('the cause') })
})
export const pair = ray.remote((a: number) => [a, `${a}`] as [number, string])

/** Counts itself and waits there for all of `count`: only returns if that many run at once. */
export const meet = ray.remote(function meet(latch: Latch, count: number) {
  arrive(latch)
  return holdUntil(() => arrived(latch) >= count)
})
/** Says that it started, then waits (holding its thread) until it is let go. */
export const hold = ray.remote(function hold(latch: Latch) {
  arrive(latch)
  holdUntil(() => isOpen(latch))
  return arrived(latch)
})
/** Says that it started, then spins for ever. */
export const spin = ray.remote(function spin(latch: Latch) {
  arrive(latch)
  for (;;);
})
/** Says that it started, and whether it was told to stop. */
export const listen = ray.remote(async function listen(latch: Latch) {
  arrive(latch)
  const { signal } = ray.getRuntimeContext()
  await new Promise((resolve) => signal.addEventListener('abort', resolve))
  letGo(latch)
})
/** Told to stop, it ends its worker. */
export const leave = ray.remote(async function leave(latch: Latch) {
  arrive(latch)
  const { signal } = ray.getRuntimeContext()
  await new Promise((resolve) => signal.addEventListener('abort', resolve))
  process.exit(1)
})
export const makeBlob = ray.remote(function makeBlob() {
  return { blob: new Blob(['x']) }
})
/** Told to stop, takes a while to clean up behind itself. */
export const tidy = ray.remote(async function tidy(latch: Latch) {
  arrive(latch)
  const { signal } = ray.getRuntimeContext()
  await new Promise((resolve) => signal.addEventListener('abort', resolve))
  await new Promise((resolve) => setTimeout(resolve, 300))
  letGo(latch)
})
/** Begins another that waits until it is told to stop, through one more if it is to. */
export const startOther: RemoteFunction<[child: Latch, generations: number], void> = ray.remote(async function starter(
  child: Latch,
  generations: number,
) {
  await ray.get(generations > 1 ? startOther.remote(child, generations - 1) : listen.remote(child))
})
/** Begins another, and spins. */
export const beginAndSpin = ray.remote(function beginAndSpin(child: Latch, latch: Latch) {
  listen.remote(child)
  arrive(latch)
  for (;;);
})
/** Begins another once it is told to stop; opens the latch if that ran. */
export class Stubborn {
  async begin(latch: Latch) {
    const { signal } = ray.getRuntimeContext()
    arrive(latch)
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    await ray.get(nothing.remote()).then(
      () => letGo(latch),
      () => {},
    )
    arrive(latch)
  }
}
export const StubbornActor = ray.remote(Stubborn)
/** Takes one from a counter while another runs, and gives it back, whatever comes. */
export const borrow = ray.remote(async function borrow(counter: ActorHandle<CounterClass>, child: Latch) {
  await ray.get(counter.add.remote(-1))
  try {
    await ray.get(listen.remote(child))
  } finally {
    counter.add.remote(1)
  }
})
/** Has an actor begin another, and waits for it. */
export const beginThere = ray.remote(async function beginThere(actor: ActorHandle<Stubborn>, latch: Latch) {
  await ray.get(actor.begin.remote(latch))
})
/** Begins another and waits for it. */
export const beginHeld = ray.remote(async function beginHeld(child: Latch) {
  await ray.get(holdTwice.remote(child))
})
export const holdTwice = ray.remote(function holdTwice(latch: Latch) {
  arrive(latch)
  holdUntil(() => isOpen(latch))
  arrive(latch)
})
export const dieOnce = ray.remote(function dieOnce(tries: Latch, lives: number) {
  if (arrive(tries) < lives) {
    process.stderr.write('last words\r\n') // as what Node itself says on Windows ends
    process.exit(7)
  }
  return arrived(tries)
})
export const throwOnce = ray.remote(function throwOnce(tries: Latch, failures: number) {
  if (arrive(tries) < failures) throw new TypeError('not yet')
  return arrived(tries)
})
export class Unavailable extends Error {}
/** It is not called by its class. */
export class Overloaded extends Unavailable {
  override name = 'TooMuch'
}
export const overloadedOnce = ray.remote(function overloadedOnce(tries: Latch) {
  if (arrive(tries) === 0) throw new Overloaded('too much')
  return arrived(tries)
})
/** Gets it from another. */
export const passOn = ray.remote(async function passOn(tries: Latch) {
  return ray.get(overloadedOnce.remote(tries))
})
/** Asks for it from a worker. */
export const askForRetries = ray.remote(async function askForRetries(tries: Latch) {
  return ray.get(overloadedOnce.options({ retryExceptions: [Unavailable] }).remote(tries))
})
export const crash = ray.remote(function crash(): void {
  process.abort()
})
export const throwLate = ray.remote(function throwLate() {
  setImmediate(() => {
    throw new Error('too late to catch')
  })
  return new Promise(() => {})
})
export const eatMemory = ray.remote(function eatMemory() {
  const eaten: unknown[] = []
  for (;;) eaten.push(new Array(10_000).fill(Math.random()))
})
/** Its attempt, or ends its worker at once: nothing that it holds leaves. */
export const attemptOrVanish = ray.remote((vanish: boolean) => {
  if (vanish) (process as unknown as { reallyExit(code: number): void }).reallyExit(1)
  return ray.getRuntimeContext().attempt
})
export const neverEnds = ray.remote(() => new Promise<number>(() => {}))
export const say = ray.remote(function say(text: string) {
  console.log(text)
  console.error(`error: ${text}`)
})
export const write = ray.remote(function write(value: { list: number[] }) {
  value.list.push(1)
})
export const firstByte = ray.remote(
  (bytes: Uint8Array) => [bytes[0], bytes.buffer instanceof SharedArrayBuffer] as const,
)
export const bytesOfWhatHasANameThatIsTooLong = ray.remote(function bytesOfWhatHasANameThatIsTooLong(
  bytes: Uint8Array,
) {
  return bytes.length
})
export const setByte = ray.remote((bytes: Uint8Array) => {
  bytes[0] = 99
})
export const dieSometimes = ray.remote((i: number) => {
  if (i % 50 === 49) process.exit(1)
  return i
})
/** Which try it is; its first ends the worker where it is given 10. */
export const attemptOrDie = ray.remote((i: number) => {
  const { attempt } = ray.getRuntimeContext()
  if (i === 10 && attempt === 1) process.exit(1)
  return attempt
})
/** Nothing, or holds its thread. */
export const fastOrHeld = ray.remote((latch: Latch | null, _load = '') => {
  if (!latch) return 0
  arrive(latch)
  holdUntil(() => isOpen(latch))
  return 1
})
/** The same, with a name that it gives back. */
export const namedOrHeld = ray.remote((latch: Latch | null, name: string) => {
  if (latch) {
    arrive(latch)
    holdUntil(() => isOpen(latch))
  }
  return { name }
})
/** Waits until two have come, if it is to wait. */
export const lateValue = ray.remote((value: number, _gate: boolean) => value)
export const giveFunction = ray.remote((): unknown => () => 1)
export class Temperature {
  constructor(readonly celsius: number) {}
  fahrenheit(): number {
    return this.celsius * 1.8 + 32
  }
  [ray.serialize](): number {
    return this.celsius
  }
  static [ray.deserialize](celsius: number): Temperature {
    return new Temperature(celsius)
  }
}
/** Its class uses what cannot travel, which is found out a while after it was given to somebody. */
export function unfit(): unknown {
  const key = {}
  const known = new WeakMap([[key, 1]])
  return new (class Unfit {
    [ray.serialize](): number {
      return 1
    }
    static [ray.deserialize](): unknown {
      return known.get(key)
    }
  })()
}
/** It throws whenever it is looked at. */
export const unreadable = (): object => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}
export const giveUnreadable = ray.remote(unreadable)
/** Its answers take a while to be sent: for their class, until it turns out that they cannot be, for the function that they are of. */
export const Teller = ray.remote(
  class Teller {
    #told = 0
    warm(): Temperature {
      return new Temperature(20)
    }
    unfit(): unknown {
      return unfit()
    }
    begin(): { ref: ObjectRef<number> } {
      return { ref: add.remote(1, 2) }
    }
    told(): number {
      return ++this.#told
    }
  },
)
/** Gives what cannot travel to others, and tells what became of that. */
export const giveUnfit = ray.remote(async function giveUnfit() {
  const told: unknown[] = []
  const tell = ({ code }: { code: string }) => told.push(code)
  const value = unfit() as number
  for (const give of [() => add.remote(value, Symbol('here') as never), () => ray.put([value, Symbol('here')])])
    try {
      give()
    } catch (error) {
      tell(error as { code: string })
    }
  for (const ref of [ray.put(value), add.remote(value, 1)]) await ray.get(ref as ObjectRef<unknown>).catch(tell)
  await new Promise((resolve) => setImmediate(resolve))
  return told
})
export const toFahrenheit = ray.remote((t: Temperature) => t.fahrenheit())
/** Marks what it does. */
/** What it shows cannot be told any more once it has run. */
export const profileChanging = ray.remote(() => {
  const data: Record<string, unknown> = { rows: 1 }
  return ray.profile('changing', () => Object.assign(data, { rows: 2n }) && 1, data)
})
export const profiled = ray.remote(async function profiled(n: number) {
  const twice = await ray.profile('doubling', async () => 2 * n, { of: n })
  return twice + 2
})
export const attempt = ray.remote(() => ray.getRuntimeContext().attempt)
export const contextKeys = ray.remote(() => Object.keys({ ...ray.getRuntimeContext() }))

export const fibonacci: RemoteFunction<[number], number> = ray.remote(async (n: number): Promise<number> => {
  if (n < 2) return n
  const [a, b] = await ray.get([fibonacci.remote(n - 1), fibonacci.remote(n - 2)])
  return a + b
})
export const countdown: RemoteFunction<[number], number> = ray.remote(async (n: number): Promise<number> => {
  if (n === 0) return 0
  return (await ray.get(countdown.remote(n - 1))) + 1
})
export const openBox = ray.remote(async (box: { ref: ObjectRef<number> }) => (await ray.get(box.ref)) + 1)
export const putInside = ray.remote(async (value: number) => ({ ref: ray.put({ value }) }))
export const makeCounter = ray.remote(async (start: number) => {
  const counter = Counter.remote(start)
  await ray.get(counter.add.remote(1))
  return { counter }
})
export const useCounter = ray.remote(async (box: { counter: ActorHandle<CounterClass> }, times: number) => {
  const refs = Array.from({ length: times }, () => box.counter.add.remote(1))
  return (await ray.get(refs)).at(-1)
})
/** Makes one of its own, and leaves it. */
export const useOwnCounter = ray.remote(() => ray.get(Counter.options({ numCpus: 0.01 }).remote(1).add.remote(1)), {
  numCpus: 0,
})
export const findCounter = ray.remote(async (name: string) => {
  const counter = await ray.getActor<CounterClass>(name)
  return ray.get(counter.add.remote(10))
})
/** Finds by its name what it has just made, of a class that its worker sees for the first time. */
export const makeAndFind = ray.remote(async (name: string) => {
  Giver.options({ name, lifetime: 'detached' }).remote()
  const giver = await ray.getActor<GiverClass>(name)
  const value = await ray.get(giver.value.remote())
  ray.kill(giver)
  return value
})
/** How many calls the session counts more once it has asked for one, of a function that its worker sees for the first time. */
export const countNext = ray.remote(async () => {
  const submitted = async () => (await ray.stats()).tasks.submitted
  const before = await submitted()
  nothing.remote()
  return (await submitted()) - before
})
/** Returns what it has just asked for, by a function that its worker sees for the first time. */
export const giveRef = ray.remote((n: number) => ({ ref: add.remote(n, n) }))
export const giveHandle = ray.remote(() => ({ counter: Counter.remote(20) }))
/** Makes an actor whose name is taken, and gives a call of it. */
export const giveTaken = ray.remote((name: string) => ({ ref: Counter.options({ name }).remote(0).add.remote(1) }))
/** Makes actors that cannot travel, by their class and by an argument, and gives calls of them. */
export const giveUnfitActors = ray.remote(() => {
  const key = {}
  const known = new WeakMap([[key, 1]])
  const Knowing = ray.remote(
    class Knowing {
      add(n: number): number {
        return known.has(key) ? 0 : n
      }
    },
  )
  return { refs: [Knowing.remote().add.remote(1), Counter.remote(unfit() as number).add.remote(1)] }
})
/** Waits for another, then holds its thread. */
export const getAndHold = ray.remote(async ({ ref }: { ref: ObjectRef<number> }, latch: Latch) => {
  await ray.get(ref)
  arrive(latch)
  holdUntil(() => isOpen(latch))
  return arrived(latch)
})
/** What it gets of a list that it got before, and changed. */
export const getAgain = ray.remote(async ({ ref }: { ref: ObjectRef<number[]> }) => {
  ;(await ray.get(ref)).push(0)
  return ray.get(ref)
})
/** Does not wait for what it asks for. */
export const askAndGo = ray.remote((box: { ref: ObjectRef<number> }) => {
  void ray.get(box.ref).catch(() => {})
})
/** Ends its worker while it waits for what it asks for. */
export const leaveWaiting = ray.remote(async (box: { ref: ObjectRef<unknown> }, latch: Latch) => {
  void ray.get(box.ref).catch(() => {})
  arrive(latch)
  await opened(latch)
  process.exit(3)
})
/** A value that is nested so deep that a worker can send it and the driver cannot read it. */
export const nest = ray.remote((depth: number): unknown => {
  let value: unknown = null
  for (let i = 0; i < depth; i++) value = { value }
  return value
})
/** Makes an actor that has a CPU, and has let it go before anybody has answered: much is on the way there before it. */
export const makeAndForget = ray.remote(async () => {
  ray.put(new Uint8Array(30_000_000))
  Counter.options({ numCpus: 1 }).remote(1)
  await new Promise((resolve) => setImmediate(resolve))
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
})
/** Calls the actor that has the name already, and lets it go. */
export const useExisting = ray.remote(async (name: string) => {
  const use = () => ray.get(Counter.options({ name, getIfExists: true }).remote(0).add.remote(1))
  const count = await use()
  await new Promise((resolve) => setImmediate(resolve))
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  return count
})
export const failInside = ray.remote(async () => ray.get(fail.remote('inside')))

/** Ends of what its constructor began. */
class LateClass {
  constructor() {
    setImmediate(() => {
      throw new Error('too late to catch')
    })
  }
  use(): void {}
}
export const Late = ray.remote(LateClass)

export class CounterClass {
  constructor(private count: number) {}
  add(n: number): number {
    this.count += n
    return this.count
  }
  async addSlowly(n: number): Promise<number> {
    const before = this.count
    await delay(1)
    this.count = before + n
    return this.count
  }
  history(): [number, string] {
    return [this.count, 'counts']
  }
  fail(): never {
    throw new RangeError('counted wrong')
  }
  exit(code: number): void {
    process.exit(code)
  }
  never(): Promise<never> {
    return new Promise(() => {})
  }
  take({ length }: Uint8Array): number {
    return length
  }
  hold(latch: Latch): number {
    arrive(latch)
    holdUntil(() => isOpen(latch))
    return this.count
  }
  dieOnce(tries: Latch, lives: number): number {
    if (arrive(tries) < lives) process.exit(3)
    return arrived(tries)
  }
  throwOnce(tries: Latch, failures: number): number {
    if (arrive(tries) < failures) throw new TypeError('not yet')
    return arrived(tries)
  }
  thread(): string {
    return here()
  }
  unreadable(thrown: boolean): unknown {
    if (thrown) throw unreadable()
    return unreadable()
  }
  async listen(): Promise<void> {
    const { signal } = ray.getRuntimeContext()
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
  }
}
export const Counter = ray.remote(CounterClass)

/** Has others call it, by the handle that it has to itself. */
export class BossClass {
  #heard: string[] = []
  hear(what: string): void {
    this.#heard.push(what)
  }
  *tell(): Generator<string> {
    yield* this.#heard
  }
  employ(what: string, latch?: Latch): [ObjectRef<string[]>] {
    if (latch) holdUntil(() => isOpen(latch))
    return [reportTo.remote(ray.getRuntimeContext<BossClass>().currentActor!, what)]
  }
  /** Waits for what it has others do. */
  async lead(what: string, latch: Latch): Promise<string[]> {
    arrive(latch)
    await opened(latch)
    return ray.get(reportTo.remote(ray.getRuntimeContext<BossClass>().currentActor!, what))
  }
  leave(): void {
    ray.kill(ray.getRuntimeContext().currentActor!)
  }
}
export const Boss = ray.remote(BossClass)
/** Begins something as it is made, and looks, where none of its calls runs, who it is. */
export const Founder = ray.remote(
  class Founder {
    #sum: ObjectRef<number> = add.remote(1, 2)
    #found: unknown = null
    constructor() {
      const look = () => {
        const { task, worker, attempt, currentActor } = ray.getRuntimeContext()
        if (task === null) this.#found = { worker, attempt, self: currentActor !== null }
        else setTimeout(look, 1)
      }
      setTimeout(look, 1)
    }
    sum(): Promise<number> {
      return ray.get(this.#sum)
    }
    found(): unknown {
      return this.#found
    }
    worker(): string {
      return ray.getRuntimeContext().worker
    }
  },
)
/** Tells somebody something, and what was heard there by then. */
export const reportTo = ray.remote(async function reportTo(
  boss: ActorHandle<BossClass>,
  what: string,
): Promise<string[]> {
  boss.hear.remote(what)
  const heard: string[] = []
  for await (const ref of boss.tell.remote()) heard.push(await ray.get(ref))
  return heard
})

export const Meeting = ray.remote(
  class Meeting {
    #here = 0
    #all: (() => void)[] = []
    async come(count: number): Promise<number> {
      this.#here++
      if (this.#here === count) for (const go of this.#all) go()
      else await new Promise<void>((go) => this.#all.push(go))
      return this.#here
    }
    worker(): string {
      return ray.getRuntimeContext().worker
    }
  },
)
/** Its calls go on, beside each other, until they are let go. */
export const Patient = ray.remote(
  class Patient {
    async wait(gate: Latch): Promise<string> {
      arrive(gate)
      while (!isOpen(gate)) await new Promise((resolve) => setTimeout(resolve, 2))
      return 'let go'
    }
  },
)
/** Says that it is made, and ends once it has answered. */
export const Brief = ray.remote(
  class Brief {
    constructor(made: Latch) {
      arrive(made)
    }
    leave(): void {
      setTimeout(() => process.exit(3))
    }
    stay(): string {
      return 'here'
    }
  },
)
export const Bare = ray.remote(class Bare {})
export const Nameless = ray.remote(class {})
export const Broken = ray.remote(
  class Broken {
    constructor() {
      throw new Error('cannot be made')
    }
    use(): number {
      return 1
    }
  },
)
/** Comes, and returns at once where it comes as the second. */
export const heldFirst = ray.remote(function heldFirst(latch: Latch) {
  if (arrive(latch) === 0) holdUntil(() => isOpen(latch))
  return arrived(latch)
})
/** One line a run in the latch's file. */
export const counted = ray.remote(function counted(latch: Latch, value: number) {
  arrive(latch)
  return value
})
/** Asks an actor of its own, which nobody can ask after it. */
export const askOnce = ray.remote(async function askOnce() {
  return ray.get(Counter.options({ numCpus: 1 }).remote(1).add.remote(2))
})
export const size = ray.remote((bytes: Uint8Array) => bytes.length)
/** The memory that its process takes. */
export const resident = ray.remote(() => process.memoryUsage().rss)
/** Puts what it is given. */
export const putAgain = ray.remote(async (bytes: Uint8Array) => {
  const ref = ray.put(bytes)
  return (await ray.get(ref)).length
})
/** Puts what it has made. */
export const putNew = ray.remote(
  async (length: number) => (await ray.get(ray.put(new Uint8Array(length).fill(7)))).length,
)
/** The same, for others. */
export const putKept = ray.remote((length: number) => ({ ref: ray.put(new Uint8Array(length).fill(7)) }))
export const make = ray.remote((length: number) => new Uint8Array(length).fill(7))
/** Says that it started, and makes what takes a while. */
export const makeCounted = ray.remote((latch: Latch, length: number) => {
  arrive(latch)
  return randomFillSync(new Uint8Array(length))
})
/** Keeps a ref that it was made with. */
class KeeperClass {
  readonly #opened: Promise<number>
  constructor(box: { ref: ObjectRef<number> }) {
    this.#opened = ray.get(box.ref)
  }
  open(): Promise<number> {
    return this.#opened
  }
  exit(): void {
    process.exit(1)
  }
}
export const Keeper = ray.remote(KeeperClass)

/** Says whether what it looked at last is there still. */
class LookerClass {
  #seen: WeakRef<object> | null = null
  look(value: object): void {
    this.#seen = new WeakRef(value)
  }
  sees(): boolean {
    setFlagsFromString('--expose-gc')
    runInNewContext('gc')()
    return this.#seen?.deref() !== undefined
  }
}
export const Looker = ray.remote(LookerClass)

/** Waits for what it is given, and does not look at it. */
class WaiterClass {
  async wait(refs: ObjectRef<unknown>[]): Promise<void> {
    await ray.wait(refs, { numReturns: refs.length })
  }
  async get(refs: ObjectRef<unknown>[]): Promise<void> {
    await ray.get(refs).catch(() => {})
  }
  rest(): void {}
}
export const Waiter = ray.remote(WaiterClass)

/** Has much, and so takes long to collect; of two things it says whether they are there still. */
class HoarderClass {
  readonly much = Array.from({ length: 1_000_000 }, (_, i) => ({ i }))
  readonly #things: (object | null)[] = [{}, {}]
  readonly #seen = this.#things.map((thing) => new WeakRef(thing!))
  constructor(readonly held: unknown) {}
  leave(which: number): void {
    this.#things[which] = null
  }
  has(which: number): boolean {
    return this.#seen[which]!.deref() !== undefined
  }
}
export const Hoarder = ray.remote(HoarderClass)

/** Makes actors that hold a CPU and lets each go before it makes the next. */
class OrganizerClass {
  async add(numbers: number[]): Promise<number[]> {
    const sums: number[] = []
    for (const n of numbers) sums.push(await ray.get(Counter.options({ numCpus: 1 }).remote(n).add.remote(1)))
    return sums
  }
  watch(latch: Latch): Promise<void> {
    arrive(latch)
    return opened(latch)
  }
}
export const Organizer = ray.remote(OrganizerClass)

/** Keeps of what it was made with how long it is. */
class MeasureClass {
  readonly #length: number
  constructor({ length }: Uint8Array) {
    this.#length = length
  }
  length(): number {
    return this.#length
  }
}
export const Measure = ray.remote(MeasureClass)

/** Keeps the ref of a list of refs, and lets go what it was given for it. */
class ReaderClass {
  readonly #list: ObjectRef<ObjectRef<number>[]>
  constructor(box: { list: ObjectRef<ObjectRef<number>[]> }) {
    this.#list = box.list
  }
  async length(): Promise<number> {
    return (await ray.get(this.#list)).length
  }
  async sum(): Promise<number> {
    setFlagsFromString('--expose-gc')
    for (let i = 0; i < 3; i++) {
      await new Promise((resolve) => setImmediate(resolve))
      runInNewContext('gc')()
    }
    const values = await ray.get(await ray.get(this.#list))
    return values.reduce((sum, value) => sum + value)
  }
}
export const Reader = ray.remote(ReaderClass)

/** Counts while others talk to it. */
class TickerClass {
  #ticks = 0
  constructor() {
    setInterval(() => this.#ticks++, 1)
  }
  say<T>(value: T): T {
    return value
  }
  ticks(): number {
    return this.#ticks
  }
}
export const Ticker = ray.remote(TickerClass)

/** Gives what it has made, inside of something. */
class GiverClass {
  list() {
    return [1, 2]
  }
  ref() {
    return { ref: ray.put({ value: 1 }), beside: 2 }
  }
  handle() {
    return { counter: Counter.remote(20) }
  }
  async named(name: string) {
    return { giver: await ray.getActor<{ value(): number }>(name) }
  }
  value() {
    return 1
  }
}
export const Giver = ray.remote(GiverClass)
export type { GiverClass }

/** Where an actor finds itself. */
class SurroundingsClass {
  finding(key: string): boolean | undefined {
    return finding(key)
  }
  variable(name: string): string | undefined {
    return process.env[name]
  }
}
export const Surroundings = ray.remote(SurroundingsClass)

/** What `ray.init` says in a worker, at once and awaited. */
export const session = ray.remote(async () => {
  const info = ray.init()
  const atOnce = info.numCpus
  return { atOnce, ...(await info) }
})
export const environment = ray.remote((name: string) => process.env[name])
