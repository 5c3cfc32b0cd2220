/** A program that downloads and says what it has: a process of its own, or a worker thread. */
import { parentPort, workerData } from 'node:worker_threads'
import { download } from '#src/hub/index.js'
import type { Errand } from './support.js'

const { repo, options, prefix = '' } = (workerData ?? JSON.parse(process.argv[2]!)) as Errand
try {
  const snapshot = await download(repo, (path) => path.startsWith(prefix), options)
  if (parentPort) parentPort.postMessage(snapshot)
  else process.stdout.write(JSON.stringify(snapshot))
} catch (error) {
  const { code, message } = error as Error & { code: string }
  if (parentPort) parentPort.postMessage({ code, message })
  else process.stdout.write(JSON.stringify({ code, message }))
  process.exitCode = 1
}
