import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, test } from 'node:test'
import type { RayitoError } from '#src/core/errors.js'
import type { Driver } from '#src/ray/driver/driver.js'
import { peekRuntime } from '#src/ray/runtime.js'
import { type ServeEvent, serve } from '#src/serve/index.js'
import { Fickle, Fountain, Greeter, NeverReady, Phoenix, Porter, Site, Slow, SlowPorter, Waning } from './classes.js'
import { latch, letGo, reached, servers, until, url } from './helpers.js'

const free = { port: 0 } as const
const greeter = serve.deployment(Greeter)
const site = (greeting: string, numReplicas = 1) =>
  serve.deployment(Site, { numReplicas }).bind(greeter.options({ numReplicas }).bind(greeting))

const status = (name = 'default') => serve.status().applications[name]!
const living = () => [...(peekRuntime() as Driver).actors.byId.values()].filter(({ state }) => state !== 'dead').length

async function ask(path: string, init?: RequestInit): Promise<unknown> {
  const response = await fetch(url(path), init)
  return [response.status, await response.json()]
}

describe('a run with the name of an application that runs', () => {
  servers()

  test('answers every request meanwhile, by the version before, and then by the next one', async () => {
    const greetings = ['Hi', 'Bye', 'Ciao', 'Moin']
    await serve.run(site(greetings[0]!), free)
    let over = false
    const seen = await Promise.all([
      (async () => {
        for (const greeting of greetings.slice(1)) await serve.run(site(greeting, 2), free)
        over = true
        return [] as unknown[]
      })(),
      ...Array.from({ length: 8 }, async () => {
        const answers: unknown[] = []
        while (!over) answers.push(await ask('/greet/Ada'))
        return answers
      }),
    ])
    for (const answers of seen.slice(1)) {
      const versions = answers.map((answer) => {
        const [code, { greeting }] = answer as [number, { greeting: string }]
        assert.equal(code, 200)
        return greetings.indexOf(greeting.replace(/ Ada$/, ''))
      })
      // No version answers once the next one has.
      assert.deepEqual(versions, versions.toSorted())
    }
    assert.deepEqual(await ask('/greet/Ada'), [200, { greeting: 'Moin Ada', query: {} }])
    assert.equal(living(), 4)
  })

  test('tells the status of both, and the version before goes on where the next cannot start', async () => {
    const shared = latch()
    const handle = await serve.run(serve.deployment(Greeter).bind('Hi'), free)
    const failed = assert.rejects(
      serve.run(serve.deployment(Waning, { name: 'Greeter', numReplicas: 2 }).bind(shared), free),
      (error: RayitoError) =>
        error.code === 'SERVE_DEPLOY_FAILED' &&
        error.message ===
          "Deployment Greeter of application 'default' could not be started: the weights are gone; the version before goes on",
    )
    await reached(shared, 0, 2)
    assert.equal(status().status, 'DEPLOYING')
    assert.equal(status().deployments.Greeter!.status, 'UPDATING')
    assert.deepEqual(status().deployments.Greeter!.replicas, { RUNNING: 1, STARTING: 2, STOPPING: 0 })
    assert.equal((await fetch(url('/-/healthz'))).status, 200)
    assert.equal(await handle.remote('Ada'), 'Hi Ada')
    letGo(shared)
    await failed
    assert.equal(status().status, 'RUNNING')
    assert.match(status().message, /the weights are gone; the version before goes on/)
    assert.equal(await handle.remote('Ada'), 'Hi Ada')
    assert.equal(living(), 1)
    await serve.run(serve.deployment(Greeter).bind('Bye'), free)
    assert.equal(await handle.remote('Ada'), 'Bye Ada')
    assert.equal(status().message, '')
  })

  test('changes nothing where the routes of the next cannot be', async () => {
    await serve.run(site('Hi'), free)
    const Odd = serve.ingress(class Odd extends Greeter {}, { 'GET /nothing': 'thread', 'GET /odd/:a(': 'thread' })
    await assert.rejects(serve.run(serve.deployment(Odd).bind(), free), {
      code: 'INVALID_ARGUMENT',
      message: 'The route GET /odd/:a( cannot be served: Invalid regexp expression in "/odd/:a("',
    })
    assert.deepEqual(await ask('/nothing'), [200, null])
    assert.equal(living(), 2)
    await serve.run(site('Bye'), free)
    assert.deepEqual(await ask('/greet/Ada'), [200, { greeting: 'Bye Ada', query: {} }])
  })

  test('lets the version before answer what it was asked, what waits too, whatever the next one is', async () => {
    const shared = latch()
    const slow = serve.deployment(Slow, { maxOngoingRequests: 1 })
    await serve.run(slow.bind(shared), free)
    const asked = [ask('/hold'), ask('/hold'), ask('/hold')]
    await until(() => status().deployments.Slow!.queued === 2)
    const replaced = serve.run(site('Hi'), free)
    await until(async () => (await fetch(url('/nothing'))).status === 200)
    assert.deepEqual(await ask('/hold'), [404, { detail: 'Not Found' }])
    await until(() => status().deployments.Slow!.replicas.STOPPING === 1)
    letGo(shared)
    assert.deepEqual(await Promise.all(asked), Array(3).fill([200, 'let go']))
    await replaced
    assert.deepEqual(Object.keys(status().deployments), ['Greeter', 'Site'])
  })

  test('gives the next one what waits longer than gracefulShutdownTimeout', async () => {
    for (const name of ['Slow', 'Other']) {
      const [before, next] = [latch(), latch()]
      const slow = serve.deployment(Slow, { maxOngoingRequests: 1, gracefulShutdownTimeout: 0 })
      await serve.run(slow.bind(before), free)
      const running = ask('/hold')
      await reached(before, 0, 1)
      const waiting = [ask('/hold'), ask('/hold')]
      await until(() => status().deployments.Slow!.queued === 2)
      await serve.run(slow.options({ name }).bind(next), free)
      assert.deepEqual(await running, [503, { detail: 'The application is being stopped' }])
      await reached(next, 0, 1)
      letGo(next)
      assert.deepEqual(await Promise.all(waiting), Array(2).fill([200, 'let go']))
      await serve.shutdown()
    }
  })

  test('gives the next one at once what the last replica of the version before died of', async () => {
    const shared = latch()
    const fickle = serve.deployment(Fickle, { gracefulShutdownTimeout: 600_000 }).bind(shared)
    await serve.run(fickle, free)
    const asked = ask('/ask')
    await reached(shared, 0, 1)
    const replaced = serve.run(fickle, free)
    await until(() => status().deployments.Fickle!.replicas.STOPPING === 1)
    letGo(shared)
    assert.deepEqual(await asked, [200, 'here'])
    await replaced
  })

  test('answers a request whose body was still coming', async () => {
    await serve.run(site('Hi'), free)
    const socket = connect(Number(new URL(url()).port), '127.0.0.1')
    const head =
      'POST /upload HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: multipart/form-data; boundary=b\r\n'
    const body = '--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\nabc\r\n--b--\r\n'
    socket.write(`${head}Content-Length: ${body.length}\r\nExpect: 100-continue\r\n\r\n`)
    let said = ''
    socket.on('data', (data) => {
      said += data
    })
    await until(() => said.startsWith('HTTP/1.1 100'))
    const replaced = serve.run(site('Bye'), free)
    await until(() => status().deployments.Site!.replicas.STOPPING === 1)
    socket.write(body)
    await once(socket, 'close')
    assert.match(said, /HTTP\/1\.1 200 OK[\s\S]*"size":3/)
    await replaced
  })

  test('reads a streamed answer to its end', async () => {
    const shared = latch()
    await serve.run(serve.deployment(Fountain).bind(shared), free)
    const response = await fetch(url('/steps'))
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    assert.equal((await reader.read()).value, 'first')
    await reached(shared, 0, 1)
    const replaced = serve.run(site('Hi'), free)
    await until(async () => (await fetch(url('/nothing'))).status === 200)
    letGo(shared)
    assert.equal((await reader.read()).value, 'second')
    assert.ok((await reader.read()).done)
    await replaced
  })

  test('lets replicas of other applications have their answers, too', async () => {
    const shared = latch()
    const below = { ...free, name: 'below', routePrefix: '/below' }
    const slow = serve.deployment(Slow)
    const handle = await serve.run(slow.bind(shared), below)
    await serve.run(serve.deployment(SlowPorter).bind(handle as never), free)
    const asked = ask('/hold')
    await reached(shared, 0, 1)
    const next = latch()
    const replaced = serve.run(slow.bind(next), below)
    await until(() => status('below').deployments.Slow!.replicas.STOPPING === 1)
    const later = ask('/hold')
    await reached(next, 0, 1)
    letGo(shared)
    assert.equal(((await asked) as unknown[])[0], 200)
    // The next one was asked once only.
    assert.equal(Atomics.load(next, 0), 1)
    letGo(next)
    assert.equal(((await later) as unknown[])[0], 200)
    await replaced
  })

  test('leaves nothing behind where a delete, a shutdown or another run comes between', async () => {
    const handle = await serve.run(serve.deployment(Porter).bind(greeter.bind('Hi') as never), free)
    const ended = { code: 'SERVE_STOPPED' }
    const begin = async () => {
      const shared = latch()
      const hanging = assert.rejects(serve.run(serve.deployment(Phoenix).bind(shared, true), free), ended)
      await reached(shared, 0, 1)
      assert.equal(status().status, 'DEPLOYING')
      return [hanging]
    }
    const [other] = await begin()
    await serve.run(serve.deployment(Porter).bind(greeter.bind('Bye') as never), free)
    await other
    assert.equal(await handle.remote('Ada'), 'Bye Ada')
    assert.equal(living(), 2)
    const [deleted] = await begin()
    await serve.delete('default')
    await deleted
    assert.equal(living(), 0)
    await serve.run(greeter.bind(), free)
    const [shut] = await begin()
    await serve.shutdown()
    await shut
    assert.equal(living(), 0)
    await assert.rejects(serve.run(serve.deployment(NeverReady).bind(), free), { code: 'SERVE_DEPLOY_FAILED' })
    assert.equal(living(), 0)
    const unwell = greeter.options({ userConfig: { greeting: '' } })
    await assert.rejects(serve.run(unwell.bind(), free), { code: 'SERVE_DEPLOY_FAILED' })
    assert.equal(living(), 0)
  })

  test('is warned where it asks for another way to answer HTTP, of which the first run decides', async () => {
    const events: ServeEvent[] = []
    const onEvent = (event: ServeEvent) => events.push(event)
    const warnings = () =>
      events.splice(0).flatMap(({ level, source, message }) => (level === 'WARNING' ? [source, message] : []))
    const hi = greeter.bind('Hi')
    const log = { write() {} }
    await serve.run(hi, { port: 0, requestTimeout: 30_000, log, onEvent })
    const where = url()
    for (const same of [{}, { port: 0, log }, { host: '127.0.0.1', port: undefined, requestTimeout: 30_000 }])
      await serve.run(hi, { ...same, onEvent })
    assert.deepEqual(warnings(), [])
    await serve.run(hi, {
      name: 'other',
      routePrefix: '/other',
      port: null,
      requestTimeout: 10_000,
      log: true,
      onEvent,
    })
    const [source, warning, ...more] = warnings()
    assert.deepEqual([source, more], ['serve', []])
    assert.match(
      warning!,
      /differs from the existing one in the following fields: port, requestTimeout, log\. .* is ignored/,
    )
    assert.equal(url(), where)
    await serve.shutdown()
    await serve.run(hi, { port: null, requestTimeout: 10_000, onEvent })
    assert.deepEqual(warnings(), [])
  })

  test('is warned on stderr where nobody listens to events', () => {
    const program = `
      import { serve } from ${JSON.stringify(import.meta.resolve('#src/serve/index.js'))}
      import { ray } from ${JSON.stringify(import.meta.resolve('#src/ray/index.js'))}
      const app = serve.deployment(class A { call() {} }).bind()
      for (const port of [null, null, undefined, 0]) await serve.run(app, { port })
      await serve.shutdown()
      await ray.shutdown()`
    const { stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' })
    assert.match(stderr, /^rayito: The new HTTP config differs .* fields: port\. [^\n]*\n$/)
  })
})
