import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { inspect } from 'node:util'
import { now } from '#src/core/clock.js'
import { SPANS } from '#src/core/spans.js'
import { ray, type TraceEvent } from '#src/ray/index.js'
import { Tallies, WorkerCounts } from '#src/ray/tally.js'
import { CallRing } from '#src/ray/timeline/call-ring.js'
import { Summary, summarise } from '#src/ray/timeline/summary.js'
import { Timeline } from '#src/ray/timeline/timeline.js'
import {
  add,
  bytesOfWhatHasANameThatIsTooLong,
  Counter,
  dieOnce,
  fail,
  firstByte,
  hold,
  Meeting,
  profileChanging,
  profiled,
  spin,
  Temperature,
  throwOnce,
  toFahrenheit,
} from './functions.js'
import { squares, throwing } from './generators.js'
import { latch, letGo, onEachEngine, started, until } from './helpers.js'

const folder = mkdtempSync(join(tmpdir(), 'rayito-timeline-'))
after(() => rmSync(folder, { recursive: true, force: true }))

/** Events of a category (their beginnings, where these are events of their own), and what their process and thread are called. */
function named(events: readonly TraceEvent[], category: string) {
  const names = new Map<string, string>()
  for (const { ph, name, pid, tid, args } of events)
    if (ph === 'M' && name.endsWith('_name'))
      names.set(`${name} ${pid} ${name === 'process_name' ? 0 : tid}`, String(args.name))
  return events
    .filter(({ cat, ph }) => cat === category && ph !== 'e')
    .map((event) => ({
      ...event,
      process: names.get(`process_name ${event.pid} 0`),
      thread: names.get(`thread_name ${event.pid} ${event.tid}`),
    }))
}

test('of spans the newest are kept, and what was there before them is told as forgotten; once ended it hears of no more', async () => {
  await ray.shutdown()
  const timeline = new Timeline(3)
  const began = now()
  const worker = timeline.started('worker#1', null, began)
  for (let i = 0; i < 5; i++) {
    const at = began + 10 * i
    timeline.spans(worker, [{ category: 'profile', name: `${i}`, began: at, ended: at + 5 }])
  }
  const events = timeline.events([], [])
  assert.deepEqual(
    named(events, 'profile').map(({ name }) => name),
    ['2', '3', '4'],
  )
  const [forgotten] = named(events, 'forgotten')
  assert.ok(Math.abs(forgotten!.dur! - 15_000) <= 1, `${forgotten!.dur}`)
  timeline.end()
  assert.equal(SPANS.hasSubscribers, false)
})

test('what begins together with a part of it holds that part; what overlaps goes by its category, its name beside it', () => {
  const timeline = new Timeline(4)
  const at = now()
  const worker = timeline.started('worker#1', null, at)
  const spans = [
    ['part', 0, 5],
    ['whole', 0, 10],
    ['a.parquet', 2, 12],
  ] as const
  timeline.spans(
    worker,
    spans.map(([name, from, to]) => ({ category: 'read', name, began: at + from, ended: at + to })),
  )
  timeline.end()
  assert.deepEqual(
    named(timeline.events([], []), 'read').map(({ ph, name, args }) => [ph, name, args.name]),
    [
      ['X', 'whole', undefined],
      ['X', 'part', undefined],
      ['b', 'read', 'a.parquet'],
    ],
  )
})

test('of workers that have ended no more than a thousand are remembered', () => {
  const timeline = new Timeline(1)
  for (let i = 0; i < 1_200; i++) timeline.ended(timeline.started(`worker#${i}`, null))
  timeline.end()
  const workers = timeline.events([], []).filter(({ name }) => name === 'thread_name')
  assert.deepEqual([workers.length, workers.at(-1)!.args.name], [1_000, 'worker#1199'])
})

