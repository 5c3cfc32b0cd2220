import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { createServer as createHttpServer, get } from 'node:http'
import {
  type AddressInfo,
  createServer,
  getDefaultAutoSelectFamilyAttemptTimeout,
  setDefaultAutoSelectFamilyAttemptTimeout,
} from 'node:net'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { hubCache } from '#src/core/paths.js'
import { download, hubFile, listFiles } from '#src/hub/index.js'
import { DATASET, LARGE, noise, notebook, setEnvironment, setup, startProcess, temporary } from './support.js'

const TRAIN = 'data/train.parquet'
const sha256 = createHash('sha256').update(LARGE).digest('hex')
const blobs = ({ cacheDir }: { cacheDir: string }) => join(cacheDir, 'datasets--owner--pictures/blobs')

test('sends the token to the host of the Hub, never along a redirect to another', async (t) => {
  const { hub, options } = await setup(t)
  await download(DATASET, () => true, { ...options, token: 'hf_secret' })
  const [own, other] = [
    hub.requests.filter(({ host }) => host === 'hub'),
    hub.requests.filter(({ host }) => host === 'cdn'),
  ]
  assert.equal(other.length, 2)
  assert.deepEqual(new Set(own.map(({ authorization }) => authorization)), new Set(['Bearer hf_secret']))
  assert.deepEqual(new Set(other.map(({ authorization }) => authorization)), new Set([undefined]))
})

test('a Hub that sends from http to https, or to another host, answers and refuses as itself', async (t) => {
  const { hub, options } = await setup(t)
  const asked: [string, string | null][] = []
  const moved =
    (to: string): typeof fetch =>
    async (input, init) => {
      const { origin, pathname, search } = new URL(String(input))
      if (origin === 'http://hub.test')
        return new Response(null, { status: 301, headers: { location: `${to}${pathname}${search}` } })
      asked.push([origin, new Headers(init?.headers).get('authorization')])
      return fetch(`${origin === to ? hub.endpoint : origin}${pathname}${search}`, init)
    }
  const at = (to: string) => ({ ...options, endpoint: 'http://hub.test', token: 'hf_secret', fetch: moved(to) })
  await hubFile(DATASET, 'README.md', at('https://hub.test'))
  await hubFile(DATASET, TRAIN, at('https://hub.test'))
  const of = (origin: string) => new Set(asked.filter(([asked]) => asked === origin).map(([, token]) => token))
  assert.deepEqual(of('https://hub.test'), new Set(['Bearer hf_secret']))
  assert.deepEqual(of(hub.cdn), new Set([null]))
  for (const to of ['https://hub.test', 'https://other.test', 'https://hub.test:8443'])
    await assert.rejects(hubFile({ type: 'model', id: 'no/body' }, 'config.json', at(to)), {
      code: 'HUB_REPO_NOT_FOUND',
    })
  assert.deepEqual(of('https://other.test'), new Set([null]))
  assert.deepEqual(of('https://hub.test:8443'), new Set([null]))
})

test('sends no token to the next page of a listing when that lies on another host', async (t) => {
  const { hub, options } = await setup(t)
  hub.pageSize = 2
  const asked: [string, string | null][] = []
  const elsewhere: typeof fetch = async (input, init) => {
    const url = new URL(String(input))
    asked.push([url.host, new Headers(init?.headers).get('authorization')])
    if (url.host === 'elsewhere.test') return Response.json([])
    const response = await fetch(input, init)
    const link = response.headers.get('link')
    if (!link) return response
    return new Response(response.body, {
      headers: { link: link.replace(new URL(hub.endpoint).host, 'elsewhere.test') },
    })
  }
  await download(DATASET, () => false, { ...options, token: 'hf_secret', fetch: elsewhere })
  assert.deepEqual(asked.at(-1), ['elsewhere.test', null])
  assert.equal(asked[0]![1], 'Bearer hf_secret')
})

