import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { download, type HubOptions, hubFile, listFiles, type Repo } from '#src/hub/index.js'
import { temporary } from './support.js'

/** Another stand-in of the Hub, written by others, with real files: our understanding of the Hub is not only our own. */
const shared = process.env.RAYITO_SHARED ?? fileURLToPath(new URL('../../../../shared', import.meta.url))
const program = join(shared, 'hub/serve.mjs')
const made = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'hub-stand-in')
const skip =
  (!existsSync(program) && '../shared is not there') ||
  (!existsSync(made) && 'the stand-in is empty: python3 ../shared/hub/make.py')
const TINY: Repo = { type: 'dataset', id: 'Maysee/tiny-imagenet' }
const LITE: Repo = { type: 'model', id: 'lab/efficientnet-lite0' }

async function serve(
  t: TestContext,
  ...faults: string[]
): Promise<{ options: HubOptions; log(): Promise<{ url: string; range?: string }[]> }> {
  const child = spawn(process.execPath, [program, '--port', '0', ...faults], { stdio: ['ignore', 'pipe', 'ignore'] })
  t.after(() => child.kill())
  const [line] = await once(createInterface(child.stdout), 'line')
  const endpoint = /HF_ENDPOINT=(\S+)/.exec(line)![1]!
  const log = async () => (await fetch(`${endpoint}/__log`)).json() as Promise<{ url: string; range?: string }[]>
  return { options: { endpoint, cacheDir: join(temporary(t), 'hub'), progress: false, retryDelay: 1 }, log }
}

test('the data set arrives, and a second time no request is made', { skip }, async (t) => {
  const { options, log } = await serve(t)
  const { files } = await download(TINY, (path) => path.endsWith('.parquet'), options)
  assert.deepEqual(
    files.map((path) => path.replace(/-[0-9a-f]{16}/, '')),
    ['data/train-00000-of-00001.parquet', 'data/valid-00000-of-00001.parquet'],
  )
  const before = (await log()).length
  await download(TINY, (path) => path.endsWith('.parquet'), options)
  assert.equal((await log()).length, before)
})

test('a cut download of a model continues', { skip }, async (t) => {
  const { options, log } = await serve(t, '--cut', '2')
  assert.ok(await hubFile(LITE, 'onnx/model.onnx', options))
  const ranges = (await log()).filter(({ url }) => url.startsWith('/cdn/')).map(({ range }) => range)
  assert.equal(ranges.length, 3)
  assert.match(ranges[2]!, /^bytes=[1-9]\d+-$/)
})

test('a busy, failing, gated, missing or corrupting Hub', { skip }, async (t) => {
  const busy = await serve(t, '--busy', '1', '--error', '2')
  assert.ok((await listFiles(LITE, busy.options)).files.length > 2)
  const gated = await serve(t, '--gated')
  await assert.rejects(listFiles(LITE, { ...gated.options, token: '' }), { code: 'HUB_GATED' })
  assert.ok(await hubFile(LITE, 'config.json', { ...gated.options, token: 'hf_test' }))
  const missing = await serve(t, '--missing')
  await assert.rejects(listFiles(LITE, { ...missing.options, token: '' }), { code: 'HUB_REPO_NOT_FOUND' })
  const wrong = await serve(t, '--wrong')
  await assert.rejects(hubFile(LITE, 'onnx/model.onnx', wrong.options), { code: 'HUB_CHECKSUM' })
  const ignorant = await serve(t, '--norange', '--cut', '1')
  assert.ok(await hubFile(LITE, 'onnx/model.onnx', ignorant.options))
})

test('a Hub that falls silent is given up', { skip }, async (t) => {
  const { options } = await serve(t, '--stall')
  await assert.rejects(hubFile(LITE, 'onnx/model.onnx', { ...options, idleTimeout: 50, retries: 1 }), {
    code: 'HUB_UNREACHABLE',
  })
})
