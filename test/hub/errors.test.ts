import assert from 'node:assert/strict'
import { join, posix, win32 } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import type { RayitoError } from '#src/core/errors.js'
import { isSound } from '#src/hub/cache.js'
import { download, type HubOptions, hubFile, listFiles, type Repo } from '#src/hub/index.js'
import { DATASET, setEnvironment, setup } from './support.js'

/** A failure as a user meets it: one line, with everything that helps in it. */
async function failure(work: Promise<unknown>, code: string, ...mentioned: string[]): Promise<void> {
  await assert.rejects(work, (error: RayitoError) => {
    assert.equal(error.code, code, error.message)
    assert.equal(error.name, 'RayitoError')
    assert.ok(!error.message.includes('\n'), error.message)
    for (const part of mentioned) assert.ok(error.message.includes(part), `${part} in: ${error.message}`)
    return true
  })
}

test('no such repository: its name, the address asked, and how to name a private one', async (t) => {
  const { hub, options } = await setup(t)
  await failure(
    listFiles({ type: 'model', id: 'no/body' }, options),
    'HUB_REPO_NOT_FOUND',
    'model no/body',
    hub.endpoint,
    'spelling',
    'HF_TOKEN',
  )
  hub.faults.missing = true
  await failure(hubFile(DATASET, 'README.md', options), 'HUB_REPO_NOT_FOUND', 'README.md of dataset owner/pictures')
})

test('gated: where to accept its conditions and how to set HF_TOKEN', async (t) => {
  const { hub, options } = await setup(t)
  hub.faults.gated = 'hf_good'
  const page = `${hub.endpoint}/datasets/owner/pictures`
  await failure(
    hubFile(DATASET, 'README.md', options),
    'HUB_GATED',
    'README.md of dataset owner/pictures',
    page,
    'set HF_TOKEN',
  )
  await failure(hubFile(DATASET, 'README.md', { ...options, token: 'hf_bad' }), 'HUB_GATED', 'not been granted')
  assert.ok(await hubFile(DATASET, 'README.md', { ...options, token: 'hf_good' }))
})

test('a token that the Hub does not know', async (t) => {
  const { hub, options } = await setup(t)
  hub.faults.onlyToken = 'hf_good'
  await failure(
    hubFile(DATASET, 'README.md', { ...options, token: 'hf_bad' }),
    'HUB_UNAUTHORIZED',
    'Invalid credentials',
    'HF_TOKEN',
    'HF_HUB_DISABLE_IMPLICIT_TOKEN=1',
  )
})

test('a token that no request can carry is not shown', async (t) => {
  const { options } = await setup(t)
  for (const token of ['“hf_secret”', 'hf_secret\u0000', 'hf_secret hf_other']) {
    await assert.rejects(listFiles(DATASET, { ...options, token }), (error: RayitoError) => {
      assert.equal(error.code, 'INVALID_ARGUMENT', error.message)
      assert.match(error.message, /^Expected `token` \(HF_TOKEN\) to be/)
      assert.doesNotMatch(error.message, /secret/)
      return true
    })
  }
})

test('no such revision', async (t) => {
  const { options } = await setup(t)
  await failure(
    hubFile({ ...DATASET, revision: 'v9' }, 'README.md', options),
    'HUB_REVISION_NOT_FOUND',
    'dataset owner/pictures',
    'v9',
  )
  const commit = '0123456789'.repeat(4)
  await failure(hubFile({ ...DATASET, revision: commit }, 'README.md', options), 'HUB_REVISION_NOT_FOUND', commit)
})

test('offline and not cached: what is missing, and the variable to unset', async (t) => {
  const { hub, options } = await setup(t)
  const offline = { ...options, offline: true }
  await failure(
    hubFile(DATASET, 'README.md', offline),
    'HUB_OFFLINE',
    'README.md of dataset owner/pictures',
    options.cacheDir,
    'HF_HUB_OFFLINE',
  )
  await failure(listFiles(DATASET, offline), 'HUB_OFFLINE', 'dataset owner/pictures')
  assert.deepEqual(hub.requests, [])
  const readme = await hubFile(DATASET, 'README.md', options)
  assert.equal(await hubFile(DATASET, 'README.md', offline), readme)
  assert.equal(await hubFile(DATASET, 'nothing.txt', offline), null)
  hub.reset()
  await failure(
    download(DATASET, () => true, offline),
    'HUB_OFFLINE',
    'config.json of dataset owner/pictures',
    '2 more',
  )
  assert.deepEqual(hub.requests, [])
})