test('takes the token from HF_TOKEN, else from the file that `hf auth login` writes', async (t) => {
  const { hub, options } = await setup(t)
  const names = ['HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN', 'HF_TOKEN_PATH', 'HF_HUB_DISABLE_IMPLICIT_TOKEN']
  const unset = Object.fromEntries(names.map((name) => [name, undefined]))
  setEnvironment(t, { ...unset, HF_HOME: '$RAYITO_TEST/home', RAYITO_TEST: temporary(t) })
  hub.faults.gated = 'hf_saved'
  const home = join(process.env.RAYITO_TEST!, 'home')
  mkdirSync(home)
  writeFileSync(join(home, 'token'), 'hf_saved\n')
  await hubFile(DATASET, 'README.md', { ...options, token: undefined })
  process.env.HF_TOKEN = ' \n'
  await hubFile(DATASET, 'README.md', { ...options, token: undefined, refresh: true })
  process.env.HF_TOKEN = 'hf_other'
  await assert.rejects(hubFile(DATASET, 'README.md', { ...options, token: undefined, refresh: true }), {
    code: 'HUB_GATED',
  })
  process.env.HF_TOKEN = 'hf_sa\r\nved\n'
  await hubFile(DATASET, 'README.md', { ...options, token: undefined, refresh: true })
  // The older name goes before what was saved, and behind the newer one.
  process.env.HUGGING_FACE_HUB_TOKEN = 'hf_other'
  await hubFile(DATASET, 'README.md', { ...options, token: undefined, refresh: true })
  delete process.env.HF_TOKEN
  await assert.rejects(hubFile(DATASET, 'README.md', { ...options, token: undefined, refresh: true }), {
    code: 'HUB_GATED',
  })
  hub.requests.length = 0
  process.env.HF_HUB_DISABLE_IMPLICIT_TOKEN = '1'
  await assert.rejects(hubFile(DATASET, 'config.json', { ...options, token: undefined }), { code: 'HUB_GATED' })
  assert.deepEqual(new Set(hub.requests.map(({ authorization }) => authorization)), new Set([undefined]))
  await hubFile(DATASET, 'config.json', { ...options, token: 'hf_saved' })
})

test('finds the cache where Python does', (t) => {
  const nothing = {
    HF_HOME: undefined,
    HF_HUB_CACHE: undefined,
    HUGGINGFACE_HUB_CACHE: undefined,
    XDG_CACHE_HOME: undefined,
  }
  setEnvironment(t, { ...nothing, RAYITO_TEST: '/disk' })
  const of = (variables: Record<string, string>) => {
    for (const name of Object.keys(nothing)) delete process.env[name]
    Object.assign(process.env, variables)
    return hubCache()
  }
  assert.equal(of({}), join(homedir(), '.cache/huggingface/hub'))
  assert.equal(of({ XDG_CACHE_HOME: '/var/cache' }), join('/var/cache', 'huggingface/hub'))
  assert.equal(of({ HF_HOME: '~/hf' }), join(homedir(), 'hf/hub'))
  assert.equal(of({ HF_HOME: '/hf', HUGGINGFACE_HUB_CACHE: '/old' }), '/old')
  // biome-ignore lint/suspicious/noTemplateCurlyInString: as a shell writes it
  assert.equal(of({ HF_HUB_CACHE: '${RAYITO_TEST}/hub', HUGGINGFACE_HUB_CACHE: '/old' }), '/disk/hub')
  assert.equal(of({ HF_HUB_CACHE: '$RAYITO_TEST/$RAYITO_NOT_SET/~' }), '/disk/$RAYITO_NOT_SET/~')
  const windows = process.platform === 'win32'
  assert.equal(of({ HF_HUB_CACHE: '%RAYITO_TEST%/hub' }), windows ? '/disk/hub' : '%RAYITO_TEST%/hub')
})

