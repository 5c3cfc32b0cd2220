import assert from 'node:assert/strict'
import { test } from 'node:test'
import v8 from 'node:v8'
import vm from 'node:vm'
import { type Code, portableCode } from '#src/ray/code/index.js'
import { RemoteDefinition } from '#src/ray/definition.js'
import type { Driver } from '#src/ray/driver/driver.js'
import { Holdings } from '#src/ray/engines/local/holdings.js'
import { carriedId, makeHandle } from '#src/ray/handle.js'
import {
  ActorDiedError,
  ActorNameError,
  NotSerializableError,
  RayTaskError,
  ray,
  WorkerCrashedError,
} from '#src/ray/index.js'
import { type Content, entryOf } from '#src/ray/object-ref.js'
import { type Packed, pack } from '#src/ray/pack.js'
import type { ToDriver, WorkerStart } from '#src/ray/protocol.js'
import { runtime } from '#src/ray/runtime.js'
import { prepareCall } from '#src/ray/worker/call.js'
import { WorkerClient } from '#src/ray/worker/client.js'
import { Held } from '#src/ray/worker/held.js'
import { Kept } from '#src/ray/worker/kept.js'
import { DriverRequests } from '#src/ray/worker/requests.js'
import {
  add,
  askAndGo,
  Counter,
  countdown,
  countNext,
  fail,
  failInside,
  fibonacci,
  findCounter,
  getAndHold,
  giveHandle,
  giveRef,
  giveTaken,
  giveUnfit,
  giveUnfitActors,
  Hoarder,
  hold,
  leaveWaiting,
  makeAndFind,
  makeAndForget,
  makeCounter,
  Organizer,
  openBox,
  Reader,
  unfit,
  Waiter,
} from './functions.js'
import { inOneSession, latch, letGo, started, until } from './helpers.js'

v8.setFlagsFromString('--expose-gc')
const collect = vm.runInNewContext('gc') as () => void
const turn = () => new Promise((resolve) => setImmediate(resolve))

test('a worker gives back the refs that its driver has heard of, and none of what could not be sent at once or in its turn', async () => {
  const sent: ToDriver[] = []
  const start = { name: 'worker#1', namespace: '', slots: null } as WorkerStart
  const client = new WorkerClient(
    start,
    (message) => sent.push(message),
    () => null,
  )
  const refused = Symbol('here')
  const one = new RemoteDefinition(() => 1, undefined)
  // Whether that module exports it is known once its file is read: what is refused behind it has to wait, and ends nothing.
  const slow = new RemoteDefinition(() => 2, import.meta.resolve('./programs.js'))
  const actor = { id: 'a1', className: 'Counter', label: 'Counter#1', generators: [] }
  const ask = async () => {
    assert.throws(() => client.put(refused), NotSerializableError)
    assert.throws(() => client.submit(one, [refused], {}), NotSerializableError)
    assert.throws(() => client.callActor(actor, 'add', [refused], {}), NotSerializableError)
    const [first] = client.submit(slow, [], {})
    client.put(unfit())
    client.submit(one, [unfit()], {})
    await client.unsent
    const last = client.put(1)
    for (const [kind, request] of sent) if (kind === 'request') client.answered(request as number, true, undefined)
    return [first!.id, last.id]
  }
  const told = await ask()
  const releases = () => sent.flatMap((message) => (message[0] === 'release' ? message[1] : []))
  const end = Date.now() + 30_000
  while (releases().length < told.length && Date.now() < end) {
    collect()
    await turn()
  }
  assert.deepEqual(
    releases().sort(),
    told.map((id) => [id, 1]),
  )
})

test('a worker gives back what it received as often as it did, of one value once; what comes again is counted anew', async () => {
  const given: (readonly [id: string, received: number])[] = []
  const held = new Held({}, (releases) => given.push(...releases))
  const givenBack = async () => {
    const end = Date.now() + 30_000
    while (given.length === 0 && Date.now() < end) {
      await turn()
      collect()
    }
    return given.splice(0)
  }
  const packed = (make: () => object) => (pack([make(), make()], 'value') as Packed).data
  const data = {
    x: packed(() => held.ref('x')),
    a1: packed(() => makeHandle({ id: 'a1', className: 'Counter', label: 'Counter#1', generators: [] })),
  }
  const receive = (id: keyof typeof data) => {
    const [one, other] = held.unpack(structuredClone(data[id])) as object[]
    assert.equal(one, other)
  }
  assert.deepEqual(await givenBack(), [['x', 2]])
  for (const id of ['x', 'a1'] as const)
    for (const times of [2, 1]) {
      for (let i = 0; i < times; i++) receive(id)
      assert.deepEqual(await givenBack(), [[id, times]])
    }
})

