import assert from 'node:assert/strict'
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { linkBlob } from '#src/hub/cache.js'
import { contextOf } from '#src/hub/context.js'
import { download, hubFile, listFiles } from '#src/hub/index.js'
import { noLinks } from '../windows.js'
import { DATASET, FILES, LARGE, noise, setEnvironment, setup } from './support.js'

const all = () => true
const parquet = (path: string) => path.endsWith('.parquet')

test('lists the files of a repository with sizes and ids', async (t) => {
  const { hub, options } = await setup(t)
  const commit = hub.commit('datasets/owner/pictures', FILES)
  const listed = await listFiles(DATASET, options)
  assert.equal(listed.commit, commit)
  assert.deepEqual(
    listed.files.map(({ path, size }) => [path, size]),
    Object.entries(FILES).map(([path, bytes]) => [path, bytes.length]),
  )
  const [readme, , train] = listed.files
  assert.deepEqual(readme, { path: 'README.md', size: 6, oid: 'ce013625030ba8dba906f756967f9e9ca394464a' })
  assert.match(train!.sha256 ?? '', /^[0-9a-f]{64}$/)
})

test('lists a repository whose listing has several pages', async (t) => {
  const files = Object.fromEntries(Array.from({ length: 25 }, (_, i) => [`folder ${i}/é ${i}.txt`, `file ${i}`]))
  const { hub, options } = await setup(t, files)
  hub.pageSize = 10
  const { files: listed } = await listFiles(DATASET, options)
  assert.deepEqual(listed.map(({ path }) => path).sort(), Object.keys(files).sort())
  assert.equal(hub.requests.filter(({ url }) => url.includes('/tree/')).length, 3)
})

test('downloads what is picked and no other file', async (t) => {
  const { hub, options } = await setup(t)
  const { files, folder } = await download(DATASET, parquet, options)
  assert.deepEqual(files, ['data/train.parquet', 'data/valid.parquet'])
  assert.deepEqual(readFileSync(join(folder, 'data/train.parquet')), Buffer.from(LARGE))
  assert.deepEqual(readdirSync(folder), ['data'])
  assert.equal(hub.downloads.length, 2)
})

test('takes a file URL for the cache, too', async (t) => {
  const { options } = await setup(t)
  const { folder } = await download(DATASET, parquet, options)
  const url = pathToFileURL(options.cacheDir!)
  for (const cacheDir of [url, url.href] as never[])
    assert.equal((await download(DATASET, parquet, { ...options, cacheDir, offline: true })).folder, folder)
})

test('lays the cache out as Python does: blobs by etag, relative links, refs', async (t) => {
  const { options } = await setup(t)
  const { commit, folder } = await download(DATASET, all, options)
  const { files } = await listFiles(DATASET, options)
  const root = join(options.cacheDir, 'datasets--owner--pictures')
  assert.equal(folder, join(root, 'snapshots', commit))
  assert.equal(readFileSync(join(root, 'refs/main'), 'utf8'), commit)
  assert.deepEqual(readdirSync(join(root, 'blobs')).sort(), files.map(({ oid, sha256 }) => sha256 ?? oid).sort())
  const train = files.find(({ path }) => path === 'data/train.parquet')
  if (process.platform !== 'win32')
    assert.equal(readlinkSync(join(folder, 'data/train.parquet')), `../../../blobs/${train?.sha256}`)
  assert.deepEqual(readdirSync(root).sort(), ['blobs', 'refs', 'snapshots', 'trees'])
  assert.deepEqual(readdirSync(join(options.cacheDir, '.locks/datasets--owner--pictures')), [], 'no lock is left')
})

test('a revision that was listed has its folder, without which Python takes the cache for damaged', async (t) => {
  const { options } = await setup(t)
  const { commit } = await listFiles(DATASET, options)
  assert.deepEqual(readdirSync(join(options.cacheDir, 'datasets--owner--pictures/snapshots')), [commit])
})

test('a listing that cannot be kept leaves no draft of it', async (t) => {
  const { options } = await setup(t)
  const refs = join(options.cacheDir, 'datasets--owner--pictures/refs')
  // As a branch `main/next` has left it that was there before.
  mkdirSync(join(refs, 'main'), { recursive: true })
  await assert.rejects(listFiles(DATASET, options))
  assert.deepEqual(readdirSync(refs), ['main'])
})

