import assert, { AssertionError } from 'node:assert/strict'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import { runInNewContext } from 'node:vm'
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads'
import { ERRORS, type ErrorCode, RayitoError } from '#src/core/errors.js'
import * as errors from '#src/ray/errors.js'
import { decodeError, encodeError } from '#src/ray/pack/error-codec.js'

function trip<T>(thrown: T): T {
  const { port1, port2 } = new MessageChannel()
  port1.postMessage(encodeError(thrown))
  const { message } = receiveMessageOnPort(port2) as { message: unknown }
  port1.close()
  return decodeError(message) as T
}

describe('an error on its way', () => {
  test('keeps class, message, stack, cause and fields', () => {
    const cause = new RangeError('within')
    const error = Object.assign(new TypeError('wrong', { cause }), {
      status: 404,
      detail: { list: [1, new Map([[1, 2]])] },
    })
    const got = trip(error)
    assert.ok(got instanceof TypeError && got.cause instanceof RangeError)
    assert.deepEqual(
      [got.name, got.message, got.stack, got.status, got.detail],
      [error.name, error.message, error.stack, 404, error.detail],
    )
    assert.deepEqual([(got.cause as Error).message, (got.cause as Error).stack], [cause.message, cause.stack])
    assert.deepEqual(Object.keys(got), ['status', 'detail'])
  })

  test('of any class of the language comes out as one', () => {
    for (const Type of [Error, TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError]) {
      const got = trip(new Type('m'))
      assert.equal(Object.getPrototypeOf(got), Type.prototype)
    }
    assert.ok(trip(runInNewContext("new TypeError('of another realm')")) instanceof TypeError)
    const got = trip(new AggregateError([new TypeError('a'), 'b'], 'both'))
    assert.ok(got instanceof AggregateError && got.errors[0] instanceof TypeError)
    assert.deepEqual([got.errors[1], Object.keys(got)], ['b', []])
  })

  test('of another class keeps its name and the class of the language below it', () => {
    class MissingError extends RangeError {
      what = 'x'
    }
    class Named extends Error {
      override name = 'Told'
    }
    const got: Error & { what?: string } = trip(new MissingError('gone'))
    assert.equal(Object.getPrototypeOf(got), RangeError.prototype)
    assert.deepEqual([got.name, got.what], ['MissingError', 'x'])
    assert.match(inspect(got), /MissingError|RangeError: gone/)
    assert.equal(trip(new Named('n')).name, 'Told')
    const failed = trip(new AssertionError({ message: 'no', actual: 1, expected: { deep: 2 } }))
    assert.deepEqual(
      [failed.name, failed.code, failed.actual, failed.expected],
      ['AssertionError', 'ERR_ASSERTION', 1, { deep: 2 }],
    )
  })

  test('of the platform keeps its name', () => {
    const got = trip(AbortSignal.abort().reason as DOMException)
    assert.ok(got instanceof DOMException)
    assert.deepEqual([got.name, got.code], ['AbortError', 20])
  })

  test('shows the fields that throw when they are looked at', () => {
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    const thrower = new Proxy({ a: 1 }, { ownKeys: () => assert.fail('no entry') })
    const got = trip(Object.assign(new Error('failed'), { deep: [{ proxy }, thrower], after: 1 }))
    assert.deepEqual([got.deep, got.after], [[{ proxy: '<Revoked Proxy>' }, inspect(thrower)], 1])
  })

  test('shows the fields that cannot travel', () => {
    const error = Object.assign(new Error('e'), {
      request: process.stdout,
      retry: () => 1,
      config: { agent: new (class Agent {})(), url: 'u' },
    })
    const got = trip(error) as unknown as Record<string, unknown> & { config: Record<string, unknown> }
    assert.match(String(got.request), /Stream|Socket/)
    assert.match(String(got.retry), /Function: retry/)
    assert.deepEqual([got.config.url, typeof got.config.agent], ['u', 'string'])
  })

  test('may be its own cause', () => {
    const error = new Error('round') as Error & { self?: unknown }
    error.cause = error
    error.self = [error]
    const got = trip(error)
    assert.equal(got.cause, got)
    assert.equal((got.self as unknown[])[0], got)
  })

  test('may be no error', () => {
    for (const thrown of ['text', 5, undefined, null, { code: 1 }, Symbol.for('s')])
      assert.deepEqual(trip(thrown), thrown)
    assert.match(String(trip(() => 1)), /Function/)
    assert.equal(typeof trip(Promise.resolve()), 'string')
  })

  test('whose properties throw still arrives', () => {
    class Hostile extends Error {
      override get message(): string {
        throw new Error('no message')
      }
      override get stack(): string {
        throw new Error('no stack')
      }
    }
    Object.defineProperty(Hostile.prototype, 'name', { get: () => assert.fail() })
    assert.ok(trip(new Hostile()) instanceof Error)
  })
})

