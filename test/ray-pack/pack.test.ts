import assert from 'node:assert/strict'
import { createSecretKey } from 'node:crypto'
import { IncomingMessage } from 'node:http'
import { createServer, Socket } from 'node:net'
import { Readable } from 'node:stream'
import { describe, test } from 'node:test'
import { types } from 'node:util'
import { runInNewContext } from 'node:vm'
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads'
import fc from 'fast-check'
import { deserialize, serialize, via } from '#src/core/travel.js'
import { reviveTravel } from '#src/ray/code/index.js'
import * as errors from '#src/ray/errors.js'
import { ray } from '#src/ray/index.js'
import { freeze, type Packed, pack, unpack } from '#src/ray/pack.js'

/** What arrives at the other end of a port. */
function cross(data: unknown): unknown {
  const { port1, port2 } = new MessageChannel()
  port1.postMessage(data)
  const { message } = receiveMessageOnPort(port2) as { message: unknown }
  port1.close()
  return message
}

async function trip<T>(value: T): Promise<T> {
  const { data, special } = await pack(value, 'value')
  return (await unpack(cross(data), special, reviveTravel)) as T
}

function packed(value: unknown): Packed {
  const made = pack(value, 'value')
  assert.ok(!(made instanceof Promise), 'expected to be packed at once')
  return made
}

/** Values that structured cloning carries, some of them the same object at several places, with cycles. */
const cloneable: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown; leaf: unknown }>((tie) => ({
  leaf: fc.oneof(
    fc.constantFrom(undefined, null, true, false, -0, Number.NaN, Infinity, ''),
    fc.integer(),
    fc.double(),
    fc.string({ unit: 'binary' }),
    fc.bigInt(),
    fc.date({ noInvalidDate: false }),
    fc.constantFrom(/a+/gi, /\n/u),
    fc.uint8Array({ maxLength: 20 }),
    fc.float32Array({ maxLength: 4 }),
    fc.bigInt64Array({ maxLength: 4 }),
    fc.constantFrom(Object(1), Object('boxed'), Object(true), Object(2n)),
    fc.uint8Array({ minLength: 8, maxLength: 16 }).map((bytes) => new DataView(bytes.buffer, 4)),
  ),
  value: fc.oneof(
    { depthSize: 'small' },
    tie('leaf'),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.sparseArray(tie('value'), { maxNumElements: 4, maxLength: 20 }),
    fc.dictionary(fc.oneof(fc.string(), fc.constant('__proto__')), tie('value'), { maxKeys: 5 }),
    fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 4 }).map((entries) => new Map(entries)),
    fc.array(tie('value'), { maxLength: 4 }).map((members) => new Set(members)),
  ),
})).value

const graph = fc.array(cloneable, { minLength: 1, maxLength: 4 }).chain((roots) =>
  fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 4 }).map((links) => {
    const containers = roots.filter((root) => Array.isArray(root) || root instanceof Map) as (
      | unknown[]
      | Map<unknown, unknown>
    )[]
    for (const [from, to] of links) {
      if (containers.length === 0) break
      const container = containers[from % containers.length]!
      const target = roots[to % roots.length]
      if (Array.isArray(container)) container.push(target)
      else container.set(target, containers[0])
    }
    return { roots, again: roots }
  }),
)

/** Which of the objects in a value are the same, in the order in which they are met. */
function shape(value: unknown): unknown[] {
  const met = new Map<unknown, number>()
  const order: unknown[] = []
  const visit = (at: unknown): void => {
    if (typeof at !== 'object' || at === null) return void order.push(typeof at)
    const known = met.get(at)
    if (known !== undefined) return void order.push(known)
    met.set(at, met.size)
    order.push(Object.prototype.toString.call(at))
    if (at instanceof Map) for (const [key, inner] of at) [key, inner].forEach(visit)
    else if (at instanceof Set) for (const inner of at) visit(inner)
    else if (!ArrayBuffer.isView(at)) for (const key of Object.keys(at)) visit((at as Record<string, unknown>)[key])
  }
  visit(value)
  return order
}

