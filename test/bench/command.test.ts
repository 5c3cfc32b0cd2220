import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Row } from '../../bench/row.js'
import { noSignals } from '../windows.js'

const MAIN = fileURLToPath(new URL('../../bench/main.js', import.meta.url))

async function bench(
  args: string[],
  env: NodeJS.ProcessEnv = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [MAIN, ...args], { env: { ...process.env, ...env } })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (text) => {
    stdout += text
  })
  child.stderr.on('data', (text) => {
    stderr += text
  })
  const [code] = await once(child, 'close')
  return { code, stdout, stderr }
}

test('an unknown group and a number of repetitions that is none are wrong usage, told in one line', async () => {
  const group = await bench(['speed'])
  assert.equal(group.code, 2)
  assert.match(group.stderr, /speed.*tasks, data, actors, q8, exercise, serve/)
  for (const wrong of ['0', '1.5', 'many']) {
    const { code, stderr } = await bench(['tasks', '--repetitions', wrong])
    assert.equal(code, 2)
    assert.match(stderr, /--repetitions.*whole number/)
  }
  assert.equal((await bench(['--help'])).code, 0)
})

test('a folder that cannot be written is told in one line, before anything is measured or installed', async () => {
  for (const flags of [[], ['--with-ray']]) {
    const { code, stdout, stderr } = await bench(['tasks', '--quick', '--out', MAIN, ...flags], { PATH: '' })
    assert.equal(code, 1)
    assert.match(stderr, /^bench: .*main\.js cannot be written.*npm run bench -- --out FOLDER.*\n$/)
    assert.doesNotMatch(stdout, /no-op/)
  }
})

test('a signal ends the bench and what it began', { skip: noSignals }, async () => {
  const child = spawn(process.execPath, [MAIN, 'tasks', '--quick'])
  await once(child.stdout, 'data')
  child.kill('SIGTERM')
  const [code] = await once(child, 'close')
  assert.equal(code, 128 + 15)
})

test('--with-ray without Python says what it needs', async (t) => {
  const cache = mkdtempSync(join(tmpdir(), 'rayito-bench-'))
  t.after(() => rmSync(cache, { recursive: true, force: true }))
  const { code, stderr } = await bench(['tasks', '--with-ray', '--out', cache], { PATH: cache, RAYITO_CACHE: cache })
  assert.equal(code, 1)
  assert.match(stderr, /^bench: --with-ray needs Python 3\.10 to 3\.13, found none.*leave --with-ray out.*\n$/)
})

test('--readme without figures says that they are missing, and of a file without any that it holds none', async (t) => {
  const out = mkdtempSync(join(tmpdir(), 'rayito-bench-'))
  t.after(() => rmSync(out, { recursive: true, force: true }))
  const { code, stderr } = await bench(['--readme', '--out', out])
  assert.equal(code, 1)
  assert.match(stderr, /^bench: There is no .*bench\.json.*npm run bench.*\n$/)
  for (const text of ['', '{"rows":', '{}', '[]']) {
    writeFileSync(join(out, 'bench.json'), text)
    const { code, stderr } = await bench(['--readme', '--out', out])
    assert.equal(code, 1)
    assert.match(stderr, /^bench: .*bench\.json holds no figures.*npm run bench.*\n$/)
  }
})

test('without model and data set the bench says why it cannot measure', async (t) => {
  const cache = mkdtempSync(join(tmpdir(), 'rayito-bench-'))
  t.after(() => rmSync(cache, { recursive: true, force: true }))
  const nowhere = {
    HF_ENDPOINT: 'http://127.0.0.1:9',
    HF_HOME: cache,
    HF_HUB_CACHE: '',
    HF_HUB_OFFLINE: '1',
    RAYITO_CACHE: cache,
  }
  const { code, stderr } = await bench(['actors', '--quick', '--out', cache], nowhere)
  assert.equal(code, 1)
  assert.match(stderr, /^bench: .*HF_HUB_OFFLINE.*$/m)
})

test('a quick run of the tasks leaves a table, a chart and figures', async (t) => {
  const out = mkdtempSync(join(tmpdir(), 'rayito-bench-'))
  t.after(() => rmSync(out, { recursive: true, force: true }))
  // another's cluster is not what is measured
  const elsewhere = { RAY_ADDRESS: 'nats://127.0.0.1:9' }
  const { code, stdout, stderr } = await bench(['tasks', '--quick', '--repetitions', '1', '--out', out], elsewhere)
  assert.equal(code, 0, stderr)
  for (const line of stdout.split('\nFigures')[0]!.split('\n')) assert.ok(line.length <= 80, line)
  const { rows, machine, made } = JSON.parse(readFileSync(join(out, 'bench.json'), 'utf8')) as {
    rows: Row[]
    machine: object
    made: string
  }
  assert.deepEqual(
    rows.map(({ id }) => id),
    [
      'tasks.no-op',
      'tasks.picture',
      'tasks.actor-calls',
      'tasks.task-round-trip',
      'tasks.round-trip',
      'tasks.put-get-first',
      'tasks.put-get',
      'tasks.put-get-kept',
      'tasks.put-get-shared',
      'tasks.create-kill',
      'tasks.timeline',
      'tasks.timeline-parts',
    ],
  )
  assert.ok(Date.parse(made) > 0)
  assert.deepEqual(Object.keys(machine), ['cpu', 'cores', 'memoryGB', 'node', 'platform'])
  for (const { ours, spread, peers } of rows) {
    for (const value of [ours, spread]) assert.ok(Number.isFinite(value))
    for (const peer of Object.values(peers)) assert.ok(Number.isFinite(peer.value) && Number.isFinite(peer.ratio))
  }
  const [noOp] = rows as [Row]
  assert.deepEqual(Object.keys(noOp.peers), ['workerpool', 'piscina', 'tinypool', 'postMessage'])
  assert.ok(Number.isFinite(noOp.limit) && Number.isFinite(noOp.ratio))
  assert.match(readFileSync(join(out, 'bench-tasks.svg'), 'utf8'), /^<svg [\s\S]*<\/svg>\n$/)
})
