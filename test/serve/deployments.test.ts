import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { RayitoError } from '#src/core/errors.js'
import type { Driver } from '#src/ray/driver/driver.js'
import { type ObjectRef, ray } from '#src/ray/index.js'
import { peekRuntime } from '#src/ray/runtime.js'
import { CallContext, callContext } from '#src/serve/context.js'
import { type DeploymentHandle, type HttpRequest, type ServeEvent, serve } from '#src/serve/index.js'
import {
  Ailing,
  Asker,
  Broken,
  Counting,
  Delegating,
  Fickle,
  Greeter,
  held,
  holding,
  Late,
  Moody,
  Mortal,
  NeverReady,
  Patient,
  Phoenix,
  Porter,
  Silent,
  Site,
  Slow,
  SlowPorter,
  Stuck,
  Taker,
  Visitor,
  Watched,
} from './classes.js'
import { collected, latch, letGo, reached, servers, until } from './helpers.js'

const noSocket = { port: null } as const

async function listed<T>(values: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const value of values) list.push(value)
  return list
}

describe('deployments', () => {
  servers()

  test('a handle calls `call` and other methods of a replica in another thread', async () => {
    const handle = await serve.run(serve.deployment(Greeter).bind('Hi'), noSocket)
    assert.equal(await handle.remote('Ada'), 'Hi Ada')
    assert.equal(await handle.shout.remote('Ada', 2), 'HI ADAHI ADA')
    assert.equal(`${handle}`, 'DeploymentHandle(default#Greeter)')
    assert.notEqual(await handle.thread.remote(), 0)
  })

  test('an error that a method throws arrives with its class as the cause', async () => {
    const handle = await serve.run(serve.deployment(Greeter).bind(), noSocket)
    await assert.rejects(handle.fail.remote(), (error: Error) => {
      assert.equal((error.cause as Error).name, 'TypeError')
      assert.equal((error.cause as Error).message, 'on purpose')
      return true
    })
  })

  test('what cannot cross to a replica says so and costs no place', async () => {
    const handle = await serve.run(serve.deployment(Greeter, { maxOngoingRequests: 1 }).bind(), noSocket)
    for (let i = 0; i < 3; i++) await assert.rejects(handle.remote((() => 1) as never), /function/)
    assert.equal(await handle.remote('Ada'), 'Hello Ada')
  })

  test('bound deployments among the arguments arrive as handles, in lists and objects too', async () => {
    class Both {
      constructor(readonly parts: { greeters: { remote(name: string): Promise<string> }[] }) {}
      async call(): Promise<string[]> {
        return Promise.all(this.parts.greeters.map((greeter) => greeter.remote('Ada')))
      }
    }
    const greeter = serve.deployment(Greeter)
    const parts = { greeters: [greeter.bind('Hi'), greeter.bind('Bye')] }
    const handle = await serve.run(serve.deployment(Both).bind(parts as never), noSocket)
    assert.deepEqual(await handle.remote(), ['Hi Ada', 'Bye Ada'])
    assert.deepEqual(Object.keys(serve.status().applications.default!.deployments), ['Greeter', 'Greeter_1', 'Both'])
  })

  test('classes whose names a bundler took away when it minified are told apart', async () => {
    const [Inner, Outer] = new Function(
      'return [class{call(t){return t+1}},class{constructor(i){this.i=i}call(t){return this.i.remote(t)}}]',
    )() as (new (
      inner?: object,
    ) => { call(n: number): unknown })[]
    const inner = serve.deployment(Inner!)
    const handle = await serve.run(serve.deployment(Outer!).bind(inner.bind()), noSocket)
    assert.equal(await handle.remote(1), 2)
    assert.equal(String(inner), 'Deployment(Deployment)')
    const { deployments } = serve.status().applications.default!
    assert.deepEqual(Object.keys(deployments), ['Deployment', 'Deployment_1'])
  })

  test('a class of the program itself travels by its source', async () => {
    const factor = 3
    class Local {
      call(x: number): number {
        return x * factor
      }
    }
    const handle = await serve.run(serve.deployment(Local).bind(), noSocket)
    assert.equal(await handle.remote(14), 42)
  })

  test('reconfigure takes userConfig before a replica is ready', async () => {
    const deployment = serve.deployment(Greeter, { userConfig: { greeting: 'Hola' } })
    const handle = await serve.run(deployment.bind(), noSocket)
    assert.equal(await handle.remote('Ada'), 'Hola Ada')
    await assert.rejects(
      serve.run(deployment.options({ userConfig: { greeting: '' } }).bind(), noSocket),
      /SERVE_DEPLOY_FAILED|an empty greeting/,
    )
  })

  test('options() leaves the deployment as it was', async () => {
    const one = serve.deployment(Greeter)
    const two = one.options({ name: 'Other', numReplicas: 2 })
    await serve.run(two.bind(), noSocket)
    const { deployments } = serve.status().applications.default!
    assert.equal(deployments.Other!.replicas.RUNNING, 2)
    assert.equal(one.name, 'Greeter')
  })

  test('an option of options() that is undefined stays as it was', async () => {
    const two = serve.deployment(Greeter, { name: 'Two', numReplicas: 2 })
    await serve.run(two.options({ name: undefined, numReplicas: undefined }).bind(), noSocket)
    assert.equal(serve.status().applications.default!.deployments.Two!.replicas.RUNNING, 2)
  })

  test('calls go to every replica, and to the one that has least to do', async () => {
    const shared = latch()
    const deployment = serve.deployment(Slow, { numReplicas: 2, maxOngoingRequests: 8 })
    const handle = await serve.run(deployment.bind(shared), noSocket)
    const calls = Array.from({ length: 8 }, () => handle.remote())
    await reached(shared, 0, 8)
    letGo(shared)
    const threads = await Promise.all(calls)
    const counts = [...new Set(threads)].map((id) => threads.filter((thread) => thread === id).length)
    assert.deepEqual(counts, [4, 4])
  })

  test('none waits while any replica has room', async () => {
    const shared = latch()
    const deployment = serve.deployment(Slow, { numReplicas: 3, maxOngoingRequests: 1 })
    const handle = await serve.run(deployment.bind(shared), noSocket)
    for (let round = 1; round <= 10; round++) {
      const calls = [handle.remote(), handle.remote(), handle.remote()]
      await reached(shared, 0, 3 * round)
      letGo(shared)
      await Promise.all(calls)
      Atomics.store(shared, 1, 0)
    }
  })

  test('calls of calls may be as many as one likes', async () => {
    class Next {
      call(number: number): number {
        return number + 1
      }
    }
    const handle = await serve.run(serve.deployment(Next).bind(), noSocket)
    let call = handle.remote(0)
    for (let i = 1; i < 5_000; i++) call = handle.remote(call)
    assert.equal(await call, 5_000)
  })

  test('at most maxOngoingRequests run and maxQueuedRequests wait; the next is refused at once', async () => {
    const shared = latch()
    const options = { maxOngoingRequests: 2, maxQueuedRequests: 1 }
    const handle = await serve.run(serve.deployment(Slow, options).bind(shared), noSocket)
    const calls = [handle.remote(), handle.remote(), handle.remote()]
    assert.throws(() => handle.remote(), {
      code: 'SERVE_BACK_PRESSURE',
      message: /^1 request waits for default#Slow already\. Try again later/,
    })
    await reached(shared, 0, 2)
    const { ongoing, queued } = serve.status().applications.default!.deployments.Slow!
    assert.deepEqual({ ongoing, queued }, { ongoing: 2, queued: 1 })
    assert.equal(Atomics.load(shared, 0), 2)
    letGo(shared)
    assert.equal((await Promise.all(calls)).length, 3)
  })

  test('the answer of a call may be an argument of the next before it is there, and fails that one as well', async () => {
    const shared = latch()
    const slow = await serve.run(serve.deployment(Slow).bind(shared), {
      ...noSocket,
      name: 'slow',
      routePrefix: '/slow',
    })
    const options = { maxOngoingRequests: 1, maxQueuedRequests: 0 }
    const handle = await serve.run(serve.deployment(Greeter, options).bind('Hi'), noSocket)
    const [thread, left] = [slow.remote(), slow.remote()]
    const late = handle.shout.remote('Ada', thread)
    const cancelled = handle.shout.remote('Ada', left)
    // It takes no place and is in nobody's way meanwhile.
    assert.equal(await handle.remote(handle.remote('Ada')), 'Hi Hi Ada')
    left.cancel()
    await assert.rejects(cancelled, { code: 'SERVE_CANCELLED' })
    const ended = serve.delete('default')
    letGo(shared)
    assert.equal(await late, 'HI ADA'.repeat(await thread))
    await ended
    const again = await serve.run(serve.deployment(Greeter).bind('Hi'), noSocket)
    await assert.rejects(again.remote(again.fail.remote()), ({ cause }: Error) => (cause as Error).name === 'TypeError')
    await assert.rejects(again.remote([again.remote('Ada')] as never), /is a promise/)
  })

  test('a ref may be an argument: its value arrives once it is there, and what it failed with fails the call', async () => {
    const shared = latch()
    class Below {
      call(value: unknown, inside: unknown[]): string {
        return [value, ...inside].map((one) => one?.constructor.name).join()
      }
      *each(...values: string[]): Generator<string> {
        yield* values
      }
    }
    class Above {
      constructor(readonly below: DeploymentHandle<Below>) {}
      async call(refs: ObjectRef<unknown>[]): Promise<string> {
        return this.below.remote(refs[0], refs)
      }
    }
    const options = { maxOngoingRequests: 1, maxQueuedRequests: 0 }
    const below = await serve.run(serve.deployment(Below, options).bind(), { ...noSocket, name: 'below' })
    const application = serve.deployment(Above).bind(below as never)
    const above = await serve.run(application, { ...noSocket, name: 'above', routePrefix: '/above' })
    const ref = ray.put(new Uint8Array(10))
    assert.equal(await below.remote(ref, [ref]), 'Uint8Array,ObjectRef')
    assert.equal(await above.remote([ref]), 'Uint8Array,ObjectRef')
    const values = below.options({ stream: true }).each.remote(ray.put('a'), 'b', ray.put('c'))
    assert.deepEqual(await listed(values), ['a', 'b', 'c'])

    const held = holding.remote(shared)
    const late = [below.remote(held, []), above.remote([held])]
    await reached(shared, 0, 1)
    // They take no place meanwhile.
    assert.equal(await below.remote('Ada', []), 'String')
    letGo(shared)
    assert.deepEqual(await Promise.all(late), ['', ',ObjectRef'])
    const failed = ray.remote(Greeter).remote().fail.remote()
    for (const call of [below.remote(failed, []), above.remote([failed])])
      await assert.rejects(call, (error: Error) => {
        let cause: unknown = error
        while ((cause as Error).cause) cause = (cause as Error).cause
        return (cause as Error).message === 'on purpose'
      })
  })

  test('a replica keeps its limit whoever asks', async () => {
    const shared = latch()
    class Asker {
      constructor(readonly slow: { remote(): Promise<number> }) {}
      async call(): Promise<number> {
        return this.slow.remote()
      }
    }
    const slow = serve.deployment(Slow, { maxOngoingRequests: 2 }).bind(shared)
    const asker = serve.deployment(Asker, { numReplicas: 2 })
    const handle = await serve.run(asker.bind(slow as never), noSocket)
    const calls = Array.from({ length: 8 }, () => handle.remote())
    await reached(shared, 0, 2)
    // Every asker has sent what it may: another round trip through each shows that no third call began.
    const { ongoing } = serve.status().applications.default!.deployments.Asker!
    assert.equal(ongoing, 8)
    assert.equal(Atomics.load(shared, 0), 2)
    letGo(shared)
    await Promise.all(calls)
    assert.equal(Atomics.load(shared, 0), 8)
  })

  test('a cancelled call that waits for its turn in a replica leaves it', async () => {
    const [shared, asked, checks] = [latch(), latch(), latch()]
    class Asker {
      constructor(readonly slow: { remote(): Promise<number> }) {}
      async call(asked: Int32Array): Promise<number> {
        const answer = this.slow.remote()
        Atomics.add(asked, 0, 1)
        Atomics.notify(asked, 0)
        return answer
      }
      hear(): void {}
    }
    const options = { maxOngoingRequests: 1, healthCheckPeriod: 5, gracefulShutdownTimeout: 60_000 }
    const watched = serve.deployment(Watched, options).bind(shared, checks)
    const below = await serve.run(watched, { ...noSocket, name: 'watched', routePrefix: '/watched' })
    const handle = await serve.run(serve.deployment(Asker).bind(below as never), noSocket)
    const first = below.remote()
    await reached(shared, 0, 1)
    const call = handle.remote(asked)
    await reached(asked, 0, 1)
    call.cancel()
    await assert.rejects(call, { code: 'SERVE_CANCELLED' })
    // By then the asker has sent word, and the replica where the call waits has heard it.
    await handle.hear.remote()
    await reached(checks, 0, Atomics.load(checks, 0) + 2)
    letGo(shared)
    await first
    let ended = false
    void serve.delete('watched').then(() => (ended = true))
    await until(() => ended)
    assert.equal(Atomics.load(shared, 0), 1)
  })

  test('a call that goes on and on holds nothing of what it has sent', async () => {
    const handle = await serve.run(serve.deployment(Greeter, { maxOngoingRequests: 1 }).bind('Hello'))
    const context = new CallContext()
    const sent = async () => {
      const name = { toString: () => 'never called' }
      // What cannot cross is held as long as what can.
      await assert.rejects(async () => callContext.run(context, () => handle.remote(name as never)))
      return new WeakRef(name)
    }
    const cancelled = async () => {
      const name = {}
      const running = handle.remote('Ada')
      const waiting = callContext.run(context, () => handle.remote(name as never))
      waiting.cancel()
      await assert.rejects(waiting, { code: 'SERVE_CANCELLED' })
      await running
      return new WeakRef(name)
    }
    for (const name of [await sent(), await cancelled()]) await collected(name)
    context.abort()
  })

  test('a call that is cancelled before its arguments are there never runs', async () => {
    const handle = await serve.run(serve.deployment(Taker, { maxOngoingRequests: 2 }).bind(), noSocket)
    const calls = [
      (late: Late) => handle.remote(late),
      (late: Late) => {
        const values = handle.options({ stream: true }).steps.remote(late)
        const next = values.next()
        return Object.assign(next, { cancel: () => values.cancel() })
      },
    ]
    for (const ask of calls) {
      const shared = latch()
      const call = ask(new Late(shared))
      await reached(shared, 0, 1)
      call.cancel()
      await assert.rejects(call, { code: 'SERVE_CANCELLED' })
      // The replica has heard of it by then.
      assert.equal(await handle.taken.remote(), 0)
      letGo(shared)
      await until(() => serve.status().applications.default!.deployments.Taker!.ongoing === 0)
      assert.equal(await handle.taken.remote(), 0)
    }
  })

  test('a cancelled call that waits never runs, and one that runs is told', async () => {
    const shared = latch()
    const handle = await serve.run(serve.deployment(Slow, { maxOngoingRequests: 1 }).bind(shared), noSocket)
    const first = handle.remote()
    const second = handle.remote()
    await reached(shared, 0, 1)
    second.cancel()
    await assert.rejects(second, { code: 'SERVE_CANCELLED' })
    first.cancel()
    await assert.rejects(first, { code: 'SERVE_CANCELLED' })
    letGo(shared)
    assert.equal(typeof (await handle.remote()), 'number')
    assert.equal(Atomics.load(shared, 0), 2)
  })

  test('a method that a handle called hears of its cancellation, and so does what it called in turn', async () => {
    const [shared, lone] = [latch(), latch()]
    class Below {
      async call(latch: Int32Array): Promise<void> {
        ray.getRuntimeContext().signal.addEventListener('abort', () => {
          Atomics.add(latch, 2, 1)
          Atomics.notify(latch, 2)
        })
        await held(latch)
      }
    }
    class Above {
      constructor(readonly below: { remote(latch: Int32Array): Promise<void> }) {}
      async call(latch: Int32Array): Promise<void> {
        await this.below.remote(latch)
      }
    }
    const below = serve.deployment(Below).bind()
    const handle = await serve.run(serve.deployment(Above).bind(below as never), noSocket)
    const calls = [handle.remote(shared), handle.remote(lone)]
    await reached(shared, 0, 1)
    await reached(lone, 0, 1)
    calls[0]!.cancel()
    await assert.rejects(calls[0]!, { code: 'SERVE_CANCELLED' })
    await reached(shared, 2, 1)
    assert.equal(Atomics.load(lone, 2), 0)
    letGo(shared)
    letGo(lone)
    await calls[1]
  })

  describe('tasks and calls of actors that a method has begun', () => {
    before(async () => {
      await ray.shutdown()
      await ray.init({ numCpus: 4 })
    })
    after(() => ray.shutdown())

    const run = () => serve.run(serve.deployment(Delegating).bind(), noSocket)
    const cancelled = { code: 'SERVE_CANCELLED' }

    test('are cancelled with its call, and no other call’s', async () => {
      const [shared, lone] = [latch(), latch()]
      const handle = await run()
      const [one, other] = [handle.remote(shared), handle.remote(lone)]
      await reached(shared, 0, 2)
      await reached(lone, 0, 2)
      one.cancel()
      await assert.rejects(one, cancelled)
      await reached(shared, 2, 2)
      letGo(lone)
      assert.equal(await other, 'done')
      assert.equal(Atomics.load(lone, 2), 0)
    })

    test('are cancelled when nobody reads on what it yields', async () => {
      const shared = latch()
      const values = (await run()).options({ stream: true }).steps.remote(shared)
      assert.equal((await values.next()).value, 'first')
      const next = assert.rejects(values.next(), cancelled)
      await reached(shared, 0, 2)
      values.cancel()
      await next
      await reached(shared, 2, 2)
    })

    test('for a batch, once all whom it is for have left', async () => {
      const shared = latch()
      const handle = await run()
      const two = () => [handle.together.remote(shared), handle.together.remote(shared)] as const
      const [leaves, stays] = two()
      await reached(shared, 0, 2)
      leaves.cancel()
      await assert.rejects(leaves, cancelled)
      letGo(shared)
      assert.equal(await stays, 'done')
      assert.equal(Atomics.load(shared, 2), 0)
      Atomics.store(shared, 1, 0)
      const all = two()
      await reached(shared, 0, 4)
      for (const call of all) call.cancel()
      for (const call of all) await assert.rejects(call, cancelled)
      await reached(shared, 2, 2)
    })
  })

  test('nor does one run that is made when its maker was cancelled', async () => {
    const handle = await serve.run(serve.deployment(Greeter).bind(), noSocket)
    const context = new CallContext()
    context.abort()
    await assert.rejects(
      callContext.run(context, () => handle.remote('Ada')),
      { code: 'SERVE_CANCELLED' },
    )
  })

  test('what fails while nobody listens ends neither a replica nor the program', async () => {
    const shared = latch()
    class Both {
      readonly sing = serve.batch((_words: string[]): string[] => {
        throw new Error('on purpose')
      })
      constructor(readonly slow: DeploymentHandle<{ call(): Promise<number> }>) {}
      async call(): Promise<number> {
        const [one, other] = [this.slow.remote(), this.slow.remote()]
        return (await one) + (await other)
      }
      async batched(): Promise<string> {
        const [one, other] = [this.sing('la'), this.sing('la')]
        return (await one) + (await other)
      }
      async streamed(): Promise<unknown> {
        const values = this.slow.options({ stream: true }).remote()
        const [one, other] = [values.next(), values.next()]
        return [await one, await other]
      }
      name(): string {
        return 'Both'
      }
    }
    const slow = serve.deployment(Slow, { gracefulShutdownTimeout: 0 }).bind(shared)
    const handle = await serve.run(serve.deployment(Both, { gracefulShutdownTimeout: 0 }).bind(slow as never), noSocket)
    const left = handle.remote()
    await reached(shared, 0, 2)
    left.cancel()
    await assert.rejects(left, { code: 'SERVE_CANCELLED' })
    assert.equal(await handle.name.remote(), 'Both')
    await assert.rejects(handle.batched.remote(), /on purpose/)
    letGo(shared)
    await assert.rejects(handle.streamed.remote(), /nothing to stream/)
    assert.equal(await handle.name.remote(), 'Both')
    assert.equal(serve.status().applications.default!.deployments.Both!.restarts, 0)
    Atomics.store(shared, 1, 0)
    void handle.remote()
    await reached(shared, 0, 5)
    await serve.shutdown()
  })

  test('a failure that nobody has listened to is told at the end of the session, as that of any call', async () => {
    class Careless {
      constructor(readonly greeter: DeploymentHandle<Greeter>) {}
      async call(): Promise<string> {
        void this.greeter.fail.remote()
        const heard = this.greeter.fail.remote()
        const answer = await this.greeter.remote('Ada')
        await heard.catch(() => {})
        return answer
      }
    }
    const greeter = await serve.run(serve.deployment(Greeter).bind(), noSocket)
    const careless = serve.deployment(Careless).bind(greeter as never)
    const handle = await serve.run(careless, { ...noSocket, name: 'careless', routePrefix: '/careless' })
    const unread = () => (peekRuntime() as Driver).unread()
    unread()
    assert.equal(await handle.remote(), 'Hello Ada')
    const [heard, unheard] = [greeter.fail.remote(), greeter.fail.remote()]
    const values = greeter.options({ stream: true }).fail.remote()
    greeter.options({ stream: true }).fail.remote()
    const given = [greeter.remote(greeter.fail.remote()), greeter.remote(greeter.fail.remote())]
    // In their order: they have failed.
    await greeter.remote('Ada')
    await assert.rejects(async () => heard)
    await assert.rejects(async () => given[0])
    await assert.rejects(values.next())
    assert.ok(unheard instanceof Promise)
    assert.deepEqual(unread(), [
      'rayito: ServeReplica:default:Greeter.fail failed, and nobody asked for its result: TypeError: on purpose (and 3 more)',
    ])
  })

  test('an error names the method that was called and the argument that cannot cross', async () => {
    const greeter = await serve.run(serve.deployment(Greeter).bind(), noSocket)
    await assert.rejects(greeter.fail.remote(), /^RayTaskError: ServeReplica:default:Greeter\.fail \(/)
    await assert.rejects(
      greeter.options({ stream: true }).fail.remote().next(),
      /: ServeReplica:default:Greeter\.fail \(/,
    )
    const never = Promise.resolve() as never
    await assert.rejects(greeter.shout.remote('Ada', never), /: args\[1\] is a promise\. await it first\.$/)
    const values = greeter.options({ stream: true }).shout.remote({ name: never } as never)
    await assert.rejects(values.next(), /: args\[0\]\.name is a promise/)
  })

  test('a replica that dies is replaced, and the call it held is tried once more on another', async () => {
    const shared = latch()
    const told: string[] = []
    const onEvent = ({ level, message }: ServeEvent) => level === 'WARNING' && told.push(message)
    const app = serve.deployment(Mortal, { numReplicas: 2 }).bind(shared)
    const handle = await serve.run(app, { ...noSocket, onEvent })
    assert.equal(await handle.remote(), 'call 2')
    assert.deepEqual(told, [
      "A replica of Deployment(name='Mortal', app='default') died: it ended while it ran ServeReplica:default:Mortal.call (exit code 3)",
    ])
    await until(() => serve.status().applications.default!.deployments.Mortal!.replicas.RUNNING === 2)
    const { restarts, status } = serve.status().applications.default!.deployments.Mortal!
    assert.deepEqual({ restarts, status }, { restarts: 1, status: 'HEALTHY' })
  })

  test('while a replica is lacking the deployment is not healthy, and says why', async () => {
    const shared = latch()
    letGo(shared)
    const handle = await serve.run(serve.deployment(Phoenix, { numReplicas: 2 }).bind(shared), noSocket)
    const now = () => serve.status().applications.default!.deployments.Phoenix!
    assert.deepEqual([now().status, now().message], ['HEALTHY', ''])
    // The next one is not ready yet.
    Atomics.store(shared, 1, 0)
    while (now().restarts === 0) assert.equal(await handle.age.remote(), 1)
    assert.deepEqual([now().status, now().replicas.RUNNING], ['UNHEALTHY', 1])
    assert.match(now().message, /^A replica of Deployment\(name='Phoenix', app='default'\) died: /)
    letGo(shared)
    await until(() => now().replicas.RUNNING === 2)
    assert.deepEqual([now().status, now().message], ['HEALTHY', ''])
  })

  test('a call that was cancelled is not tried again when its replica dies', async () => {
    const shared = latch()
    const handle = await serve.run(serve.deployment(Fickle).bind(shared), noSocket)
    const call = handle.ask.remote()
    await reached(shared, 0, 1)
    call.cancel()
    await assert.rejects(call, { code: 'SERVE_CANCELLED' })
    letGo(shared)
    await until(() => serve.status().applications.default!.deployments.Fickle!.restarts === 1)
    assert.equal(await handle.ask.remote(), 'here')
    assert.equal(Atomics.load(shared, 0), 2)
  })

  test('a call that kills every replica fails after its second try', async () => {
    const shared = latch()
    const handle = await serve.run(serve.deployment(Mortal, { numReplicas: 2 }).bind(shared, true), noSocket)
    const message =
      /^ServeReplica:default:Mortal#\d is dead: it ended while it ran ServeReplica:default:Mortal\.call \(exit code \d\)\. Another replica takes its place\.$/
    await assert.rejects(handle.remote(), { code: 'RAY_ACTOR_DIED', message })
    assert.equal(Atomics.load(shared, 0), 2)
  })

  test('the death of an actor that a method asks is the call’s error, and the replica goes on', async () => {
    const handle = await serve.run(serve.deployment(Visitor).bind(), noSocket)
    const actors = ray.remote(Greeter)
    const [dead, living] = [actors.remote(), actors.remote()]
    ray.kill(dead)
    await assert.rejects(handle.remote(dead), { code: 'RAY_ACTOR_DIED' })
    assert.equal(await handle.remote(living), 'Hello Ada')
    assert.equal(serve.status().applications.default!.deployments.Visitor!.restarts, 0)
    ray.kill(living)
  })

  test('a dead replica is replaced for handles in other replicas too', async () => {
    const shared = latch()
    class Asker {
      constructor(readonly mortal: { remote(): Promise<string> }) {}
      async call(): Promise<string> {
        return this.mortal.remote()
      }
    }
    const app = serve.deployment(Asker).bind(serve.deployment(Mortal).bind(shared) as never)
    const handle = await serve.run(app, noSocket)
    assert.equal(await handle.remote(), 'call 2')
    assert.equal(await handle.remote(), 'call 3')
  })

  test('a dead replica is replaced for handles in replicas of another application too', async () => {
    const mortal = await serve.run(serve.deployment(Mortal).bind(latch()), { ...noSocket, name: 'below' })
    const porter = serve.deployment(Porter).bind(mortal as never)
    const handle = await serve.run(porter, { ...noSocket, name: 'above', routePrefix: '/above' })
    assert.equal(await handle.remote('Ada'), 'call 2')
    assert.equal(await handle.remote('Ada'), 'call 3')
  })

  test('a handle to another application goes on when that is replaced, and says when it has ended', async () => {
    const below = { ...noSocket, name: 'below' }
    const greeter = serve.deployment(Greeter)
    const hi = await serve.run(greeter.bind('Hi'), below)
    const porter = serve.deployment(Porter, { numReplicas: 1 }).bind(hi as never)
    const handle = await serve.run(porter, { ...noSocket, name: 'above', routePrefix: '/above' })
    const restarts = () => serve.status().applications.above!.deployments.Porter!.restarts
    assert.equal(await handle.remote('Ada'), 'Hi Ada')

    await serve.run(greeter.options({ numReplicas: 2 }).bind('Bye'), below)
    assert.equal(await handle.remote('Ada'), 'Bye Ada')
    assert.equal(await hi.remote('Ada'), 'Bye Ada')
    // The replica that comes instead learns of those that there are now.
    await assert.rejects(handle.leave.remote())
    assert.equal(await handle.remote('Ada'), 'Bye Ada')
    assert.equal(restarts(), 2)

    const ended = (error: Error) => (error.cause as RayitoError).code === 'SERVE_STOPPED'
    await serve.delete('below')
    await assert.rejects(handle.remote('Ada'), ended)
    await assert.rejects(handle.leave.remote())
    await assert.rejects(handle.remote('Ada'), ended)

    await serve.run(greeter.bind('Ciao'), below)
    assert.equal(await handle.remote('Ada'), 'Ciao Ada')
    // One that has no such deployment any more.
    await serve.run(greeter.options({ name: 'Other' }).bind('Moin'), below)
    await assert.rejects(handle.remote('Ada'), ended)
    await assert.rejects(serve.run(greeter.options({ userConfig: { greeting: '' } }).bind(), below))
    await assert.rejects(handle.remote('Ada'), ended)
  })

  test('a replica that fails its health checks is replaced', async () => {
    const shared = latch()
    const handle = await serve.run(serve.deployment(Patient, { healthCheckPeriod: 10 }).bind(shared), noSocket)
    assert.equal(await handle.remote(), 0)
    Atomics.store(shared, 1, 1)
    await until(() => serve.status().applications.default!.deployments.Patient!.restarts === 1)
    await until(async () => (await handle.remote()) === 1)
  })

  test('a replica whose health checks fail now and then, but not one after the other, stays', async () => {
    const shared = latch()
    const handle = await serve.run(serve.deployment(Moody, { healthCheckPeriod: 5 }).bind(shared), noSocket)
    await reached(shared, 0, 8)
    assert.equal(serve.status().applications.default!.deployments.Moody!.restarts, 0)
    // One after the other, however long each takes.
    assert.equal(Atomics.load(shared, 2), 0)
    assert.equal(await handle.remote(), 'here')
  })

  for (const whose of ['', ', whoever asked it'])
    test(`one that is replaced for that ends what it runs${whose}`, async () => {
      const shared = latch()
      const patient = { healthCheckPeriod: 5, gracefulShutdownTimeout: 60_000 }
      const ailing = serve.deployment(Ailing, patient).bind(shared)
      const app = whose ? serve.deployment(Porter).bind(ailing as never) : ailing
      const call = ((await serve.run(app as never, noSocket)) as DeploymentHandle<Ailing>).remote()
      const now = () => serve.status().applications.default!.deployments.Ailing!
      await until(() => now().restarts === 1 && now().replicas.RUNNING === 1)
      letGo(shared)
      assert.equal(await call, 'done')
      assert.equal(Atomics.load(shared, 0), 1)
      // It waits for nothing more then.
      await until(() => now().replicas.STOPPING === 0)
    })

  test('a replica that does not answer its health checks is replaced, and what it held is tried elsewhere', async () => {
    const shared = latch()
    const options = { healthCheckPeriod: 10, healthCheckTimeout: 50, gracefulShutdownTimeout: 60_000 }
    const handle = await serve.run(serve.deployment(Silent, options).bind(shared), noSocket)
    Atomics.store(shared, 1, 1)
    let answer: number | undefined
    void handle.remote().then((born) => (answer = born))
    await until(() => answer === 1)
  })

  test('a call that makes every replica silent fails, and it is said what they were replaced for', async () => {
    const told: string[] = []
    const onEvent = ({ level, message }: ServeEvent) => level === 'WARNING' && told.push(message)
    const options = { healthCheckPeriod: 10, healthCheckTimeout: 50 }
    const handle = await serve.run(serve.deployment(Stuck, options).bind(), { ...noSocket, onEvent })
    const message =
      /^ServeReplica:default:Stuck#\d is dead: Serve ended it, since it failed its health checks or its time was up\. Another replica takes its place\.$/
    await assert.rejects(handle.remote(), { code: 'RAY_ACTOR_DIED', message })
    const silent =
      "A replica of Deployment(name='Stuck', app='default') failed its health check 3 times: no answer within 50 ms (healthCheckTimeout)"
    assert.deepEqual(new Set(told), new Set([silent]))
  })

  test('an application that cannot start is one line that says why, and nothing stays', async () => {
    for (const [Class, reason] of [
      [Broken, 'no model here'],
      [NeverReady, 'the weights are gone'],
    ] as const) {
      await assert.rejects(
        serve.run(serve.deployment(Class as typeof Broken).bind(), noSocket),
        (error: RayitoError) => {
          assert.equal(error.code, 'SERVE_DEPLOY_FAILED')
          assert.equal(
            error.message,
            `Deployment ${Class.name} of application 'default' could not be started: ${reason}`,
          )
          return true
        },
      )
      assert.deepEqual(serve.status().applications, {})
    }
  })

  test('events are told in Ray’s words', async () => {
    const events: string[] = []
    const onEvent = ({ message }: ServeEvent) => events.push(message)
    await serve.run(serve.deployment(Greeter, { numReplicas: 2 }).bind(), { ...noSocket, name: 'app', onEvent })
    assert.deepEqual(events, [
      "Deploying new version of Deployment(name='Greeter', app='app') (initial target replicas: 2).",
      "Adding 2 replicas to Deployment(name='Greeter', app='app').",
      "Application 'app' is ready at serve.fetch/.",
    ])
  })

  test('wrong options are named', () => {
    assert.throws(() => serve.deployment(Greeter, { numReplicas: 0 }), /Expected `numReplicas`.*got `0`/)
    assert.throws(() => serve.deployment(Greeter, { replicas: 2 } as never), /no option `replicas`/)
    assert.throws(() => serve.deployment((() => 1) as never), /Expected `Class`/)
    assert.throws(() => serve.histogram('size', 'Sizes', { buckets: [1, 1] }), /Expected `buckets`.*ascending/)
    assert.throws(() => serve.histogram('size', 'Sizes', { bucket: [1] } as never), /no option `bucket` here/)
    for (const buckets of [5, null, 'ab'] as never[])
      assert.throws(() => serve.histogram('size', 'Sizes', { buckets }), /Expected `buckets`.*ascending/)
  })

  test('wrong routes are named', () => {
    const routes = (given: unknown) => () => serve.ingress(Greeter, { 'GET /x': given } as never)
    assert.throws(() => serve.ingress(Greeter, { 'GET x': 'shout' } as never), /Expected `routes`/)
    assert.throws(routes('none'), /no method none/)
    for (const given of [null, 5, ['shout']])
      assert.throws(routes(given), {
        code: 'INVALID_ARGUMENT',
        message:
          /^Expected `routes\['GET \/x'\]` to be the name of a method, a route \({ call }\) or a page \({ html }\), got /,
      })
    assert.throws(routes({ call: 'shout', max_bytes: 10 }), {
      code: 'INVALID_ARGUMENT',
      message: /^There is no option `routes\['GET \/x'\]\.max_bytes` here\. Known are call, file, maxBytes, /,
    })
    assert.throws(routes({ call: 'shout', fiel: 'file' }), /no option `.*fiel`/)
    assert.throws(routes({ html: '', csp: '' }), /no option `.*csp` .*Known are html, contentSecurityPolicy\./)
    assert.throws(routes({ call: 'shout', file: 5 }), /^RayitoError: Expected `routes\['GET \/x'\]\.file` to be a text/)
    for (const maxBytes of [0, -1, 1.5, '10'])
      assert.throws(routes({ call: 'shout', maxBytes }), /\.maxBytes` to be a whole number from 1 and up/)
    for (const given of [{}, { file: 'file' }, { call: undefined }, { call: 5 }])
      assert.throws(routes(given), /\.call` to be the name of a method/)
    assert.throws(routes({ html: 5 }), /\.html` to be a page, or a function that gives it/)
    assert.throws(routes({ call: 'shout', query: 'a' }), /\.query` to be an object of texts/)
    routes({
      call: 'shout',
      file: undefined,
      html: undefined,
      responses: { 404: 'gone' },
      answer: { type: 'string' },
    })()
    for (const none of [() => 1, async () => 1, null])
      assert.throws(() => serve.ingress(none as never, {}), /Expected `Class` to be a class/)
  })

  test('run refuses what is no application, and another application’s prefix', async () => {
    await assert.rejects(serve.run(serve.deployment(Greeter) as never, noSocket), /Greeter\.bind/)
    await assert.rejects(serve.run({} as never, noSocket), { code: 'INVALID_ARGUMENT' })
    const greeter = serve.deployment(Greeter).bind()
    await serve.run(greeter, noSocket)
    await assert.rejects(serve.run(greeter, { ...noSocket, name: 'b' }), /route prefix/)
    await serve.run(greeter, { ...noSocket, name: 'b', routePrefix: '/b' })
    await assert.rejects(
      serve.run(greeter, { ...noSocket, name: 'c', routePrefix: '/b/' }),
      /'b' has the route prefix \/b/,
    )
    const runs = ['d', 'e'].map((name) => serve.run(greeter, { ...noSocket, name, routePrefix: '/d' }))
    await assert.rejects(runs[1]!, /'d' has the route prefix \/d/)
    await runs[0]
  })

  test('a run with the same name replaces the application', async () => {
    await serve.run(serve.deployment(Greeter).bind('Hi'), noSocket)
    const handle = await serve.run(serve.deployment(Greeter).bind('Bye'), noSocket)
    assert.equal(await handle.remote('Ada'), 'Bye Ada')
    assert.equal(Object.keys(serve.status().applications).length, 1)
  })

  test('of several runs and deletes of one name at once the last holds, and no replica of the others stays', async () => {
    const living = () => {
      const { actors } = peekRuntime() as Driver
      return [...actors.byId.values()].filter(({ state }) => state !== 'dead').length
    }
    const greeter = serve.deployment(Greeter)
    const ended = { code: 'SERVE_STOPPED' }
    const together = [serve.run(greeter.bind('Hi'), noSocket), serve.run(greeter.bind('Bye'), noSocket)] as const
    await assert.rejects(together[0], ended)
    assert.equal(await (await together[1]).remote('Ada'), 'Bye Ada')
    assert.equal(living(), 1)
    // One of which the constructor never ends.
    const shared = latch()
    const hanging = assert.rejects(serve.run(serve.deployment(Phoenix).bind(shared, true), noSocket), ended)
    await reached(shared, 0, 1)
    await serve.delete('default')
    await hanging
    assert.equal(living(), 0)

    const slow = await serve.run(serve.deployment(Slow).bind(shared), noSocket)
    const call = slow.remote()
    await reached(shared, 0, 2)
    const over = serve.delete('default')
    const next = [serve.run(greeter.bind('Hi'), noSocket), serve.run(greeter.bind('Bye'), noSocket)] as const
    const overtaken = assert.rejects(next[0], ended)
    letGo(shared)
    assert.equal(typeof (await call), 'number')
    await over
    await overtaken
    assert.equal(await (await next[1]).remote('Ada'), 'Bye Ada')
    assert.equal(living(), 1)
    await serve.shutdown()
    assert.equal(living(), 0)
  })

  test('delete ends one application, shutdown all; their handles say so', async () => {
    const one = await serve.run(serve.deployment(Greeter).bind(), { ...noSocket, name: 'one', routePrefix: '/one' })
    const two = await serve.run(serve.deployment(Greeter).bind(), { ...noSocket, name: 'two', routePrefix: '/two' })
    await serve.delete('one')
    assert.throws(() => one.remote('Ada'), { code: 'SERVE_STOPPED' })
    assert.equal(await two.remote('Ada'), 'Hello Ada')
    assert.equal(await serve.getAppHandle<Greeter>('two').remote('Ada'), 'Hello Ada')
    await serve.shutdown()
    assert.throws(() => two.remote('Ada'), { code: 'SERVE_STOPPED' })
    assert.throws(() => serve.getAppHandle('two'), { code: 'SERVE_STOPPED' })
    await serve.shutdown()
  })

  test('shutdown waits for running calls, though a deployment below has no time', async () => {
    const shared = latch()
    const slow = serve.deployment(Slow, { gracefulShutdownTimeout: 0 }).bind(shared)
    const handle = await serve.run(serve.deployment(SlowPorter).bind(slow), noSocket)
    const call = handle.remote()
    await reached(shared, 0, 1)
    const over = serve.shutdown()
    await until(() => serve.status().applications.default?.deployments.SlowPorter?.replicas.STOPPING !== 0)
    letGo(shared)
    assert.equal(typeof (await call), 'number')
    await over
  })

  test('what runs when its application is deleted may ask the other deployments to its end', async () => {
    const shared = latch()
    const greeter = serve.deployment(Greeter).bind('Hello')
    const handle = await serve.run(serve.deployment(Asker).bind(shared, greeter), noSocket)
    const call = handle.remote('Ada')
    await reached(shared, 0, 1)
    const over = serve.delete('default')
    await until(() => serve.status().applications.default?.deployments.Asker?.replicas.STOPPING === 1)
    letGo(shared)
    assert.equal(await call, 'Hello Ada')
    await over
  })

  test('of an application that is deleted each deployment has its own time', async () => {
    const shared = latch()
    const slow = serve.deployment(Slow, { gracefulShutdownTimeout: 60_000 }).bind(shared)
    const porter = serve.deployment(SlowPorter, { gracefulShutdownTimeout: 20 }).bind(slow)
    const handle = await serve.run(porter, noSocket)
    let refused = ''
    void handle.remote().catch(({ code }: RayitoError) => (refused = code))
    await reached(shared, 0, 1)
    const over = serve.delete('default')
    await until(() => refused === 'SERVE_STOPPED')
    letGo(shared)
    await over
  })

  test('shutdown waits no longer than gracefulShutdownTimeout', async () => {
    const shared = latch()
    const options = { gracefulShutdownTimeout: 20, maxOngoingRequests: 1 }
    const handle = await serve.run(serve.deployment(Slow, options).bind(shared), noSocket)
    // One runs, and one waits.
    const lost = [handle.remote(), handle.remote()].map((call) => assert.rejects(call, { code: 'SERVE_STOPPED' }))
    await reached(shared, 0, 1)
    await serve.shutdown()
    await Promise.all(lost)
  })

  test('shutdown ends what is still being started', async () => {
    const app = serve.deployment(Greeter).bind()
    const early = assert.rejects(serve.run(app, noSocket), { code: 'SERVE_STOPPED' })
    await serve.shutdown()
    await early
    let starting = Promise.resolve()
    const begun = new Promise<void>((resolve) => {
      const onEvent = ({ message }: ServeEvent) => message.startsWith('Adding') && resolve()
      starting = assert.rejects(serve.run(app, { ...noSocket, onEvent }), { code: 'SERVE_STOPPED' })
    })
    await begun
    await serve.shutdown()
    await starting
    assert.deepEqual(serve.status().applications, {})
    const handle = await serve.run(app, noSocket)
    assert.equal(await handle.remote('Ada'), 'Hello Ada')
  })

  test('the end of the session ends the application', async () => {
    const handle = await serve.run(serve.deployment(Greeter).bind(), noSocket)
    await ray.shutdown()
    assert.equal(ray.isInitialized(), false)
    await serve.shutdown()
    assert.equal(ray.isInitialized(), false)
    assert.throws(() => handle.remote('Ada'), { code: 'SERVE_STOPPED' })
  })

  test('what replicas measure is told by /metrics', async () => {
    const handle = await serve.run(serve.deployment(Counting).bind(), noSocket)
    await Promise.all([1, 2, 3].map((size) => handle.remote(size)))
    const text = await (await serve.fetch(new Request('http://x/metrics'))).text()
    assert.match(text, /^test_calls_total 3$/m)
    assert.match(text, /^test_size_sum 6$/m)
  })

  test('a counter and a histogram that stand beside a program’s class count in its replicas', async () => {
    const calls = serve.counter('test_beside_total', 'Calls')
    const { observe } = serve.histogram('test_beside_size', 'Sizes', { buckets: [1, 10] })
    class Beside {
      call(size: number): void {
        calls.inc()
        observe(size)
      }
    }
    await (await serve.run(serve.deployment(Beside).bind(), noSocket)).remote(3)
    const text = await (await serve.fetch(new Request('http://x/metrics'))).text()
    assert.match(text, /^test_beside_total 1$/m)
    assert.match(text, /^test_beside_size_bucket\{le="10"\} 1$/m)
  })

  test('what a replica measured comes with the answer of a call that was cancelled, too', async () => {
    const shared = latch()
    class Counted {
      readonly calls = serve.counter('test_left_total', 'Calls')
      constructor(readonly word: Int32Array) {}
      async call(): Promise<void> {
        this.calls.inc()
        await held(this.word)
      }
    }
    const handle = await serve.run(serve.deployment(Counted).bind(shared), noSocket)
    const left = handle.remote()
    await reached(shared, 0, 1)
    left.cancel()
    await assert.rejects(left, { code: 'SERVE_CANCELLED' })
    letGo(shared)
    await until(() => serve.status().applications.default!.deployments.Counted!.ongoing === 0)
    assert.match(await (await serve.fetch(new Request('http://x/metrics'))).text(), /^test_left_total 1$/m)
  })

  test('an ingress without routes of its own answers all below its prefix by call', async () => {
    class Simple {
      call({ method, path }: { method: string; path: string }): string[] {
        return [method, path]
      }
    }
    await serve.run(serve.deployment(Simple).bind(), { ...noSocket, routePrefix: '/below' })
    for (const path of ['', '/', '/a/b'])
      for (const method of ['GET', 'PUT', 'DELETE', 'OPTIONS'])
        assert.deepEqual(await (await serve.fetch(new Request(`http://x/below${path}`, { method }))).json(), [
          method,
          path,
        ])
  })

  test('several applications answer below their prefixes', async () => {
    const greeter = serve.deployment(Greeter)
    const site = serve.deployment(Site)
    const Anywhere = serve.ingress(
      class Anywhere {
        tell({ path }: HttpRequest): string {
          return path
        }
      },
      { 'GET /*': 'tell', 'GET /a/greet/:who': 'tell', 'POST /:one/teapot': 'tell' },
    )
    await serve.run(site.bind(greeter.bind('Hi')), { ...noSocket, name: 'a', routePrefix: '/a' })
    await serve.run(serve.deployment(Anywhere).bind(), { ...noSocket, name: 'all' })
    await serve.run(site.bind(greeter.bind('Bye')), { ...noSocket, name: 'b', routePrefix: '/b/' })
    const greeting = async (path: string) => (await serve.fetch(new Request(`http://x${path}`))).json()
    assert.deepEqual(await greeting('/a/greet/Ada'), { greeting: 'Hi Ada', query: {} })
    assert.deepEqual(await greeting('/b/greet/Ada?x=1&x=2'), { greeting: 'Bye Ada', query: { x: '2' } })
    assert.deepEqual(await greeting('/-/routes'), { '/': 'all', '/a': 'a', '/b': 'b' })
    assert.equal(await greeting('/greet/Ada'), '/greet/Ada')
    // A path is that application's whose prefix is the longest, whatever others would answer.
    assert.deepEqual(await greeting('/b/none'), { detail: 'Not Found' })
    assert.equal(await greeting('/bb/none'), '/bb/none')
    const refused = await serve.fetch(new Request('http://x/a/teapot', { method: 'POST' }))
    assert.deepEqual([refused.status, refused.headers.get('allow')], [405, 'GET, HEAD'])
  })
})