test('goes through the proxy that the environment names, but not to this machine, nor where NO_PROXY says so', async (t) => {
  const { hub, options } = await setup(t)
  const asked = new Set<string>()
  const proxy = createHttpServer((request, response) => {
    const { host, pathname, search } = new URL(request.url!)
    asked.add(host)
    const { authorization, range } = request.headers
    const headers = { ...(authorization && { authorization }), ...(range && { range }) }
    get(`${hub.endpoint}${pathname}${search}`, { headers }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(response)
    }).on('error', (error) => response.destroy(error))
  })
  await once(proxy.listen(0, '127.0.0.1'), 'listening')
  t.after(() => proxy.close().closeAllConnections())
  const { port } = proxy.address() as AddressInfo
  const nothing = {
    http_proxy: undefined,
    NO_PROXY: undefined,
    no_proxy: undefined,
    ALL_PROXY: undefined,
    all_proxy: undefined,
  }
  setEnvironment(t, { ...nothing, HTTP_PROXY: `http://127.0.0.1:${port}` })
  const far = { ...options, endpoint: 'http://hub.invalid', token: 'hf_secret' }
  hub.faults.cut = 1
  const { folder, files } = await download(DATASET, () => true, far)
  assert.equal(files.length, 4)
  assert.ok(readFileSync(join(folder, TRAIN)).equals(LARGE))
  assert.deepEqual(asked, new Set(['hub.invalid']))
  assert.ok(hub.requests.some(({ host, authorization }) => host === 'cdn' && !authorization))
  const nobody = { type: 'model', id: 'no/body' } as const
  await assert.rejects(listFiles(nobody, far), { code: 'HUB_REPO_NOT_FOUND' })
  for (const hosts of ['other.test, hub.invalid', 'other.test,invalid']) {
    process.env.NO_PROXY = hosts
    await assert.rejects(listFiles(nobody, far), { code: 'HUB_UNREACHABLE', message: /ENOTFOUND|EAI_AGAIN/ })
  }
  process.env.NO_PROXY = 'b.invalid'
  await assert.rejects(listFiles(nobody, far), { code: 'HUB_REPO_NOT_FOUND' })
  delete process.env.NO_PROXY

  const aborted = new AbortController()
  hub.faults.hold = 1
  hub.once('held', () => aborted.abort('enough'))
  const elsewhere = { ...far, cacheDir: join(temporary(t), 'hub'), signal: aborted.signal }
  await assert.rejects(
    download(DATASET, () => true, elsewhere),
    (reason) => reason === 'enough',
  )
  hub.release()

  proxy.close().closeAllConnections()
  await assert.rejects(listFiles({ type: 'model', id: 'a/b' }, far), {
    code: 'HUB_UNREACHABLE',
    message: /http:\/\/hub\.invalid to answer .* ECONNREFUSED from hub\.invalid, with the proxies of the environment/,
  })
})

test('continues a download that was cut where it broke off', async (t) => {
  const { hub, options } = await setup(t)
  hub.faults.cut = 3
  const path = await hubFile(DATASET, TRAIN, options)
  assert.deepEqual(readFileSync(path!), Buffer.from(LARGE))
  // What was under way when the connection broke is lost, what was written is not.
  const starts = hub.requests
    .filter(({ host }) => host === 'cdn')
    .map(({ range }) => Number(/\d+/.exec(range ?? '0')?.[0]))
  assert.equal(starts[0], 0)
  assert.equal(new Set(starts).size, 4)
  assert.deepEqual(
    starts,
    [...starts].sort((a, b) => a - b),
  )
  assert.deepEqual(
    readdirSync(blobs(options)).filter((name) => name.endsWith('.incomplete')),
    [],
  )
})

for (const [who, ending] of [
  ['an earlier program', '.rayito.incomplete'],
  ['Python', '.incomplete'],
] as const)
  test(`continues what ${who} left`, async (t) => {
    const { hub, options } = await setup(t)
    const listed = await download(DATASET, () => false, options)
    mkdirSync(blobs(options))
    writeFileSync(join(blobs(options), `${sha256}${ending}`), LARGE.subarray(0, 123_456))
    const { folder } = await download(DATASET, (path) => path === TRAIN, options)
    assert.equal(folder, listed.folder)
    assert.deepEqual(readFileSync(join(folder, TRAIN)), Buffer.from(LARGE))
    assert.deepEqual(
      hub.downloads.map(({ range }) => range),
      ['bytes=123456-'],
    )
  })

