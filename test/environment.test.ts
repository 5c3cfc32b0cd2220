import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { afterEach, describe, test } from 'node:test'
import { loadDataset } from '#src/datasets/index.js'
import { ray } from '#src/ray/index.js'
import { pipeline } from '#src/transformers/index.js'
import { COMMAND } from './ray/cluster.js'

describe('a setting of the environment that is wrong is told by the name of its variable; an option by its own', () => {
  const VARIABLES = ['RAYITO_SOURCE', 'HF_ENDPOINT', 'HF_HUB_DOWNLOAD_TIMEOUT', 'RAY_ADDRESS']
  const before = VARIABLES.map((name) => process.env[name])
  afterEach(() => {
    for (const [i, name] of VARIABLES.entries())
      if (before[i] === undefined) delete process.env[name]
      else process.env[name] = before[i]
  })

  const refused = (call: () => unknown, start: string) =>
    assert.rejects(
      async () => call(),
      ({ code, message }: NodeJS.ErrnoException) => code === 'INVALID_ARGUMENT' && message.startsWith(start),
    )

  test('RAYITO_SOURCE', async () => {
    process.env.RAYITO_SOURCE = 'Hub'
    const what = "to be 'auto', 'hub' or 'embedded', got"
    await refused(() => pipeline('image-classification'), `Expected \`RAYITO_SOURCE\` ${what} \`Hub\``)
    await refused(() => loadDataset('a/b'), `Expected \`RAYITO_SOURCE\` ${what} \`Hub\``)
    await refused(
      () => pipeline('image-classification', undefined, { source: 'Web' as never }),
      `Expected \`source\` ${what} \`Web\``,
    )
  })

  test('HF_ENDPOINT and HF_HUB_DOWNLOAD_TIMEOUT', async () => {
    process.env.HF_ENDPOINT = 'foo'
    const load = (options: object) => loadDataset('a/b', { source: 'hub', ...options })
    await refused(() => load({}), 'Expected `HF_ENDPOINT` to be an http or https address, got `foo`')
    await refused(() => load({ endpoint: 'bar' }), 'Expected `endpoint` to be an http or https address, got `bar`')
    delete process.env.HF_ENDPOINT
    process.env.HF_HUB_DOWNLOAD_TIMEOUT = '-5'
    await refused(() => load({}), 'Expected `HF_HUB_DOWNLOAD_TIMEOUT` to be a number from 0 and up, got `-5`')
    await refused(() => load({ idleTimeout: -7 }), 'Expected `idleTimeout` to be a number from 0 and up, got `-7`')
  })

  test('RAY_ADDRESS', async () => {
    process.env.RAY_ADDRESS = 'foo'
    await refused(() => ray.put(1), 'Expected `RAY_ADDRESS` to be nats://HOST:PORT, got `foo`')
    await refused(() => ray.init(), 'Expected `RAY_ADDRESS` to be nats://HOST:PORT, got `foo`')
    await refused(() => ray.init({ address: 'bar' }), 'Expected `address` to be nats://HOST:PORT, got `bar`')
    const told = (...words: string[]) => spawnSync(process.execPath, [COMMAND, ...words], { encoding: 'utf8' }).stderr
    for (const command of [['status'], ['serve', 'run', 'ray-server:info']]) {
      assert.match(told(...command), /Expected `RAY_ADDRESS` to be nats:\/\/HOST:PORT, got `foo`/)
      assert.match(told(...command, '--address', 'bar'), /Expected `address` to be nats:\/\/HOST:PORT, got `bar`/)
    }
  })
})