test('HF_HUB_OFFLINE counts in Python’s spellings', async (t) => {
  const { hub, options } = await setup(t)
  setEnvironment(t, { HF_HUB_OFFLINE: undefined, TRANSFORMERS_OFFLINE: undefined, HF_DATASETS_OFFLINE: undefined })
  for (const yes of ['1', 'ON', 'Yes', 'true']) {
    process.env.HF_HUB_OFFLINE = yes
    await failure(listFiles(DATASET, options), 'HUB_OFFLINE')
  }
  assert.deepEqual(hub.requests, [])
  process.env.HF_HUB_OFFLINE = ''
  process.env.TRANSFORMERS_OFFLINE = '1'
  await failure(listFiles(DATASET, options), 'HUB_OFFLINE')
  process.env.HF_HUB_OFFLINE = '0'
  process.env.HF_DATASETS_OFFLINE = '1'
  await failure(listFiles(DATASET, options), 'HUB_OFFLINE', 'HF_DATASETS_OFFLINE')
  await failure(listFiles({ ...DATASET, type: 'model' }, options), 'HUB_REPO_NOT_FOUND')
  hub.requests.length = 0
  process.env.HF_DATASETS_OFFLINE = '0'
  assert.equal((await listFiles(DATASET, options)).files.length, 4)
})

test('what the call does not take', async () => {
  const wrong: [Repo, HubOptions, string][] = [
    [{ type: 'space' as never, id: 'a/b' }, {}, 'repo.type'],
    ...['', 'a/b/c', '../b', 'a/..', 'a b', 'a--b/c', '/etc', 'a/b?c'].map((id): [Repo, HubOptions, string] => [
      { type: 'model', id },
      {},
      'repo.id',
    ]),
    ...['', '../main', 'a b', '/main', 'a//b', 'a?b'].map((revision): [Repo, HubOptions, string] => [
      { ...DATASET, revision },
      {},
      'repo.revision',
    ]),
    [DATASET, { endpoint: 'huggingface.co' }, 'endpoint'],
    [DATASET, { endpoint: 'ftp://huggingface.co' }, 'endpoint'],
    [DATASET, { retries: -1 }, 'retries'],
    ...[7, '', null, {}, new URL('https://localhost/cache')].map((cacheDir): [Repo, HubOptions, string] => [
      DATASET,
      { cacheDir: cacheDir as never },
      'cacheDir',
    ]),
    [DATASET, { idleTimeout: Number.NaN }, 'idleTimeout'],
  ]
  for (const [repo, options, option] of wrong)
    await failure(listFiles(repo, options), 'INVALID_ARGUMENT', `\`${option}\``)
  for (const path of ['', '/etc/passwd', '../x', 'a/../../x', 'C:x', 'a\\b', 7 as never])
    await failure(hubFile(DATASET, path), 'INVALID_ARGUMENT', '`path`')
})

test('a listing whose paths lead out of the cache is refused', async (t) => {
  for (const path of ['../evil', 'a/../../evil', 'C:/evil', 'a\\..\\evil']) {
    const { options } = await setup(t, { 'README.md': 'hello', [path]: 'evil' })
    await failure(
      download(DATASET, () => true, options),
      'HUB_PROTOCOL',
      'dataset owner/pictures',
    )
  }
})

test('a listing with a file below another, or one of a name too long for the disk, is refused', async (t) => {
  for (const below of ['data/a.txt/b.txt', 'data/a.txt/b/c.txt']) {
    const { options } = await setup(t, { 'data/a.txt': 'hello', [below]: 'evil' })
    const all = download(DATASET, () => true, options)
    await failure(all, 'HUB_PROTOCOL', 'dataset owner/pictures', below)
  }
  const { options } = await setup(t, { 'README.md': 'hello', [`data/${'long'.repeat(1000)}.txt`]: 'evil' })
  await hubFile(DATASET, 'README.md', options)
  const all = download(DATASET, () => true, options)
  await failure(all, 'HUB_CACHE_READONLY', 'dataset owner/pictures', 'data/longlong', 'NAMETOOLONG')
})

test('a listing whose next page is one that came before is refused: it would have no end', async (t) => {
  const { hub, options } = await setup(t)
  hub.pageSize = 2
  const round: typeof fetch = async (input, init) => {
    const response = await fetch(input, init)
    const url = new URL(String(input))
    if (!url.pathname.includes('/tree/')) return response
    const link = `<${url.origin}${url.pathname}?recursive=true&cursor=0>; rel="next"`
    return new Response(response.body, { headers: { link } })
  }
  await failure(
    download(DATASET, () => true, { ...options, fetch: round }),
    'HUB_PROTOCOL',
    'twice',
  )
})

test('no path that counts as sound leaves a folder, on any platform', () => {
  const part = fc.oneof(fc.constantFrom('.', '..', '', 'C:', 'a', '\\', '~', 'con'), fc.string())
  const path = fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'))
  fc.assert(
    fc.property(path, (path) => {
      fc.pre(isSound({ path, size: 1, oid: '0123456789'.repeat(4) }))
      assert.ok(posix.join('/cache', path).startsWith('/cache/'))
      assert.ok(win32.join('D:\\cache', path).startsWith('D:\\cache\\'))
      assert.ok(!win32.isAbsolute(path))
    }),
  )
})

test('the disk under the cache cannot be written', { skip: process.platform === 'win32' }, async (t) => {
  const { options } = await setup(t)
  const inTheWay = await hubFile(DATASET, 'README.md', options)
  await failure(
    hubFile(DATASET, 'README.md', { ...options, cacheDir: join(inTheWay!, 'below') }),
    'HUB_CACHE_READONLY',
    'HF_HOME',
    'ENOTDIR',
  )
})
