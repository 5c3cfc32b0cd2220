/** Checked by the compiler: each line under @ts-expect-error must not compile, the others must. Nothing of `never` runs. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Dataset, DatasetDict, ImageRow } from '#src/datasets/index.js'
import {
  type ActorHandle,
  type ActorPool,
  type MultiRemoteFunction,
  type ObjectRef,
  type ObjectRefGenerator,
  type RemoteFunction,
  ray,
} from '#src/ray/index.js'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
function same<A, B>(_equal: Equal<A, B>): void {}

class Engine {
  private secret = 1
  readonly size = 2
  constructor(
    readonly model: string,
    readonly load = true,
  ) {}
  classify(i: number): [string, number] {
    return [this.model, i + this.secret]
  }
  async later(text: string, times?: number): Promise<string> {
    return text.repeat(times ?? 1)
  }
  async follow(ref: ObjectRef<number>): Promise<number> {
    return ray.get(ref)
  }
  inspect(): string {
    return this.model
  }
  toJSON(): string {
    return this.model
  }
  async *frames(_count: number): AsyncGenerator<Uint8Array> {}
}

/** Actors of it know each other, and one of another class that knows them. */
class Strip {
  left!: ActorHandle<Strip>
  right: ActorHandle<Strip> | null = null
  grid!: ActorHandle<Grid>
  border(_side: 'left' | 'right'): Uint8Array {
    return new Uint8Array()
  }
  async step() {
    const [left, right] = await ray.get([this.left.border.remote('right'), this.grid.size.remote()])
    same<typeof left, Uint8Array>(true)
    same<typeof right, number>(true)
    // @ts-expect-error a handle is no method
    this.left.left.remote()
  }
}

/** Can be iterated, and travels whole. */
class Book {
  constructor(readonly pages: string[]) {}
  async *[Symbol.asyncIterator](): AsyncGenerator<string> {
    yield* this.pages
  }
  [ray.serialize](): string[] {
    return this.pages
  }
  static [ray.deserialize](pages: string[]): Book {
    return new Book(pages)
  }
}

class Library {
  book(): Book {
    return new Book([])
  }
  *texts(): Generator<string, number, boolean> {
    if (yield 'a') yield 'b'
    return 2
  }
}

class Grid {
  first!: ActorHandle<Strip>
  size(): number {
    return 1
  }
}