test('what a call in a worker is given is not given back before the call has been sent', async () => {
  const given: string[] = []
  const held = new Held({}, (releases) => given.push(...releases.map(([id]) => id)))
  const wire = ({ carried }: Content) => [0, true, 0, 0, 0, carried.map(carriedId)] as const
  // Whether that module exports it is known once its file is read.
  const slow = new RemoteDefinition(() => 1, import.meta.resolve('./programs.js'))
  const prepare = (definition: RemoteDefinition | null, id: string) =>
    prepareCall(definition, [held.ref(id), { inside: held.ref(`in ${id}`) }], wire, (args) => args)
  const calls = [prepare(null, 'method'), prepare(slow, 'function')]
  held.ref('nobody')
  while (given.length === 0) {
    await turn()
    collect()
  }
  assert.deepEqual(given, ['nobody'])
  assert.deepEqual(
    (await Promise.all(calls.map((call) => call()))).map(([ref, content]) => [ref, content![5]]),
    [
      ['method', ['in method']],
      ['function', ['in function']],
    ],
  )
})

test('what came inside a value is given back once: with what was made of it, and of what nobody looked at with the value', async () => {
  const packed = () => {
    const counter = makeHandle({ id: 'a2', className: 'Counter', label: 'Counter#2', generators: [] })
    return (pack([new Held({}, () => {}).ref('inside'), counter], 'value') as Packed).data
  }
  const data = packed()
  const given: (readonly [id: string, received: number])[] = []
  const held = new Held({}, (releases) => given.push(...releases))
  const receive = (id: string, open: boolean) => {
    const entry = entryOf(held.ref(id))
    held.came(id, ['inside', 'a2'])
    if (open) held.unpack(structuredClone(data), entry)
  }
  receive('opened', true)
  receive('closed', false)
  // The one before is gone, which nobody has noticed.
  await turn()
  collect()
  receive('closed', false)
  const times = () =>
    ['opened', 'closed', 'inside', 'a2'].map((id) =>
      given.reduce((sum, [of, count]) => (of === id ? sum + count : sum), 0),
    )
  await until(async () => {
    await turn()
    collect()
    return times().every((count) => count > 0) && times()[3] === 3
  })
  for (let i = 0; i < 20; i++) await turn()
  assert.deepEqual(times(), [1, 2, 3, 3])
})

test('so is what came with a function, however many handles to one actor it uses', async () => {
  const handle = () => makeHandle({ id: 'a3', className: 'Counter', label: 'Counter#3', generators: [] })
  const described = async () => {
    const [one, other] = [handle(), handle()]
    return portableCode(await new RemoteDefinition(() => [one, other], undefined).describe())
  }
  const given: (readonly [id: string, received: number])[] = []
  const kept = new Kept(new Held({}, (releases) => given.push(...releases)))
  const receive = async (code: Code) => {
    kept.code('f', structuredClone(code))
    const made = (await kept.callable('f'))() as object[]
    assert.equal(made.length, 2)
    kept.free('f')
  }
  await receive(await described())
  await until(async () => {
    await turn()
    collect()
    return given.length > 0
  })
  assert.deepEqual(given, [['a3', 1]])
})

test('a ref that comes again when the one before is gone, which its worker is yet to notice, is held', async () => {
  const given: (readonly [id: string, received: number])[] = []
  const held = new Held({}, (releases) => given.push(...releases))
  held.ref('x')
  await turn()
  // Its end is told in one of the next turns.
  collect()
  const again = [held.ref('x')]
  for (let i = 0; i < 20; i++) await turn()
  assert.deepEqual([again.length, given], [1, []])
  again.length = 0
  while (given.length === 0) {
    await turn()
    collect()
  }
  assert.deepEqual(given, [['x', 2]])
})

test('what a worker was answered it does not hold', async () => {
  const requests = new DriverRequests(() => {})
  const answer = async () => {
    const asked = requests.ask('figure', { which: 'nodes' })
    const nodes: object[] = []
    requests.answered(1, true, nodes)
    assert.equal(await asked, nodes)
    return new WeakRef(nodes)
  }
  const answered = await answer()
  await turn()
  collect()
  assert.equal(answered.deref(), undefined)
  // It goes on with its numbers.
  const asked = requests.ask('figure', { which: 'nodes' })
  requests.answered(2, true, 2)
  assert.equal(await asked, 2)
})