test('makes no request at all for what is cached', async (t) => {
  const { hub, options } = await setup(t)
  const first = await download(DATASET, all, options)
  hub.reset()
  assert.deepEqual(await download(DATASET, all, options), first)
  assert.deepEqual(await listFiles(DATASET, options).then(({ commit }) => commit), first.commit)
  assert.equal(await hubFile(DATASET, 'README.md', options), join(first.folder, 'README.md'))
  assert.equal(await hubFile(DATASET, 'nothing.txt', options), null)
  assert.deepEqual(hub.requests, [])
})

test('reads the cache when its folder cannot be written', { skip: process.platform === 'win32' }, async (t) => {
  const { hub, options } = await setup(t)
  const { commit, folder } = await download(DATASET, all, options)
  await hub.close()
  // No write may even be tried: a lock or a listing would go here.
  rmSync(join(options.cacheDir, '.locks'), { recursive: true })
  writeFileSync(join(options.cacheDir, '.locks'), '')
  assert.deepEqual(await download(DATASET, parquet, options), {
    commit,
    folder,
    files: ['data/train.parquet', 'data/valid.parquet'],
  })
})

test('knows that a snapshot lacks files which were not picked before', async (t) => {
  const { hub, options } = await setup(t)
  await download(DATASET, (path) => path === 'README.md', options)
  hub.reset()
  const { files } = await download(DATASET, all, options)
  assert.equal(files.length, 4)
  assert.equal(hub.downloads.length, 3)
  assert.deepEqual(hub.lookups, [], 'the listing is not asked for again')
})

test('has one file by its path, and null for one that the repository lacks', async (t) => {
  const { options } = await setup(t)
  const path = await hubFile(DATASET, 'data/valid.parquet', options)
  assert.deepEqual(readFileSync(path!), noise(20_000, 'valid'))
  assert.equal(await hubFile(DATASET, 'data/test.parquet', options), null)
})

test('downloads files whose paths need escaping, and empty files', async (t) => {
  const mark = process.platform === 'win32' ? '' : '?' // in no name of Windows
  const files = { [`a folder/50% of ünïcode #1${mark}.txt`]: 'odd', 'empty.txt': '', 'deep/er/est/file': 'deep' }
  const { options } = await setup(t, files)
  const { folder } = await download(DATASET, all, options)
  for (const [path, text] of Object.entries(files)) assert.equal(readFileSync(join(folder, path), 'utf8'), text)
})

test('takes a branch with slashes and a commit for a revision', async (t) => {
  const { hub, options } = await setup(t)
  const commit = hub.commit('datasets/owner/pictures', { 'a.txt': 'from a pull request' }, 'refs/pr/1')
  const branch = await hubFile({ ...DATASET, revision: 'refs/pr/1' }, 'a.txt', options)
  assert.equal(readFileSync(join(options.cacheDir, 'datasets--owner--pictures/refs/refs/pr/1'), 'utf8'), commit)
  hub.reset()
  assert.equal(await hubFile({ ...DATASET, revision: commit }, 'a.txt', options), branch)
  assert.deepEqual(hub.requests, [])
})

test('keeps a branch where it was, and moves on with refresh', async (t) => {
  const { hub, options } = await setup(t)
  const before = await download(DATASET, all, options)
  const newer = hub.commit('datasets/owner/pictures', { ...FILES, 'README.md': 'a new edition\n' })
  assert.equal((await download(DATASET, all, options)).commit, before.commit)
  // Who asks for the newest and for no requests gets what is there; a ref may end in a line's end.
  writeFileSync(join(options.cacheDir, 'datasets--owner--pictures/refs/main'), `${before.commit}\n`)
  assert.deepEqual(await download(DATASET, all, { ...options, offline: true, refresh: true }), before)
  hub.reset()
  const after = await download(DATASET, all, { ...options, refresh: true })
  assert.equal(after.commit, newer)
  assert.equal(hub.downloads.length, 1, 'contents that the cache has under another commit are linked')
  assert.equal(readFileSync(join(after.folder, 'README.md'), 'utf8'), 'a new edition\n')
  assert.equal(readFileSync(join(before.folder, 'README.md'), 'utf8'), 'hello\n')
  hub.reset()
  await download(DATASET, all, { ...options, refresh: true })
  assert.equal(hub.requests.length, 1, 'one question, whether the branch has moved')
})

