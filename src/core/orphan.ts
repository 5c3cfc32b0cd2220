import { Worker } from 'node:worker_threads'

const CODE = `
const { workerData: { parent, folder } } = require('node:worker_threads')
const orphaned = () => {
  if (process.platform !== 'win32') return process.ppid !== parent
  try { return !process.kill(parent, 0) } catch { return true }
}
setInterval(() => {
  if (!orphaned()) return
  try { if (folder) require('node:fs').rmSync(folder, { recursive: true, force: true }) } catch {}
  process.kill(process.pid, 'SIGKILL')
}, 1_000)`

/**
 * Ends this process within a second when its parent is gone, and removes `folder` before. Code that spins hears of no pipe
 * that closes: a thread of its own looks.
 */
export function endWithParent(parent: number, folder = ''): void {
  new Worker(CODE, {
    eval: true,
    workerData: { parent, folder },
    execArgv: [],
    env: {},
    resourceLimits: { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 2 },
  }).unref()
}