test('calls are counted by their names, a thousand of them, which keep their own; and all together', () => {
  const tallies = new Tallies()
  for (let i = 0; i < 1_200; i++) tallies.of(`f${i}`).submitted++
  for (const label of ['f0', 'f999', 'f1000']) {
    const tally = tallies.of(label)
    tally.submitted++
    tally.finished++
    tally.failed++
    tally.retried++
  }
  const counted = (label: string) => tallies.all.find((tally) => tally.label === label)?.submitted
  assert.deepEqual(['f0', 'f1', 'f999', 'f1000', '(others)'].map(counted), [2, 1, 2, undefined, 201])
  assert.deepEqual(tallies.total(), { submitted: 1_203, finished: 3, failed: 3, retried: 3 })
})

test('calls are counted by worker: of more than a thousand workers, by those that were heard of last; the others’ together', () => {
  const counts = new WorkerCounts()
  for (let i = 0; i < 3_000; i++) {
    counts.add(`a#${i}`)
    counts.add('lasting')
  }
  const { all } = counts
  assert.equal(Object.keys(all).length, 1_001)
  assert.deepEqual([all.lasting, all['a#2999'], all['a#0'], all['(others)']], [3_000, 1, undefined, 2_001])
})

test('a summary’s waiting is that of first tries, its running that of all; who ends an actor is none of its functions', () => {
  const tallies = new Tallies()
  const { id } = tallies.of('f')
  tallies.of('Counter.__terminate__')
  const calls = new CallRing(2)
  const first = { sent: 0, received: 0, began: 110, ended: 160, attempt: 1, bytesIn: 0, bytesOut: 0, failed: true }
  calls.add(first, 100, id, 1)
  calls.add({ ...first, began: 170, ended: 210, attempt: 2 }, 100, id, 1)
  const { functions } = summarise(tallies.all, calls)
  assert.deepEqual(
    functions.map(({ name, wait, run }) => [name, wait, run]),
    [['f', { p50: 10, p95: 10, p99: 10 }, { p50: 40, p95: 50, p99: 50 }]],
  )
})

test('times in a printed summary have three digits, and fit into their columns however long they are', () => {
  const one = { name: 'f', count: 1, pending: 0, failures: 0, retries: 0, bytesIn: 999, bytesOut: 999_500 }
  const wait = { p50: 0.0894, p95: 1.744, p99: 12.44 }
  const run = { p50: 100.4, p95: 99_999.4, p99: 99_999.5 }
  const table = new Summary({ functions: [{ ...one, wait, run }], tries: 1, kept: 1 }).toString()
  assert.match(table, /^f +1 +0 +0\.089 +1\.74 +12\.4 +100 +99999 +100s +999 +1\.0M$/m)
})

