import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import type { RayitoError } from '#src/core/errors.js'
import { ray } from '#src/ray/index.js'
import { serve } from '#src/serve/index.js'
import { inOneSession } from '../ray/helpers.js'
import { askOn, askOnce, Counted, Leaver, Porter } from './classes.js'
import { latch, letGo, reached, servers } from './helpers.js'

const noSocket = { port: null } as const
const leaver = serve.deployment(Leaver)
const asker = ray.remote(Porter)

inOneSession('a handle in an actor or a task', { numCpus: 2 }, () => {
  afterEach(() => serve.shutdown())

  test('goes on when replicas die, and when the application is run again', async () => {
    const handle = await serve.run(leaver.bind('Hi'), noSocket)
    const actor = asker.remote(handle)
    const answers = () => ray.get([actor.call.remote('Ada'), askOnce.remote(handle, 'Bob')])
    assert.deepEqual(await answers(), ['Hi Ada', 'Hi Bob'])
    await assert.rejects(handle.leave.remote())
    assert.deepEqual(await answers(), ['Hi Ada', 'Hi Bob'])
    await serve.run(leaver.options({ numReplicas: 2 }).bind('Bye'), noSocket)
    assert.deepEqual(await answers(), ['Bye Ada', 'Bye Bob'])
    await assert.rejects(handle.leave.remote())
    assert.deepEqual(await answers(), ['Bye Ada', 'Bye Bob'])
  })

  test('says when the application has ended, and goes on when that runs again', async () => {
    const handle = await serve.run(leaver.bind('Hi'), noSocket)
    const actor = asker.remote(handle)
    const calls = () => [actor.call.remote('Ada'), askOnce.remote(handle, 'Bob')]
    assert.deepEqual(await ray.get(calls()), ['Hi Ada', 'Hi Bob'])
    await serve.delete('default')
    const ended = ({ cause }: Error) =>
      (cause as RayitoError).code === 'SERVE_STOPPED' && /^default#Leaver was stopped/.test((cause as Error).message)
    for (const call of calls()) await assert.rejects(ray.get(call), ended)
    await serve.run(leaver.bind('Moin'), noSocket)
    assert.deepEqual(await ray.get(calls()), ['Moin Ada', 'Moin Bob'])
  })
})

describe('calls of tasks', () => {
  servers()

  test('are all answered, and run once, while the application is run again and again', async () => {
    const shared = latch()
    const app = serve.deployment(Counted, { numReplicas: 2 }).bind(shared)
    const handle = await serve.run(app, noSocket)
    const asking = [askOn.remote(handle, shared), askOn.remote(handle, shared)]
    await reached(shared, 0, 100)
    for (let i = 0; i < 3; i++) await serve.run(app, noSocket)
    letGo(shared)
    const [one, two] = await ray.get(asking)
    assert.equal(one! + two!, Atomics.load(shared, 0))
  })
})