test('continues what an earlier program left, whatever Python left beside it', async (t) => {
  const { hub, options } = await setup(t)
  mkdirSync(blobs(options), { recursive: true })
  writeFileSync(join(blobs(options), `${sha256}.rayito.incomplete`), LARGE.subarray(0, 123_456))
  writeFileSync(join(blobs(options), `${sha256}.incomplete`), LARGE.subarray(0, 1000))
  assert.deepEqual(readFileSync((await hubFile(DATASET, TRAIN, options))!), Buffer.from(LARGE))
  assert.deepEqual(
    hub.downloads.map(({ range }) => range),
    ['bytes=123456-'],
  )
})

test('leaves the file that Python downloads to at the same time to it', async (t) => {
  const { hub, options } = await setup(t)
  mkdirSync(blobs(options), { recursive: true })
  const pythons = openSync(join(blobs(options), `${sha256}.incomplete`), 'a')
  writeSync(pythons, LARGE.subarray(0, 100_000))
  hub.faults.hold = 1
  const held = once(hub, 'held')
  const path = hubFile(DATASET, TRAIN, options)
  await held
  writeSync(pythons, LARGE.subarray(100_000))
  hub.release()
  const bytes = readFileSync((await path.finally(() => closeSync(pythons)))!)
  assert.deepEqual(bytes, Buffer.from(LARGE))
  assert.deepEqual(readFileSync(join(blobs(options), `${sha256}.incomplete`)), Buffer.from(LARGE))
})

for (const [what, bytes] of [
  ['of wrong bytes', noise(100_000, 'wrong')],
  ['longer than the file', noise(400_000)],
] as const)
  test(`starts anew after a rest ${what}`, async (t) => {
    const { options } = await setup(t)
    mkdirSync(blobs(options), { recursive: true })
    writeFileSync(join(blobs(options), `${sha256}.rayito.incomplete`), bytes)
    assert.deepEqual(readFileSync((await hubFile(DATASET, TRAIN, options))!), Buffer.from(LARGE))
  })

test('goes on at a server that knows no ranges', async (t) => {
  const { hub, options } = await setup(t)
  Object.assign(hub.faults, { cut: 1, norange: true })
  assert.deepEqual(readFileSync((await hubFile(DATASET, TRAIN, options))!), Buffer.from(LARGE))
})

test('goes on at a server that refuses to send a part', async (t) => {
  const { hub, options } = await setup(t)
  Object.assign(hub.faults, { cut: 1, norange: 416 })
  assert.deepEqual(readFileSync((await hubFile(DATASET, TRAIN, options))!), Buffer.from(LARGE))
})

test("keeps what it has where a login page answers in the file's place", async (t) => {
  const { hub, options } = await setup(t)
  const partial = join(blobs(options), `${sha256}.rayito.incomplete`)
  mkdirSync(blobs(options), { recursive: true })
  writeFileSync(partial, LARGE.subarray(0, 123_456))
  hub.faults.page = 2
  await assert.rejects(hubFile(DATASET, TRAIN, { ...options, retries: 1 }), {
    code: 'HUB_UNREACHABLE',
    message: /got the end after 123456 of 300000 bytes \(2 tries\)/,
  })
  assert.equal(statSync(partial).size, 123_456)
  assert.ok(await hubFile(DATASET, TRAIN, options))
  assert.equal(hub.downloads.at(-1)?.range, 'bytes=123456-')
})

test('takes no login page for the beginning of a file', async (t) => {
  const { hub, options } = await setup(t)
  hub.faults.page = 2
  await assert.rejects(hubFile(DATASET, TRAIN, { ...options, retries: 0 }), {
    code: 'HUB_UNREACHABLE',
    message: /got 7 bytes, not 300000 /,
  })
  assert.equal(statSync(join(blobs(options), `${sha256}.rayito.incomplete`)).size, 0)
})

