import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Exercise1 } from '#src/lab/exercise-1/exercise-file.js'
import { chooseSource } from '#src/lab/index.js'
import { readSettings } from '#src/lab/settings.js'
import { temporary } from '../hub/support.js'
import { root, tinyHub } from '../lab/tiny-hub.js'
import { commonCache } from './support.js'

const RAYITO_CACHE = commonCache
const LINE = /The Hub cannot be reached: using the built-in (pictures and model|pictures|model); the numbers differ/g

let nobody = ''
before(async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  nobody = `http://127.0.0.1:${(server.address() as { port: number }).port}`
  server.close()
})

/** Runs a function of `source-programs.ts` in a process of its own. */
async function run(program: string, env: NodeJS.ProcessEnv): Promise<{ out: string; err: string; code: number }> {
  const script = fileURLToPath(new URL('./source-programs.js', import.meta.url))
  const { HF_HUB_OFFLINE: _, RAYITO_SOURCE: __, HF_HUB_CACHE: ___, ...rest } = process.env
  const child = spawn(process.execPath, [script, program], {
    env: { ...rest, RAYITO_CACHE, HF_ENDPOINT: nobody, ...env },
  })
  let [out, err] = ['', '']
  child.stdout.on('data', (chunk) => (out += chunk))
  child.stderr.on('data', (chunk) => (err += chunk))
  const [code] = (await once(child, 'close')) as [number]
  return { out, err, code }
}

describe('without a Hub', () => {
  test('data set and default model are the built-in ones, and it is said once for each', async (t) => {
    const { out, err, code } = await run('both', { HF_HOME: temporary(t) })
    assert.equal(code, 0, err)
    assert.deepEqual(JSON.parse(out), { rows: 10_000, model: 'rayito/rayito-pictures', answers: 5 })
    assert.deepEqual(
      [...err.matchAll(LINE)].map(([, what]) => what),
      ['pictures', 'model'],
    )
  })

  test('RAYITO_SOURCE=embedded asks nobody and has nothing to excuse', async (t) => {
    const { out, err, code } = await run('both', {
      HF_HOME: temporary(t),
      RAYITO_SOURCE: 'embedded',
      HF_ENDPOINT: 'http://x.invalid',
    })
    assert.equal(code, 0, err)
    assert.deepEqual(JSON.parse(out), { rows: 10_000, model: 'rayito/rayito-pictures', answers: 5 })
    assert.doesNotMatch(err, LINE)
  })

  test('RAYITO_SOURCE=hub is an error that tells the way out, no fallback', async (t) => {
    const { err, code } = await run('both', { HF_HOME: temporary(t), RAYITO_SOURCE: 'hub' })
    assert.equal(code, 1)
    assert.match(err, /^HUB_UNREACHABLE .*RAYITO_SOURCE=embedded/m)
    assert.doesNotMatch(err, LINE)
  })

  test('another data set and a model that was named are errors, no fallback', async (t) => {
    for (const source of ['auto', 'embedded'])
      for (const program of ['otherDataset', 'otherModel']) {
        const { err, code } = await run(program, { HF_HOME: temporary(t), RAYITO_SOURCE: source })
        assert.equal(code, 1, `${program} ${source}`)
        assert.match(err, source === 'auto' ? /^HUB_UNREACHABLE / : /^(DATASET_NOT_FOUND|MODEL_INVALID) .*built-in/)
      }
  })

  test('actors take the side that their driver took, and say nothing', async (t) => {
    const { out, err, code } = await run('actor', { HF_HOME: temporary(t) })
    assert.equal(code, 0, err)
    assert.deepEqual(JSON.parse(out), { same: true })
    assert.equal([...err.matchAll(LINE)].length, 2)
  })
})

test('the exercise takes both from one side: with the data set alone in the cache, neither is from the Hub', async (t) => {
  const hub = await tinyHub()
  t.after(() => hub.close())
  const env = { HF_ENDPOINT: hub.env.HF_ENDPOINT!, HF_HOME: hub.env.HF_HOME! }
  const online = await run('chosen', env)
  assert.deepEqual(JSON.parse(online.out), { source: 'hub', dataset: 'Maysee/tiny-imagenet' })
  assert.equal((await run('onlyDataset', env)).code, 0)
  const offline = await run('chosen', { ...env, HF_HUB_OFFLINE: '1' })
  assert.deepEqual(JSON.parse(offline.out), {
    source: 'embedded',
    dataset: 'rayito/tiny-pictures',
    model: 'rayito/rayito-pictures',
  })
  assert.match(offline.err, /using the built-in pictures and model/)
})

describe('rayito start', () => {
  function start(
    cwd: string,
    ...args: string[]
  ): { child: ChildProcess; ended: Promise<{ code: number; out: string; err: string }> } {
    const { HF_HUB_OFFLINE: _, RAYITO_SOURCE: __, HF_HUB_CACHE: ___, ...rest } = process.env
    const child = spawn(
      process.execPath,
      [join(root, 'dist', 'cli', 'main.js'), 'start', '--notebook', '1', '--images', '2', ...args],
      { cwd, env: { ...rest, RAYITO_CACHE, HF_ENDPOINT: nobody, HF_HOME: join(cwd, 'hf') } },
    )
    let out = ''
    let err = ''
    child.stdout.on('data', (chunk) => (out += chunk))
    child.stderr.on('data', (chunk) => (err += chunk))
    return { child, ended: once(child, 'close').then(([code]) => ({ code: code as number, out, err })) }
  }

  test('tells it in the terminal as soon as it is known', async (t) => {
    const { child, ended } = start(temporary(t))
    // below the cell that decided, while the rest still runs
    let out = ''
    for await (const chunk of child.stdout!) {
      out += chunk
      if (/ ✓ +\d+\/\d+ .*\n {3}The Hub cannot be reached.*\n ✓ +\d+\//.test(out)) break
    }
    child.kill()
    await ended
    assert.equal([...out.matchAll(LINE)].length, 1, out)
  })

  test('says nothing of it to whoever asked for what is built in, and runs the versions that were chosen', async (t) => {
    const cwd = temporary(t)
    const { code, out, err } = await start(cwd, '--source', 'embedded', '--versions', 'c1').ended
    assert.equal(code, 0, err + out)
    assert.doesNotMatch(out, LINE)
    const { versions } = JSON.parse(readFileSync(join(cwd, 'out', 'exercise-1.json'), 'utf8')) as Exercise1
    assert.deepEqual(
      versions.map(({ name }) => name),
      ['C1'],
    )
    assert.match(out.replace(/\s+/g, ' '), /Only version C1/)
  })
})

test('a model that was named stays', async () => {
  const settings = await chooseSource(readSettings({ RAYITO_SOURCE: 'embedded', RAYITO_MODEL: './here' }))
  assert.deepEqual([settings.dataset, settings.model], ['rayito/tiny-pictures', './here'])
})
