import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { DATASET, setup } from './support.js'

/** Runs a look-up in a process of its own; the addresses of all modules that were loaded for it. */
async function modulesOf(options: object): Promise<string[]> {
  const { href } = new URL(import.meta.resolve('#src/hub/index.js'))
  const code = `
    import { Session } from 'node:inspector'
    const session = new Session()
    const urls = []
    session.connect()
    session.on('Debugger.scriptParsed', ({ params }) => urls.push(params.url))
    session.post('Debugger.enable')
    const { hubFile } = await import(${JSON.stringify(href)})
    await hubFile(${JSON.stringify(DATASET)}, 'README.md', ${JSON.stringify(options)})
    process.stdout.write(JSON.stringify(urls))`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code])
  return JSON.parse(stdout)
}

test('a cached look-up loads no client of the Hub', async (t) => {
  const { options } = await setup(t)
  const client = (url: string) => url.includes('@huggingface')
  assert.ok((await modulesOf(options)).some(client), 'the first look-up does')
  assert.deepEqual((await modulesOf(options)).filter(client), [])
})
