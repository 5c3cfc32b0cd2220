import assert from 'node:assert/strict'
import { test } from 'node:test'
import { scripts } from './programs.js'

const run = scripts(`
  const told = async (call) => {
    const { name, stack } = await call().then(() => ({ name: 'no error' }), (error) => error)
    const [, place = stack] = /program-\\d+\\.mjs:(\\d+)/.exec(stack) ?? []
    console.log(name, place)
  }
  const never = ray.remote(() => new Promise(() => {}), { numCpus: 0 })
  ray.init({ numCpus: 1 })
`)
/** Lines of a program before its own. */
const HEAD = 11

test('the stack of an error that was made in a timer or an event names the line that waited for the value', async () => {
  const { stdout, stderr } = await run(`
const refs = [never.remote(), ray.remote(() => 1, { numCpus: 99 }).remote()]
await told(async () => {
  await ray.get(refs[0], { timeout: 1 })
})
await told(async () => {
  await ray.get(refs[1])
})
await told(async () => {
  await ray.get([refs[1]])
})
class Never { wait() { return new Promise(() => {}) } }
const actor = ray.remote(Never).remote()
const pool = new ray.ActorPool([actor])
pool.submit((actor) => actor.wait.remote(), 0)
await told(async () => {
  await pool.getNext({ timeout: 1 })
})
await told(async () => {
  await pool.getNextUnordered({ timeout: 1 })
})
await ray.shutdown()
await told(async () => {
  await ray.init({ address: 'nats://127.0.0.1:9' })
})
process.exit()`)
  const at = (line: number) => HEAD + line
  assert.equal(
    stdout,
    [
      `GetTimeoutError ${at(3)}`,
      `InfeasibleError ${at(6)}`,
      // The same error, to somebody else.
      `InfeasibleError ${at(9)}`,
      `GetTimeoutError ${at(16)}`,
      `GetTimeoutError ${at(19)}`,
      `RayError ${at(23)}`,
      '',
    ].join('\n'),
    stderr,
  )
})