test('what a worker asks for in order is asked in order, however long each takes to be ready', async () => {
  const asked: string[] = []
  const requests = new DriverRequests((message) => {
    if (message[0] === 'request') asked.push((message[3] as { id: string }).id)
  })
  const ready: (() => void)[] = []
  const ask = (id: string, later: boolean) => {
    const payload = { id }
    const wait = () => new Promise<typeof payload>((resolve) => ready.push(() => resolve(payload)))
    void requests.inOrder('seen', () => (later ? wait() : payload))
  }
  ask('first', true)
  ask('second', true)
  ready.shift()!()
  await turn()
  ask('third', false)
  void requests.behind('next', { id: 'behind' })
  await turn()
  assert.deepEqual(asked, ['first'])
  ready.shift()!()
  await turn()
  ask('last', false)
  assert.deepEqual(asked, ['first', 'second', 'third', 'behind', 'last'])
})

test('what a worker holds it has received more often than it let it go, of one value once; it may let go what it is yet to hear of', () => {
  const [value, early] = ['value', 'early'].map((id) =>
    makeHandle({ id, className: 'Counter', label: id, generators: [] }),
  )
  const held = new Holdings()
  const other = makeHandle({ id: 'value', className: 'Counter', label: 'value', generators: [] })
  held.addAll([value!, value!, other])
  held.addAll([value!])
  held.letGo('value', 1)
  assert.ok(held.has('value'))
  held.letGo('value', 1)
  assert.ok(!held.has('value'))
  for (let i = 0; i < 3; i++) held.add('value', value!)
  held.letGo('value', 3)
  assert.ok(!held.has('value'))
  held.letGo('early', 1)
  held.add('early', early!)
  assert.ok(!held.has('early'))
  held.add('early', early!)
  assert.deepEqual(held.take(), [['early', early]])
})

