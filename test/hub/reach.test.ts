import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync } from 'node:fs'
import { createServer as createHttpServer, get, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { adoptFindings, findings } from '#src/core/findings.js'
import { download, hubFile, inReach } from '#src/hub/index.js'
import { DATASET, setEnvironment, setup, temporary } from './support.js'

const parquet = (paths: string[]) => paths.filter((path) => path.endsWith('.parquet'))

/** A port of this machine on which nobody listens. */
async function nobody(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return `http://127.0.0.1:${port}`
}

/**
 * The environment's proxy, with a password: it lets through to a port what `tunnel` gives one for and answers the rest of the
 * CONNECTs with the status that it gives; `page` answers what is asked by plain http.
 */
async function environmentProxy(t: TestContext, tunnel: (host: string) => number, page: RequestListener = () => {}) {
  const proxy = createHttpServer(page)
  const asked: string[] = []
  proxy.on('connect', ({ url }, socket) => {
    const host = url!.replace(/:443$/, '')
    const status = tunnel(host)
    asked.push(host)
    socket.on('error', () => {})
    if (status < 1024)
      return void socket.end(`HTTP/1.1 ${status} Refused\r\ncontent-type: text/html\r\n\r\n<h1>No</h1>`)
    const there = connect(status, '127.0.0.1', () => socket.write('HTTP/1.1 200 Connection established\r\n\r\n'))
    there
      .on('error', () => socket.destroy())
      .pipe(socket)
      .pipe(there)
  })
  await once(proxy.listen(0, '127.0.0.1'), 'listening')
  t.after(() => proxy.close().closeAllConnections())
  const { port } = proxy.address() as AddressInfo
  const address = `http://ana:p4ss@127.0.0.1:${port}`
  const others = ['https_proxy', 'http_proxy', 'ALL_PROXY', 'all_proxy', 'NO_PROXY', 'no_proxy']
  const unset = Object.fromEntries(others.map((name) => [name, undefined]))
  setEnvironment(t, { ...unset, HTTPS_PROXY: address, HTTP_PROXY: address })
  return { name: `http://127.0.0.1:${port}`, asked }
}

describe('a repository is in reach', () => {
  test('when the Hub answers, a busy one and one without that repository included', async (t) => {
    for (const faults of [{}, { busy: 1 }, { error: 1 }, { missing: true }, { gated: 'hf_good' }]) {
      const { hub, options } = await setup(t)
      Object.assign(hub.faults, faults)
      assert.equal(await inReach(DATASET, 'rows', parquet, options), true, JSON.stringify(faults))
    }
  })

  test('when all its files are in the cache, without asking anybody', async (t) => {
    const { hub, options } = await setup(t)
    await download(DATASET, (path) => path.endsWith('.parquet'), options)
    await hub.close()
    assert.equal(await inReach(DATASET, 'rows', parquet, options), true)
    assert.equal(await inReach(DATASET, 'rows', parquet, { ...options, offline: true }), true)
  })

  test('and is not when a needed file is missing in the cache and the Hub does not answer', async (t) => {
    const { hub, options } = await setup(t)
    await download(DATASET, (path) => path === 'data/train.parquet', options)
    await hub.close()
    assert.equal(await inReach(DATASET, 'rows', () => ['data/train.parquet'], options), true)
    assert.equal(await inReach(DATASET, 'rows', parquet, options), false)
  })

  test('and is not when the cache has a snapshot without a listing, in which some or all of what is needed is missing', async (t) => {
    const { options } = await setup(t)
    await download(DATASET, (path) => path === 'README.md' || path === 'data/train.parquet', options)
    rmSync(join(options.cacheDir, 'datasets--owner--pictures/trees'), { recursive: true })
    const inCache = (needed: string[]) => inReach(DATASET, 'rows', () => needed, { ...options, offline: true })
    assert.equal(await inCache(['data/train.parquet', 'README.md']), true)
    assert.equal(await inCache(['data/train.parquet', 'data/valid.parquet']), false)
    assert.equal(await inCache([]), false)
  })

  test('and is not when requests are turned off, when nobody listens, or when a login page answers', async (t) => {
    const { hub, options } = await setup(t)
    assert.equal(await inReach(DATASET, 'rows', parquet, { ...options, offline: true }), false)
    assert.equal(hub.requests.length, 0)
    assert.equal(await inReach(DATASET, 'rows', parquet, { ...options, endpoint: await nobody() }), false)
    hub.faults.login = true
    assert.equal(await inReach(DATASET, 'rows', parquet, options), false)
  })

  test('and is not when the Hub takes the connection and stays silent: after 3 s', async (t) => {
    const server = createServer(() => {}).listen(0, '127.0.0.1')
    t.after(() => server.close())
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const cacheDir = temporary(t)
    assert.equal(await inReach(DATASET, 'rows', parquet, { endpoint: `http://127.0.0.1:${port}`, cacheDir }), false)
  })

  test('as it was when the Hub was first asked: one program takes one side', async (t) => {
    const { hub, options } = await setup(t)
    const both = await Promise.all([
      inReach(DATASET, 'rows', parquet, options),
      inReach(DATASET, 'rows', parquet, options),
    ])
    const asked = hub.requests.length
    assert.deepEqual(
      [...both, await inReach({ type: 'model', id: 'a/b' }, 'fp32', () => ['x'], options)],
      [true, true, true],
    )
    assert.equal(hub.requests.length, asked)
    await hub.close()
    assert.equal(await inReach(DATASET, 'rows', parquet, options), true)
  })

  test('whoever gives up asking gives up alone: others get the answer, then and later', async (t) => {
    const { options } = await setup(t)
    const answers: ServerResponse[] = []
    const hub = createHttpServer((_, response) => {
      answers.push(response)
      hub.emit('asked')
    }).listen(0, '127.0.0.1')
    t.after(() => hub.closeAllConnections())
    t.after(() => hub.close())
    await once(hub, 'listening')
    const endpoint = `http://127.0.0.1:${(hub.address() as AddressInfo).port}`
    const ask = (signal?: AbortSignal) => inReach(DATASET, 'rows', parquet, { ...options, endpoint, signal })
    const abort = new AbortController()
    const asked = once(hub, 'asked')
    const first = assert.rejects(ask(abort.signal), /enough/)
    await asked
    const second = ask()
    abort.abort(new Error('enough'))
    await first
    await assert.rejects(ask(abort.signal), /enough/)
    answers[0]!.writeHead(200, { 'content-type': 'application/json' }).end('{}')
    assert.deepEqual([await second, await ask(), answers.length], [true, true, 1])
  })

  test('or as the driver found it, in a worker: though that has the files, or reaches the Hub', async (t) => {
    const { options } = await setup(t)
    const revision = 'main'
    await download({ ...DATASET, revision }, (path) => path.endsWith('.parquet'), options)
    const asked = () => inReach({ ...DATASET, revision }, 'rows told', parquet, options)
    assert.equal(await asked(), true)
    const [key, value] = findings().find(([key]) => key.includes('rows told'))!
    assert.equal(value, true)
    adoptFindings([[key, false]])
    assert.equal(await asked(), false)
  })

  test('and is not when a proxy refuses the way to the Hub, or has none: the error names the proxy', async (t) => {
    const { options } = await setup(t)
    let status = 0
    const proxy = await environmentProxy(
      t,
      () => status,
      (_, response) => response.writeHead(status, { 'content-type': 'text/html' }).end('<h1>No</h1>'),
    )
    for (status of [403, 407, 502, 503, 504])
      for (const scheme of ['https', 'http']) {
        const there = { ...options, endpoint: `${scheme}://hub-${status}.test` }
        assert.equal(await inReach(DATASET, 'rows', parquet, there), false, there.endpoint)
        await assert.rejects(hubFile(DATASET, 'config.json', there), ({ code, message }: Error & { code: string }) => {
          assert.equal(code, 'HUB_UNREACHABLE', message)
          assert.match(
            message,
            new RegExp(`, got ${status} .+ from the proxy ${proxy.name} on the way to hub-${status}`),
          )
          assert.match(message, new RegExp(status === 407 ? `in ${scheme}_proxy` : 'let through', 'i'))
          assert.ok(!message.includes('p4ss'))
          return true
        })
      }
    assert.equal(proxy.asked.length, 10, 'nothing is asked again')
  })

  const openssl = spawnSync('openssl', ['version']).status === 0
  test("but what the Hub itself answers through a proxy's tunnel is its own, a refusal too, once its certificate is trusted", {
    skip: !openssl && 'there is no openssl to make a certificate with',
  }, async (t) => {
    const { hub, options } = await setup(t)
    const [key, cert] = ['key.pem', 'cert.pem'].map((name) => join(temporary(t), name))
    const made = ['-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-keyout', key!, '-out', cert!]
    execFileSync('openssl', ['req', '-x509', ...made, '-subj', '/CN=hub.test', '-days', '2'], { stdio: 'ignore' })
    const secure = createHttpsServer({ key: readFileSync(key!), cert: readFileSync(cert!) }, ({ url }, response) => {
      get(`${hub.endpoint}${url}`, (answer) => {
        const { location } = answer.headers
        const moved = location && { location: location.replace(hub.cdn, 'https://cdn.test') }
        response.writeHead(answer.statusCode!, { ...answer.headers, ...moved })
        answer.pipe(response)
      })
    })
    await once(secure.listen(0, '127.0.0.1'), 'listening')
    t.after(() => secure.close().closeAllConnections())
    const { port } = secure.address() as AddressInfo
    const proxy = await environmentProxy(t, (host) => (host.startsWith('hub.') ? port : 403))
    const there = { ...options, endpoint: 'https://hub.test' }
    await assert.rejects(hubFile(DATASET, 'README.md', there), {
      code: 'HUB_UNREACHABLE',
      message: /got DEPTH_ZERO_SELF_SIGNED_CERT from hub\.test.* NODE_EXTRA_CA_CERTS/,
    })
    setEnvironment(t, { NODE_TLS_REJECT_UNAUTHORIZED: '0' })
    hub.faults.gated = 'hf_good'
    assert.equal(await inReach(DATASET, 'rows', parquet, there), true)
    await assert.rejects(hubFile(DATASET, 'README.md', there), { code: 'HUB_GATED' })
    hub.reset()
    hub.faults.error = 1
    assert.equal(readFileSync((await hubFile(DATASET, 'README.md', there))!, 'utf8'), 'hello\n')
    await assert.rejects(hubFile(DATASET, 'data/train.parquet', there), {
      code: 'HUB_UNREACHABLE',
      message: /hub\.test to send data\/train\.parquet .* got 403 .* on the way to cdn\.test \(1 try\)/,
    })
    assert.equal(proxy.asked.filter((host) => host === 'cdn.test').length, 1)
  })
})
