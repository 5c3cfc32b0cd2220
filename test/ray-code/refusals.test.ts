import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { describe, test } from 'node:test'
import { describe as describeCode } from '#src/ray/code/index.js'
import { NotSerializableError } from '#src/ray/errors.js'
import { elsewhere } from './elsewhere.js'

type Any = (...args: never[]) => unknown

async function refused(fn: Any, path: string | RegExp, message: RegExp): Promise<void> {
  await assert.rejects(describeCode(fn), (error: unknown) => {
    assert.ok(error instanceof NotSerializableError, String(error))
    assert.equal(error.code, 'RAY_NOT_SERIALIZABLE')
    if (typeof path === 'string') assert.equal(error.path, path)
    else assert.match(error.path, path)
    assert.match(error.message, message)
    assert.doesNotMatch(error.message, /\n/)
    return true
  })
}

class Pool {
  size = 1
}

// There are no such things.
declare const window: { innerWidth: number } | undefined
declare const notDefinedAnywhere: unknown

describe('what a function cannot take along is named', () => {
  test('an open handle, with the function and the remedy', async () => {
    const server = createServer()
    await refused(
      function address() {
        return server.address()
      },
      '`server`',
      /^`server` is used by address, and is an open Server.*await import\(…\).*module of its own/,
    )
  })

  test('an instance of a class', async () => {
    const pool = new Pool()
    await refused(
      () => pool.size,
      '`pool`',
      /is used by the remote function, and is an instance of Pool: its methods would be lost/,
    )
  })

  test('the way to it', async () => {
    const config = { deep: { list: [1, { pool: new Pool() }] } }
    await refused(() => config, '`config.deep.list[1].pool`', /`config\.deep\.list\[1\]\.pool` is used by/)
  })

  test('who uses it', async () => {
    const pool = new Pool()
    const inner = () => pool.size
    const middle = () => inner()
    await refused(
      function top() {
        return middle()
      },
      '`pool`',
      /is used by inner, used by middle, used by top, and is/,
    )
  })

  test('a WeakMap with what is no instance', async () => {
    const key = { plain: 1 }
    const seen = new WeakMap([[key, 1]])
    await refused(() => seen.has(key), '`seen`', /is a WeakMap/)
  })

  test('a promise', async () => {
    const later = Promise.resolve(1)
    await refused(async () => later, '`later`', /is a promise/)
  })

  test('a native or bound function', async () => {
    const bound = function bound(this: unknown) {
      return this
    }.bind(1)
    await refused(bound, 'bound bound', /bound bound has no source .* it is native, or bound/)
    await refused(() => bound(), /bound bound/, /bound bound is used by the remote function, and has no source/)
  })

  test('this, arguments and new.target of the place around an arrow function', async () => {
    class Holder {
      value = 1
      arrow = () => this.value
      static made = function make(this: unknown) {
        // biome-ignore lint/complexity/noArguments: that is what is tested
        return [() => arguments.length, () => new.target]
      }
    }
    await refused(
      new Holder().arrow,
      'arrow',
      /uses `this` of the place where it is defined: pass what it needs as an argument/,
    )
    const [args, target] = Holder.made.call(null) as [Any, Any]
    await refused(args, /./, /uses `arguments` of the place/)
    await refused(target, /./, /uses new\.target/)
  })

  test('super and private names outside of their class', async () => {
    class Base {
      hello() {
        return 1
      }
    }
    class Derived extends Base {
      #secret = 2
      override hello() {
        return super.hello()
      }
      reveal() {
        return this.#secret
      }
      #hidden() {
        return this.#secret
      }
      static arrow = () => super.name
      hidden() {
        return this.#hidden
      }
    }
    await refused(Derived.prototype.hello, 'hello', /uses super of its class/)
    await refused(Derived.arrow, 'arrow', /uses `super` of the place/)
    await refused(new Derived().hidden(), /hidden/, /uses private names of its class/)
    await refused(Derived.prototype.reveal, 'reveal', /uses private names of its class/)
  })

  test('what a function makes objects inherit from, if it is the prototype of nothing', async () => {
    function Odd() {}
    Odd.prototype = Object.create({ x: 1 })
    await refused(
      Odd,
      'Odd',
      /^Odd makes objects that inherit from one which is the prototype of no function or class\. /,
    )
  })

  test('a name that only the making of a class asks for, and that is gone', async () => {
    const make = () => {
      const key = 'method'
      return class Keyed {
        [key]() {
          return 1
        }
      }
    }
    await refused(make() as never, '`key`', /`key` is used by Keyed, and cannot be looked up there/)
  })

  // Node 20 shows `undefined` in its place.
  const skip = process.version.startsWith('v20.')

  test('a variable that is used before its declaration was reached, until then', { skip }, async () => {
    const scaled = function scaled(x: number) {
      return x * FACTOR
    }
    await refused(
      scaled,
      '`FACTOR`',
      /^`FACTOR` is used by scaled before its declaration was reached\. Call it below that\.$/,
    )
    const FACTOR = 10
    assert.equal(await elsewhere(scaled, 2), 20)
  })

  test('a variable that two closures share and change', async () => {
    const counter = (() => {
      let n = 0
      return { up: () => ++n, now: () => n }
    })()
    await refused(
      () => [counter.up(), counter.now()],
      '`n`',
      /`n` is a variable that up.* and now.* share and that changes/,
    )
  })
})

describe('what only looks as if it could not be taken along', () => {
  test('closures that have a variable each', async () => {
    const counter = (n: number) => () => ++n
    const [one, ten] = [counter(1), counter(10)]
    assert.equal((await describeCode(() => [one(), ten()])).kind, 'source')
  })

  test('closures that have a variable each, while the place around them is at work', async () => {
    const counter = (n: number, use: (up: () => number) => Promise<{ kind: string }>): Promise<{ kind: string }> => {
      const ups = [() => ++n, () => later] as const
      const later = use(ups[0])
      return later
    }
    const code = await counter(1, (one) => counter(10, (ten) => describeCode(() => [one(), ten()])))
    assert.equal(code.kind, 'source')
  })

  test('a name that is not defined, until it is asked for', async () => {
    const width = () => (typeof window === 'undefined' ? 0 : window.innerWidth)
    assert.equal(await elsewhere(width), 0)
    await assert.rejects(
      elsewhere(() => notDefinedAnywhere),
      { name: 'ReferenceError', message: 'notDefinedAnywhere is not defined' },
    )
  })

  test('after its variables have changed it can travel', async () => {
    let value: unknown = new Pool()
    const fn = () => value
    await assert.rejects(describeCode(fn))
    value = 1
    assert.equal((await describeCode(fn)).kind, 'source')
  })
})