/** What an object is made of, in order. */
function parts(of: object): unknown[] {
  if (ArrayBuffer.isView(of)) return [...new Uint8Array(of.buffer, of.byteOffset, of.byteLength)]
  const own = [...Object.keys(of), ...Object.values(of), (of as { length?: number }).length]
  if (of instanceof Map) return [...[...of].flat(), ...own]
  if (of instanceof Set) return [...of, ...own]
  if (of instanceof RegExp) return [of.source, of.flags, of.lastIndex, ...own]
  return of instanceof Date || types.isBoxedPrimitive(of) ? [of.valueOf(), ...own] : own
}

/** Whether two graphs are made alike. (assert's deepEqual finds two clones different where a cycle goes through a Map's keys.) */
function alike(a: unknown, b: unknown, met = new Map<unknown, unknown>()): boolean {
  if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null) return Object.is(a, b)
  if (met.has(a)) return met.get(a) === b
  met.set(a, b)
  const [ours, theirs] = [parts(a), parts(b)]
  return (
    Object.getPrototypeOf(a) === Object.getPrototypeOf(b) &&
    ours.length === theirs.length &&
    ours.every((part, i) => alike(part, theirs[i], met))
  )
}

const { NotSerializableError } = errors

describe('values that structured cloning carries', () => {
  test('arrive as structured cloning brings them, shared references and cycles included', async () => {
    await fc.assert(
      fc.asyncProperty(graph, async (value) => {
        const ours = await trip(value)
        const theirs = structuredClone(value)
        assert.ok(alike(ours, theirs))
        assert.deepEqual(shape(ours), shape(theirs))
      }),
      { numRuns: 300 },
    )
  })

  test('are copied as they are now', () => {
    const value = { list: [1], bytes: new Uint8Array([1]) }
    const { data } = packed(value)
    value.list.push(2)
    value.bytes[0] = 9
    assert.deepEqual(data, { list: [1], bytes: new Uint8Array([1]) })
  })

  test('need no unpacking where nothing is special', () => {
    for (const value of [
      1,
      'a',
      null,
      undefined,
      [],
      {},
      { a: [1, { b: new Map([[1, new Date()]]) }] },
      new Float32Array(9),
    ])
      assert.equal(packed(value).special, false)
  })

  test('of another realm are values too', async () => {
    assert.deepEqual(await trip(runInNewContext('({ a: [1, new Map([[1, new Date(5)]])], r: /x/ })')), {
      a: [1, new Map([[1, new Date(5)]])],
      r: /x/,
    })
  })

  test('a Date is one, whatever class a server or fake timers have put in the place of Date', async (t) => {
    const Original = Date
    t.after(() => {
      globalThis.Date = Original
      Object.defineProperty(Original.prototype, 'constructor', { value: Original })
    })
    // As Next.js does it.
    function Counted(this: unknown, ...args: []) {
      return Reflect.construct(Original, args, new.target ?? Original)
    }
    globalThis.Date = Object.defineProperties(Counted, Object.getOwnPropertyDescriptors(Original)) as never
    Object.defineProperty(Original.prototype, 'constructor', { value: Date })
    assert.deepEqual(await trip([new Date(5)]), [new Original(5)])
    // As fake timers do it.
    globalThis.Date = class extends Original {} as never
    assert.deepEqual(await trip([new Date(6)]), [new Original(6)])
  })

  test('arrays keep what is written on them', async () => {
    const match = /b(?<name>.)/.exec('abc')!
    const got = await trip(match)
    assert.deepEqual([got.index, got.input, got.groups?.name, [...got]], [1, 'abc', 'c', ['bc', 'c']])
    const long = Object.assign(
      Array.from({ length: 100 }, (_, i) => i),
      { label: 'x' },
    )
    assert.equal((await trip(long)).label, 'x')
    const sparse: unknown[] = []
    sparse[4_000_000_000] = 'far'
    const back = await trip(sparse)
    assert.deepEqual([back.length, back[4_000_000_000], 0 in back], [4_000_000_001, 'far', false])
  })

  test('short arrays too, where holes make up for it', async () => {
    const holed = Object.assign(new Array<number>(1), { label: 'x' })
    assert.deepEqual(await trip(holed), holed)
  })

  test('objects have no other prototype than theirs, whatever JSON they are made of', async () => {
    for (const text of ['{"__proto__":null,"a":1}', '{"__proto__":1}', '{"__proto__":{"a":1}}']) {
      const back = await trip(JSON.parse(text))
      assert.deepEqual([JSON.stringify(back), Object.getPrototypeOf(back)], [text, Object.prototype])
    }
  })

  test('objects of Node that can be cloned are', async () => {
    const key = createSecretKey(Buffer.from('secret'))
    const got = await trip({ key, blob: new Blob(['text']) })
    assert.ok(got.key.equals(key))
    assert.equal(await got.blob.text(), 'text')
  })

  test('a File is a File again, wherever it is', async () => {
    const file = new File(['the ', 'text'], 'notes.txt', { type: 'text/plain', lastModified: 1_000 })
    const got = await trip({ list: [file], map: new Map([[file, file]]) })
    const [first] = got.list
    assert.ok(first instanceof File)
    assert.deepEqual([first.name, first.type, first.lastModified], ['notes.txt', 'text/plain', 1_000])
    assert.equal(await first.text(), 'the text')
    assert.equal(got.map.get(first), first)
    const bare = await trip(new File([], ''))
    assert.deepEqual([bare.name, bare.type, bare.size], ['', '', 0])
  })

  test('what a getter gives travels, not the getter', async () => {
    let asked = 0
    const got = await trip({
      get asked() {
        return ++asked
      },
    })
    assert.deepEqual(Object.getOwnPropertyDescriptor(got, 'asked')!.value, 1)
  })

  test('proxies are read', async () => {
    const seen = new Proxy({ a: 1 }, {})
    assert.deepEqual(await trip({ seen }), { seen: { a: 1 } })
  })

  test('a Buffer stays a Buffer, a URL a URL, a registered symbol itself', async () => {
    const small = Buffer.from('abc')
    const got = await trip({
      small,
      twice: small,
      large: Buffer.alloc(10_000, 1),
      url: new URL('http://a/b?c'),
      key: Symbol.for('k'),
      it: Symbol.iterator,
    })
    assert.ok(Buffer.isBuffer(got.small) && Buffer.isBuffer(got.large) && got.small === got.twice)
    assert.equal(got.small.toString(), 'abc')
    assert.deepEqual([got.large.length, got.large[9_999]], [10_000, 1])
    assert.equal(got.url.pathname, '/b')
    assert.deepEqual([got.key, got.it], [Symbol.for('k'), Symbol.iterator])
  })
})

