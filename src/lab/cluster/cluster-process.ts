import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Node } from '../../ray/engines/nats/node/node.js'
import { Head } from '../../ray/engines/nats/server/head.js'

/*
 * A head or a worker of a notebook's own cluster, in a process of its own: what `rayito start --head` and `rayito worker`
 * are in a terminal. It ends with its parent, however that ends.
 */

/** What it is to be: the first argument, as JSON. */
export type ClusterPart = { part: 'head' } | { part: 'worker'; address: string; name: string; numCpus: number }

/** What it tells once it is there. */
export type ClusterMessage = { address: string } | { error: { code: string; message: string } }

/** An interrupt is meant for the notebook's cell; a terminal sends it to all processes. */
process.on('SIGINT', () => {})

/** With `told`, whatever comes of it: without one a parent that has gone would be an error, and the server would stay behind. */
function tell(message: ClusterMessage, told = () => {}): void {
  process.send?.(message, told)
}

async function head(): Promise<() => Promise<void>> {
  const data = mkdtempSync(join(tmpdir(), 'rayito-head-'))
  const server = await Head.start({ host: '127.0.0.1', port: 0, data })
  tell({ address: server.address })
  return async () => {
    server.stop()
    await server.ended
    rmSync(data, { recursive: true, force: true, maxRetries: 5 })
  }
}

async function worker({ address, name, numCpus }: ClusterPart & { part: 'worker' }): Promise<() => Promise<void>> {
  const node = await Node.join({ address, name, numCpus })
  tell({ address })
  return () => node.leave()
}

// It may have been left while the modules were loaded.
if (!process.connected) process.exit()
const part = JSON.parse(process.argv[2]!) as ClusterPart
const orphaned = new Promise((resolve) => process.once('disconnect', resolve))
const told = new Promise((resolve) => process.once('SIGTERM', resolve))

void (part.part === 'head' ? head() : worker(part)).then(
  async (end) => {
    await Promise.race([orphaned, told])
    // Should it not come to an end by itself.
    setTimeout(() => process.exit(1), 10_000).unref()
    await end()
    process.exit(0)
  },
  ({ code, message }) => {
    tell({ error: { code, message } }, () => process.exit(1))
  },
)
