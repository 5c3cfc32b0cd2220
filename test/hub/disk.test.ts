import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { DATASET, setup } from './support.js'

/** A mount of its own for one process, which Linux gives to any user: a real disk that is really full. */
const unshare = ['--user', '--map-root-user', '--mount']
const able =
  process.platform === 'linux' && spawnSync('unshare', [...unshare, 'mount', '-t', 'tmpfs', 'x', '/mnt']).status === 0

test('a full disk is named, and what was downloaded is kept', {
  skip: !able && 'needs `unshare --mount`',
}, async (t) => {
  const { hub, options } = await setup(t)
  const errand = JSON.stringify({ repo: DATASET, options: { ...options, cacheDir: '/mnt/hub' }, prefix: 'data/train' })
  const script = `
    mount -t tmpfs -o size=200k disk /mnt
    "$0" "$1" "$2"; echo
    mount -o remount,size=2m /mnt
    "$0" "$1" "$2"`
  const fetcher = fileURLToPath(new URL('./fetcher.js', import.meta.url))
  const args = [...unshare, 'sh', '-c', script, process.execPath, fetcher, errand]
  const { stdout } = await promisify(execFile)('unshare', args)
  const [full, roomy] = stdout.split('\n').map((line) => JSON.parse(line))
  assert.equal(full.code, 'HUB_DISK_FULL')
  assert.match(
    full.message,
    /^Expected room for data\/train\.parquet of dataset owner\/pictures in \/mnt\/hub, got ENOSPC\. .*HF_HOME/,
  )
  assert.deepEqual(roomy.files, ['data/train.parquet'])
  const [first, second] = hub.downloads
  assert.equal(first?.range, undefined)
  assert.match(second?.range ?? '', /^bytes=[1-9]\d+-$/)
})

test('a cache mounted to be read only is named', { skip: !able && 'needs `unshare --mount`' }, async (t) => {
  const { options } = await setup(t)
  const errand = JSON.stringify({ repo: DATASET, options: { ...options, cacheDir: '/mnt/hub' }, prefix: 'data/train' })
  const script = 'mount -t tmpfs -o ro disk /mnt; "$0" "$1" "$2" || true'
  const fetcher = fileURLToPath(new URL('./fetcher.js', import.meta.url))
  const args = [...unshare, 'sh', '-c', script, process.execPath, fetcher, errand]
  const { stdout } = await promisify(execFile)('unshare', args)
  const { code, message } = JSON.parse(stdout)
  assert.equal(code, 'HUB_CACHE_READONLY', message)
  assert.match(message, /^Expected to write dataset owner\/pictures to \/mnt\/hub/)
})