describe('bytes', () => {
  const shared = (view: ArrayBufferView) => view.buffer instanceof SharedArrayBuffer

  test('from 4 KiB up move into shared memory, once', async () => {
    const small = new Uint8Array(4095).fill(1)
    const large = new Float64Array(512).fill(2)
    const { data, copied, shared: bytes } = packed({ small, large, again: large })
    const value = data as { small: Uint8Array; large: Float64Array; again: Float64Array }
    assert.deepEqual([shared(value.small), shared(value.large), value.large === value.again], [false, true, true])
    assert.deepEqual([copied, bytes], [4095 + 'small'.length + 'large'.length + 'again'.length, 4096])
    const there = cross(value) as typeof value
    Atomics.store(new Int32Array(there.large.buffer), 0, 7)
    assert.equal(new Int32Array(value.large.buffer)[0], 7)
    assert.equal(large[0], 2)
  })

  test('that are shared already are not copied', () => {
    const memory = new SharedArrayBuffer(8192)
    const { data, special, copied, shared: bytes } = packed([memory, new Int16Array(memory, 2, 5)])
    const [same, view] = unpack(data, special, () => {}) as [SharedArrayBuffer, Int16Array]
    assert.equal(same, memory)
    assert.deepEqual([view.buffer === memory, view.byteOffset, view.length, view.constructor], [true, 2, 5, Int16Array])
    assert.deepEqual([copied, bytes], [0, 8192])
  })

  test('views over a whole buffer go on sharing it', async () => {
    const buffer = new ArrayBuffer(8000)
    const got = await trip({ a: new Uint8Array(buffer), b: new Float32Array(buffer), buffer })
    got.a[0] = 5
    assert.deepEqual(
      [got.b.buffer === got.a.buffer, got.buffer === (got.a.buffer as unknown), new Uint8Array(got.buffer)[0]],
      [true, true, 5],
    )
  })

  test('a view over a part takes only that part along', async () => {
    const rows = new Float64Array(100_000).map((_, i) => i)
    const part = rows.subarray(5, 8)
    const { copied, shared: bytes } = packed(part)
    assert.deepEqual([copied, bytes], [24, 0])
    assert.deepEqual(await trip(part), new Float64Array([5, 6, 7]))
    const large = await trip(rows.subarray(10, 1034))
    assert.deepEqual([large.length, large[0], shared(large), large.buffer.byteLength], [1024, 10, true, 8192])
    assert.equal(packed(Buffer.from('of the pool')).copied, 11)
  })

  test('keep the kind of their view', async () => {
    for (const view of [
      new Uint8ClampedArray(5000),
      new BigUint64Array(600),
      new DataView(new ArrayBuffer(5000), 8, 4500),
      new Int8Array(0),
    ]) {
      const got = await trip(view)
      assert.equal(got.constructor, view.constructor)
      assert.equal(got.byteLength, view.byteLength)
    }
    const foreign = runInNewContext('new DataView(new SharedArrayBuffer(8), 1, 2)') as DataView
    assert.equal((await trip(foreign)).byteLength, 2)
  })
})

