import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { download, type HubOptions, hubFile, listFiles } from '#src/hub/index.js'
import { DATASET, FILES, setup } from './support.js'

/** A Python that has huggingface_hub: RAYITO_PYTHON, else python3. */
const python = process.env.RAYITO_PYTHON ?? 'python3'
const skip =
  spawnSync(python, ['-c', 'import huggingface_hub']).status !== 0 &&
  `${python} has no huggingface_hub (set RAYITO_PYTHON)`

/** Runs Python over the same cache; what it printed, read as JSON. */
async function run(
  { endpoint, cacheDir }: HubOptions & { cacheDir: string },
  code: string,
  offline = false,
): Promise<unknown> {
  const env = {
    ...process.env,
    HF_ENDPOINT: endpoint,
    HF_HUB_CACHE: cacheDir,
    HF_HUB_OFFLINE: offline ? '1' : '0',
    HF_HUB_DISABLE_XET: '1',
  }
  const { stdout } = await promisify(execFile)(
    python,
    ['-c', `import json\nfrom huggingface_hub import hf_hub_download, scan_cache_dir, snapshot_download\n${code}`],
    {
      env,
    },
  )
  return JSON.parse(stdout)
}

test('Python reads what we wrote, without a network', { skip }, async (t) => {
  const { options } = await setup(t)
  const { commit, folder, files } = await download(DATASET, () => true, options)
  const code = `
path = snapshot_download('owner/pictures', repo_type='dataset')
one = hf_hub_download('owner/pictures', 'data/train.parquet', repo_type='dataset')
info = scan_cache_dir()
[repo] = info.repos
[revision] = repo.revisions
print(json.dumps([path, one, [str(w) for w in info.warnings], repo.repo_id, repo.size_on_disk, sorted(revision.refs), revision.commit_hash, revision.nb_files]))`
  const size = Object.values(FILES).reduce((sum, { length }) => sum + length, 0)
  const expected = [
    folder,
    join(folder, 'data/train.parquet'),
    [],
    'owner/pictures',
    size,
    ['main'],
    commit,
    files.length,
  ]
  assert.deepEqual(await run(options, code, true), expected)
})

test('Python goes on from a part that we downloaded, and we from a part of its', { skip }, async (t) => {
  const { hub, options } = await setup(t)
  const readme = await hubFile(DATASET, 'README.md', options)
  const path = await run(
    options,
    `print(json.dumps(snapshot_download('owner/pictures', repo_type='dataset', allow_patterns='*.json')))`,
  )
  hub.reset()
  const { folder, files } = await download(DATASET, (path) => !path.startsWith('data/'), options)
  assert.deepEqual([folder, files], [path, ['README.md', 'config.json']])
  assert.deepEqual(hub.requests, [])
  assert.equal(await hubFile(DATASET, 'README.md', options), readme)
})

test('we read what Python left: a snapshot, and a single file without a listing', { skip }, async (t) => {
  const { hub, options } = await setup(t)
  const path = await run(options, `print(json.dumps(snapshot_download('owner/pictures', repo_type='dataset')))`)
  hub.reset()
  const offline = { ...options, offline: true }
  const { folder, files } = await download(DATASET, () => true, offline)
  assert.deepEqual([folder, files], [path, Object.keys(FILES)])

  rmSync(options.cacheDir, { recursive: true })
  const one = await run(
    options,
    `print(json.dumps(hf_hub_download('owner/pictures', 'config.json', repo_type='dataset')))`,
  )
  hub.reset()
  assert.equal(await hubFile(DATASET, 'config.json', options), one)
  assert.deepEqual(hub.requests, [])
  assert.deepEqual((await listFiles(DATASET, options)).files.length, 4)
})