test('gives up a server that knows no ranges and cuts now here, now there', async (t) => {
  const { hub, options } = await setup(t)
  hub.faults.norange = true
  let transfers = 0
  const cutting: typeof fetch = async (input, init) => {
    const response = await fetch(input, init)
    // Without an end to the cuts a failure of this test would be a download for ever.
    if (!String(input).startsWith(hub.cdn) || ++transfers > 30) return response
    const bytes = new Uint8Array(await response.arrayBuffer()).subarray(0, transfers % 2 === 1 ? 100_000 : 200_000)
    return new Response(bytes, response)
  }
  await assert.rejects(hubFile(DATASET, TRAIN, { ...options, fetch: cutting, retries: 3 }), {
    code: 'HUB_UNREACHABLE',
    message: /got the end after [12]00000 of 300000 bytes \(4 tries\)/,
  })
  assert.equal(transfers, 5)
})

test('gives up a transfer that falls silent, and continues it', async (t) => {
  const { hub, options } = await setup(t)
  await download(DATASET, () => false, options)
  hub.faults.stall = 2
  const path = await hubFile(DATASET, TRAIN, { ...options, idleTimeout: 400 })
  assert.deepEqual(readFileSync(path!), Buffer.from(LARGE))
  assert.deepEqual(
    hub.downloads.map(({ range }) => range),
    [undefined, 'bytes=150000-', 'bytes=225000-'],
  )
})

test('gives up a transfer that stays silent', async (t) => {
  const { hub, options } = await setup(t)
  await download(DATASET, () => false, options)
  hub.faults.stall = Number.POSITIVE_INFINITY
  await assert.rejects(
    hubFile(DATASET, TRAIN, { ...options, idleTimeout: 250, retries: 1 }),
    (error: Error & { code: string }) => {
      assert.equal(error.code, 'HUB_UNREACHABLE')
      assert.match(
        error.message,
        /data\/train\.parquet of dataset owner\/pictures, got nothing for 0\.25 s \(\d tries\)/,
      )
      return true
    },
  )
})

test('waits as long as a busy Hub says, in seconds, as a date or in its rate limit', async (t) => {
  const { hub, options } = await setup(t)
  for (const retryAfter of ['0', new Date(0).toUTCString(), null]) {
    Object.assign(hub.faults, { busy: 2, retryAfter })
    await download(DATASET, () => true, { ...options, refresh: true })
  }
  Object.assign(hub.faults, { busy: 1, retryAfter: '3600' })
  await assert.rejects(
    download(DATASET, () => true, { ...options, refresh: true }),
    {
      code: 'HUB_UNREACHABLE',
      message: /got 429 Too Many Requests and a wait of 3600 s/,
    },
  )
})

test('a rate limit that leaves requests, as all answers tell of it, is nothing to wait for where the Hub fails', async (t) => {
  const { hub, options } = await setup(t)
  // A second more than anybody waits.
  const left = '"api";r=2480;t=301'
  Object.assign(hub.faults, { error: 1, rateLimit: left })
  assert.equal((await download(DATASET, () => true, options)).files.length, 4)
  for (const reached of [
    { busy: 1, retryAfter: null, rateLimit: left },
    { error: 1, rateLimit: '"api";r=0;t=301' },
  ]) {
    Object.assign(hub.faults, reached)
    await assert.rejects(
      download(DATASET, () => true, { ...options, refresh: true }),
      { code: 'HUB_UNREACHABLE', message: /and a wait of 301 s/ },
    )
  }
})

test('says once, to all who wait together, that a busy Hub asks to wait for long, and until when', async (t) => {
  const { hub, options } = await setup(t)
  let refused = 0
  const allWait = new Promise<void>((resolve) => {
    hub.on('request', ({ url }) => {
      if (!url.includes('/resolve/')) return
      Object.assign(hub.faults, { busy: 1, retryAfter: '60' })
      if (++refused === 4) resolve()
    })
  })
  const child = startProcess(t, { repo: DATASET, options })
  await Promise.all([allWait, once(child.stderr!, 'data')])
  child.kill()
  const { stderr } = await child.result
  assert.equal(
    stderr.replace(/until \d\d:\d\d:\d\d/, 'until then'),
    `rayito: ${hub.endpoint} is busy and asks to wait 60 s, until then (429 Too Many Requests)\n`,
  )
})

