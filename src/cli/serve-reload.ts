import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { watch } from 'node:fs'
import { dirname, extname } from 'node:path'
import { findModule } from './serve-application.js'

/** Milliseconds of quiet after a change: editors and compilers write several files. */
const QUIET = 200

/**
 * Runs the same command without --reload in a process of its own, and again whenever a file beside the application (or
 * below it) changes. A process of its own, since modules that were imported stay.
 */
export async function reloading(path: string): Promise<void> {
  const folder = dirname(findModule(path.slice(0, path.lastIndexOf(':'))))
  const args = process.argv.slice(1).filter((arg) => arg !== '--reload')
  let stopping = false
  let changed = false
  let timer: NodeJS.Timeout | undefined
  let child: ChildProcess
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      stopping = true
      child.kill(signal)
    })
  const watcher = watch(folder, { recursive: true }, (_event, file) => {
    if (!file || !['.js', '.mjs', '.cjs', '.ts', '.mts', '.json'].includes(extname(file))) return
    if (/(^|[\\/])node_modules[\\/]/.test(file)) return
    clearTimeout(timer)
    timer = setTimeout(() => {
      changed = true
      child.kill('SIGTERM')
      waiting?.()
    }, QUIET)
  })
  let waiting: (() => void) | null = null
  while (!stopping) {
    changed = false
    child = spawn(process.execPath, [...process.execArgv, ...args], { stdio: 'inherit' })
    const [code] = (await once(child, 'exit')) as [number | null]
    if (stopping) process.exitCode = code ?? 1
    // One that failed waits for the next change.
    else if (!changed && code !== 0) await new Promise<void>((resolve) => (waiting = resolve))
    else if (!changed) break
    waiting = null
  }
  clearTimeout(timer)
  watcher.close()
}
