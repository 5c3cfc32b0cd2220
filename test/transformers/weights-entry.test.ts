import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { resolvePlan } from '#src/transformers/make-plan.js'
import { DATA, GRAPH, readEntry, seal } from '#src/transformers/weights-entry.js'

const plan = resolvePlan({}, { image_processor_type: 'ViTImageProcessor' }, 'test/model')

test('large weights that were written to are no entry any more, wherever that was; copied ones are', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'rayito-entry-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const data = join(folder, DATA)
  const bytes = new Uint8Array(1 << 20)
  writeFileSync(join(folder, GRAPH), 'a graph')
  writeFileSync(data, bytes)
  await seal(folder, plan)
  assert.deepEqual(await readEntry(folder), plan)
  const { mtimeMs } = statSync(data)
  utimesSync(data, 1, 1)
  assert.deepEqual(await readEntry(folder), plan)
  assert.ok(Math.abs(statSync(data).mtimeMs - mtimeMs) < 2, 'and it is not read as a whole again')
  // Between the places that are looked at on each load.
  bytes[5_000] = 1
  writeFileSync(data, bytes)
  utimesSync(data, 1, 1)
  assert.equal(await readEntry(folder), null)
  // At one of them, though the time is what it was.
  bytes[5_000] = 0
  bytes[bytes.length - 1] = 1
  writeFileSync(data, bytes)
  utimesSync(data, 1, new Date(mtimeMs))
  assert.equal(await readEntry(folder), null)
})

test('a folder without a graph is no entry, one without data beside it is; no file stays open', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'rayito-entry-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const open = () => (process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0)
  const before = open()
  assert.equal(await readEntry(folder), null)
  await seal(folder, plan)
  assert.equal(await readEntry(folder), null)
  writeFileSync(join(folder, GRAPH), 'a graph')
  await seal(folder, plan)
  for (let i = 0; i < 10; i++) assert.deepEqual(await readEntry(folder), plan)
  assert.ok(open() <= before + 1, `${open() - before} files more than before`)
})
