import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
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