onEachEngine('the timeline', { numCpus: 2 }, ({ engine, begin }) => {
  test('it is Chrome’s trace format: stretches of time in named threads of named processes', async () => {
    await ray.get([add.remote(1, 2), Counter.remote(1).add.remote(2)])
    const events = await ray.timeline()
    const now = Date.now() * 1000
    for (const event of events) {
      const { name, cat, ph, ts, dur, pid, tid, args } = event
      assert.ok(typeof name === 'string' && name !== '' && typeof cat === 'string')
      assert.ok(Number.isInteger(pid) && Number.isInteger(tid))
      assert.equal(typeof args, 'object')
      if (ph === 'M') continue
      assert.ok(Number.isInteger(ts) && (ph === 'X' ? Number.isInteger(dur) && dur! >= 0 : dur === undefined))
      assert.ok(ts > now - 3_600e6 && ts + (dur ?? 0) < now + 60e6, JSON.stringify(event))
    }
    for (const { process, thread } of named(events, 'task')) assert.ok(process && thread)
    assert.deepEqual(JSON.parse(JSON.stringify(events)), events)
  })

  test('with a file name it writes the same as JSON', async () => {
    await ray.get(add.remote(1, 2))
    const file = join(folder, `${engine}.json`)
    assert.equal(await ray.timeline(file), undefined)
    const written = JSON.parse(readFileSync(file, 'utf8')) as TraceEvent[]
    assert.deepEqual(
      written.filter(({ cat }) => cat === 'task').map(({ name }) => name),
      ['add'],
    )
    await assert.rejects(ray.timeline(join(folder, 'nowhere', 'x.json')), {
      code: 'INVALID_ARGUMENT',
      message: /cannot be written to .*x\.json: ENOENT/,
    })
    await assert.rejects(ray.timeline(''), { code: 'INVALID_ARGUMENT' })
    // What was written while there was one stays.
    await ray.shutdown()
    await assert.rejects(ray.timeline(file), { code: 'RAY_MISUSE', message: /no session.*before ray\.shutdown/ })
    assert.deepEqual(JSON.parse(readFileSync(file, 'utf8')), written)
    assert.deepEqual(await ray.timeline(), [])
  })

  test('tasks, actors’ calls and constructors are there, each on its worker, with its attempt and whether it failed', async () => {
    const counter = Counter.remote(1)
    await ray.get([counter.add.remote(1), counter.add.remote(1)])
    await assert.rejects(ray.get(counter.fail.remote()))
    await ray.get(throwOnce.options({ retryExceptions: true }).remote(latch(), 1))
    const calls = named(await ray.timeline(), 'task')
    const told = calls.map(({ name, thread, args }) => [
      name,
      /CounterClass#\d|worker#\d/.exec(thread!)![0].slice(0, -2),
      args.attempt,
      args.failed,
    ])
    assert.deepEqual(told.sort(), [
      ['CounterClass.add', 'CounterClass', 1, false],
      ['CounterClass.add', 'CounterClass', 1, false],
      ['CounterClass.constructor', 'CounterClass', 1, false],
      ['CounterClass.fail', 'CounterClass', 1, true],
      ['throwOnce', 'worker', 1, true],
      ['throwOnce', 'worker', 2, false],
    ])
    const processes = new Set(calls.map(({ process }) => process))
    if (engine === 'threads') assert.deepEqual([...processes], [`driver (${process.pid})`])
    else if (engine === 'processes') assert.equal(processes.size, 2)
    else assert.match([...processes].join(), /^node-\d+ \(.+, \d+\)$/)
  })

  test('a worker’s events follow each other on one clock: start, import, transfer, task; the rest is idle', async () => {
    const before = Date.now() * 1000
    await ray.get(add.remote(1, 2))
    await ray.get(add.remote(1, 2))
    const events = await ray.timeline()
    const thread = named(events, 'task')[0]!.thread!
    const of = (category: string) => named(events, category).filter(({ thread: t }) => t === thread)
    const end = ({ ts, dur }: TraceEvent) => ts + dur!
    const [start] = of('start')
    const [imported] = of('import').filter(({ name }) => name === 'rayito')
    const tasks = of('task')
    const [transfer] = named(events, 'transfer').filter(({ name }) => name === `to ${thread}`)
    const slack = engine === 'nats' ? 50_000 : 1_000
    assert.ok(start!.ts > before - slack)
    assert.ok(end(start!) <= imported!.ts + 1 && end(imported!) <= tasks[0]!.ts + 1)
    const received = events.find(({ ph, id2 }) => ph === 'e' && id2!.local === transfer!.id2!.local)
    assert.ok(received!.ts >= transfer!.ts && received!.ts <= end(tasks[0]!))
    for (const idle of of('idle'))
      for (const task of tasks) assert.ok(end(idle) <= task.ts + 1 || idle.ts >= end(task) - 1)
    assert.ok(Number(tasks[0]!.args.waitedMs) > 0)
  })

  test('the module of a function shows as import, arguments that take long as deserialise', async () => {
    await ray.get(toFahrenheit.remote(new Temperature(1)))
    const events = await ray.timeline()
    assert.ok(named(events, 'import').some(({ name }) => name === 'functions.js'))
  })

  test('ray.profile marks a stretch inside a task, and gives back what it did', async () => {
    assert.equal(await ray.get(profiled.remote(20)), 42)
    assert.throws(
      () =>
        ray.profile('broken', () => {
          throw new Error('as it is')
        }),
      /as it is/,
    )
    const events = await ray.timeline()
    const [task] = named(events, 'task').filter(({ name }) => name === 'profiled')
    const [part] = named(events, 'profile').filter(({ name }) => name === 'doubling')
    assert.equal(part!.thread, task!.thread)
    assert.ok(part!.ts >= task!.ts && part!.ts + part!.dur! <= task!.ts + task!.dur! + 1)
    assert.deepEqual(part!.args, { of: 20 })
    assert.equal(named(events, 'profile').find(({ name }) => name === 'broken')?.thread, 'driver')
    assert.throws(() => ray.profile('', () => 1), { code: 'INVALID_ARGUMENT' })
  })

  test('what ray.profile shows is as it was when it was called, whatever becomes of it', async () => {
    const data: Record<string, unknown> = { rows: 1, of: ['a'] }
    assert.equal(
      ray.profile('kept', () => Object.assign(data, { rows: 10n, self: data }), data),
      data,
    )
    let ran = 0
    for (const wrong of [data, { n: 1n }, 'a text', () => {}])
      assert.throws(() => ray.profile('refused', () => ran++, wrong as never), { code: 'INVALID_ARGUMENT' })
    assert.equal(ran, 0)
    const kept = named(await ray.timeline(), 'profile').map(({ name, args }) => ({ name, args }))
    assert.deepEqual(kept, [{ name: 'kept', args: { rows: 1, of: ['a'] } }])
    // In a worker what is sent later is the same.
    assert.equal(await ray.get(profileChanging.remote()), 1)
    const [changed] = named(await ray.timeline(), 'profile').filter(({ name }) => name === 'changing')
    assert.deepEqual(changed!.args, { rows: 1 })
  })

  test('no stretch of a thread crosses another, by not a microsecond; calls of an actor that run at once overlap beside it', async () => {
    const meeting = Meeting.options({ maxConcurrency: 4 }).remote()
    await ray.get([1, 2, 3].map(() => meeting.come.remote(3)))
    for (let i = 0; i < 200; i++) await ray.get(add.remote(i, i))
    await ray.get(Array.from({ length: 200 }, (_, i) => add.remote(i, i)))
    const events = await ray.timeline()
    const calls = named(events, 'task').filter(({ name }) => name === 'Meeting.come')
    assert.equal(calls.length, 3)
    assert.ok(calls.some(({ ph, args }) => ph === 'b' && args.worker === calls[0]!.thread))
    const byThread = new Map<string, TraceEvent[]>()
    for (const event of events) {
      const key = `${event.pid}/${event.tid}`
      if (event.ph === 'X') byThread.set(key, [...(byThread.get(key) ?? []), event])
    }
    for (const stretches of byThread.values()) {
      const open: number[] = []
      // What begins at once is nested in the order in which it is told.
      for (const { ts, dur, name } of stretches.sort((a, b) => a.ts - b.ts)) {
        while (open.length && open.at(-1)! <= ts) open.pop()
        assert.ok(open.length === 0 || ts + dur! <= open.at(-1)!, `${name} crosses what it began in`)
        open.push(ts + dur!)
      }
    }
  })

  test('what overlaps has a beginning and an end of its own number', async () => {
    const meeting = Meeting.options({ maxConcurrency: 4 }).remote()
    await ray.get([1, 2, 3].map(() => meeting.come.remote(3)))
    const open = new Map<string, TraceEvent>()
    for (const event of await ray.timeline()) {
      if (event.ph !== 'b' && event.ph !== 'e') continue
      const key = `${event.pid} ${event.id2!.local}`
      const begun = open.get(key)
      if (event.ph === 'b') {
        assert.equal(begun, undefined)
        open.set(key, event)
        continue
      }
      assert.deepEqual([event.name, event.cat, event.tid], [begun!.name, begun!.cat, begun!.tid])
      assert.ok(event.ts >= begun!.ts)
      open.delete(key)
    }
    assert.equal(open.size, 0)
  })

  test('a call that its worker’s death interrupted is there as failed, and how that worker began', async () => {
    await assert.rejects(ray.get(dieOnce.options({ maxRetries: 0 }).remote(latch(), 1)))
    const events = await ray.timeline()
    const [call] = named(events, 'task')
    assert.deepEqual([call!.name, call!.args.failed], ['dieOnce', true])
    const begun = ['start', 'import'].flatMap((category) => named(events, category))
    const names = begun.filter(({ thread }) => thread === call!.thread).map(({ name }) => name)
    assert.deepEqual(names, [call!.thread, 'rayito', 'functions.js'])
    // It waited while that worker started, and ran afterwards.
    const [ready] = begun.filter(({ name, thread }) => name === 'rayito' && thread === call!.thread)
    assert.equal(call!.ph, 'X')
    assert.ok(call!.ts >= ready!.ts + ready!.dur! - 1, `${call!.ts} is before ${ready!.ts + ready!.dur!}`)
    assert.ok(Number(call!.args.waitedMs) >= ready!.dur! / 1e3)
  })

  test('what still runs is there, on local workers, and no worker is told to be idle meanwhile', async () => {
    await begin({ numCpus: 1 })
    await ray.get(add.remote(1, 2))
    const gate = latch()
    const held = hold.remote(gate)
    await started(gate)
    const idle = (events: readonly TraceEvent[]) => named(events, 'idle').map(({ ts, dur }) => ts + dur!)
    const before = await ray.timeline()
    const after = await ray.timeline()
    assert.deepEqual(idle(after), idle(before))
    const runs = named(after, 'task').filter(({ name }) => name === 'hold')
    assert.deepEqual(
      runs.map(({ ph, args }) => [ph, args.running]),
      engine === 'nats' ? [] : [['X', true]],
    )
    letGo(gate)
    await ray.get(held)
    const [ran] = named(await ray.timeline(), 'task').filter(({ name }) => name === 'hold')
    assert.deepEqual([ran!.args.running, ran!.args.failed], [undefined, false])
  })

  test('a call that was cancelled, or took too long, is there as long as its worker was busy with it', async () => {
    await ray.get(add.remote(1, 2))
    const gate = latch()
    const ref = hold.remote(gate)
    await started(gate)
    ray.cancel(ref)
    await assert.rejects(ray.get(ref), { code: 'RAY_TASK_CANCELLED' })
    letGo(gate)
    await assert.rejects(ray.get(spin.options({ timeout: 100 }).remote(latch())), { code: 'RAY_TASK_TIMEOUT' })
    // It is told once its worker has ended.
    const calls = async () => named(await ray.timeline(), 'task').map(({ name }) => name)
    await until(async () => (await calls()).length === 3)
    assert.deepEqual((await calls()).sort(), ['add', 'hold', 'spin'])
  })

  test('a call whose arguments take a while to be opened began no sooner than the call before it had ended', async () => {
    const counter = Counter.remote(1)
    const gate = latch()
    // They come with one message, and the class of the argument is not known there yet.
    const calls = [counter.hold.remote(gate), counter.take.remote(new Temperature(1) as never)]
    await started(gate)
    letGo(gate)
    await ray.get(calls)
    const events = named(await ray.timeline(), 'task')
    const [before] = events.filter(({ name }) => name === 'CounterClass.hold')
    const [after] = events.filter(({ name }) => name === 'CounterClass.take')
    assert.ok(after!.ts >= before!.ts + before!.dur! - 1, `${after!.ts} is before ${before!.ts + before!.dur!}`)
  })

  test('what ended with its worker began no sooner than the call before it had ended', async () => {
    const counter = Counter.remote(1)
    await ray.get(counter.add.remote(1))
    const gate = latch()
    const held = counter.hold.remote(gate)
    const last = counter.exit.remote(1)
    const behind = counter.add.remote(1)
    await started(gate)
    letGo(gate)
    await ray.get(held)
    for (const ref of [last, behind]) await assert.rejects(ray.get(ref))
    const calls = named(await ray.timeline(), 'task')
    // What had not begun did not run.
    assert.equal(calls.filter(({ name }) => name === 'CounterClass.add').length, 1)
    const [before] = calls.filter(({ name }) => name === 'CounterClass.hold')
    const [exit] = calls.filter(({ name }) => name === 'CounterClass.exit')
    assert.equal(exit!.ph, 'X')
    assert.ok(exit!.ts >= before!.ts + before!.dur! - 1, `${exit!.ts} is before ${before!.ts + before!.dur!}`)
  })

  test('no more calls and spans are kept than asked for, the newest; the counts are of all', async () => {
    await begin({ numCpus: 1, timeline: 20 })
    for (let i = 0; i < 50; i++) {
      await ray.get(add.remote(i, i))
      ray.profile('look', () => {})
    }
    const last = await ray.get(profiled.remote(1))
    assert.equal(last, 4)
    const events = await ray.timeline()
    assert.equal(named(events, 'task').length, 20)
    assert.equal(named(events, 'task').at(-1)!.name, 'profiled')
    const spans = events.filter(({ ph, cat }) => ph === 'X' && !['task', 'idle', 'forgotten', 'transfer'].includes(cat))
    assert.equal(spans.length, 20)
    const { functions } = await ray.summary()
    assert.equal(functions.find(({ name }) => name === 'add')!.count, 50)
  })

  test('what is kept no more is told as such, not as idleness', async () => {
    await begin({ numCpus: 1, timeline: 5 })
    for (let i = 0; i < 20; i++) await ray.get(add.remote(i, i))
    const events = await ray.timeline()
    const kept = named(events, 'task')
    const forgotten = named(events, 'forgotten')
    assert.ok(forgotten.length > 0)
    for (const { ts, dur } of forgotten) assert.ok(ts + dur! <= kept[0]!.ts + 1)
    const known = events.filter(({ ph, cat }) => ph === 'X' && cat !== 'forgotten')
    for (const { ts, cat } of known)
      assert.ok(cat !== 'idle' || ts >= forgotten.at(-1)!.ts + forgotten.at(-1)!.dur! - 1)
    assert.match(
      inspect(await ray.summary()),
      /\nwait and run: of the newest 5 of 20 calls \(ray\.init\(\{ timeline \}\)\)$/,
    )
  })

  test('names made up for each call are counted together after the first thousand', async () => {
    await begin({ numCpus: 2, timeline: 10 })
    await ray.get(Array.from({ length: 1_100 }, (_, i) => add.options({ name: `add ${i}` }).remote(i, i)))
    const { functions } = await ray.summary()
    assert.equal(functions.length, 1_001)
    assert.deepEqual([functions.at(-1)!.name, functions.at(-1)!.count], ['(others)', 100])
  })

  test('it can be left out', async () => {
    await begin({ numCpus: 1, timeline: false })
    await ray.get(add.remote(1, 2))
    assert.deepEqual(await ray.timeline(), [])
    const [row] = (await ray.summary()).functions
    assert.deepEqual([row!.count, row!.wait, row!.run], [1, null, null])
  })
})