inOneSession('tasks and actors made by tasks', { numCpus: 1 }, ({ engine }) => {
  test('a task that waits for others lends them its CPU', async () => {
    assert.equal(await ray.get(fibonacci.remote(5)), 5)
    // What is free on other machines is known from their signs of life.
    if (engine === 'nats')
      while ((await ray.availableResources()).CPU !== 1) await new Promise((resolve) => setTimeout(resolve, 20))
    assert.deepEqual(await ray.availableResources(), { CPU: 1 })
    // It has it again when it goes on.
    const [slow, gate] = [latch(), latch()]
    const waits = getAndHold.remote({ ref: hold.options({ numCpus: 0 }).remote(slow) }, gate)
    await started(slow)
    letGo(slow)
    await started(gate)
    const free = async () => (await ray.availableResources()).CPU
    await until(async () => (await free()) === 0)
    assert.equal(await free(), 0)
    letGo(gate)
    assert.equal(await ray.get(waits), 1)
  })

  test('a CPU that a task has lent is free once, not twice, when its worker dies', async () => {
    const [slow, gate] = [latch(), latch()]
    const held = hold.options({ numCpus: 0 }).remote(slow)
    const waits = leaveWaiting.options({ maxRetries: 0 }).remote({ ref: held }, gate)
    await started(gate)
    const free = async () => (await ray.availableResources()).CPU
    await until(async () => (await free()) === 1)
    letGo(gate)
    await assert.rejects(ray.get(waits), WorkerCrashedError)
    letGo(slow)
    await ray.get(held)
    await until(async () => (await free()) === 1)
    assert.equal(await free(), 1)
  })

  test('a recursion deeper than there are workers for does not stand still', async () => {
    // There are 16 beyond the CPUs.
    assert.equal(await ray.get(countdown.remote(19)), 19)
  })

  test('a ref inside an argument can be asked for', async () => {
    assert.equal(await ray.get(openBox.remote({ ref: ray.put(41) })), 42)
    assert.equal(await ray.get(openBox.remote({ ref: add.remote(1, 1) })), 3)
  })

  test('refs inside an object are there whenever it is asked for again, though those of the first time are gone', async () => {
    const reader = Reader.remote({ list: ray.put([ray.put(20), ray.put(22)]) })
    assert.equal(await ray.get(reader.length.remote()), 2)
    assert.equal(await ray.get(reader.sum.remote()), 42)
  })

  test('nor is any held for longer than the object, where a worker waited for that and did not look at it', async () => {
    const waiter = Waiter.remote()
    const waited = async (how: 'wait' | 'get') => {
      const inside = ray.put('inside')
      await ray.get(waiter[how].remote([ray.put([inside]), fail.remote('no')]))
      return new WeakRef(inside)
    }
    for (const inside of [await waited('wait'), await waited('get')]) {
      await until(async () => {
        // What it did last it may hold until it does something else.
        await ray.get(waiter.rest.remote())
        ;(runtime() as Driver).engine.collect()
        collect()
        await turn()
        return !inside.deref()
      })
      assert.ok(!inside.deref())
    }
  })

  test('a worker that collects beside work, and has much to go over, is spared another collection until it is at rest', async () => {
    const { engine } = runtime() as Driver
    const hoarder = Hoarder.remote([ray.put('inside')])
    const leftAndThere = async (which: number, beside: boolean) => {
      await ray.get(hoarder.leave.remote(which))
      engine.collect(beside)
      return ray.get(hoarder.has.remote(which))
    }
    assert.deepEqual([await leftAndThere(0, true), await leftAndThere(1, true)], [false, true])
    assert.equal(await leftAndThere(1, false), false)
  })

  test('an actor made by a task outlives it through its handle', async () => {
    const { counter } = await ray.get(makeCounter.remote(5))
    assert.equal(await ray.get(counter.add.remote(1)), 7)
  })

  test('a named actor is found by a task', async () => {
    const counter = Counter.options({ name: 'shared' }).remote(1)
    assert.equal(await ray.get(findCounter.remote('shared')), 11)
    assert.equal(await ray.get(counter.add.remote(1)), 12)
  })

  test('so is one that the task has just made, its class being new to the worker too; and figures count what it has just asked for', async () => {
    assert.equal(await ray.get(makeAndFind.remote('just made')), 1)
    assert.equal(await ray.get(countNext.remote()), 1)
  })

  test('a ref that a task returns is known, its function being new to the worker too', async () => {
    const { ref } = await ray.get(giveRef.remote(4))
    assert.equal(await ray.get(ref), 8)
  })

  test('so is the handle of an actor that it has just made', async () => {
    const { counter } = await ray.get(giveHandle.remote())
    assert.equal(await ray.get(counter.add.remote(1)), 21)
  })

  test('an actor that a task makes and lets go at once ends', async () => {
    await ray.get(makeAndForget.remote())
    const task = add.remote(1, 2)
    let sum: number | undefined
    for (let times = 0; times < 100 && sum === undefined; times++) {
      collect()
      sum = await ray.get(task, { timeout: 100 }).catch(() => undefined)
    }
    assert.equal(sum, 3)
  })

  test('so do those that an actor makes and lets go, which waits for each', async () => {
    const organizer = Organizer.remote()
    assert.deepEqual(await ray.get(organizer.add.remote([1, 2, 3])), [2, 3, 4])
  })

  test('and those that are let go while an actor runs a method that goes on for as long as the program', async () => {
    const gate = latch()
    const watching = Organizer.options({ numCpus: 0 }).remote().watch.remote(gate)
    await started(gate)
    const add = (n: number) => ray.get(Counter.options({ numCpus: 1 }).remote(n).add.remote(1))
    for (let n = 0; n < 3; n++) assert.equal(await add(n), n + 1)
    letGo(gate)
    await ray.get(watching)
  })

  test('an actor that a task cannot make fails its calls with the reason, whoever waits for them', async () => {
    const first = Counter.options({ name: 'only' }).remote(0)
    await ray.get(first.add.remote(1))
    const { ref } = await ray.get(giveTaken.remote('only'))
    await assert.rejects(ray.get(ref), ActorNameError)
  })

  test('so does one that cannot be sent, which is found out after it was made', async () => {
    const { refs } = await ray.get(giveUnfitActors.remote())
    for (const ref of refs)
      await assert.rejects(ray.get(ref), (error) => {
        assert.ok(error instanceof ActorDiedError, String(error))
        assert.match(
          error.message,
          /(Knowing|CounterClass)#\d+ is dead: it could not be made: NotSerializableError: .*known/,
        )
        assert.ok(error.cause instanceof NotSerializableError, String(error.cause))
        assert.match(error.cause.message, /known/)
        return true
      })
  })

  test('whatever a task cannot send is told where it was given, and does not end its worker', async () => {
    const told = await ray.get(giveUnfit.options({ maxRetries: 0 }).remote())
    assert.deepEqual(told, Array(4).fill('RAY_NOT_SERIALIZABLE'))
  })

  test('a task that does not wait for what it asked for gives its CPU back once', async () => {
    const gate = latch()
    const slow = hold.options({ numCpus: 0 }).remote(gate)
    await started(gate)
    for (let i = 0; i < 3; i++) await ray.get(askAndGo.remote({ ref: slow }))
    const next = hold.remote(gate)
    await started(gate, 2)
    if (engine !== 'nats') assert.deepEqual(await ray.availableResources(), { CPU: 0 })
    letGo(gate)
    assert.equal((await ray.get([slow, next])).length, 2)
  })

  test('an error goes through as many tasks as it has to', async () => {
    await assert.rejects(ray.get(failInside.options({ name: 'failInside' }).remote()), (error) => {
      assert.ok(error instanceof RayTaskError && error.cause instanceof RayTaskError)
      assert.deepEqual([error.task, error.cause.task], ['failInside', 'fail'])
      return /inside/.test(error.message)
    })
  })
})
