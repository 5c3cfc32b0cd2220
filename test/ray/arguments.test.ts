import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { type RayError, ray } from '#src/ray/index.js'
import { Counter } from './functions.js'

/** The message of a refusal, which is one line. */
async function refusal(call: () => unknown): Promise<string> {
  const answered = (async () => call())()
  const { code, message } = await answered.then(
    () => assert.fail(`It was taken: ${call}`),
    (error: RayError) => error,
  )
  assert.equal(code, 'INVALID_ARGUMENT', message)
  assert.doesNotMatch(message, /[\r\n]/)
  return message
}

const square = ray.remote(function square(x: number) {
  return x * x
})
const unnamed = ray.remote((x: number) => x)

after(() => ray.shutdown())

describe('what a call of ray does not take is refused in one line that says what to do', () => {
  test('a remote function or class whose .remote() was forgotten', async () => {
    const pool = new ray.ActorPool([])
    const all = (...values: unknown[]) => values as never
    const cases: [call: () => unknown, what: string, then: string][] = [
      [() => ray.get(square as never), '`refs` to be an ObjectRef or a list of them', 'square.remote(…)'],
      [() => ray.get(all(square)), '`refs[0]` to be an ObjectRef', 'square.remote(…)'],
      [() => ray.wait(all(square)), '`refs[0]` to be an ObjectRef or an ObjectRefGenerator', 'square.remote(…)'],
      [() => ray.wait(square as never), '`refs` to be a list of them', 'square.remote(…)'],
      [() => ray.cancel(square as never), '`ref` to be an ObjectRef or an ObjectRefGenerator', 'square.remote(…)'],
      [() => ray.free(square as never), '`refs` to be an ObjectRef or a list of them', 'square.remote(…)'],
      [() => ray.kill(Counter as never), '`actor` to be an actor handle', 'CounterClass.remote(…)'],
      [() => new ray.ActorPool(all(Counter)), '`actor` to be an actor handle', 'CounterClass.remote(…)'],
      [() => pool.push(Counter as never), '`actor` to be an actor handle', 'CounterClass.remote(…)'],
      [() => ray.get(unnamed as never), '`refs` to be an ObjectRef or a list of them', 'its .remote(…)'],
    ]
    for (const [call, what, then] of cases) {
      const name = /^\w+/.exec(then)![0].replace('its', '(x) => x')
      const expected = `Expected ${what}, got \`[Function ${name}]\` (function). Call ${then} and give what it returns.`
      assert.equal(await refusal(call), expected)
    }
  })

  test('an actor’s method whose .remote() was forgotten, and a promise that was not awaited', async () => {
    const counter = Counter.remote(0)
    assert.match(
      await refusal(() => ray.get(counter.add as never)),
      /Call its \.remote\(…\) and give what it returns\.$/,
    )
    const promised = ray.wait([ray.put(1)])
    assert.match(await refusal(() => ray.get(promised as never)), /Await it first\.$/)
    await promised
  })

  test('a pool takes actors, or what has them in it, and says of anything else what it is when it is made', async () => {
    const handle = Counter.options({ name: 'promised' }).remote(0)
    const promised = ray.getActor('promised')
    const what = 'Expected `actor` to be an actor handle, got '
    assert.equal(
      await refusal(() => new ray.ActorPool([handle, promised])),
      `${what}\`[object Promise]\` (object). Await it first.`,
    )
    const ref = ray.put(1)
    assert.equal(await refusal(() => new ray.ActorPool([ref])), `${what}\`${ref}\` (object)`)
    assert.match(await refusal(() => new ray.ActorPool([]).push(Counter as never)), /Call Counter.*\.remote\(…\)/)
    const pool = new ray.ActorPool([{ handle }])
    pool.submit(({ handle }, n: number) => handle.add.remote(n), 2)
    assert.equal(await pool.getNext(), 2)
    await promised
  })

  test('options that getNext of a pool does not have, and values that they cannot have', async () => {
    const pool = new ray.ActorPool([Counter.remote(0)])
    for (const next of ['getNext', 'getNextUnordered'] as const) {
      const refused = (options: unknown) => refusal(() => pool[next](options as never))
      pool.submit((counter, x: number) => counter.add.remote(x), 1)
      assert.equal(
        await refused({ timeoutMs: 100 }),
        'There is no option `timeoutMs` here. Known are timeout, ignoreIfTimedout.',
      )
      assert.equal(await refused(100), 'Expected `options` to be an object, got `100` (number)')
      assert.equal(await refused(null), 'Expected `options` to be an object, got `null` (null)')
      assert.equal(
        await refused({ timeout: '1' }),
        'Expected `timeout` to be milliseconds from 0 and up, got `1` (string)',
      )
      assert.equal(
        await refused({ ignoreIfTimedout: 1 }),
        'Expected `ignoreIfTimedout` to be true or false, got `1` (number)',
      )
      assert.ok(Number.isInteger(await pool[next]({ timeout: undefined })), 'a refusal takes no result')
    }
  })

  test('what a pool cannot map, before anything is run or dropped', async () => {
    const counter = Counter.remote(0)
    const pool = new ray.ActorPool([counter])
    const add = (actor: typeof counter, x: number) => actor.add.remote(x)
    pool.submit(add, 1)
    for (const map of ['map', 'mapUnordered'] as const) {
      const refused = (...given: unknown[]) => refusal(() => pool[map](...(given as Parameters<typeof pool.map>)))
      assert.match(
        await refused([1, 2], add),
        /^Expected `fn` to be a function of an actor and a value, got `\[ 1, 2 \]`.* It comes first: map\(fn, values\)\.$/,
      )
      for (const values of [3, undefined, null, {}])
        assert.match(await refused(add, values), /^Expected `values` to be something to iterate over, got `/)
    }
    assert.equal(await pool.getNext(), 1)
    const mapped = []
    for await (const sum of pool.map(add as never, '12' as never)) mapped.push(sum)
    assert.deepEqual(mapped, ['11', '112'])
  })

  test('resource limits that are misspelt, or under which no worker can start', async () => {
    await ray.shutdown()
    const refused = (resourceLimits: unknown) => refusal(() => ray.init({ resourceLimits: resourceLimits as object }))
    assert.equal(
      await refused({ maxOldSpaceSizeMb: 100 }),
      'There is no option `resourceLimits.maxOldSpaceSizeMb` here. Known are maxOldGenerationSizeMb, maxYoungGenerationSizeMb, stackSizeMb.',
    )
    for (const name of ['maxOldGenerationSizeMb', 'maxYoungGenerationSizeMb'])
      for (const size of [-5, 0, Infinity, NaN, '100', null])
        assert.match(
          await refused({ [name]: size }),
          new RegExp(`^Expected \`resourceLimits.${name}\` to be megabytes above 0, got \`${size}\``),
        )
    for (const size of [0.05, 0.2, 0.25, 0, -1, Infinity, NaN, '4'])
      assert.match(
        await refused({ stackSizeMb: size }),
        new RegExp(`^Expected \`resourceLimits.stackSizeMb\` to be megabytes from 0.3 and up, got \`${size}\``),
      )
    assert.match(await refused(5), /^Expected `resourceLimits` to be an object, got `5`/)
  })

  test('a name that is empty, and truth values that are none', async () => {
    const counter = Counter.remote(0)
    const empty = 'Expected `name` to be a text that is not empty, got `` (string)'
    assert.equal(await refusal(() => ray.getActor('')), empty)
    assert.equal(await refusal(() => Counter.options({ name: '' })), empty)
    assert.equal(await refusal(() => square.options({ name: '' })), empty)
    assert.equal(await refusal(() => ray.profile('', () => 1)), empty)
    assert.equal(
      await refusal(() => ray.kill(counter, { noRestart: 'false' as never })),
      'Expected `noRestart` to be true or false, got `false` (string)',
    )
    const ref = counter.add.remote(1)
    assert.equal(
      await refusal(() => ray.cancel(ref, { force: 'no' as never })),
      'Expected `force` to be true or false, got `no` (string)',
    )
    assert.equal(
      await refusal(() => ray.cancel(ref, { recursive: 0 as never })),
      'Expected `recursive` to be true or false, got `0` (number)',
    )
    assert.equal(await ray.get(ref), 1)
  })
})

test('workers start with the smallest stack that is taken, on threads and in processes', async () => {
  for (const workers of ['threads', 'processes'] as const) {
    await ray.shutdown()
    ray.init({ numCpus: 1, workers, resourceLimits: { stackSizeMb: 0.3 } })
    assert.equal(await ray.get(square.remote(3)), 9)
  }
})