onEachEngine('the summary', { numCpus: 2 }, () => {
  test('it counts calls and failures of each function and method', async () => {
    const counter = Counter.remote(0)
    await ray.get([add.remote(1, 2), add.remote(3, 4), counter.add.remote(1)])
    for (let i = 0; i < 3; i++) await assert.rejects(ray.get(fail.remote('no')))
    await ray.get(throwOnce.options({ retryExceptions: true }).remote(latch(), 2))
    const shared = latch()
    const held = hold.remote(shared)
    await started(shared)
    const { functions } = await ray.summary()
    const row = (name: string) => {
      const { count, failures, retries, pending } = functions.find((one) => one.name === name)!
      return { count, failures, retries, pending }
    }
    assert.deepEqual(row('add'), { count: 2, failures: 0, retries: 0, pending: 0 })
    assert.deepEqual(row('fail'), { count: 3, failures: 3, retries: 0, pending: 0 })
    assert.deepEqual(row('CounterClass.add'), { count: 1, failures: 0, retries: 0, pending: 0 })
    assert.deepEqual(row('throwOnce'), { count: 1, failures: 0, retries: 2, pending: 0 })
    assert.deepEqual(row('hold'), { count: 0, failures: 0, retries: 0, pending: 1 })
    letGo(shared)
    await ray.get(held)
  })

  test('the constructor of an actor that starts again is one call, tried again', async () => {
    const counter = Counter.options({ maxRestarts: 2 }).remote(5)
    for (let i = 0; i < 2; i++) {
      assert.equal(await ray.get(counter.add.remote(1)), 6)
      await assert.rejects(ray.get(counter.exit.remote(3)))
    }
    assert.equal(await ray.get(counter.add.remote(1)), 6)
    const { functions } = await ray.summary()
    const { count, failures, retries, pending } = functions.find(({ name }) => name === 'CounterClass.constructor')!
    assert.deepEqual({ count, failures, retries, pending }, { count: 1, failures: 0, retries: 2, pending: 0 })
  })

  test('the percentiles of waiting and running are in order, and running is what it was', async () => {
    const shared = latch()
    const first = hold.remote(shared)
    await started(shared)
    const began = performance.now()
    await new Promise((resolve) => setTimeout(resolve, 30))
    const longest = performance.now() - began
    letGo(shared)
    await ray.get([first, ...Array.from({ length: 20 }, () => add.remote(1, 1))])
    const { functions } = await ray.summary()
    for (const { name, wait, run } of functions)
      for (const of of [wait!, run!]) assert.ok(0 <= of.p50 && of.p50 <= of.p95 && of.p95 <= of.p99, name)
    assert.ok(functions.find(({ name }) => name === 'hold')!.run!.p50 >= longest * 0.9)
  })

  test('bytes in and out are those of arguments and results', async () => {
    await ray.get([1, 2].map(() => firstByte.remote(new Uint8Array(10_000))))
    const { functions } = await ray.summary()
    const { bytesIn, bytesOut } = functions.find(({ run, count }) => run && count === 2)!
    assert.ok(bytesIn >= 20_000 && bytesIn < 21_000, `${bytesIn}`)
    assert.ok(bytesOut > 0 && bytesOut < 200, `${bytesOut}`)
  })

  test('bytes out of a generator are those of its values, in the trace too', async () => {
    const generator = squares.remote(5)
    await ray.get(generator.completed())
    const { bytesOut } = (await ray.summary()).functions.find(({ name }) => name === 'squares')!
    const [call] = named(await ray.timeline(), 'task')
    assert.ok(bytesOut >= 5 * 8)
    assert.equal(call!.args.bytesOut, bytesOut)
    // Of one that is tried again each try has its own.
    await ray.get(throwing.options({ retryExceptions: true }).remote(latch()).completed())
    const { bytesOut: all } = (await ray.summary()).functions.find(({ name }) => name === 'throwing')!
    const tries = named(await ray.timeline(), 'task').filter(({ name }) => name === 'throwing')
    assert.deepEqual([tries.length, tries.reduce((sum, { args }) => sum + Number(args.bytesOut), 0)], [2, all])
  })

  test('it prints as a table, and is to be had in a worker', async () => {
    await ray.get(add.remote(1, 2))
    await ray.get(bytesOfWhatHasANameThatIsTooLong.remote(new Uint8Array(123_000)))
    const lines = inspect(await ray.summary()).split('\n')
    assert.match(lines[0]!, /^ +wait, ms +run, ms +bytes$/)
    assert.match(lines[1]!, /^function +calls failed +p50 +p95 +p99 +p50 +p95 +p99 +in +out$/)
    assert.match(lines[2]!, /^add +1 +0( +\d+(\.\d+)?){6} +16 +8$/)
    assert.equal(lines[3], 'bytesOfWhatHasANameThatIsTooLong')
    assert.match(lines[4]!, /^ +1 +0( +\d+(\.\d+)?){6} +123K +8$/)
    assert.equal(lines[4]!.length, lines[2]!.length)
    assert.ok(
      lines.every(({ length }) => length <= 80),
      lines.join('\n'),
    )
    assert.match((await ray.summary()).toHtml(), /<td[^>]*>add<\/td>/)
  })
})
