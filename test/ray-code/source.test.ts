import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import fs, { existsSync } from 'node:fs'
import * as path from 'node:path'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import { compileFunction, runInThisContext } from 'node:vm'
import { Worker } from 'node:worker_threads'
import { deserialize, serialize } from '#src/core/travel.js'
import { isGlobal } from '#src/ray/code/known.js'
import { elsewhere, instanceElsewhere } from './elsewhere.js'

// This file is the process's first file: its functions travel by source.

const factor = 3
const table = new Map([['a', { weight: 2 }]])
let calls = 0
const count = () => ++calls
const counted = () => calls
let [left, right, both] = [0, 0, 0]
const addLeft = () => ++left
const addRight = () => ++right
const addBoth = () => [left, ++both]
const seen = () => [right, both]
const fails = () => {
  throw new Error(`failed ${++calls}`)
}
const failsBelow = (deep: boolean) => {
  if (deep) fails()
  throw new Error(`failed ${++calls}`)
}
const even = (n: number): boolean => (n === 0 ? true : odd(n - 1))
function odd(n: number): boolean {
  return n === 0 ? false : even(n - 1)
}
class Animal {
  static made = 0
  #secret = 'fur'
  constructor(readonly name: string) {
    Animal.made++
  }
  speak(): string {
    return `${this.name} of ${this.#secret}`
  }
}
class Dog extends Animal {
  static sound: string
  static {
    Dog.sound = 'woof'
  }
  override speak(): string {
    return `${super.speak()} says ${Dog.sound} × ${factor}`
  }
}
Object.assign(globalThis, { early: () => 7 })
const mixed = (Base: typeof Animal) => class extends Base {}

