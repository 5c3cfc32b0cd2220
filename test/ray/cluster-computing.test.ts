import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { Bus } from '#src/ray/engines/nats/bus.js'
import { BEAT, DRIVER_PATIENCE, LEASES } from '#src/ray/engines/nats/subjects.js'
import { clusterMissing, Server, WorkerProcess } from './cluster.js'
import { latch, letGo, started } from './helpers.js'
import { scripts } from './programs.js'

const skip = clusterMissing()
const folder = mkdtempSync(join(tmpdir(), 'rayito-computing-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const config = join(folder, 'server.conf')
// It closes the connection of whoever leaves two pings unanswered.
writeFileSync(config, 'ping_interval: "1s", ping_max: 2')

describe('a driver that computes for longer than it may be silent', {
  ...(skip && { skip }),
  concurrency: true,
}, () => {
  const run = scripts(`
    import { Counter, add } from ${JSON.stringify(import.meta.resolve('./functions.js'))}
    import { arrive, holdUntil, isOpen } from ${JSON.stringify(import.meta.resolve('./latch.js'))}`)
  const cases = {
    'finds its actors and its tasks as it left them': [],
    'finds them, too, where the server has closed its connection meanwhile': ['--config', config],
  }
  for (const [what, options] of Object.entries(cases))
    test(what, async (t) => {
      const server = await Server.start(options)
      t.after(() => server.end())
      const worker = await WorkerProcess.start(server.address, { name: 'node', numCpus: 2 })
      t.after(() => worker.end())
      const bus = await Bus.open(server.address, 'test')
      t.after(() => bus.close())
      const [computes, goesOn] = [latch(), latch()]
      const program = run(`
        await ray.init({ address: ${JSON.stringify(server.address)} })
        const counter = Counter.remote(1)
        await ray.get(counter.add.remote(1))
        const sum = add.remote(1, 2)
        arrive(${JSON.stringify(computes)})
        holdUntil(() => isOpen(${JSON.stringify(goesOn)}))
        console.log(await ray.get(sum), await ray.get(counter.add.remote(1)))
        await ray.shutdown()`)
      await started(computes)
      const began = performance.now()
      // Others still hear of it when they would have given it up.
      await new Promise<void>((resolve) => {
        bus.subscribe(`$KV.${LEASES}.driver.*`, () => {
          if (performance.now() - began > DRIVER_PATIENCE + 3 * BEAT) resolve()
        })
        // Nobody does, where it was given up.
        worker.child.stdout!.on('data', (text) => /was lost/.test(String(text)) && resolve())
        worker.child.stderr!.on('data', (text) => /was lost/.test(String(text)) && resolve())
      })
      letGo(goesOn)
      const { code, stdout, stderr } = await program
      assert.deepEqual([code, stdout], [0, '3 3\n'], stderr)
    })
})
