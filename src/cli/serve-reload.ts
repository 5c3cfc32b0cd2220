import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, type FSWatcher, watch } from 'node:fs'
import { dirname, extname } from 'node:path'
import { findModule, split } from './serve-application.js'

/** Milliseconds of quiet after a change: editors and compilers write several files. */
const QUIET = 200

/** No part of the application, and often more folders than the system watches. */
const INSTALLED = /(^|[\\/])node_modules([\\/]|$)/

/** What to do where the system watches no more. */
const REMEDIES: Record<string, string> = {
  ENOSPC: 'Raise fs.inotify.max_user_watches (sysctl).',
  EMFILE: 'Raise fs.inotify.max_user_instances (sysctl), or the limit of open files (ulimit -n).',
}

/**
 * Runs the same command without --reload in a process of its own, and again whenever a file beside the application (or
 * below it) changes. A process of its own, since modules that were imported stay.
 */
export async function reloading(path: string): Promise<void> {
  const [module] = split(path)
  const folder = dirname(findModule(module))
  const args = process.argv.slice(1).filter((arg) => arg !== '--reload')
  let stopping = false
  let changed = false
  let timer: NodeJS.Timeout | undefined
  let child: ChildProcess
  let waiting: (() => void) | null = null
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      stopping = true
      // A terminal sends Ctrl-C, and its end, to both of us: a second one would not wait.
      if (signal === 'SIGTERM' || !process.stdin.isTTY) child.kill(signal)
      waiting?.()
    })
  const watcher = new FolderWatcher(folder, () => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      changed = true
      child.kill('SIGTERM')
      waiting?.()
    }, QUIET)
  })
  while (!stopping) {
    changed = false
    watcher.begin()
    child = spawn(process.execPath, [...process.execArgv, ...args], { stdio: 'inherit' })
    const [code] = (await once(child, 'exit')) as [number | null]
    if (stopping) process.exitCode = code ?? 1
    // One that failed waits for the next change.
    else if (!changed && code !== 0 && !watcher.blind) await new Promise<void>((resolve) => (waiting = resolve))
    else if (!changed) {
      process.exitCode = code ?? 1
      break
    }
    waiting = null
  }
  clearTimeout(timer)
  watcher.close()
}

/** Hears of changes to the programs in a folder, also when the folder is removed and made again, as builds do. */
class FolderWatcher {
  #watcher: FSWatcher | null = null
  #timer: NodeJS.Timeout | undefined
  /** It cannot be watched, or not all of it, which was said. */
  blind = false

  constructor(
    private readonly folder: string,
    private readonly changed: () => void,
  ) {}

  /** Looks anew: the folder of this name may be another one by now, of which a watcher hears nothing. */
  begin(): void {
    this.close()
    try {
      // Older Nodes know no `ignore`.
      const options = { recursive: true, ignore: [INSTALLED] }
      this.#watcher = watch(this.folder, options, (_event, file) => {
        if (file && isProgram(file)) this.changed()
      })
      this.#watcher.on('error', (error) => this.#failed(error))
    } catch (error) {
      this.#failed(error as Error)
    }
  }

  /** A folder that is gone, for which Windows has another word, will be there again. */
  #failed({ code = '', message }: NodeJS.ErrnoException): void {
    if (code === 'ENOENT' || code === 'EPERM' || !existsSync(this.folder)) return this.#wait()
    const remedy = REMEDIES[code] ?? 'Start it again to see them.'
    if (!this.blind) process.stderr.write(`rayito: --reload may miss changes: ${message}. ${remedy}\n`)
    this.blind = true
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#watcher?.close()
    this.#watcher = null
  }

  /** Until the folder is there again. */
  #wait(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      if (!existsSync(this.folder)) return this.#wait()
      this.begin()
      this.changed()
    }, QUIET)
  }
}

function isProgram(file: string): boolean {
  return ['.js', '.mjs', '.cjs', '.ts', '.mts', '.json'].includes(extname(file)) && !INSTALLED.test(file)
}
