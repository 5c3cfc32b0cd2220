import assert from 'node:assert/strict'
import { test } from 'node:test'
import v8 from 'node:v8'
import vm from 'node:vm'
import { whenActorDies } from '#src/ray/handle.js'
import {
  ActorDiedError,
  ActorNameError,
  ActorUnavailableError,
  NotSerializableError,
  ObjectLostError,
  type ObjectRef,
  RayTaskError,
  ray,
  TaskCancelledError,
} from '#src/ray/index.js'
import {
  add,
  Bare,
  Boss,
  Brief,
  Broken,
  Counter,
  type CounterClass,
  echo,
  Founder,
  fail,
  giveUnreadable,
  hold,
  Late,
  lateValue,
  Meeting,
  meet,
  Nameless,
  neverEnds,
  Patient,
  pair,
  Teller,
  unfit,
  useCounter,
  useOwnCounter,
} from './functions.js'
import { latch, letGo, onEachEngine, started, until } from './helpers.js'
import { arrive, arrived } from './latch.js'

v8.setFlagsFromString('--expose-gc')
const gc = vm.runInNewContext('gc') as () => void
/** Lets go of what nobody holds, and of what that held. */
async function collect(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
  gc()
  await new Promise((resolve) => setImmediate(resolve))
}

/** Resolves when so many CPUs are free, once nobody holds what had them. */
async function free(cpus: number): Promise<void> {
  const end = Date.now() + 30_000
  while ((await ray.availableResources()).CPU !== cpus) {
    assert.ok(Date.now() < end, 'CPUs are held after 30 s')
    await collect()
  }
}

