import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ownCache } from './fixtures.js'
import { runProgram } from './programs.js'

const { folder: cache } = ownCache()

test('onnxruntime sends no reports of its use and leaves no number of the machine behind', async (t) => {
  const home = mkdtempSync(join(tmpdir(), 'rayito-home-'))
  t.after(() => rmSync(home, { recursive: true, force: true }))
  const places = {
    ...{ HOME: home, USERPROFILE: home, LOCALAPPDATA: home, TMPDIR: home, TEMP: home, TMP: home },
    ...{ XDG_CACHE_HOME: undefined, RAYITO_CACHE: cache },
  }
  const { code, stderr } = await runProgram(
    `const classifier = await pipeline('image-classification', model)
    await classifier(picture)
    await classifier.close()`,
    // what this process has set for itself is not the program's
    { ...places, ORT_DISABLE_TELEMETRY: undefined },
  )
  assert.equal(code, 0, stderr)
  assert.deepEqual(readdirSync(home), [])
})

test('whoever wants them sent says so in the environment', async () => {
  const { stdout } = await runProgram('console.log(process.env.ORT_DISABLE_TELEMETRY)', { ORT_DISABLE_TELEMETRY: '0' })
  assert.equal(stdout, '0\n')
})