test('asks a Hub that fails a bounded number of times', async (t) => {
  const { hub, options } = await setup(t)
  hub.faults.error = 4
  await hubFile(DATASET, 'README.md', options)
  hub.reset()
  hub.faults.error = Number.POSITIVE_INFINITY
  await assert.rejects(hubFile(DATASET, TRAIN, { ...options, retries: 3 }), {
    code: 'HUB_UNREACHABLE',
    message: /data\/train\.parquet of dataset owner\/pictures, got 503 Service Unavailable \(4 tries\)/,
  })
  assert.equal(hub.requests.length, 4)
})

test('asks the Hub for a new address when a signed one is too old', async (t) => {
  const { hub, options } = await setup(t)
  hub.faults.expired = 1
  assert.ok(await hubFile(DATASET, TRAIN, options))
  assert.deepEqual(
    hub.requests.slice(-4).map(({ host }) => host),
    ['hub', 'cdn', 'hub', 'cdn'],
  )
})

test('downloads once more when a byte is wrong', async (t) => {
  const { hub, options } = await setup(t)
  hub.faults.wrong = 1
  // The wrong byte may be a cache's, on the way: the second time it is asked for past it.
  const asked: (string | null)[] = []
  const listening: typeof fetch = (input, init) => {
    if (String(input).startsWith(hub.cdn)) asked.push(new Headers(init?.headers).get('cache-control'))
    return fetch(input, init)
  }
  const path = await hubFile(DATASET, TRAIN, { ...options, fetch: listening })
  assert.deepEqual(readFileSync(path!), Buffer.from(LARGE))
  assert.deepEqual(asked, [null, 'no-cache'])
})

test('what was downloaded in vain does not count as downloaded', async (t) => {
  const { hub, options } = await setup(t)
  hub.faults.wrong = 1
  const errand = { repo: DATASET, options: { ...options, progress: true }, prefix: TRAIN }
  const { code, stderr } = await startProcess(t, errand).result
  assert.match(stderr, /^owner\/pictures: 300\.0 kB in /m)
  assert.equal(code, 0)
})

test('leaves aside what a server sends beyond the end of a file', async (t) => {
  const { hub, options } = await setup(t)
  const longer: typeof fetch = async (input, init) => {
    const response = await fetch(input, init)
    if (!String(input).startsWith(hub.cdn)) return response
    return new Response(Buffer.concat([new Uint8Array(await response.arrayBuffer()), noise(1000)]))
  }
  const path = await hubFile(DATASET, TRAIN, { ...options, fetch: longer })
  assert.deepEqual(readFileSync(path!), Buffer.from(LARGE))
})

test('takes a file that a server compresses, asked or not, whose length is another then', async (t) => {
  const { hub, options } = await setup(t)
  const compressing: typeof fetch = async (input, init) => {
    const response = await fetch(input, init)
    if (!String(input).startsWith(hub.cdn)) return response
    return new Response(response.body, { headers: { 'content-encoding': 'gzip', 'content-length': '1000' } })
  }
  const path = await hubFile(DATASET, TRAIN, { ...options, fetch: compressing })
  assert.deepEqual(readFileSync(path!), Buffer.from(LARGE))
})

test('a file that another holder of its lock has made whole meanwhile is taken', async (t) => {
  const { hub, options } = await setup(t)
  const blob = join(blobs(options), sha256)
  const overtaken: typeof fetch = (input, init) => {
    if (String(input).startsWith(hub.cdn)) renameSync(`${blob}.rayito.incomplete`, blob)
    return fetch(input, init)
  }
  const path = await hubFile(DATASET, TRAIN, { ...options, fetch: overtaken })
  assert.deepEqual(readFileSync(path!), Buffer.from(LARGE))
})