onEachEngine('actors', { numCpus: 2 }, ({ engine }) => {
  test('an actor keeps its state between calls', async () => {
    const counter = Counter.remote(10)
    await ray.get(counter.add.remote(1))
    assert.equal(await ray.get(counter.add.remote(2)), 13)
  })

  test('an answer does not wait for the call behind it', async () => {
    const counter = Counter.remote(10)
    const gate = latch()
    const [added, held] = [counter.add.remote(1), counter.hold.remote(gate)]
    await started(gate)
    assert.equal(await ray.get(added, { timeout: 20_000 }), 11)
    letGo(gate)
    assert.equal(await ray.get(held), 11)
  })

  test('what waits behind an answer that takes a while to be sent has its turn', async () => {
    for (const method of ['warm', 'unfit', 'begin'] as const) {
      const teller = Teller.remote()
      const [answer, told] = [teller[method].remote(), teller.told.remote()]
      assert.equal(await ray.get(told, { timeout: 20_000 }), 1)
      if (method === 'unfit') await assert.rejects(ray.get(answer), NotSerializableError)
      else assert.ok(await ray.get(answer))
    }
  })

  test('calls run in order, one at a time, methods that await too', async () => {
    const counter = Counter.remote(0)
    const refs = Array.from({ length: 50 }, (_, i) => (i % 2 ? counter.add.remote(1) : counter.addSlowly.remote(1)))
    assert.deepEqual(
      await ray.get(refs),
      refs.map((_, i) => i + 1),
    )
  })

  test('order holds when an argument comes late', async () => {
    const counter = Counter.remote(0)
    const shared = latch()
    const late = lateValue.remote(100, meet.remote(shared, 2))
    const first = counter.add.remote(late)
    const second = counter.add.remote(1)
    await ray.get(meet.remote(shared, 2))
    assert.deepEqual(await ray.get([first, second]), [100, 101])
  })

  test('a call of which an argument failed keeps none waiting for its others', async () => {
    const counter = Counter.remote(0)
    await ray.get(counter.add.remote(1))
    const never = neverEnds.options({ numCpus: 0 }).remote()
    const addAll = counter.add as unknown as { remote(...args: unknown[]): ObjectRef<number> }
    const failing = [addAll.remote(fail.remote('no'), never), addAll.remote(never, unfit())]
    const next = counter.add.remote(1)
    await assert.rejects(ray.get(failing[0]!), RayTaskError)
    await assert.rejects(ray.get(failing[1]!), NotSerializableError)
    assert.equal(await ray.get(next, { timeout: 20_000 }), 2)
    ray.cancel(never)
  })

  test('with maxConcurrency calls meet each other', async () => {
    const meeting = Meeting.options({ maxConcurrency: 3 }).remote()
    assert.deepEqual(await ray.get([1, 2, 3].map(() => meeting.come.remote(3))), [3, 3, 3])
  })

  test('each actor has a worker of its own, more of them than CPUs', async () => {
    const counters = Array.from({ length: 4 }, () => Counter.remote(0))
    const threads = await ray.get(counters.map((counter) => counter.thread.remote()))
    assert.equal(new Set(threads).size, 4)
  })

  test('an actor holds no CPU unless it asks for one', async () => {
    const free = Counter.remote(0)
    await ray.get(free.thread.remote())
    assert.deepEqual(await ray.availableResources(), { CPU: 2 })
    const holding = Counter.options({ numCpus: 1 }).remote(0)
    await ray.get(holding.thread.remote())
    assert.deepEqual(await ray.availableResources(), { CPU: 1 })
    assert.deepEqual(await ray.clusterResources(), { CPU: 2 })
    const greedy = Counter.options({ numCpus: 3 }).remote(0)
    await assert.rejects(ray.get(greedy.thread.remote()), /3.*2/s)
  })

  test('an actor with numCpus: 0 is made while all CPUs are taken; without, it needs one that is free', async () => {
    const gate = latch()
    const held = [hold.remote(gate), hold.remote(gate)]
    await started(gate, 2)
    const waits = Counter.remote(0).add.remote(1)
    const free = Counter.options({ numCpus: 0 }).remote(0)
    assert.equal(await ray.get(free.add.remote(2), { timeout: 20_000 }), 2)
    assert.deepEqual(await ray.wait([waits], { timeout: 0 }), [[], [waits]])
    letGo(gate)
    assert.deepEqual(await ray.get([waits, ...held]), [1, 2, 2])
  })

  test('an exception of a method is the call’s, the actor lives on', async () => {
    const counter = Counter.remote(1)
    await assert.rejects(ray.get(counter.fail.remote()), /CounterClass\.fail.*counted wrong/s)
    assert.equal(await ray.get(counter.add.remote(1)), 2)
    const [count, text] = counter.history.options({ numReturns: 2 }).remote()
    assert.deepEqual(await ray.get([count, text]), [2, 'counts'])
  })

  test('what cannot be looked at fails the call that returns or throws it, whose worker or actor lives on', async () => {
    const counter = Counter.remote(1)
    const refs = [false, true].map((thrown) => counter.unreadable.remote(thrown))
    for (const ref of [...refs, giveUnreadable.options({ maxRetries: 0 }).remote()])
      await assert.rejects(ray.get(ref), (error) => error instanceof RayTaskError && /revoked/i.test(error.message))
    assert.equal(await ray.get(counter.add.remote(1)), 2)
  })

  test('an option of options() that is undefined stays as it was', async () => {
    const named = Counter.options({ name: 'stays' }).options({ name: undefined, maxRestarts: undefined }).remote(1)
    assert.equal(await ray.get(named.add.remote(1)), 2)
    assert.equal(await ray.get((await ray.getActor<CounterClass>('stays')).add.remote(1)), 3)
    const four = pair.options({ numReturns: 2 }).options({ numReturns: undefined, name: undefined }).remote(4)
    assert.deepEqual(await ray.get(four), [4, '4'])
  })

  test('a constructor that throws shows in every call', async () => {
    const broken = Broken.remote()
    for (let i = 0; i < 2; i++)
      await assert.rejects(ray.get(broken.use.remote()), (error) => {
        assert.ok(error instanceof ActorDiedError)
        assert.match(
          error.message,
          /^\w+#\d+ is dead: its constructor threw: Error: cannot be made\. Mend that, then make another actor\.$/,
        )
        assert.match(((error.cause as Error).cause as Error).message, /cannot be made/)
        return true
      })
  })

  test('a constructor’s argument that failed fails the actor', async () => {
    const counter = Counter.remote(fail.remote('no start'))
    await assert.rejects(
      ray.get(counter.add.remote(1)),
      (error) => error instanceof ActorDiedError && /no start/.test(String((error.cause as Error).message)),
    )
  })

  test('a method that is missing is named with those there are', async () => {
    const counter = Counter.remote(0) as unknown as { sub: { remote(): never } }
    await assert.rejects(ray.get(counter.sub.remote()), /no method sub.*add/s)
    const bare = Bare.remote() as unknown as typeof counter
    await assert.rejects(ray.get(bare.sub.remote()), /Bare has no method sub\. It has none/)
    const nameless = Nameless.remote() as unknown as typeof counter
    await assert.rejects(ray.get(nameless.sub.remote()), /: The class has no method sub\. It has none/)
  })

  test('kill rejects what was called, at once', async () => {
    const counter = Counter.remote(0)
    const shared = latch()
    const running = counter.hold.remote(shared)
    const queued = counter.add.remote(1)
    await started(shared)
    ray.kill(counter)
    await assert.rejects(
      ray.get(running),
      (error) => error instanceof ActorDiedError && /ray\.kill/.test(error.message),
    )
    // That is for good: maxRestarts alone would change nothing.
    await assert.rejects(ray.get(running), /killed with ray\.kill\. Make another actor; .*noRestart: false/)
    await assert.rejects(ray.get(queued), ActorDiedError)
    await assert.rejects(ray.get(counter.add.remote(1)), ActorDiedError)
    letGo(shared)
  })

  test('kill with noRestart false starts it again if it may', async () => {
    const counter = Counter.options({ maxRestarts: 1 }).remote(5)
    assert.equal(await ray.get(counter.add.remote(1)), 6)
    ray.kill(counter, { noRestart: false })
    assert.equal(await ray.get(counter.add.remote(1)), 6)
    ray.kill(counter, { noRestart: false })
    await assert.rejects(ray.get(counter.add.remote(1)), ActorDiedError)
    const once = Counter.remote(5)
    await ray.get(once.add.remote(1))
    ray.kill(once, { noRestart: false })
    await assert.rejects(ray.get(once.add.remote(1)), /killed with ray\.kill\. .* or give it maxRestarts\./)
  })

  test('what waited when it was killed runs after its start, what ran is told or runs again', async () => {
    for (const maxTaskRetries of [0, 1]) {
      const counter = Counter.options({ maxRestarts: -1, maxTaskRetries }).remote(10)
      const gate = latch()
      const running = counter.hold.remote(gate)
      await started(gate)
      const waiting = counter.add.remote(1)
      ray.kill(counter, { noRestart: false })
      if (maxTaskRetries === 0) await assert.rejects(ray.get(running), ActorUnavailableError)
      letGo(gate)
      if (maxTaskRetries === 1) assert.equal(await ray.get(running), 10)
      assert.equal(await ray.get(waiting), 11)
    }
  })

  test('killed twice in a turn it starts once', async () => {
    const counter = Counter.options({ maxRestarts: -1, numCpus: 1 }).remote(0)
    await ray.get(counter.add.remote(1))
    ray.kill(counter, { noRestart: false })
    ray.kill(counter, { noRestart: false })
    assert.equal(await ray.get(counter.add.remote(1)), 1)
    const other = Counter.options({ numCpus: 1 }).remote(0)
    assert.equal(await ray.get(other.add.remote(1)), 1)
    ray.kill(counter)
    const third = Counter.options({ numCpus: 1 }).remote(0)
    assert.equal(await ray.get(third.add.remote(1)), 1)
  })

  test('a death without maxRestarts ends it, with its exit code', async () => {
    const counter = Counter.remote(0)
    const calls = [counter.exit.remote(4), counter.add.remote(1)]
    for (const call of calls)
      await assert.rejects(ray.get(call as (typeof calls)[number]), (error) => {
        assert.ok(error instanceof ActorDiedError)
        assert.match(
          error.message,
          /CounterClass#1 is dead: it ended while it ran CounterClass\.exit \(exit code 4\)\. /,
        )
        assert.equal(error.exitCode, 4)
        return true
      })
  })

  test('of what it ran when it died each method is named once, and how often', async () => {
    const counter = Counter.options({ maxConcurrency: 4 }).remote(0)
    const calls = [counter.never.remote(), counter.never.remote(), counter.never.remote(), counter.exit.remote(4)]
    for (const call of calls)
      await assert.rejects(
        ray.get(call),
        /while it ran CounterClass\.never \(3 times\), CounterClass\.exit \(exit code 4\)\. /,
      )
  })

  test('one that ends while it runs nothing is said to have been idle', async () => {
    const late = Late.remote()
    let died = false
    whenActorDies(late, () => {
      died = true
    })
    await until(async () => died)
    await assert.rejects(
      ray.get(late.use.remote()),
      /LateClass#1 is dead: it ended while it was idle \(.*Error: too late to catch/,
    )
  })

  test('with maxRestarts the constructor runs again; the interrupted call is told, those behind it run', async () => {
    const counter = Counter.options({ maxRestarts: 1 }).remote(5)
    await ray.get(counter.add.remote(1))
    const gate = latch()
    const interrupted = counter.exit.remote(3)
    const behind = counter.add.remote(1)
    // Not sent yet: it stays behind those that were.
    const last = counter.add.remote(hold.options({ numCpus: 0 }).remote(gate))
    await assert.rejects(ray.get(interrupted), ActorUnavailableError)
    assert.equal(await ray.get(behind), 6)
    letGo(gate)
    assert.equal(await ray.get(last), 7)
    // Once they are used up, to give it some is no advice.
    await assert.rejects(
      ray.get(counter.exit.remote(3)),
      /code 3\)\. It has had its maxRestarts \(1\): see why it ends, /,
    )
  })

  test('so it does where the worker ends while nobody asks it for anything', async () => {
    const made = latch()
    const brief = Brief.options({ maxRestarts: 1 }).remote(made)
    await ray.get(brief.leave.remote())
    await started(made, 2)
    assert.equal(await ray.get(brief.stay.remote()), 'here')
  })

  test('what a method throws is tried again where that is asked for, before what waits behind it', async () => {
    const counter = Counter.remote(1)
    const [tries, gate] = [latch(), latch()]
    const twice = { maxTaskRetries: 2, retryExceptions: true, timeout: 30_000 }
    const failing = counter.throwOnce.options(twice).remote(tries, 2)
    // Not sent yet.
    const behind = counter.add.remote(hold.options({ numCpus: 0 }).remote(gate))
    assert.equal(await ray.get(failing, { timeout: 30_000 }), 3)
    letGo(gate)
    assert.equal(await ray.get(behind), 2)
    for (const options of [
      { retryExceptions: true },
      { maxTaskRetries: 1 },
      { ...twice, retryExceptions: [RangeError] },
    ]) {
      const once = latch()
      await assert.rejects(ray.get(counter.throwOnce.options(options).remote(once, 1)), /not yet/)
      assert.equal(arrived(once), 1)
    }
  })

  test('with maxTaskRetries the interrupted call runs again, in order', async () => {
    const counter = Counter.options({ maxRestarts: -1, maxTaskRetries: -1 }).remote(0)
    const tries = latch()
    const refs = [counter.add.remote(1), counter.dieOnce.remote(tries, 3), counter.add.remote(1), counter.add.remote(1)]
    const [, died, ...rest] = await ray.get(refs)
    assert.equal(died, 4)
    assert.deepEqual(rest, [1, 2])
    // To have stood behind one that died is no try.
    const twice = Counter.options({ maxRestarts: -1, maxTaskRetries: 1 }).remote(0)
    assert.deepEqual(await ray.get([latch(), latch()].map((tries) => twice.dieOnce.remote(tries, 1))), [2, 2])
  })

  test('a named actor is found; its name is taken until it is gone', async () => {
    const counter = Counter.options({ name: 'tally' }).remote(0)
    const found = await ray.getActor<CounterClass>('tally')
    await ray.get(counter.add.remote(1))
    assert.equal(await ray.get(found.add.remote(1)), 2)
    assert.throws(() => Counter.options({ name: 'tally' }).remote(0), ActorNameError)
    const same = Counter.options({ name: 'tally', getIfExists: true }).remote(0)
    assert.equal(await ray.get(same.add.remote(1)), 3)
    assert.throws(() => Counter.options({ getIfExists: true }).remote(0), /getIfExists is for actors with a name/)
    await assert.rejects(ray.getActor('tally', { namespace: 'other' }), ActorNameError)
    await assert.rejects(ray.getActor(''), /Expected `name` to be a text that is not empty, got ``/)
    await assert.rejects(ray.getActor('tally', { namespace: 3 as never }), /Expected `namespace` to be a text, got `3`/)
    ray.kill(counter)
    await assert.rejects(ray.getActor('tally'), ActorNameError)
    assert.equal(await ray.get(Counter.options({ name: 'tally' }).remote(7).add.remote(0)), 7)
  })

  test('a named actor stays where nobody has a handle to it', async () => {
    const make = () => ray.get(Counter.options({ name: 'kept' }).remote(1).add.remote(1))
    assert.equal(await make(), 2)
    // Whatever its end would do to it is done within a few calls of another.
    for (let i = 0; i < 10; i++) {
      await collect()
      await ray.get(add.remote(i, 1))
    }
    const kept = await ray.getActor<CounterClass>('kept')
    assert.equal(await ray.get(kept.add.remote(1)), 3)
  })

  test('a handle can be passed on', async () => {
    const counter = Counter.remote(0)
    assert.equal(await ray.get(useCounter.remote({ counter }, 5)), 5)
    assert.equal(await ray.get(counter.add.remote(1)), 6)
  })

  test('an actor has a handle to itself: it passes that on, and ends itself with it for good', async () => {
    assert.equal(ray.getRuntimeContext().currentActor, null)
    const boss = Boss.options({ maxRestarts: 1 }).remote()
    const [report] = await ray.get(boss.employ.remote('done'))
    assert.deepEqual(await ray.get(report), ['done'])
    const calls = [boss.leave.remote(), boss.hear.remote('too late')]
    for (const call of calls) await assert.rejects(ray.get(call), ActorDiedError)
  })

  test('an actor knows itself where none of its calls runs, too, and has what its constructor began', async () => {
    const founder = Founder.remote()
    assert.equal(await ray.get(founder.sum.remote()), 3)
    const found = async () => (await ray.get(founder.found.remote())) !== null
    await until(found)
    const worker = await ray.get(founder.worker.remote())
    assert.deepEqual(await ray.get(founder.found.remote()), { worker, attempt: 0, self: true })
  })

  test('an actor that passes itself on when it has no other handle any more goes on', async () => {
    const gate = latch()
    const employed = Boss.remote().employ.remote('alone', gate)
    await collect()
    letGo(gate)
    const [report] = await ray.get(employed)
    assert.deepEqual(await ray.get(report), ['alone'])
  })

  test('so does one that waits for those whom it has passed itself on to', async () => {
    const gate = latch()
    const begin = () => Boss.options({ maxConcurrency: 3, numCpus: 1 }).remote().lead.remote('together', gate)
    const led = begin()
    await started(gate)
    // Whatever its end would do to it is done within a few calls of another.
    for (let i = 0; i < 10; i++) {
      await collect()
      await ray.get(add.remote(i, 1))
    }
    letGo(gate)
    assert.deepEqual(await ray.get(led, { timeout: 20_000 }), ['together'])
    // What needs its CPU has those look who hold it.
    assert.equal(await ray.get(add.options({ numCpus: 2 }).remote(1, 1), { timeout: 20_000 }), 2)
  })

  test('an actor lives as long as one of its handles, whichever goes before', async () => {
    const counter = Counter.remote(1)
    const useOther = async () => {
      const other = (await ray.get(echo.remote({ counter }))) as { counter: typeof counter }
      assert.equal(await ray.get(other.counter.add.remote(1)), 2)
    }
    await useOther()
    // Whatever its end would do to it is done within a few calls of another.
    for (let i = 0; i < 10; i++) {
      await collect()
      await ray.get(add.remote(i, 1))
    }
    assert.equal(await ray.get(counter.add.remote(1)), 3)
  })

  test('an actor without a handle ends when its calls have, however many run beside each other', async () => {
    const gate = latch()
    const begin = () => {
      const patient = Patient.options({ maxConcurrency: 3, numCpus: 1 }).remote()
      return [patient.wait.remote(gate), patient.wait.remote(gate)]
    }
    const refs = begin()
    await started(gate, 2)
    // Whatever its end would do to them is done within a few calls of another.
    for (let i = 0; i < 10; i++) {
      await collect()
      await ray.get(add.remote(i, 1))
    }
    letGo(gate)
    assert.deepEqual(await ray.get(refs), ['let go', 'let go'])
    await free(2)
  })

  test('actors without a handle do not pile up', async () => {
    // What is free on other machines is known from their signs of life.
    if (engine === 'nats') return
    const use = async () => ray.get(Counter.options({ numCpus: 0.01 }).remote(1).add.remote(1))
    const useInside = () => ray.get(useOwnCounter.remote())
    for (const once of [use, useInside]) {
      let most = 0
      for (let i = 0; i < 24; i++) {
        assert.equal(await once(), 2)
        most = Math.max(most, Math.round((2 - (await ray.availableResources()).CPU) * 100))
      }
      assert.ok(most < 22, `${most} of 24 were there at once`)
    }
  })

  test('a call that was taken back holds none of what it was given', async () => {
    const gate = latch()
    const busy = Counter.remote(0)
    const held = busy.hold.remote(gate)
    await started(gate)
    const takeBack = async () => {
      const other = Counter.options({ numCpus: 1 }).remote(0)
      await ray.get(other.add.remote(1))
      const ref = busy.add.remote(other as never)
      ray.cancel(ref)
      await assert.rejects(ray.get(ref), TaskCancelledError)
    }
    await takeBack()
    await free(2)
    letGo(gate)
    await ray.get(held)
  })

  test('calls keep their order and their turn where those before them fail as they are sent', async () => {
    const [start, late] = [latch(), latch()]
    const counter = Counter.remote(hold.remote(start))
    const freed = ray.put(10)
    const failing = counter.add.remote(freed)
    const with1 = counter.add.remote(failing)
    const refs = [counter.add.remote(hold.remote(late)), counter.add.remote(100)]
    await Promise.all([started(start), started(late)])
    ray.free(freed)
    letGo(start)
    for (const ref of [failing, with1]) await assert.rejects(ray.get(ref), ObjectLostError)
    letGo(late)
    assert.deepEqual(await ray.get(refs), [2, 102])
  })

  test('a handle is no promise and prints what it is', async () => {
    const counter = Counter.remote(0)
    assert.equal(await Promise.resolve(counter), counter)
    const { inspect } = await import('node:util')
    assert.equal(inspect(counter), 'ActorHandle(CounterClass#1)')
    assert.equal(`${counter}`, 'ActorHandle(CounterClass#1)')
  })

  test('what an actor leaves no room for keeps nothing smaller waiting, and has its turn when the actor has gone', async () => {
    const holder = Counter.options({ numCpus: 1 }).remote(1)
    assert.equal(await ray.get(holder.add.remote(1)), 2)
    const large = add.options({ numCpus: 2 }).remote(1, 1)
    const half = add.options({ numCpus: 0.5 }).remote(2, 2)
    assert.deepEqual(await ray.get([add.remote(1, 2), half], { timeout: 20_000 }), [3, 4])
    assert.deepEqual(await ray.wait([large], { timeout: 0 }), [[], [large]])
    ray.kill(holder)
    assert.equal(await ray.get(large), 2)
  })

  test('an actor that waits to be placed gets its turn behind the tasks before it', async () => {
    const shared = latch()
    const tasks = [meet.remote(shared, 3), meet.remote(shared, 3)]
    await started(shared, 2)
    const counter = Counter.remote(1)
    const call = counter.add.remote(1)
    arrive(shared)
    await ray.get(tasks)
    assert.equal(await ray.get(call), 2)
    assert.equal(await ray.get(add.remote(1, 1)), 2)
  })
})