test('moves on by itself when the Hub has forgotten the commit that the cache knows', async (t) => {
  const { hub, options } = await setup(t)
  await download(DATASET, (path) => path === 'README.md', options)
  const commit = hub.rewrite('datasets/owner/pictures', { 'data/train.parquet': noise(50_000, 'new') })
  const after = await download(DATASET, parquet, options)
  assert.deepEqual([after.commit, after.files], [commit, ['data/train.parquet']])
})

test('and so does the list of its files, where Python has left the cache without one', async (t) => {
  const { hub, options } = await setup(t)
  await download(DATASET, (path) => path === 'README.md', options)
  rmSync(join(options.cacheDir, 'datasets--owner--pictures/trees'), { recursive: true })
  const commit = hub.rewrite('datasets/owner/pictures', { 'data/train.parquet': noise(50_000, 'new') })
  const listed = await listFiles(DATASET, options)
  assert.deepEqual([listed.commit, listed.files.map(({ path }) => path)], [commit, ['data/train.parquet']])
  hub.reset()
  await assert.rejects(listFiles({ ...DATASET, revision: 'nowhere' }, options), { code: 'HUB_REVISION_NOT_FOUND' })
  assert.equal(hub.requests.length, 1, 'a branch that the cache does not know is asked for once')
})

test('downloads again what is broken in the snapshot', async (t) => {
  const { hub, options } = await setup(t)
  const { folder } = await download(DATASET, all, options)
  truncateSync(join(folder, 'data/train.parquet'), 1000)
  rmSync(join(folder, 'README.md'))
  if (!noLinks) symlinkSync('../nowhere', join(folder, 'README.md'))
  hub.reset()
  await download(DATASET, all, options)
  assert.deepEqual(readFileSync(join(folder, 'data/train.parquet')), Buffer.from(LARGE))
  assert.equal(readFileSync(join(folder, 'README.md'), 'utf8'), 'hello\n')
  assert.equal(hub.downloads.length, 1)
})

test('ignores a listing that is damaged or of a later form', async (t) => {
  const { options } = await setup(t)
  const { commit } = await listFiles(DATASET, options)
  const tree = join(options.cacheDir, 'datasets--owner--pictures/trees', `${commit}.json`)
  const whole = readFileSync(tree, 'utf8')
  for (const text of [
    '',
    '{"format_version": 1, "files',
    '{"format_version": 2}',
    whole.replace('"format_version": 1', '"format_version": 2'),
    'null',
    whole.replace('README.md', '../../evil'),
  ]) {
    writeFileSync(tree, text)
    assert.equal((await listFiles(DATASET, options)).files.length, 4)
    assert.equal(readFileSync(tree, 'utf8'), whole, 'and writes it anew')
  }
})

test('uses what came without a listing: a file known is found, an absent one too, the rest is listed', async (t) => {
  const { hub, options } = await setup(t)
  const { commit, folder } = await download(DATASET, (path) => path === 'README.md', options)
  const root = join(options.cacheDir, 'datasets--owner--pictures')
  rmSync(join(root, 'trees'), { recursive: true })
  mkdirSync(join(root, '.no_exist', commit), { recursive: true })
  writeFileSync(join(root, '.no_exist', commit, 'absent.txt'), '')
  hub.reset()
  assert.equal(await hubFile(DATASET, 'README.md', options), join(folder, 'README.md'))
  assert.equal(await hubFile(DATASET, 'absent.txt', options), null)
  assert.deepEqual(hub.requests, [])
  assert.equal((await download(DATASET, all, options)).files.length, 4)
})

test('without a listing and with the Hub out of reach, takes what the snapshot holds, with a warning, once', async (t) => {
  const { hub, options } = await setup(t)
  const { commit } = await download(DATASET, parquet, options)
  rmSync(join(options.cacheDir, 'datasets--owner--pictures/trees'), { recursive: true })
  await hub.close()
  const warnings: Error[] = []
  const warned = (warning: Error) => warnings.push(warning)
  process.on('warning', warned)
  t.after(() => process.off('warning', warned))
  const found = await download(DATASET, all, options)
  assert.deepEqual(await download(DATASET, all, options), found)
  assert.deepEqual([found.commit, found.files], [commit, ['data/train.parquet', 'data/valid.parquet']])
  assert.deepEqual(
    warnings.map(({ message }) => /2 files of dataset owner\/pictures.*may be more/.test(message)),
    [true],
  )
  await assert.rejects(hubFile(DATASET, 'README.md', options), { code: 'HUB_UNREACHABLE' })
})