test('a byte wrong twice is an error, and nothing of it stays', async (t) => {
  const { hub, options } = await setup(t)
  hub.faults.wrong = Number.POSITIVE_INFINITY
  await assert.rejects(hubFile(DATASET, TRAIN, options), {
    code: 'HUB_CHECKSUM',
    message:
      /^Expected data\/train\.parquet of dataset owner\/pictures to have the sha256 [0-9a-f]{64}, got [0-9a-f]{64} twice\. Try again later/,
  })
  assert.equal(hub.downloads.length, 2)
  assert.deepEqual(readdirSync(blobs(options)), [])
})

test('checks files outside large-file storage by their git id', async (t) => {
  const { options } = await setup(t)
  const meddling: typeof fetch = async (input, init) => {
    const response = await fetch(input, init)
    return String(input).includes('/resolve-cache/')
      ? new Response((await response.text()).replace('hello', 'hallo'))
      : response
  }
  await assert.rejects(hubFile(DATASET, 'README.md', { ...options, fetch: meddling }), {
    code: 'HUB_CHECKSUM',
    message: /git's id/,
  })
})

test('says at once, with its address, that nobody answers', async (t) => {
  const { options } = await setup(t)
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const endpoint = `http://127.0.0.1:${(server.address() as { port: number }).port}`
  await new Promise((done) => server.close(done))
  let asked = 0
  const counting: typeof fetch = (input, init) => {
    asked++
    return fetch(input, init)
  }
  await assert.rejects(
    hubFile(DATASET, TRAIN, { ...options, endpoint, fetch: counting }),
    (error: Error & { code: string }) => {
      assert.equal(error.code, 'HUB_UNREACHABLE')
      assert.ok(
        error.message.startsWith(
          `Expected ${endpoint} to answer for data/train.parquet of dataset owner/pictures, got ECONNREFUSED`,
        ),
        error.message,
      )
      assert.match(error.message, /HF_ENDPOINT/)
      return true
    },
  )
  assert.equal(asked, 1)
  await assert.rejects(hubFile(DATASET, TRAIN, { ...options, endpoint: 'http://no-such-host.invalid' }), {
    code: 'HUB_UNREACHABLE',
    message: /http:\/\/no-such-host\.invalid to answer/,
  })
})

test('gives a host more time to be connected to than Node does', async (t) => {
  const { options } = await setup(t)
  const before = getDefaultAutoSelectFamilyAttemptTimeout()
  t.after(() => setDefaultAutoSelectFamilyAttemptTimeout(before))
  const late = Object.assign(new Error('connect ETIMEDOUT'), { code: 'ETIMEDOUT' })
  const given: number[] = []
  const hurried: typeof fetch = async (input, init) => {
    given.push(getDefaultAutoSelectFamilyAttemptTimeout())
    if (given.length === 1) throw new TypeError('fetch failed', { cause: new AggregateError([late]) })
    return fetch(input, init)
  }
  assert.equal((await listFiles(DATASET, { ...options, fetch: hurried })).files.length, 4)
  assert.deepEqual(given.slice(0, 2), [before, 4_000])
})

test('says why an address that the Hub sends to cannot be asked', async (t) => {
  const { options } = await setup(t)
  const server = createHttpServer((_, response) => response.writeHead(302, { location: 'http://127.0.0.1:9/' }).end())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.after(() => server.close())
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  await assert.rejects(listFiles(DATASET, { ...options, endpoint, retries: 0 }), {
    code: 'HUB_UNREACHABLE',
    message: /got bad port from 127\.0\.0\.1:9/,
  })
})

test('a server that takes connections and says nothing is given up', async (t) => {
  const { options } = await setup(t)
  const mute = createServer().listen(0, '127.0.0.1')
  await once(mute, 'listening')
  const sockets = new Set<{ destroy(): void }>()
  mute.on('connection', (socket) => sockets.add(socket))
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    mute.close()
  })
  const endpoint = `http://127.0.0.1:${(mute.address() as { port: number }).port}`
  let asked = 0
  const counting: typeof fetch = (input, init) => {
    asked++
    return fetch(input, init)
  }
  await assert.rejects(hubFile(DATASET, TRAIN, { ...options, endpoint, fetch: counting, idleTimeout: 50 }), {
    code: 'HUB_UNREACHABLE',
    message: /to answer for .* got nothing for 0\.05 s/,
  })
  assert.equal(asked, 1)
  // Python's variable counts in seconds.
  setEnvironment(t, { HF_HUB_DOWNLOAD_TIMEOUT: '0.06' })
  await assert.rejects(hubFile(DATASET, TRAIN, { ...options, endpoint }), { message: /got nothing for 0\.06 s/ })
})

