import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { adoptEpoch, epoch, now } from '#src/core/clock.js'
import { NodeClock } from '#src/ray/engines/nats/driver/node-clock.js'
import { since, TurnClock, ticks } from '#src/ray/timeline/turn-clock.js'

const HOUR = 3_600_000
/** Milliseconds that reading two clocks one after the other may take. */
const SLACK = 1

test('a thread that takes over the clock shows the same time', async () => {
  const clock = import.meta.resolve('#src/core/clock.js')
  const code = `
    const { parentPort, workerData } = require('node:worker_threads')
    import(workerData.clock).then(({ adoptEpoch, now }) => {
      adoptEpoch(workerData.epoch)
      parentPort.postMessage(now())
    })`
  const before = now()
  const worker = new Worker(code, { eval: true, workerData: { clock, epoch: epoch() } })
  const there = await new Promise<number>((resolve) => worker.once('message', resolve))
  assert.ok(there >= before - SLACK && there <= now() + SLACK, `${before} ${there} ${now()}`)
})

test('it is the clock of whoever hands it on, whatever one’s own says', () => {
  const own = epoch()
  adoptEpoch(own + HOUR)
  try {
    assert.ok(Math.abs(epoch() - own - HOUR) < SLACK)
  } finally {
    adoptEpoch(own)
  }
})

test('times of a node whose clock is apart are moved by the difference, as the quickest answer tells it', () => {
  const clock = new NodeClock()
  let known = 0
  clock.whenKnown(() => known++)
  assert.equal(known, 0)
  // One whose answer took ten seconds, and was given at once: five seconds wrong.
  const slow = now() - 10_000
  clock.answered(slow, slow + HOUR)
  assert.equal(known, 1)
  assert.ok(Math.abs(clock.here(now() + HOUR) - now() - 5_000) < 100)
  const asked = now()
  clock.answered(asked, now() + HOUR)
  const here = now()
  assert.ok(Math.abs(clock.here(here + HOUR) - here) <= now() - asked + SLACK)
  clock.whenKnown(() => known++)
  assert.equal(known, 2)
})

test('the clock that spares looks within a turn does not keep an old time in the next', async () => {
  const clock = new TurnClock()
  const began = ticks(now())
  const times = Array.from({ length: 1_000 }, () => clock.now())
  for (const [i, time] of times.entries())
    assert.ok(((time - (times[i - 1] ?? began)) | 0) >= 0 && since(time, now()) >= 0)
  await null
  const later = ticks(now())
  assert.ok(((clock.now() - later) | 0) >= 0)
})

test('what came round since is told all the same', () => {
  for (const time of [1.7e12, 1.7e12 + 2 ** 31 / 100 - 1_000, 1.7e12 + 2 ** 32 / 100 - 1_000])
    for (const later of [-100, 0, 2_500, 5 * HOUR, 11 * HOUR])
      assert.ok(Math.abs(since(ticks(time), time + later) - later) <= 0.02)
})