class Celsius {
  constructor(readonly degrees: number) {}
  [serialize]() {
    return { degrees: this.degrees }
  }
  static [deserialize](data: { degrees: number }) {
    return new Celsius(data.degrees)
  }
}
export function revive(data: { list: unknown[] }): Voyage {
  return new Voyage(data.list)
}
class Voyage {
  constructor(readonly list: unknown[]) {}
  [serialize]() {
    return via(import.meta.url, 'revive', { list: this.list })
  }
}

describe('values that say how they travel', () => {
  test('by a module’s function', async () => {
    const voyage = new Voyage([1, new Voyage([Buffer.from('x')])])
    const got = await trip({ voyage, same: voyage })
    assert.ok(got.voyage instanceof Voyage && got.voyage === got.same && got.voyage.list[1] instanceof Voyage)
    assert.ok(Buffer.isBuffer((got.voyage.list[1] as Voyage).list[0]))
  })

  test('by their class', async () => {
    const got = await trip([new Celsius(1), { deep: new Map([[new Celsius(2), new Set([new Celsius(3)])]]) }] as const)
    const [[key, set]] = got[1].deep as unknown as [[Celsius, Set<Celsius>]]
    assert.deepEqual([got[0] instanceof Celsius, got[0].degrees, key.degrees, [...set][0]!.degrees], [true, 1, 2, 3])
  })

  test('keep their places in Maps and Sets, in order', async () => {
    const map = new Map<unknown, unknown>([
      ['a', new Celsius(1)],
      [new Celsius(2), 'b'],
      ['c', 3],
    ])
    const got = await trip(map)
    assert.deepEqual(
      [...got.keys()].map((key) => (key instanceof Celsius ? key.degrees : key)),
      ['a', 2, 'c'],
    )
    assert.ok(got.get('a') instanceof Celsius)
    // Whether the last of them is one or not.
    for (const members of [
      [new Celsius(1), 'b'],
      ['a', new Celsius(2)],
      ['a', new Celsius(3), 'c', new Celsius(4), 'e'],
    ])
      assert.deepEqual([...(await trip(new Set<unknown>(members)))], members)
  })

  test('may hold functions, since they say themselves what they are', async () => {
    const three = 3
    const task = { [serialize]: () => via(import.meta.url, 'call', { fn: (x: number) => x * three }) }
    assert.equal(await trip(task), 12 as never)
  })

  test('refs and handles inside are told to the caller', () => {
    const ref = { [serialize]: () => via('rayito:ref', '', 'o1') }
    const { carried, special } = packed({ list: [ref, { ref }] })
    assert.deepEqual([carried, special], [[ref], true])
  })

  test('are refused when half of it is missing', () => {
    class Half {
      [serialize]() {
        return 1
      }
    }
    const loop = { [serialize]: (): unknown => via('x', 'y', { loop }) }
    const throws = {
      [serialize]() {
        throw new TypeError('no')
      },
    }
    assert.throws(
      () => pack([new Half()], 'args'),
      /args\[0\] is an instance of Half, which has \[ray\.serialize\] but no static \[ray\.deserialize\]/,
    )
    assert.throws(() => pack({ loop }, 'value'), /value\.loop\.loop is contained in its own/)
    assert.throws(
      () => pack({ throws }, 'value'),
      /value\.throws cannot be serialized: its \[ray\.serialize\] threw no/,
    )
  })
})