function never(): void {
  const strip = ray.remote(Strip).remote()
  same<keyof typeof strip, keyof ActorHandle<Pick<Strip, 'border' | 'step'>>>(true)
  const add = ray.remote((a: number, b: number) => a + b)
  const sum = add.remote(1, ray.put(2))
  same<typeof sum, ObjectRef<number>>(true)
  const value = ray.get(sum)
  same<typeof value, Promise<number>>(true)
  const nested = add.remote(sum, add.remote(1, 2))
  const all = ray.get([sum, ray.put('text')])
  same<typeof all, Promise<[number, string]>>(true)
  const many = ray.get([1, 2].map((x) => add.remote(x, x)))
  same<typeof many, Promise<number[]>>(true)
  // @ts-expect-error a text is no number
  add.remote('1', 2)
  // @ts-expect-error an argument is missing
  add.remote(1)
  // @ts-expect-error one too many
  add.remote(1, 2, 3)
  // @ts-expect-error a ref to a text is no number
  add.remote(ray.put('1'), 2)
  // @ts-expect-error there is no such option
  add.options({ cpus: 1 })
  // @ts-expect-error a remote function is not called directly
  add(1, 2)

  const promised = ray.remote(async (x: number) => `${x}`).remote(1)
  same<typeof promised, ObjectRef<string>>(true)
  const generic = ray.remote(function first<T>(values: T[]) {
    return values[0]
  })
  generic.remote([1])
  const [number, text] = ray
    .remote((x: number) => [x, `${x}`] as [number, string])
    .options({ numReturns: 2 })
    .remote(1)
  same<typeof number, ObjectRef<number>>(true)
  same<typeof text, ObjectRef<string>>(true)

  const pair = ray.remote((x: number) => [x, `${x}`] as [number, string], { numReturns: 2 })
  same<ReturnType<typeof pair.remote>, [ObjectRef<number>, ObjectRef<string>]>(true)
  const named = pair.options({ name: 'pair' }).remote(ray.put(1))
  same<typeof named, [ObjectRef<number>, ObjectRef<string>]>(true)
  const whole = pair.options({ numReturns: 1 }).remote(1)
  same<typeof whole, ObjectRef<[number, string]>>(true)
  const later2 = ray.remote(async () => new Set([1]), { numReturns: 2 }).remote()
  same<typeof later2, [ObjectRef<number>, ObjectRef<number>]>(true)
  const [one, other] = ray.remote((x: number) => [x, -x], { numReturns: 2 }).remote(1)
  ray.get([one, other])
  const rest = ray.remote((x: string) => [1, x] as [number, ...string[]], { numReturns: 3 }).remote('a')
  same<typeof rest, [ObjectRef<number>, ...ObjectRef<string>[]]>(true)
  const lots = ray.remote((x: number) => [x], { numReturns: 5_000 }).remote(1)
  same<typeof lots, ObjectRef<number>[]>(true)
  const few = ray.remote((x: number) => [x], { numReturns: 2 as 2 | 3 }).remote(1)
  same<(typeof few)['length'], 2 | 3>(true)
  const unknown2 = ray.remote((x: unknown) => x, { numReturns: 2 }).remote(1)
  same<typeof unknown2, [ObjectRef<unknown>, ObjectRef<unknown>]>(true)
  const counted = pair.options({ numReturns: Number('2') }).remote(1)
  same<typeof counted, ObjectRef<[number, string]> | [ObjectRef<number>, ObjectRef<string>]>(true)
  const whichever = ray.get(counted)
  same<typeof whichever, Promise<[number, string]>>(true)
  const items = ray.remote(async (x: number) => [x], { numReturns: 'streaming' }).remote(1)
  same<typeof items, ObjectRefGenerator<number>>(true)
  const gathered = ray.remote(
    async function* gathered() {
      yield 1
    },
    { numReturns: 3 },
  )
  same<ReturnType<typeof gathered.remote>['length'], 3>(true)
  same<ReturnType<typeof gathered.remote>[number], ObjectRef<number>>(true)
  const plain = ray.remote((x: number) => [x], { numCpus: 2 }).remote(1)
  same<typeof plain, ObjectRef<number[]>>(true)
  // @ts-expect-error there is no such option
  ray.remote((x: number) => x, { cpus: 1 })
  // @ts-expect-error nor is it for a class
  ray.remote(Engine, { numReturns: 2 })

  const Remote = ray.remote(Engine)
  const engine = Remote.options({ maxRestarts: 1 }).remote('vit', false)
  same<typeof engine, ActorHandle<Engine>>(true)
  const classified = engine.classify.remote(ray.put(3))
  same<typeof classified, ObjectRef<[string, number]>>(true)
  const single = engine.classify.options({ numReturns: 1 }).remote(3)
  same<typeof single, ObjectRef<[string, number]>>(true)
  const later = engine.later.options({ timeout: 5 }).remote('a')
  same<typeof later, ObjectRef<string>>(true)
  // @ts-expect-error the constructor wants a text
  Remote.remote(1)
  // @ts-expect-error there is no such method
  engine.clasify.remote(1)
  // @ts-expect-error a method wants its argument
  engine.classify.remote()
  // @ts-expect-error of the right type
  engine.classify.remote('1')
  // @ts-expect-error a handle is no promise, prints itself and is no JSON: it has no method of such a name
  engine.inspect.remote()
  // @ts-expect-error nor this one
  engine.toJSON.remote()
  // @ts-expect-error a private field is no method
  engine.secret
  // @ts-expect-error a public field is no method either
  engine.size
  // @ts-expect-error actors have no maxRetries
  Remote.options({ maxRetries: 1 })
  // @ts-expect-error no handle
  ray.kill(Remote)
  // @ts-expect-error a value is no ref
  ray.get(1)
  const literal = ray.put({ name: 'a', list: [1, null] as const })
  same<typeof literal, ObjectRef<{ name: string; list: readonly [1, null] }>>(true)
  // @ts-expect-error a ref is passed on as it is
  ray.put(sum)
  ray.put([sum])
  // @ts-expect-error milliseconds
  ray.get(sum, { timeout: '1 s' })
  const found = ray.getActor<Engine>('engine').then((handle) => handle.classify.remote(1))
  same<typeof found, Promise<ObjectRef<[string, number]>>>(true)
  const unchecked = ray.getActor('engine').then((handle) => {
    ray.kill(handle)
    return handle.classify!.remote(1, ray.put('b'))
  })
  same<typeof unchecked, Promise<ObjectRef<ReturnType<typeof JSON.parse>>>>(true)
  const frames = engine.frames.remote(ray.put(3))
  same<typeof frames, ObjectRefGenerator<Uint8Array>>(true)
  const two = engine.frames.options({ numReturns: 2 }).remote(2)
  same<typeof two, [ObjectRef<Uint8Array>, ObjectRef<Uint8Array>]>(true)
  const squares = ray.remote(function* squares(count: number) {
    for (let i = 0; i < count; i++) yield i * i
  })
  const streamed = squares.options({ generatorBackpressureNumObjects: 2 }).remote(3)
  same<typeof streamed, ObjectRefGenerator<number>>(true)
  same<Awaited<ReturnType<typeof streamed.next>>['value'], ObjectRef<number> | undefined>(true)
  const chosen = ray.remote(function* (): Generator<string, number, boolean> {
    return (yield 'a') ? 1 : 2
  })
  same<ReturnType<typeof chosen.remote>, ObjectRefGenerator<string>>(true)
  const asked = ray.remote(async function* (): AsyncGenerator<string, number, boolean> {
    return (yield 'a') ? 1 : 2
  })
  same<ReturnType<typeof asked.remote>, ObjectRefGenerator<string>>(true)
  const asIterable = ray.remote(async function* (): AsyncIterable<string> {
    yield 'a'
  })
  same<ReturnType<typeof asIterable.remote>, ObjectRefGenerator<string>>(true)
  const asIterator = ray.remote(function* (): IterableIterator<string> {
    yield 'a'
  })
  same<ReturnType<typeof asIterator.remote>, ObjectRefGenerator<string>>(true)
  // What can be iterated and is no generator's iterator is one value.
  const rows = ray.remote((data: Dataset) => data.take(5))
  same<ReturnType<typeof rows.remote>, ObjectRef<Dataset>>(true)
  const rowByRow = rows.options({ numReturns: 'streaming' })
  same<ReturnType<typeof rowByRow.remote>, ObjectRefGenerator<ImageRow>>(true)
  const twoRows = ray.remote((data: Dataset) => data, { numReturns: 2 })
  same<ReturnType<typeof twoRows.remote>, [ObjectRef<ImageRow>, ObjectRef<ImageRow>]>(true)
  const library = ray.remote(Library).remote()
  const book = library.book.remote()
  same<typeof book, ObjectRef<Book>>(true)
  const told = library.texts.remote()
  same<typeof told, ObjectRefGenerator<string>>(true)
  const splits: ObjectRef<DatasetDict> = ray.remote((data: Dataset) => data.trainTestSplit()).remote(ray.put(null!))
  const passes = ray.remote(() => squares.remote(1)).remote()
  same<typeof passes, ObjectRef<ObjectRefGenerator<number>>>(true)
  const listed = ray
    .remote((x: number) => [x])
    .options({ numReturns: 'streaming' })
    .remote(1)
  same<typeof listed, ObjectRefGenerator<number>>(true)
  const unknowing = ray.remote((x: string) => JSON.parse(x)).remote('1')
  same<typeof unknowing, ObjectRef<ReturnType<typeof JSON.parse>>>(true)
  // @ts-expect-error a generator is no ref
  ray.get(streamed)
  ray.cancel(streamed)

  const follows = ray.remote(async (ref: ObjectRef<number>, refs?: ObjectRef<number>[]) => ray.get(refs?.[0] ?? ref))
  // @ts-expect-error at the top of the arguments a ref's value arrives
  follows.remote(ray.put(1))
  const refs = ray.put([ray.put(1)])
  const refOfRef = ray.remote(() => ray.put(1)).remote()
  follows.remote(refOfRef, [ray.put(1)])
  follows.remote(refOfRef, refs)
  // @ts-expect-error the same in a method
  new ray.ActorPool([engine]).map((e) => e.follow.remote(ray.put(1)), [1])
  const either = ray.remote((x: string | ObjectRef<number>, _y: number | ObjectRef<number>) => x)
  either.remote(ray.put('1'), ray.put(1))
  // @ts-expect-error a number is neither a text nor a ref
  either.remote(ray.put(1), 1)
  const open = ray.remote((x: ReturnType<typeof JSON.parse>, y: unknown, ..._rest: boolean[]) => [x, y])
  open.remote(ray.put(1), ray.put(1), true, ray.put(false))
  function passedOn<T, A extends readonly unknown[]>(one: (x: T, xs: T[]) => T, x: T, all: (...args: A) => T, args: A) {
    ray.remote(all).remote(...args)
    const got: Promise<T> = ray.get(ray.put(x))
    void got
    return ray.remote(one).remote(x, ray.put([x]))
  }

  // What is known of a function or an actor may be less than what it returns.
  const texts: RemoteFunction<[number], unknown>[] = [
    ray.remote((x: number) => `${x}`),
    ray.remote((x: number) => new Map([[x, x]])),
    ray.remote(async (x: number) => [x]),
    ray.remote((x: number) => x),
  ]
  const sized: RemoteFunction<[number], { length: number }> = ray.remote((x: number) => [x])
  const objects: RemoteFunction<[number], object> = ray.remote((x: number) => new Set([x]))
  const later2nd: ActorHandle<{ later(text: string): unknown }> = engine
  const twoOf: MultiRemoteFunction<[number], unknown, 2> = ray.remote((x: number) => [x, x], { numReturns: 2 })
  // @ts-expect-error but not another
  const numbers: RemoteFunction<[number], number> = texts[0]!
  const perhaps = ray.remote((x: number) => (x ? [x] : undefined), { numReturns: 'streaming' }).remote(1)
  same<typeof perhaps, ObjectRefGenerator<number>>(true)
  void [splits, sized, objects, later2nd, twoOf, numbers]

  const takesHandle = ray.remote((e: ActorHandle<Engine>) => ray.get(e.classify.remote(1)))
  takesHandle.remote(engine)
  const pool = new ray.ActorPool([engine])
  same<typeof pool, ActorPool<ActorHandle<Engine>>>(true)
  const mapped = pool.map((e, i: number) => e.classify.remote(i), [1, 2])
  same<typeof mapped, AsyncGenerator<[string, number], void, undefined>>(true)
  void [nested, mapped, value, passedOn]
}

test('a wrong argument or method of .remote() is a compile error', () => {
  assert.equal(typeof never, 'function')
})
