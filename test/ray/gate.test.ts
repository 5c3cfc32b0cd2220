import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { Gate, installGate, native } from '#src/core/gate.js'

/** Native work that ends when it is told. */
function work() {
  let end!: (value: string) => void
  const ended = native(() => new Promise<string>((resolve) => (end = resolve)))
  return { end, ended }
}

// What waits for a gate holds no event loop.
const held = setInterval(() => {}, 1_000)
after(() => clearInterval(held))

const soon = () => new Promise<string>((resolve) => setImmediate(resolve, 'does not go on'))

test('a wall clock that is set, or stands, changes nothing of how long one waits for a gate', async (t) => {
  const gate = new Gate()
  installGate(gate.shared)
  const inside = work()
  t.mock.method(Date, 'now', () => 0)
  assert.deepEqual([await gate.empty(1), gate.emptySync(1)], [false, false])
  inside.end('done')
  await inside.ended
  gate.release()
})

test('who closes a gate waits for all that is inside, and nothing enters any more', async () => {
  const gate = new Gate()
  assert.deepEqual([await gate.empty(), gate.emptySync()], [true, true])
  installGate(gate.shared)
  const [one, other] = [work(), work()]
  await assert.rejects(
    native(() => Promise.reject(new Error('failed'))),
    /failed/,
  )
  assert.deepEqual([await gate.empty(1), gate.emptySync(1)], [false, false])
  gate.close()
  let isEmpty = false
  const empty = gate.empty().then((all) => {
    isEmpty = all
  })
  one.end('first')
  assert.equal(await one.ended, 'first')
  await soon()
  assert.deepEqual([gate.emptySync(0), isEmpty], [false, false])
  other.end('second')
  assert.equal(await other.ended, 'second')
  await empty
  assert.deepEqual([gate.emptySync(0), isEmpty], [true, true])
  const refused = native(() => assert.fail('entered'))
  assert.equal(await Promise.race([refused, soon()]), 'does not go on')
  assert.equal(gate.emptySync(0), true)
  gate.release()
})

test('who waits for a thread that ends inside waits no longer', async () => {
  const gate = new Gate()
  const source = `
    Atomics.add(new Int32Array(require('node:worker_threads').workerData), 0, 2)
    process.exit(0)
  `
  const worker = new Worker(source, { eval: true, workerData: gate.shared })
  await once(worker, 'exit')
  gate.close()
  const empty = gate.empty()
  gate.release()
  assert.deepEqual([await empty, gate.emptySync(0)], [true, true])
})

test('the process waits at its end for the gates of threads that have not ended, and for those only', async () => {
  const before = process.listenerCount('exit')
  const one = new Gate()
  assert.equal(process.listenerCount('exit'), before + 1)
  const other = new Gate()
  one.release()
  assert.equal(process.listenerCount('exit'), before + 1)
  // A thread that is inside until it sees that the gate is closing.
  const source = `
    const gate = new Int32Array(require('node:worker_threads').workerData)
    Atomics.add(gate, 0, 2)
    require('node:worker_threads').parentPort.postMessage('inside')
    while (!(Atomics.load(gate, 0) & 1)) Atomics.wait(gate, 0, 2, 1)
    Atomics.sub(gate, 0, 2)
    Atomics.notify(gate, 0)
  `
  const worker = new Worker(source, { eval: true, workerData: other.shared })
  await once(worker, 'message')
  process.listeners('exit').at(-1)!.call(process, 0)
  assert.equal(other.emptySync(0), true)
  other.release()
  assert.equal(process.listenerCount('exit'), before)
  await once(worker, 'exit')
})
