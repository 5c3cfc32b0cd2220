import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'

export interface End {
  code: number | null
  signal: string | null
  stdout: string
  stderr: string
}

export interface RunOptions {
  env?: NodeJS.ProcessEnv
  cwd?: string
}

/** Its end, and meanwhile the process itself. */
export type Program = Promise<End> & { pid: number; child: ChildProcess }

/** Runs programs of their own, each in a file of its own, with `ray` imported and `head` before it. */
export function scripts(head = ''): (source: string, options?: RunOptions) => Program {
  const folder = mkdtempSync(join(tmpdir(), 'rayito-program-'))
  after(() => rmSync(folder, { recursive: true, force: true }))
  let count = 0
  return (source, options) => {
    const file = join(folder, `program-${++count}.mjs`)
    writeFileSync(
      file,
      `import { ray } from ${JSON.stringify(import.meta.resolve('#src/ray/index.js'))}\n${head}\n${source}\n`,
    )
    return run(file, options)
  }
}

/** Runs a program to its end. */
export function run(file: string, options: RunOptions = {}): Program {
  const child = spawn(process.execPath, [file], { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (data) => {
    stdout += data
  })
  child.stderr.on('data', (data) => {
    stderr += data
  })
  const end = new Promise<End>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }))
  })
  return Object.assign(end, { pid: child.pid!, child })
}
