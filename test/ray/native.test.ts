import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { scripts } from './programs.js'

const run = scripts(`
  import { Busy, create, infer } from ${JSON.stringify(import.meta.resolve('./busy.js'))}
  import { latch, started } from ${JSON.stringify(import.meta.resolve('./latch.js'))}
  // Somewhere in the next few milliseconds: another moment of the native call each time.
  const anyMoment = () => new Promise((resolve) => setTimeout(resolve, Math.random() * 8))
`)

/** A thread that is stopped inside onnxruntime would end the process with signal SIGABRT and code 134. */
function survived(end: { code: number | null; signal: string | null; stderr: string }, code: number): void {
  assert.doesNotMatch(end.stderr, /terminate called/)
  assert.deepEqual([end.code, end.signal], [code, null], end.stderr)
}

/**
 * How often each is ended. Without the gate the first thread that is stopped while it infers takes the process down; of those
 * that create a session, which is in JavaScript half of the time, one in dozens does.
 */
const TIMES = { infer: { kill: 8, cancel: 4, exit: 2 }, create: { kill: 30, cancel: 4, exit: 4 } }

describe('ending work inside onnxruntime leaves the process alive', () => {
  for (const method of ['infer', 'create'] as const) {
    const times = TIMES[method]
    test(`kill, ${times.kill} times in the middle of ${method}`, async () => {
      const end = await run(`
        ray.init({ numCpus: 2 })
        for (let i = 0; i < ${times.kill / 2}; i++) {
          const actors = [Busy.remote(), Busy.remote()]
          const shared = latch()
          const calls = actors.map((actor) => actor.${method}.remote(shared))
          await started(shared, 2)
          await anyMoment()
          for (const actor of actors) ray.kill(actor)
          for (const end of await Promise.allSettled(calls.map((call) => ray.get(call))))
            if (end.reason?.code !== 'RAY_ACTOR_DIED') throw end.reason ?? new Error('it ended')
        }
        await ray.shutdown()
        console.log('alive')`)
      survived(end, 0)
      assert.equal(end.stdout, 'alive\n')
    })

    test(`cancel and time limits in the middle of ${method}`, async () => {
      const end = await run(`
        ray.init({ numCpus: 2 })
        for (let i = 0; i < ${times.cancel}; i++) {
          const shared = latch()
          const cancelled = ${method}.remote(shared)
          const limited = ${method}.options({ timeout: 300 + Math.random() * 8 }).remote(latch())
          await started(shared)
          await anyMoment()
          // One of them is waited for: it goes on for a second.
          ray.cancel(cancelled, { force: i > 0 })
          const codes = (await Promise.allSettled([ray.get(cancelled), ray.get(limited)])).map((end) => end.reason?.code)
          if (codes.join() !== 'RAY_TASK_CANCELLED,RAY_TASK_TIMEOUT') throw new Error(codes.join())
        }
        console.log('alive')
        await ray.shutdown()`)
      survived(end, 0)
      assert.equal(end.stdout, 'alive\n')
    })

    test(`process.exit in the middle of ${method} keeps its code`, async () => {
      for (let i = 0; i < times.exit; i++)
        survived(
          await run(`
            const shared = latch()
            ;[${method}.remote(shared), ${method}.remote(shared)]
            await started(shared, 2)
            await anyMoment()
            process.exit(9)`),
          9,
        )
    })

    test(`an error that nobody catches in the middle of ${method} ends with 1`, async () => {
      for (let i = 0; i < times.exit; i++) {
        const end = await run(`
          const shared = latch()
          ;[${method}.remote(shared), ${method}.remote(shared)]
          await started(shared, 2)
          await anyMoment()
          throw new RangeError('out of the blue')`)
        survived(end, 1)
        assert.match(end.stderr, /RangeError: out of the blue/)
      }
    })
  }
})
