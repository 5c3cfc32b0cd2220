import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { download } from '#src/hub/index.js'
import { DATASET, type Errand, LARGE, notebook, setup, startProcess, startThread } from './support.js'

const errandOf = (options: Errand['options']): Errand => ({ repo: DATASET, options })

test('several processes that ask at once download once', async (t) => {
  const { hub, options } = await setup(t)
  hub.faults.hold = 1
  const held = once(hub, 'held')
  const children = Array.from({ length: 4 }, () => startProcess(t, errandOf(options)))
  await held
  hub.release()
  const outcomes = await Promise.all(children.map(({ result }) => result))
  const snapshot = await download(DATASET, () => true, { ...options, offline: true })
  for (const { code, stdout, stderr } of outcomes) {
    assert.equal(code, 0, stderr)
    assert.deepEqual(JSON.parse(stdout), snapshot)
  }
  assert.equal(hub.downloads.length, 4, 'each of the four files once')
  assert.equal(hub.lookups.length, 2, 'and one listing')
})

test('several threads of one process that ask at once download once', async (t) => {
  const { hub, options } = await setup(t)
  const messages = await Promise.all(
    Array.from({ length: 4 }, () => once(startThread(t, errandOf(options)), 'message')),
  )
  const snapshot = await download(DATASET, () => true, { ...options, offline: true })
  for (const [message] of messages) assert.deepEqual(message, snapshot)
  assert.equal(hub.downloads.length, 4)
})

test('several calls in one thread that ask at once download once', async (t) => {
  const { hub, options } = await setup(t)
  const snapshots = await Promise.all(Array.from({ length: 8 }, () => download(DATASET, () => true, options)))
  assert.equal(new Set(snapshots.map(({ folder }) => folder)).size, 1)
  assert.equal(hub.downloads.length, 4)
})

test('a process killed in the middle of a download leaves what it had, and the one that waits goes on from there', async (t) => {
  const { hub, options } = await setup(t)
  const errand = { ...errandOf(options), prefix: 'data/train' }
  hub.faults.hold = 1
  const held = once(hub, 'held')
  const first = startProcess(t, errand)
  await held
  const partial = join(options.cacheDir, 'datasets--owner--pictures/blobs')
  await until(() =>
    readdirSync(partial).some((name) => name.endsWith('.incomplete') && statSync(join(partial, name)).size === 150_000),
  )
  const second = startProcess(t, errand)
  // It is waiting for the lock when it has looked the listing up, which it does without a request.
  first.kill('SIGKILL')
  await first.result
  const { code, stdout, stderr } = await second.result
  assert.equal(code, 0, stderr)
  assert.deepEqual(readFileSync(join(JSON.parse(stdout).folder, 'data/train.parquet')), Buffer.from(LARGE))
  assert.deepEqual(
    hub.downloads.map(({ range }) => range),
    [undefined, 'bytes=150000-'],
  )
  assert.deepEqual(readdirSync(partial).length, 1)
})

test('whoever waits for another’s download sees how far that is, and counts no byte twice', {
  timeout: 30_000,
}, async (t) => {
  const { hub, options } = await setup(t)
  const { html, shown } = notebook(t)
  hub.faults.hold = 1
  const held = once(hub, 'held')
  const train = (path: string) => path.startsWith('data/train')
  const first = download(DATASET, train, options)
  await held
  const second = download(DATASET, train, { ...options, progress: true })
  await shown(/50%.*150\.0 of 300\.0 kB/)
  hub.release()
  await Promise.all([first, second])
  assert.match(html.at(-1)!, /100%.* 300\.0 kB · (.* · )?in /)
})

test('a process that is done ends, though the Hub keeps its connections open', async (t) => {
  const { options } = await setup(t)
  const { code, stderr } = await startProcess(t, { ...errandOf({ ...options, progress: true }) }, { CI: '1' }).result
  assert.equal(code, 0)
  assert.match(stderr, /^owner\/pictures: 320\.0 kB\nowner\/pictures: 320\.0 kB in .* s \(.*\/s\)\n$/)
})

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((go) => setImmediate(go))
}