test('without a listing and refused by the Hub, takes of a model what the snapshot holds, of a data set nothing', async (t) => {
  const { hub, options } = await setup(t)
  const model = { type: 'model', id: 'owner/model' } as const
  hub.commit('models/owner/model', { 'config.json': '{}' })
  await download(DATASET, parquet, options)
  await download(model, all, options)
  for (const folder of ['datasets--owner--pictures', 'models--owner--model'])
    rmSync(join(options.cacheDir, folder, 'trees'), { recursive: true })
  hub.faults.missing = true
  assert.deepEqual((await download(model, all, options)).files, ['config.json'])
  // Some of its rows might be missing.
  await assert.rejects(download(DATASET, parquet, options), { code: 'HUB_REPO_NOT_FOUND' })
})

test('knows what came without a listing by its blobs, wherever Python keeps what several repositories share', {
  skip: noLinks,
}, async (t) => {
  const { hub, options } = await setup(t)
  const { files } = await listFiles(DATASET, options)
  await download(DATASET, parquet, options)
  rmSync(join(options.cacheDir, 'datasets--owner--pictures/trees'), { recursive: true })
  await hub.close()
  const blobs = join(options.cacheDir, 'datasets--owner--pictures/blobs')
  for (const [i, blob] of readdirSync(blobs).entries()) {
    const hash = String(i).repeat(64)
    mkdirSync(join(options.cacheDir, 'blobs', hash.slice(0, 2)), { recursive: true })
    renameSync(join(blobs, blob), join(options.cacheDir, 'blobs', hash.slice(0, 2), hash))
    symlinkSync(join('../../blobs', hash.slice(0, 2), hash), join(blobs, blob))
  }
  const known = files.filter(({ path }) => parquet(path)).map((file) => ({ ...file, oid: '' }))
  assert.deepEqual((await listFiles(DATASET, { ...options, offline: true })).files, known)
})

test('uses what came without a listing in a cache that cannot be written', {
  skip: process.platform === 'win32',
}, async (t) => {
  const { options } = await setup(t)
  const { folder } = await download(DATASET, parquet, options)
  rmSync(join(options.cacheDir, 'datasets--owner--pictures/trees'), { recursive: true })
  rmSync(join(options.cacheDir, '.locks'), { recursive: true })
  writeFileSync(join(options.cacheDir, '.locks'), '')
  const found = await download(DATASET, parquet, options)
  assert.deepEqual([found.folder, found.files.length], [folder, 2])
  await assert.rejects(hubFile(DATASET, 'README.md', options), { code: 'HUB_CACHE_READONLY' })
})

test('gives a file its path where links are refused, too', async (t) => {
  const { options } = await setup(t)
  const { commit, folder } = await download(DATASET, () => false, options)
  const { files } = await listFiles(DATASET, options)
  const file = files.find(({ path }) => path === 'README.md')!
  const context = contextOf(DATASET, options)
  mkdirSync(join(context.folder, 'blobs'))
  writeFileSync(join(context.folder, 'blobs', file.oid), 'hello\n')
  await linkBlob(context, commit, file, () => Promise.reject(Object.assign(new Error('no'), { code: 'EPERM' })))
  assert.ok(lstatSync(join(folder, 'README.md')).isFile())
  assert.equal(await hubFile(DATASET, 'README.md', { ...options, offline: true }), join(folder, 'README.md'))
})

test('makes no symbolic links where HF_HUB_DISABLE_SYMLINKS says so, as Python', async (t) => {
  const { options } = await setup(t)
  setEnvironment(t, { HF_HUB_DISABLE_SYMLINKS: '1' })
  const { folder, files } = await download(DATASET, () => true, options)
  assert.equal(files.length, 4)
  for (const file of files) assert.ok(lstatSync(join(folder, file)).isFile(), file)
})

test('leaves it to the umask who may write the files, as Python: a group can share them', {
  skip: process.platform === 'win32',
}, async (t) => {
  const { options } = await setup(t)
  const before = process.umask(0o002)
  t.after(() => process.umask(before))
  const { folder, files } = await download(DATASET, () => true, options)
  for (const file of files) assert.equal(statSync(join(folder, file)).mode & 0o777, 0o664, file)
})