test('not even a fetch that heeds no signal holds it', async (t) => {
  const { options } = await setup(t)
  const deaf: typeof fetch = () => new Promise(() => {})
  await assert.rejects(hubFile(DATASET, TRAIN, { ...options, fetch: deaf, idleTimeout: 20 }), {
    code: 'HUB_UNREACHABLE',
  })
})

test('asks again for a listing that is cut', async (t) => {
  const { hub, options } = await setup(t)
  let cuts = 0
  const cutting: typeof fetch = async (input, init) => {
    const response = await fetch(input, init)
    if (!String(input).includes('/tree/') || cuts++ > 1) return response
    const [half] = (await response.text()).split('data/')
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode(half)),
      pull: (controller) =>
        controller.error(Object.assign(new TypeError('terminated'), { cause: { code: 'ECONNRESET' } })),
    })
    return new Response(body, response)
  }
  assert.ok(await hubFile(DATASET, TRAIN, { ...options, fetch: cutting }))
  assert.equal(hub.lookups.length, 4)
})

test('an answer that is not the Hub’s is called so', async (t) => {
  const { hub, options } = await setup(t)
  hub.faults.login = true
  await assert.rejects(hubFile(DATASET, TRAIN, options), {
    code: 'HUB_PROTOCOL',
    message: /to list dataset owner\/pictures as the Hub does, got what cannot be read \(.*\)\. Check/,
  })
})

test('an abort ends it with the reason given, and the next one continues', async (t) => {
  const { hub, options } = await setup(t)
  hub.faults.hold = 1
  const abort = new AbortController()
  const held = once(hub, 'held')
  const failing = assert.rejects(hubFile(DATASET, TRAIN, { ...options, signal: abort.signal }), /enough/)
  await held
  // What has been sent must have been written, for the rest to be known.
  const partial = join(blobs(options), `${sha256}.rayito.incomplete`)
  while (!existsSync(partial) || readFileSync(partial).length < 150_000) await new Promise((go) => setImmediate(go))
  abort.abort(new Error('enough'))
  await failing
  assert.ok(await hubFile(DATASET, TRAIN, options))
  assert.equal(hub.downloads.at(-1)?.range, 'bytes=150000-')
})

test('an abort ends the wait for a busy Hub, too', { timeout: 30_000 }, async (t) => {
  const { hub, options } = await setup(t)
  const { shown } = notebook(t)
  Object.assign(hub.faults, { busy: 1, retryAfter: '290' })
  const abort = new AbortController()
  const failing = assert.rejects(hubFile(DATASET, TRAIN, { ...options, signal: abort.signal }), /enough/)
  await shown(/is busy and asks to wait 290 s/)
  abort.abort(new Error('enough'))
  await failing
})

test('a file that fails ends the others, and nothing goes on once that is told', async (t) => {
  const { hub, options } = await setup(t)
  hub.faults.hold = 1
  const held = once(hub, 'held')
  const failing: typeof fetch = async (input, init) => {
    if (!String(input).endsWith('valid.parquet')) return fetch(input, init)
    await held
    return new Response(null, { status: 404, headers: { 'x-error-code': 'EntryNotFound' } })
  }
  await assert.rejects(
    download(DATASET, (path) => path.endsWith('.parquet'), { ...options, fetch: failing }),
    { code: 'HUB_FILE_NOT_FOUND', message: /data\/valid\.parquet/ },
  )
  assert.deepEqual(readdirSync(join(options.cacheDir, '.locks/datasets--owner--pictures')), [], 'no lock is held')
  hub.release()
})
