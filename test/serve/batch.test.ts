import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { RayitoError } from '#src/core/errors.js'
import { CallContext, callContext } from '#src/serve/context.js'
import { type BatchOptions, serve } from '#src/serve/index.js'
import { Choir, Slow } from './classes.js'
import { collected, latch, letGo, reached, servers, until, url } from './helpers.js'

const free = { port: 0 } as const
const choir = serve.deployment(Choir, { maxOngoingRequests: 100 })
/** Only a full batch begins. */
const patient = { maxBatchSize: 3, batchWaitTimeout: Infinity }

async function ask(word: string, init?: RequestInit): Promise<{ status: number; body: unknown }> {
  const response = await fetch(url(`/${word}`), init)
  return { status: response.status, body: await response.json() }
}

const ongoing = () => serve.status().applications.default!.deployments.Choir!.ongoing

/** Asks one after the other, so that they arrive in this order. */
async function inOrder(...words: string[]): Promise<ReturnType<typeof ask>[]> {
  const asked = []
  for (const word of words) {
    const before = ongoing()
    asked.push(ask(word))
    await until(() => ongoing() > before)
  }
  return asked
}

describe('batches', () => {
  servers()

  test('requests that come together are worked on together, and each has its answer', async () => {
    await serve.run(choir.bind(latch(), patient), free)
    const words = ['a', 'b', 'c', 'd', 'e', 'f']
    const batches = (await Promise.all(words.map((word) => ask(word)))).map(({ body }) => String(body).split(' '))
    for (const [i, batch] of batches.entries()) assert.ok(batch.length === 3 && batch.includes(words[i]!), batch.join())
    const text = await (await fetch(url('/metrics'))).text()
    for (const line of ['bucket{le="2"} 0', 'bucket{le="4"} 2', 'sum 6', 'count 2'])
      assert.ok(text.includes(`rayito_batch_size_${line}\n`), line)
  })

  test('who is alone waits no longer than batchWaitTimeout', async () => {
    await serve.run(choir.bind(latch(), {}), free)
    assert.deepEqual(await ask('a'), { status: 200, body: 'a' })
  })

  test('nor who is the first when others keep coming', async () => {
    const sing = serve.batch((words: string[]) => words, { maxBatchSize: 1_000_000, batchWaitTimeout: 50 })
    let answered = false
    void sing('a').then(() => (answered = true))
    await until(() => {
      void sing('b')
      return answered
    })
  })

  test('an error of the batch goes to all, an Error among the answers to one, and another number of answers says both', async () => {
    const handle = await serve.run(choir.bind(latch(), patient), free)
    const status = async (words: string[]) => (await Promise.all(words.map((word) => ask(word)))).map((a) => a.status)
    assert.deepEqual(await status(['a', 'wrong', 'b']), [200, 422, 200])
    assert.deepEqual(await status(['a', 'b', 'break']), [418, 418, 418])
    const calls = ['a', 'short', 'b'].map((word) => handle.sing.remote(word))
    for (const { status, reason } of (await Promise.allSettled(calls)) as PromiseRejectedResult[]) {
      const cause = reason.cause as RayitoError
      assert.deepEqual([status, cause.code], ['rejected', 'SERVE_BATCH_LENGTH'])
      assert.match(cause.message, /^A list of 3 was answered with a list of 2 by the batch of sing\./)
    }
  })

  test('one that answers more than it was asked, or no list, answers nobody', async () => {
    const more = serve.batch((words: string[]) => [...words, 'b'])
    const none = serve.batch((_: string[]) => 'a' as never)
    const fails = { code: 'SERVE_BATCH_LENGTH' }
    await assert.rejects(more('a'), { ...fails, message: /^A list of 1 was answered with a list of 2 / })
    await assert.rejects(none('a'), { ...fails, message: /^A list of 1 was answered without a list / })
  })

  test('while a batch runs the next one fills up, without those who leave', async () => {
    const shared = latch()
    await serve.run(choir.bind(shared, { batchWaitTimeout: 0 }), free)
    const first = ask('hold')
    await reached(shared, 0, 1)
    const leaving = new AbortController()
    const gone = assert.rejects(ask('gone', { signal: leaving.signal }))
    await until(() => ongoing() === 2)
    const next = await inOrder('a', 'b')
    leaving.abort()
    await gone
    await until(() => ongoing() === 3)
    letGo(shared)
    const bodies = (await Promise.all([first, ...next])).map(({ body }) => body)
    assert.deepEqual(bodies, ['hold', 'a b', 'a b'])
  })

  test('what a batch calls is cancelled once all whom it is for have left', async () => {
    const shared = latch()
    const slow = serve.deployment(Slow, { maxOngoingRequests: 1 }).bind(shared)
    const below = await serve.run(slow, { ...free, name: 'slow', routePrefix: '/slow' })
    const blocking = below.remote()
    await reached(shared, 0, 1)
    await serve.run(choir.bind(latch(), { maxBatchSize: 2, batchWaitTimeout: Infinity }, slow), free)
    const leaving = new AbortController()
    const gone = ['below', 'a'].map((word) => assert.rejects(ask(word, { signal: leaving.signal })))
    await until(() => ongoing() === 2)
    leaving.abort()
    await Promise.all(gone)
    await until(() => ongoing() === 0)
    letGo(shared)
    await blocking
  })

  test('a call that goes on and on holds nothing of what it has asked', async () => {
    const batched = serve.batch((values: object[]) => values.map(() => 'answer'))
    const context = new CallContext()
    const asked = async () => {
      const value = {}
      assert.equal(await callContext.run(context, () => batched(value)), 'answer')
      return new WeakRef(value)
    }
    const value = await asked()
    await collected(value)
    const batchSizeFn = (values: object[]) => values.length + 1
    const strict = serve.batch((values: object[]) => values, { maxBatchSize: 1, batchSizeFn })
    const refused = async () => {
      const value = {}
      const asked = callContext.run(context, () => strict(value))
      await assert.rejects(asked, { code: 'SERVE_BATCH_SIZE' })
      return new WeakRef(value)
    }
    await collected(await refused())
    context.abort()
  })

  test('what a batch calls goes on as long as one is there whom it is for', async () => {
    let end = () => {}
    const gate = new Promise<void>((resolve) => (end = resolve))
    const aborted = serve.batch(
      async (words: string[]) => {
        const context = callContext.getStore()!
        await gate
        return words.map(() => context.aborted)
      },
      { maxBatchSize: 2, batchWaitTimeout: Infinity },
    )
    const contexts = [new CallContext(), new CallContext()] as const
    const [, stays] = contexts.map((context) => callContext.run(context, () => aborted('a')))
    contexts[0].abort()
    end()
    assert.equal(await stays, false)
  })

  test('of several that fail together a method may meet one after the other', async () => {
    const fails = serve.batch((_: string[]): string[] => {
      throw new TypeError('on purpose')
    }, patient)
    const asked = ['a', 'b', 'c'].map(fails)
    for (const one of asked) {
      await assert.rejects(one, /on purpose/)
      await new Promise((resolve) => setImmediate(resolve))
    }
  })

  test('whoever waits when sizes change is counted anew', async () => {
    const batchSizeFn = (words: string[]) => words.join('').length
    const sing = serve.batch((words: string[]) => words.map(() => words), { ...patient, maxBatchSize: 5, batchSizeFn })
    const waiting = ['aa', 'bb'].map(sing)
    sing.setMaxBatchSize(3)
    assert.deepEqual(await waiting[0], ['aa'])
    assert.deepEqual(await Promise.all([waiting[1], sing('c')]), [
      ['bb', 'c'],
      ['bb', 'c'],
    ])
  })

  test('who leaves takes no room in the batch that would have been his', async () => {
    const batchSizeFn = (words: string[]) => words.join('').length
    const sing = serve.batch((words: string[]) => words.map(() => words), { ...patient, maxBatchSize: 5, batchSizeFn })
    const leaving = new CallContext()
    const gone = assert.rejects(
      callContext.run(leaving, () => sing('aaa')),
      { code: 'SERVE_CANCELLED' },
    )
    const stays = sing('b')
    leaving.abort()
    await gone
    const others = ['ccccc', 'ddddd'].map(sing)
    assert.deepEqual(await Promise.all([stays, ...others]), [['b'], ['ccccc'], ['ddddd']])
  })

  test('a call that was cancelled before it asks is refused at once', async () => {
    const sing = serve.batch((words: string[]) => words, { maxBatchSize: 1 })
    const context = new CallContext()
    context.abort()
    await assert.rejects(
      callContext.run(context, () => sing('a')),
      { code: 'SERVE_CANCELLED' },
    )
  })

  test('as many batches run at once as maxConcurrentBatches says', async () => {
    const shared = latch()
    await serve.run(choir.bind(shared, { maxBatchSize: 1, maxConcurrentBatches: 2 }), free)
    const two = [ask('hold'), ask('hold')]
    await reached(shared, 0, 2)
    letGo(shared)
    assert.deepEqual(
      (await Promise.all(two)).map(({ body }) => body),
      ['hold', 'hold'],
    )
  })

  test('sizes can be changed while it runs, and shutdown answers what still waits for others', async () => {
    await serve.run(choir.options({ userConfig: 2 }).bind(latch(), {}), free)
    for (const { body } of await Promise.all([ask('a'), ask('b')])) assert.match(String(body), /^(a b|b a)$/)
    const alone = ask('c')
    await until(() => ongoing() === 1)
    await serve.shutdown()
    assert.equal((await alone).body, 'c')
  })

  test('batchSizeFn measures a batch; what it refuses, or is too large alone, costs nobody else anything', async () => {
    const batchSizeFn = (words: string[]) => words.reduce((size, word) => size + word.length, 0)
    const sing = serve.batch((words: string[]) => words.map(() => words), { ...patient, maxBatchSize: 5, batchSizeFn })
    const words = ['aaa', 'bb', 'cc', 'dddd', null as never, 'eeeeee', 'fffff']
    const answers = await Promise.allSettled(words.map(sing))
    assert.deepEqual(
      answers.map((answer) => (answer.status === 'fulfilled' ? answer.value.join(' ') : answer.reason.message)),
      [
        'aaa bb',
        'aaa bb',
        'cc',
        'dddd',
        "Cannot read properties of null (reading 'length')",
        'A value of size 6 is too large for the batch, whose maxBatchSize is 5. Raise maxBatchSize, or look at batchSizeFn.',
        'fffff',
      ],
    )
  })

  test('a batchSizeFn that gives no size is told of that', async () => {
    for (const size of [Number.NaN, -1, '2', undefined, Promise.resolve(1)]) {
      const sing = serve.batch((words: string[]) => words, { ...patient, batchSizeFn: () => size as number })
      await assert.rejects(sing('a'), {
        code: 'INVALID_ARGUMENT',
        message: /^Expected `batchSizeFn\(values\)` to be a number from 0 and up, got /,
      })
    }
  })

  test('wrong options are named', () => {
    const batch = (options: object) => () => serve.batch((words: string[]) => words, options)
    assert.throws(batch({ maxBatchSize: 0 }), /Expected `maxBatchSize`.*got `0`/)
    assert.throws(batch({ batchWaitTimeout: -1 }), /Expected `batchWaitTimeout`.*got `-1`/)
    assert.throws(batch({ max_batch_size: 3 } as BatchOptions<string>), /no option `max_batch_size`/)
    assert.throws(() => serve.batch(3 as never), /Expected `work`/)
    assert.throws(() => batch({})().setMaxBatchSize(0.5), /Expected `maxBatchSize`.*got `0.5`/)
  })
})