const death = {
  exitCode: 134,
  signal: 'SIGABRT',
  error: new TypeError('late'),
  heapLimit: 64,
  lastOutput: ['one', 'two'],
}
const actor = { id: 'a1', label: 'A#1' }
const all: [Error, ErrorCode][] = [
  [new errors.RayTaskError({ cause: new TypeError('x'), task: 'f', worker: 'worker#1', attempt: 2 }), 'RAY_TASK_ERROR'],
  [new errors.WorkerCrashedError('f', 'worker#1', death), 'RAY_WORKER_CRASHED'],
  [new errors.OutOfMemoryError('f', 'worker#1', death), 'RAY_OUT_OF_MEMORY'],
  [new errors.ActorDiedError(actor, 'it was killed', { cause: new Error('x'), ...death }), 'RAY_ACTOR_DIED'],
  [new errors.ActorUnavailableError(actor, 'its worker ended.'), 'RAY_ACTOR_UNAVAILABLE'],
  [new errors.TaskCancelledError('f'), 'RAY_TASK_CANCELLED'],
  [new errors.GetTimeoutError(10, 1, 2), 'RAY_GET_TIMEOUT'],
  [new errors.TaskTimeoutError('f', 10), 'RAY_TASK_TIMEOUT'],
  [new errors.ObjectLostError('o1', 'it was freed'), 'RAY_OBJECT_LOST'],
  [new errors.ObjectStoreFullError(2e6, 1e6, 3e6), 'RAY_OBJECT_STORE_FULL'],
  [new errors.NotSerializableError('args[0]', 'is a function'), 'RAY_NOT_SERIALIZABLE'],
  [new errors.InfeasibleError('f', { CPU: 9 }, { CPU: 2 }), 'RAY_INFEASIBLE'],
  [new errors.ActorNameError('a', 'the name is taken', 'Use another.'), 'RAY_ACTOR_NAME'],
  [new errors.NotInitializedError(), 'RAY_NOT_INITIALIZED'],
  [new RayitoError('HUB_OFFLINE', 'offline'), 'HUB_OFFLINE'],
]

describe('the errors of ray', () => {
  for (const [error, code] of all)
    test(`${error.constructor.name} has its code, one line, and travels whole, twice`, () => {
      assert.ok(error instanceof RayitoError)
      assert.equal(error.code, code)
      assert.ok(code in ERRORS)
      assert.doesNotMatch(error.message, /\n|\.\.|undefined/)
      const got = trip(trip(error))
      assert.equal(Object.getPrototypeOf(got), Object.getPrototypeOf(error))
      assert.deepEqual([got.name, got.message, got.stack], [error.name, error.message, error.stack])
      assert.deepEqual({ ...got }, { ...error })
      assert.equal(Object.getPrototypeOf(got.cause ?? {}), Object.getPrototypeOf(error.cause ?? {}))
    })

  test('a task’s error says where, keeps the remote stack and the cause’s fields', () => {
    const cause = Object.assign(new TypeError('no such pixel'), { pixel: 5, code: 'E_PIXEL' })
    const error = new errors.RayTaskError({ cause, task: 'Engine.classify', worker: 'Engine#2', attempt: 1 })
    assert.equal(error.message, 'Engine.classify (Engine#2, attempt 1) threw TypeError: no such pixel')
    assert.deepEqual([error.cause, error.code, (error as unknown as typeof cause).pixel], [cause, 'RAY_TASK_ERROR', 5])
    assert.ok(error.stack!.endsWith(cause.stack!.split('\n').slice(1).join('\n')))
  })

  test('what was thrown need not be an error', () => {
    for (const cause of ['text', undefined, null, 7, { a: 1 }]) {
      const error = new errors.RayTaskError({ cause, task: 'f', worker: 'w', attempt: 1 })
      assert.deepEqual([error.cause, 'cause' in error], [cause, true])
      assert.match(error.message, /threw ('text'|undefined|null|7|\{ a: 1 \})$/)
    }
  })

  test('a worker’s death says how', () => {
    const error = new errors.WorkerCrashedError('f', 'worker#1', death)
    assert.match(
      error.message,
      /worker#1 ended while it ran f \(exit code 134; signal SIGABRT; TypeError: late; last output: one \| two\)/,
    )
    assert.deepEqual(
      [error.exitCode, error.signal, error.heapLimit, error.lastOutput, error.cause],
      [134, 'SIGABRT', 64, ['one', 'two'], death.error],
    )
    const full = new errors.OutOfMemoryError('f', 'worker#1', death)
    assert.ok(full instanceof errors.WorkerCrashedError)
    assert.match(full.message, /reached its heap limit of 64 MB/)
  })
})
