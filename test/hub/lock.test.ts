import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { withLock } from '#src/core/lock.js'
import { temporary } from './support.js'

test('one at a time, and every one in the end', async (t) => {
  const path = join(temporary(t), 'locks', 'a')
  let inside = 0
  const seen: number[] = []
  await Promise.all(
    Array.from({ length: 6 }, (_, i) =>
      withLock(path, async () => {
        assert.equal(++inside, 1)
        await new Promise((go) => setImmediate(go))
        seen.push(i)
        inside--
      }),
    ),
  )
  assert.deepEqual(seen.sort(), [0, 1, 2, 3, 4, 5])
  assert.deepEqual(readdirSync(join(path, '..')), [])
})

test('is released when the work fails', async (t) => {
  const path = join(temporary(t), 'a')
  await assert.rejects(
    withLock(path, () => Promise.reject(new Error('work failed'))),
    /work failed/,
  )
  assert.equal(await withLock(path, async () => 'free'), 'free')
})

test('is taken over at once from a process that has ended', async (t) => {
  const path = join(temporary(t), 'a')
  const { pid } = spawnSync(process.execPath, ['-e', ''])
  writeFileSync(path, JSON.stringify({ pid, host: hostname(), id: 'x' }))
  let waited = 0
  await withLock(path, async () => {}, { waiting: () => void waited++ })
  assert.equal(waited, 0)
})

test('is not taken from a living process or from another machine, as long as it is touched', async (t) => {
  // A process of that number has ended here, which says nothing of another machine's.
  const { pid } = spawnSync(process.execPath, ['-e', ''])
  for (const other of [
    { pid: process.pid, host: hostname() },
    { pid, host: 'elsewhere' },
  ]) {
    const path = join(temporary(t), 'a')
    writeFileSync(path, JSON.stringify({ ...other, id: 'x' }))
    const abort = new AbortController()
    let looks = 0
    const waiting = () => {
      utimesSync(path, new Date(), new Date(Date.now() + looks * 1000))
      if (++looks === 5) abort.abort(new Error('waited'))
    }
    await assert.rejects(
      withLock(path, async () => assert.fail('taken'), { signal: abort.signal, waiting, stale: 50 }),
      /waited/,
    )
    assert.ok(existsSync(path))
  }
})

test('is touched by its holder every two seconds while the work goes on', async (t) => {
  const path = join(temporary(t), 'a')
  t.mock.timers.enable({ apis: ['setInterval'] })
  await withLock(path, async () => {
    for (let beats = 0; beats < 3; beats++) {
      utimesSync(path, 1, 1)
      t.mock.timers.tick(2_000)
      for (let turn = 0; turn < 10_000 && statSync(path).mtimeMs === 1000; turn++)
        await new Promise((go) => setImmediate(go))
      assert.ok(Date.now() - statSync(path).mtimeMs < 60_000)
    }
  })
  writeFileSync(path, 'that of who came next')
  utimesSync(path, 1, 1)
  t.mock.timers.tick(2_000)
  for (let turn = 0; turn < 1_000; turn++) await new Promise((go) => setImmediate(go))
  assert.equal(statSync(path).mtimeMs, 1000, 'and no longer')
})

test('is not taken for work that was given up before', async (t) => {
  const path = join(temporary(t), 'a')
  const signal = AbortSignal.abort(new Error('given up'))
  await assert.rejects(
    withLock(path, async () => assert.fail('begun'), { signal }),
    /given up/,
  )
  assert.ok(!existsSync(path))
})

test('is left to whom it was given meanwhile', async (t) => {
  const path = join(temporary(t), 'a')
  await withLock(path, async () => writeFileSync(path, 'of another machine, which took this one for lost'))
  assert.match(readFileSync(path, 'utf8'), /of another machine/)
})

test('is taken over from a holder that no longer touches it', async (t) => {
  const path = join(temporary(t), 'a')
  writeFileSync(path, JSON.stringify({ pid: process.pid, host: hostname(), id: 'a thread that was ended' }))
  assert.equal(await withLock(path, async () => 'taken', { stale: 100 }), 'taken')
})

test('what is no lock of ours is taken over, too, but not at once: it may be about to become one', async (t) => {
  const path = join(temporary(t), 'a')
  writeFileSync(path, '')
  let waited = 0
  assert.equal(await withLock(path, async () => 'taken', { stale: 100, waiting: () => void waited++ }), 'taken')
  assert.ok(waited > 0)
})

test('a folder or a file that cannot be written is an error, not a wait', async (t) => {
  const file = join(temporary(t), 'file')
  writeFileSync(file, '')
  await assert.rejects(
    withLock(join(file, 'a'), async () => {}),
    { code: /ENOTDIR|EEXIST|ENOENT/ },
  )
  await assert.rejects(
    withLock(join(file, '..', 'a'.repeat(300)), async () => {}),
    { code: /ENAMETOOLONG|ENOENT|EINVAL/ },
  )
})

test('of many that find a lock left behind, one at a time takes it', async (t) => {
  const path = join(temporary(t), 'a')
  const { pid } = spawnSync(process.execPath, ['-e', ''])
  writeFileSync(path, JSON.stringify({ pid, host: hostname(), id: 'x' }))
  let inside = 0
  const work = async () => {
    assert.equal(++inside, 1)
    await new Promise((go) => setImmediate(go))
    inside--
  }
  await Promise.all(Array.from({ length: 8 }, () => withLock(path, work)))
  assert.deepEqual(readdirSync(join(path, '..')), [])
})

test('what somebody is about to take over is left to that one, for a minute', async (t) => {
  const path = join(temporary(t), 'a')
  const guard = `${path}.takeover`
  const { pid } = spawnSync(process.execPath, ['-e', ''])
  const left = JSON.stringify({ pid, host: hostname(), id: 'x' })
  writeFileSync(path, left)
  writeFileSync(guard, '')
  const abort = new AbortController()
  const waits = withLock(path, async () => assert.fail('taken'), { signal: abort.signal })
  for (let turn = 0; turn < 200; turn++) assert.equal(await readFile(path, 'utf8'), left)
  abort.abort(new Error('waited'))
  await assert.rejects(waits, /waited/)
  const aMinuteAgo = Date.now() / 1000 - 61
  utimesSync(guard, aMinuteAgo, aMinuteAgo)
  assert.equal(await withLock(path, async () => 'taken'), 'taken')
  assert.deepEqual(readdirSync(join(path, '..')), [])
})