export function call({ fn }: { fn: (x: number) => number }): number {
  return fn(4)
}

describe('what cannot travel is named before anything is sent', () => {
  class Session {
    run() {}
  }
  const gone = new Uint8Array(8)
  structuredClone(gone, { transfer: [gone.buffer] })
  const fail = () => {
    throw new Error('no entry')
  }
  const revoked = Proxy.revocable({}, {})
  revoked.revoke()
  function argumentsOf(..._: unknown[]) {
    // biome-ignore lint/complexity/noArguments: that is what is tested
    return arguments
  }
  const cases: [title: string, value: unknown, message: RegExp][] = [
    ['a function', [{ session: { fn() {} } }], /^args\[0\]\.session\.fn is a function\./],
    ['a class', [Session], /^args\[0\] is a class/],
    [
      'an instance of a class',
      [{ a: new Session() }],
      /^args\[0\]\.a is an instance of Session: its methods would be lost\. Give Session a \[ray\.serialize\]/,
    ],
    [
      'an instance of a class that extends a container',
      [new (class Stack extends Array {})()],
      /is an instance of Stack/,
    ],
    ['a promise', [[Promise.resolve()]], /^args\[0\]\[0\] is a promise\. await it first/],
    ['a symbol', [{ 'a b': Symbol('x') }], /^args\[0\]\["a b"\] is a symbol/],
    ['a WeakMap', [new Map([['k', new WeakMap()]])], /^args\[0\]\.get\('k'\) is a WeakMap/],
    ['a WeakRef', [new WeakRef({})], /^args\[0\] is a WeakRef\. Pass what it refers to/],
    ['a key of a Map', [new Map([[() => 1, 1]])], /^args\[0\]\.keys\(\)\[0\] is a function/],
    ['a member of a Set', [new Set([1, () => 1])], /^args\[0\]\.values\(\)\[1\] is a function/],
    ['a stream', [Readable.from([])], /^args\[0\] is an open Readable, which lives in this thread only/],
    ['a server', [createServer()], /is an open Server/],
    [
      'a server’s request',
      [new IncomingMessage(new Socket())],
      /^args\[0\] is an IncomingMessage, which lives in this thread only\. Pass what is needed of it: its body/,
    ],
    [
      'a request, also as a framework extends it',
      [new (class NextRequest extends Request {})('http://localhost')],
      /^args\[0\] is a NextRequest, which lives in this thread only\. Pass what is needed of it: its body/,
    ],
    ['a signal', [AbortSignal.timeout(1)], /is an AbortSignal, .* ray\.cancel\(ref\): inside, .*\.signal/],
    ['a timer', [setTimeout(() => {}, 1)], /is an open Timeout/],
    ['an iterator', [[1].values()], /is an iterator/],
    ['a generator', [(function* () {})()], /is an iterator/],
    ['an object made from another', [Object.create({ a: 1 })], /has a prototype of its own/],
    ['a module', [errors], /^args\[0\] is a module\. Import it/],
    [
      'a getter that throws',
      [
        {
          get a() {
            throw new Error('sealed')
          },
        },
      ],
      /^args\[0\]\.a cannot be read: its getter threw Error: sealed/,
    ],
    [
      'an element that a getter gives, which throws',
      [Object.defineProperty([1], 0, { get: fail })],
      /^args\[0\] cannot be read: looking at it threw Error: no entry\.?$/,
    ],
    [
      'a proxy that throws',
      { a: [new Proxy({}, { ownKeys: fail })] },
      /^args\.a\[0\] cannot be read: .* Error: no entry/,
    ],
    ['a proxy that was revoked', revoked.proxy, /^args cannot be read: looking at it threw TypeError: .*revoked/],
    ['a proxy for a Map', [new Proxy(new Map(), {})], /^args\[0\] is a Proxy, which cannot be copied\. Pass a copy/],
    ['arguments', [argumentsOf(1, 2)], /^args\[0\] is an arguments object\. Pass \[\.\.\.arguments\]/],
    ['arguments, themselves', argumentsOf(1), /^args is an arguments object/],
    [
      'an array of numbers that is an instance of a class',
      [new (class Vector extends Float32Array {})(2)],
      /of Vector/,
    ],
    [
      'an instance of a class of Node’s',
      { h: new Headers() },
      /^args\.h is a Headers, which cannot be copied\. Pass the data/,
    ],
    ['a boxed symbol', [Object(Symbol('x'))], /^args\[0\] is a/],
    ['a buffer that was given away', [{ gone: gone.buffer }], /^args\[0\]\.gone is a buffer that was transferred/],
    ['a view over one', [[gone]], /^args\[0\]\[0\] is a view over a buffer that was transferred/],
  ]
  for (const [title, value, message] of cases)
    test(title, () => {
      assert.throws(
        () => pack(value, 'args'),
        (error: unknown) => {
          assert.ok(error instanceof NotSerializableError, String(error))
          assert.match(error.message, message)
          assert.doesNotMatch(error.message, /\n/)
          return true
        },
      )
    })

  test('by the line that gave it, however deep it lies', () => {
    let deep: unknown = () => {}
    for (let i = 0; i < 30; i++) deep = [deep]
    const give = () => ray.put(deep)
    assert.throws(give, (error: Error) =>
      /^NotSerializableError: value(\[0\]){30} is a function.*\n +at give \(/.test(error.stack!),
    )
  })

  test('an error among the fields of another is one with itself elsewhere, whatever stands beside it as a text', async () => {
    const within = new Error('within')
    const failed = Object.assign(new Error('failed'), { within, retry: () => {} })
    const [outer, inner] = await trip([failed, within] as const)
    assert.equal(outer.within, inner)
  })

  test('although an error that was met before shows the same thing as a text', async () => {
    const shown = { session: new Session() }
    const failed = Object.assign(new Error('failed'), { shown })
    assert.deepEqual(Object.entries((await trip({ failed })).failed.shown), [['session', 'Session {}']])
    assert.throws(
      () => pack({ failed, shown }, 'value'),
      /^NotSerializableError: value\.shown\.session is an instance of Session/,
    )
    const retry = () => {}
    assert.throws(
      () => pack([Object.assign(new Error('failed'), { retry }), retry], 'value'),
      /value\[1\] is a function/,
    )
    const list = [1]
    const got = await trip({ failed: Object.assign(new Error('failed'), { list }), list })
    assert.equal(got.failed.list, got.list)
  })

  test('what is nested deeper than the stack', () => {
    let deep: unknown = 1
    for (let i = 0; i < 100_000; i++) deep = [deep]
    assert.throws(() => pack(deep, 'args[0]'), /^NotSerializableError: args\[0\] is nested too deeply/)
  })

  test('whatever packs crosses: no DataCloneError is left', async () => {
    await fc.assert(
      fc.property(
        fc.anything({
          withDate: true,
          withMap: true,
          withSet: true,
          withTypedArray: true,
          withSparseArray: true,
          withBigInt: true,
          withBoxedValues: true,
          withNullPrototype: true,
          withObjectString: true,
        }),
        (value) => {
          cross(packed(value).data)
        },
      ),
    )
  })
})

describe('frozen values', () => {
  test('plain objects and arrays are frozen, however deep and round', () => {
    const value: Record<string, unknown> = { list: [{ a: 1 }], bytes: new Uint8Array(2), map: new Map([[1, {}]]) }
    value.self = value
    assert.equal(freeze(value), value)
    assert.throws(() => (value.list as unknown[]).push(1), TypeError)
    assert.throws(() => {
      ;(value.list as { a: number }[])[0]!.a = 2
    }, TypeError)
    ;(value.bytes as Uint8Array)[0] = 1
    ;(value.map as Map<number, unknown>).set(2, 3)
    for (const primitive of [1, 'a', null, undefined]) assert.equal(freeze(primitive), primitive)
  })
})