describe('a function that travels by source', () => {
  test('may be of any form', async () => {
    const shapes = {
      method(x: number) {
        return [x, this === undefined]
      },
      async later(x: number) {
        await null
        return x + 1
      },
      *numbers(x: number) {
        yield x
        yield x + 1
      },
      'with a name'(x: number) {
        return x * factor
      },
      [`computed${factor}`](x: number) {
        return -x
      },
    }
    assert.equal(await elsewhere((x: number) => x + 1, 1), 2)
    assert.equal(await elsewhere(async (x: number) => (await x) + 1, 1), 2)
    assert.equal(
      await elsewhere(function named(n: number): number {
        return n < 2 ? 1 : n * named(n - 1)
      }, 5),
      120,
    )
    assert.deepEqual(await elsewhere(shapes.method, 1), [1, true])
    assert.equal(await elsewhere(shapes.later, 1), 2)
    const { numbers } = shapes
    assert.deepEqual(await elsewhere((x: number) => [...numbers(x)], 1), [1, 2])
    assert.equal(await elsewhere(shapes['with a name'], 2), 6)
    assert.equal(await elsewhere(shapes.computed3!, 2), -2)
  })

  test('may be a method whose key is not easily told from its brackets', async () => {
    const { x, three } = new Function(`return {
      [/* [ */ 'x' /* ] */](a) { return a + 1 },
      [['two', 'three'][1]](a) { return a + 3 },
    }`)() as Record<string, (a: number) => number>
    assert.equal(await elsewhere(x!, 1), 2)
    assert.equal(await elsewhere(three!, 1), 4)
    const names = { handle: new EventEmitter(), last: 'four' }
    const four = {
      [names.last]: (a: number) => a,
      [`${names.last}!`](a: number) {
        return a + 4
      },
    } as Record<string, (a: number) => number>
    assert.equal(await elsewhere(four['four!']!, 1), 5, 'which stays here')
  })

  test('may be written as only sloppy code may', async () => {
    const forms = '() => 010, function () { return 010 }, { method() { return 010 } }.method'
    const [arrow, plain, method] = new Function(`return [${forms}]`)()
    for (const fn of [arrow, plain, method]) assert.equal(await elsewhere(fn as () => number), 8)
  })

  test('may be a private method that a class gave away', async () => {
    class Safe {
      #open(code: number) {
        return code * factor
      }
      get open() {
        return this.#open
      }
    }
    assert.equal(await elsewhere(new Safe().open, 2), 6)
  })

  test('may have classes and objects in it that have super and private names of their own', async () => {
    const makers = {
      make() {
        class Kept {
          #n = 1
          get n() {
            return this.#n
          }
        }
        const Other = class {
          #n = 2
          n = () => this.#n
        }
        const above = { n: () => 3 }
        const object = {
          n: () => 4,
          up() {
            return (super.valueOf as unknown) === Object.prototype.valueOf && this.n()
          },
        }
        return [new Kept().n, new Other().n(), above.n(), object.up()]
      },
    }
    assert.deepEqual(await elsewhere(makers.make), [1, 2, 3, 4])
    const { make } = makers
    assert.deepEqual(await elsewhere(() => make()), [1, 2, 3, 4])
  })

  test('may be minified', async () => {
    const [small, one, many] = new Function(
      'return [class{y=2},class{m(){return 1}},class{static a(){return 1}b(){}}]',
    )()
    assert.deepEqual(await elsewhere(() => [new small().y, new one().m(), many.a()]), [2, 1, 1])
  })

  test('is as strict as where it was written', async () => {
    const write = 'const o = Object.freeze({ a: 1 }); o.a = 2; return o.a'
    const forms = `() => { ${write} }, function () { ${write} }, { m() { ${write} } }.m, class { n() { ${write} } }.prototype.n, () => Array.from((function* () { ${write} })())`
    const outcome = (run: () => unknown) => Promise.resolve().then(run).then(String, String)
    // As CommonJS is compiled: the text is all of the script, and may begin as programs do.
    for (const program of [
      `return [${forms}]`,
      `/* one */ 'use strict' // two\nreturn [${forms}]`,
      `return (() => { 'use strict'; return [${forms}] })()`,
    ])
      for (const made of [new Function(program), compileFunction(program), compileFunction(`#!/bin/node\n${program}`)])
        for (const fn of made() as (() => unknown)[])
          assert.equal(await outcome(() => elsewhere(fn)), await outcome(fn), program)
  })

  test('keeps its name', async () => {
    const arrow = () => arrow.name
    assert.equal(await elsewhere(arrow), 'arrow')
    const holder = { method: () => (method as { name: string }).name }
    const { method } = holder
    assert.equal(await elsewhere(method), 'method')
    const renamed = Object.defineProperty(() => 1, 'name', { value: { not: 'a text' } })
    assert.equal(await elsewhere(renamed), 1)
    const { Named, bare } = new Function(
      'function bare() { return 2 } bare.prototype = null; return { Named: class Named { static name() { return 3 } }, bare }',
    )()
    assert.deepEqual(await elsewhere(() => [bare(), Named.name()]), [2, 3])
  })

  test('takes values from around it along', async () => {
    const [zero, not, big, nothing, text] = [-0, Number.NaN, 2n ** 70n, undefined, 'ñ']
    const local = { list: [1, { deep: new Date(5) }], re: /x/g, set: new Set([1]) }
    const got = await elsewhere(() => [zero, not, big, nothing, null, text, factor, table, local])
    assert.deepEqual(got, [zero, not, big, nothing, null, text, factor, table, local])
    assert.ok(Object.is((got as unknown[])[0], -0))
    assert.ok(!(Symbol.for('rayito.hand') in globalThis), 'and what was looked at last is not held by a global')
  })

  test('takes them as they are at its first call', async () => {
    let value = 1
    const held = { value }
    const inner = () => value
    const read = () => [value, held.value, inner()]
    value = 2
    const first = elsewhere(read)
    held.value = value = 3
    assert.deepEqual(await first, [2, 1, 2])
    assert.deepEqual(await elsewhere(read), [2, 1, 2])
  })

  test('shares large bytes instead of copying them', async () => {
    const pixels = new Uint8Array(10_000)
    assert.deepEqual(await elsewhere(() => [pixels.buffer instanceof SharedArrayBuffer, pixels.length]), [true, 10_000])
  })

  test('functions that use each other travel together, and so do classes', async () => {
    assert.equal(await elsewhere((n: number) => [even(n), odd(n)], 7).then(String), 'false,true')
    class Hen {
      static seen = 1
      lay() {
        return new Egg()
      }
    }
    class Egg {
      hatch() {
        return new Hen()
      }
    }
    Hen.seen++
    assert.deepEqual(await elsewhere(() => [new Egg().hatch().lay() instanceof Egg, Hen.seen]), [true, 2])
  })

  test('references shared among what it uses stay shared, cycles too', async () => {
    interface Node {
      self?: Node
      list: number[]
    }
    const list = [1]
    const node: Node = { list }
    node.self = node
    const add = () => list.push(2)
    const same = () => {
      add()
      return [node.self === node, node.list === list, list.length]
    }
    assert.deepEqual(await elsewhere(same), [true, true, 2])
  })

  test('functions of a module share its variables, in the worker too', async () => {
    assert.deepEqual(await elsewhere(() => [count(), count(), counted(), calls]), [1, 2, 2, 2])
    assert.equal(calls, 0)
    assert.deepEqual(await elsewhere(() => [addLeft(), addRight(), addBoth(), seen()]), [1, 1, [1, 1], [1, 1]])
    const [add, read] = runInThisContext('let ofScript = 0; [() => ++ofScript, () => ofScript]') as (() => number)[]
    assert.deepEqual(await elsewhere(() => [add!(), read!()]), [1, 1], 'and those of a script its')
  })

  test('methods of an object travel with it', async () => {
    const counter = {
      n: 0,
      add(k: number) {
        this.n += k * factor
        return this
      },
      get double() {
        return 2 * this.n
      },
      set half(n: number) {
        this.n = n / 2
      },
    }
    assert.equal(await elsewhere(() => counter.add(1).add(1).n), 6)
    const change = () => {
      counter.half = 10
      return [counter.n, counter.double, Object.keys(counter)]
    }
    assert.deepEqual(await elsewhere(change), [5, 10, ['n', 'add', 'double', 'half']])
    class Maker {
      word = 'made'
      make() {
        return Object.defineProperty({}, 'word', { get: () => this.word, enumerable: true }) as { word: string }
      }
    }
    const made = new Maker().make()
    assert.equal(await elsewhere(() => made.word), 'made', 'the value, where the getter itself cannot travel')
  })

  test('a function’s own properties travel with it', async () => {
    const memo = Object.assign((x: number) => (memo.cache[x] ??= x * 2), {
      cache: { 1: 100 } as Record<number, number>,
      [promisify.custom]: async (x: number) => -x,
    })
    assert.deepEqual(await elsewhere(() => [memo(1), memo(2), Object.keys(memo.cache).length]), [100, 4, 2])
    assert.equal(await elsewhere(async () => promisify(memo)(3)), -3)
  })

  test('a class travels with its base class, statics and private names', async () => {
    assert.equal(await elsewhere((name: string) => new Dog(name).speak(), 'Rex'), 'Rex of fur says woof × 3')
    assert.deepEqual(await instanceElsewhere(Dog, ['Ada'], ['speak']), ['Ada of fur says woof × 3'])
    const Mixed = mixed(Dog)
    assert.deepEqual(await elsewhere(() => [new Mixed('M') instanceof Animal, Dog.prototype instanceof Animal]), [
      true,
      true,
    ])
  })

  test('what decorators do to instances is done once, as TypeScript compiles them', async () => {
    const Tenfold = new Function(
      `const __esDecorate = (_, list) => list.unshift((x) => 10 * x)
       let _n_initializers = []
       return class Tenfold {
         static { __esDecorate(null, _n_initializers) }
         n = _n_initializers.reduce((n, f) => f(n), 1)
       }`,
    )()
    assert.deepEqual([new Tenfold().n, await elsewhere(() => new Tenfold().n)], [10, 10])
  })

  test('import() travels as TypeScript compiles it for CommonJS, whose helper replaces a function of its own when it is first called', async () => {
    const imports = new Function(
      `const __importStar = (function () {
         var ownKeys = function (o) {
           ownKeys = Object.getOwnPropertyNames || function (o) { return [] }
           return ownKeys(o)
         }
         return function (mod) {
           var result = {}
           for (var k = ownKeys(mod), i = 0; i < k.length; i++) result[k[i]] = mod[k[i]]
           result.times = (result.times || 0) + 1
           return result
         }
       })()
       return () => [{ a: 1 }, { b: 2 }].map(__importStar)`,
    )()
    const expected = [
      { a: 1, times: 1 },
      { b: 2, times: 1 },
    ]
    assert.deepEqual(await elsewhere(imports), expected)
    // Here it has not been called.
    assert.deepEqual([imports(), await elsewhere(imports)], [expected, expected])
  })

  test('and as Babel and SWC compile it, whose helper is a declaration that replaces itself', async () => {
    const [imports, cacheOf] = new Function(
      `'use strict'
       function _getRequireWildcardCache(nodeInterop) {
         var cacheBabelInterop = new WeakMap()
         return (_getRequireWildcardCache = function (nodeInterop) { return cacheBabelInterop })(nodeInterop)
       }
       function _interop_require_wildcard(module) {
         var cache = _getRequireWildcardCache()
         if (cache.has(module)) return cache.get(module)
         cache.set(module, { default: module })
         return cache.get(module)
       }
       const module = { a: 1 }
       return [() => [_interop_require_wildcard(module) === _interop_require_wildcard(module), _interop_require_wildcard(module)], _getRequireWildcardCache]`,
    )()
    const expected = [true, { default: { a: 1 } }]
    assert.deepEqual(await elsewhere(imports), expected)
    assert.deepEqual([imports(), await elsewhere(imports)], [expected, expected])
    assert.equal(await elsewhere(() => cacheOf.name), '_getRequireWildcardCache')
  })

  test('an async function inside another travels as TypeScript compiles it for ES2016, unless it uses `this`', async () => {
    const [plain, usesThis] = new Function(
      `const __awaiter = (that, _, P, generator) => Promise.resolve(generator.apply(that, []).next().value)
       return [
         (n) => __awaiter(this, void 0, void 0, function* () { return n + 1 }),
         () => __awaiter(this, void 0, void 0, function* () { return () => this }),
       ]`,
    )()
    assert.equal(await elsewhere(plain, 1), 2)
    await assert.rejects(elsewhere(usesThis), /uses `this` of the place where it is defined/)
  })

  test('a decorated class that extends another travels, as esbuild compiles it', async () => {
    const Second = new Function(
      `const metadata = Symbol.for('Symbol.metadata')
       class First {}
       First[metadata] = Object.create(null)
       const init = [, , , Object.create(First[metadata])]
       class Second extends First { n = init.length }
       Second[metadata] = init[3]
       return Second`,
    )()
    assert.equal(await elsewhere(() => new Second().n), 4)
  })

  test('a class travels with private members that a compiler made WeakMaps of', async () => {
    const Safe = new Function(
      `const secret = new WeakMap(), brand = new WeakSet()
       return class Safe {
         constructor(n) { secret.set(this, n); brand.add(this) }
         get open() { return brand.has(this) && secret.get(this) }
       }`,
    )()
    const here = new Safe(1)
    assert.deepEqual([here.open, await elsewhere(() => new Safe(2).open)], [1, 2])
  })

  test('a class travels with private statics of which a compiler made WeakMaps, as they are now', async () => {
    const Counted = new Function(
      `const count = new WeakMap(), brand = new WeakSet(), names = new WeakMap()
       class Counted {
         static next() { count.set(Counted, count.get(Counted) + 1); return brand.has(Counted) && names.get(Counted)(count.get(Counted)) }
       }
       count.set(Counted, 5), brand.add(Counted), names.set(Counted, (n) => 'n' + n)
       return Counted`,
    )()
    assert.deepEqual([Counted.next(), await elsewhere(() => [Counted.next(), Counted.next()])], ['n6', ['n7', 'n8']])
  })

  test('a class travels with what its statics are now, and with what was put on it and its prototype', async () => {
    class Setting {
      static readonly none = new Setting()
      static size = 1
      static list = [1]
      static extra?: string
      static get double() {
        return 2 * Setting.size
      }
      declare hello: () => string
      get kind() {
        return 'setting'
      }
      [Symbol.toPrimitive]() {
        return 'as written'
      }
    }
    class Fixed {
      static size = 1
      readonly size = 1
      static {
        Object.freeze(Fixed)
      }
    }
    Setting.size = 20
    Setting.list.push(2)
    Setting.extra = 'x'
    Setting.prototype.hello = () => `hello ${Setting.size}`
    const { get } = Object.getOwnPropertyDescriptor(Setting.prototype, 'kind')!
    Object.defineProperty(Setting.prototype, 'kind', {
      get() {
        return `special ${get!.call(this)}`
      },
    })
    Setting.prototype[Symbol.toPrimitive] = () => 'replaced'
    assert.deepEqual(
      await elsewhere(() => [
        Setting.size,
        Setting.list,
        Setting.extra,
        Setting.double,
        new Setting().hello(),
        new Setting().kind,
        `${new Setting()}`,
        Setting.none instanceof Setting,
        Fixed.size,
      ]),
      [20, [1, 2], 'x', 40, 'hello 20', 'special setting', 'replaced', true, 1],
    )
  })

  test('classes that count themselves in another travel, and a static that can only stay here stands in no way', async () => {
    class Registry {
      readonly kind = 'registry'
      static names: string[] = []
      static add(name: string): void {
        if (Registry.names.includes(name)) throw new Error(`${name} is there twice`)
        Registry.names.push(name)
      }
    }
    class Counted {
      readonly kind = 'counted'
      static {
        Registry.add('Counted')
      }
    }
    class Job {
      static save: (text: string) => Promise<void>
      run(): number {
        return 1
      }
    }
    Job.save = promisify(fs.writeFile.bind(null, 'here')) as never
    const told = await elsewhere(() => [Registry.names, new Counted() instanceof Counted, new Job().run()])
    assert.deepEqual(told, [['Counted'], true, 1])
  })

  test('a class that a function makes finds what stands below that function', async () => {
    const Timed = (Base: typeof Animal) =>
      class extends Base {
        static clock = new Clock()
      }
    class Clock {
      n = 1
      job(): Animal {
        return new Job('job')
      }
    }
    class Job extends Timed(Animal) {
      run(): number {
        return Job.clock.n
      }
    }
    assert.equal(await elsewhere(() => new Job('job').run()), 1)
  })

  test('a function that makes objects travels with its prototype', async () => {
    interface Old {
      n: number
      next(): number
    }
    function Old(this: Old, n: number) {
      this.n = n
    }
    Old.prototype.next = function (this: Old) {
      return this.n + factor
    }
    const make = Old as unknown as new (n: number) => Old
    assert.deepEqual(await elsewhere(() => [new make(4).next(), new make(1) instanceof make]), [7, true])
  })

  test('classes in the old form travel with what they inherit, and with their accessors', async () => {
    const { Dog, Bell } = new Function(
      'EventEmitter',
      `function Animal(name) { this.name = name }
       Animal.legs = 4
       Animal.prototype.speak = function () { return this.name + ' speaks' }
       function Dog(name) { Animal.call(this, name) }
       Object.setPrototypeOf(Dog, Animal)
       Dog.prototype = Object.create(Animal.prototype, { constructor: { value: Dog } })
       Object.defineProperty(Dog.prototype, 'loud', { get() { return this.speak() + '!' }, enumerable: true })
       Object.defineProperty(Dog.prototype, 'run', { value() { return this.name + ' runs' } })
       function Bell() { EventEmitter.call(this) }
       Object.setPrototypeOf(Bell.prototype, EventEmitter.prototype)
       return { Dog, Bell }`,
    )(EventEmitter)
    const use = () => {
      const dog = new Dog('Rex')
      return [
        dog.loud,
        dog.run(),
        Dog.legs,
        dog.constructor === Dog,
        Object.keys(Dog.prototype),
        new Bell().eventNames(),
        Bell.once,
      ]
    }
    assert.deepEqual(await elsewhere(use), ['Rex speaks!', 'Rex runs', 4, true, ['loud'], [], undefined])
  })

  test('an object travels with what it has under symbols', async () => {
    const own = Symbol('own')
    const range = {
      to: 3,
      [own]: 'mine',
      *[Symbol.iterator]() {
        for (let i = 1; i <= this.to; i++) yield i * factor
      },
    }
    assert.deepEqual(await elsewhere(() => [[...range], range[own]]), [[3, 6, 9], 'mine'])
  })

  test('a class is made after those that a compiler put into an object, if it needs them then', async () => {
    const program = `const base_1 = { default: class Base { who() { return 'base' } } }
      return class Derived { static made = new base_1.default().who(); again() { return Derived.made } }`
    const Derived = new Function(program)()
    assert.equal(await elsewhere(() => new Derived().again()), 'base')
  })

  test('a class that extends one of the language keeps doing so', async () => {
    class Missing extends RangeError {
      override name = 'Missing'
    }
    const error = await elsewhere(() => new Missing('gone'))
    assert.deepEqual([error instanceof RangeError, error.name, error.message], [true, 'Missing', 'gone'])
    const Bare = class extends null {
      static readonly word = 'bare'
    }
    assert.deepEqual(await elsewhere(() => [Bare.word, Object.getPrototypeOf(Bare.prototype)]), ['bare', null])
  })

  test('a class is the same class whenever it arrives', async () => {
    class Point {
      constructor(readonly x: number) {}
      [serialize]() {
        return this.x
      }
      static [deserialize](x: number) {
        return new Point(x)
      }
    }
    const isPoint = (p: unknown) => p instanceof Point && p.x
    assert.equal(await elsewhere(isPoint, new Point(4)), 4)
    const back = await elsewhere((p: Point) => new Point(p.x + 1), new Point(1))
    assert.ok(back instanceof Point)
    assert.equal(back.x, 2)
    class Counter {
      static count = 0
      readonly step = 1
    }
    assert.equal(await elsewhere(() => ++Counter.count), 1)
    assert.equal(await elsewhere(() => ++Counter.count), 2, 'as it has become there')
  })

  test('Node’s modules are imported again', async () => {
    const sha = (text: string) => createHash('sha1').update(text).digest('hex')
    assert.equal(await elsewhere(sha, 'a'), sha('a'))
    assert.deepEqual(await elsewhere(() => [existsSync('/'), typeof fs.readFileSync, path.join('a', 'b')]), [
      true,
      'function',
      path.join('a', 'b'),
    ])
    const statLater = promisify
    assert.equal(await elsewhere(() => typeof statLater), 'function')
    const { createSecureServer } = await import('node:http2')
    assert.equal(await elsewhere(() => typeof createSecureServer), 'function', 'one that was loaded since')
  })

  test('so are those that only node: names', async () => {
    assert.equal(await elsewhere(() => typeof describe), 'function')
  })

  test('globals under other names are the worker’s globals', async () => {
    const { sqrt } = Math
    const log = console.log
    const { slice } = Array.prototype
    const make = URL
    assert.deepEqual(
      await elsewhere(() => [sqrt(9), typeof log, slice.call([1, 2], 1), new make('http://a/b').pathname]),
      [3, 'function', [2], '/b'],
    )
  })

  test('every global of this Node is known, and none of them travels', async () => {
    const program = `import { parentPort } from 'node:worker_threads'
      parentPort.postMessage(Object.getOwnPropertyNames(globalThis))`
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(program)}`))
    const [found] = (await once(worker, 'message')) as [string[]]
    assert.deepEqual(
      found.filter((name) => !isGlobal(name)),
      [],
    )
  })

  test('a global that the program made is taken along', async () => {
    ;(globalThis as { setting?: unknown }).setting = { on: true }
    try {
      assert.deepEqual(await elsewhere(() => (globalThis as { setting?: unknown }).setting), undefined)
      const read = new Function('return () => setting')() as () => unknown
      assert.deepEqual(await elsewhere(read), { on: true })
    } finally {
      delete (globalThis as { setting?: unknown }).setting
    }
    assert.equal(
      await elsewhere(new Function('return () => early()')()),
      7,
      'one that was there from the beginning, too',
    )
  })

  test('import.meta and import() are those of its file', async () => {
    const where = async () => {
      const names = await import('./sample.js')
      const bare = await import('acorn')
      return [import.meta.url, import.meta.resolve('./sample.js'), names.sample, typeof bare.parse]
    }
    assert.deepEqual(await elsewhere(where), [
      import.meta.url,
      import.meta.resolve('./sample.js'),
      'a sample',
      'function',
    ])
  })

  test('symbols stay what they are', async () => {
    const own = Symbol('own')
    const registered = Symbol.for('test.registered')
    const holder = { [Symbol.for('x')]: 1 }
    void holder
    const twice = () => own
    assert.deepEqual(
      await elsewhere(() => [own === twice(), registered === Symbol.for('test.registered'), own.description]),
      [true, true, 'own'],
    )
  })

  test('typeof of what does not exist is undefined there too', async () => {
    // @ts-expect-error it does not exist
    assert.equal(await elsewhere(() => typeof doesNotExist), 'undefined')
  })

  test('stacks name its file and line', async () => {
    const fails = () => {
      throw new TypeError('far away')
    }
    await assert.rejects(elsewhere(fails), (error: Error) => {
      assert.match(error.stack!, /at fails \(.*source\.test\.js:/)
      return lineOf(error) === lineHere(fails) && error instanceof TypeError
    })
  })

  test('stacks name the lines of a class, wherever its constructor stands', async () => {
    const based = (_: object) => Object
    class Late extends based({
      on: 'several lines',
    }) {
      early(): never {
        throw new Error('early')
      }
      constructor(readonly name: string) {
        super()
        if (!name) throw new Error('none')
      }
      late(): never {
        throw new Error('late')
      }
    }
    class Short extends based({
      on: 'several lines',
    }) {
      fail(): never {
        throw new Error('short')
      }
    }
    class Bare {
      fail(): never {
        throw new Error('bare')
      }
    }
    const there = (type: new (name: string) => object, ...calls: unknown[][]) =>
      instanceElsewhere(type, ...calls).catch(lineOf)
    const lines = [
      await there(Late, ['']),
      await there(Late, ['x'], ['early']),
      await there(Late, ['x'], ['late']),
      await there(Short, [], ['fail']),
      await there(Bare, [], ['fail']),
    ]
    const here = [
      () => new Late(''),
      () => new Late('x').early(),
      () => new Late('x').late(),
      () => new Short().fail(),
      () => new Bare().fail(),
    ]
    assert.deepEqual(lines, here.map(lineHere))
  })

  test('stacks name the lines of functions that share a variable', async () => {
    const lines = [await elsewhere(failsBelow, true).catch(lineOf), await elsewhere(failsBelow, false).catch(lineOf)]
    const here = [() => failsBelow(true), () => failsBelow(false)]
    assert.deepEqual(lines, here.map(lineHere))
  })
})

/** The line that an error's stack begins with. */
const lineOf = (error: Error) => Number(/:(\d+):\d+\)?$/m.exec(error.stack!)![1])

/** That of what a function throws in this thread. */
function lineHere(fails: () => unknown): number | undefined {
  try {
    fails()
  } catch (error) {
    return lineOf(error as Error)
  }
  return undefined
}
