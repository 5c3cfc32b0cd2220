import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Kernel } from '#src/lab/notebook/kernel.js'
import { clusterMissing, natsServer } from '../ray/cluster.js'
import { folderFiles, HubStandIn } from '../stand-ins/hub.js'
import { noSignals } from '../windows.js'
import { temporaryFolder } from './notebook-files.js'
import { root } from './tiny-hub.js'

const model = join(root, 'test', 'fixtures', 'models', 'tiny-vit')
/** In a cell: how many processes run that it has started. */
const CHILDREN = `require('child_process').execFileSync('ps', ['-A', '-o', 'ppid=,args='], { encoding: 'utf8' })
  .split('\\n').filter((line: string) => Number.parseInt(line) === process.pid && /-process\\.js/.test(line)).length`

/** Runs cells in a kernel of their own; one that came too soon after an error again. */
async function cells(t: TestContext, env: NodeJS.ProcessEnv) {
  const kernel = await Kernel.start({ cwd: join(root, 'notebooks'), env: { ...process.env, ...env } })
  t.after(() => kernel.close())
  const run = async (code: string): Promise<{ status: string; text: string }> => {
    let text = ''
    const { status } = await kernel.execute(code, ({ content }) => {
      text += (content.text as string | undefined) ?? ''
    })
    return status === 'aborted' ? run(code) : { status, text }
  }
  return { kernel, run }
}

test('a service whose cell is interrupted while it starts ends; the cell that runs again starts the only one', {
  skip: noSignals,
}, async (t) => {
  const hub = await HubStandIn.start({ 'models/some/vit': folderFiles(model) })
  t.after(() => hub.close())
  hub.faults.hold = 1
  const home = await temporaryFolder()
  const { kernel, run } = await cells(t, {
    HF_ENDPOINT: hub.endpoint,
    HF_HOME: home,
    HF_HUB_CACHE: undefined,
    HF_HUB_OFFLINE: undefined,
    RAYITO_CACHE: home,
    RAYITO_SERVICE: 'http://127.0.0.1:1',
    RAYITO_MODEL: 'some/vit',
  })
  await run(`import { findService, readSettings } from '../dist/lab/index.js'`)
  once(hub, 'held').then(() => kernel.interrupt())
  assert.match((await run(`await findService(readSettings())`)).text, /Interrupted asynchronously/)
  const again = `const service = await findService({ ...readSettings(), model: ${JSON.stringify(model)} })
    console.log(service.runs)
    await service.stop()
    console.log(${CHILDREN})`
  assert.match((await run(again)).text, /^true\n0\n$/m)
})

test('a cluster whose cell is interrupted while it starts ends; the cell that runs again starts the only one', {
  skip: clusterMissing() || noSignals,
}, async (t) => {
  const folder = await temporaryFolder()
  const [slow, begun, go] = ['slow-server', 'begun', 'go'].map((name) => join(folder, name)) as [string, string, string]
  writeFileSync(
    slow,
    `#!/bin/sh
    if [ "$1" != --version ]; then
      echo $$ >> '${begun}'
      while [ ! -e '${go}' ]; do sleep 0.02; done
    fi
    exec '${natsServer()}' "$@"\n`,
  )
  chmodSync(slow, 0o755)
  const { kernel, run } = await cells(t, { NATS_SERVER: slow })
  await run(`import { findCluster } from '../dist/lab/index.js'`)
  const look = setInterval(() => {
    if (!existsSync(begun)) return
    clearInterval(look)
    kernel.interrupt()
  }, 20)
  assert.match((await run(`await findCluster({ address: undefined })`)).text, /Interrupted asynchronously/)
  writeFileSync(go, '')
  const again = `const cluster = await findCluster({ address: undefined })
    console.log(cluster.workers)
    await cluster.stop()
    console.log(${CHILDREN})`
  assert.deepEqual(await run(again), { status: 'ok', text: `[ 'alpha', 'beta' ]\n0\n` })
  const servers = readFileSync(begun, 'utf8').trim().split('\n').map(Number)
  for (const pid of servers) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
})
