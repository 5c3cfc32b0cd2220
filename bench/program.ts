import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { RayitoError } from '#src/core/errors.js'
// for the programs too that do not import ours: the reference is to be what ours stands on
import '#src/core/telemetry.js'
import { end, GROUP, owned } from './children.js'
import { watchTree } from './memory.js'
import type { Said } from './report.js'

export interface RunOptions {
  env?: NodeJS.ProcessEnv
  onStep?: (() => void) | undefined
  /** Lets the program's stderr through (the progress of a download). @default false */
  loud?: boolean
}

export interface Outcome<T> {
  value: T
  /** The most memory that the process and those below it had together, in MB; elsewhere than on Linux its own. */
  treeMB: number
  /** The most resident memory that the process had, in MB. */
  ownMB: number
}

/** A program that takes longer hangs; in milliseconds. */
const PATIENCE = 900_000

/**
 * Runs programs/`name` in a fresh process and resolves to what it reported. Rejects with BENCH_FAILED and the last line of
 * its stderr when it ends without a report.
 */
export function runProgram<T>(
  name: string,
  args: object = {},
  { env, onStep, loud = false }: RunOptions = {},
): Promise<Outcome<T>> {
  const file = fileURLToPath(new URL(`./programs/${name}.js`, import.meta.url))
  return new Promise((resolve, reject) => {
    const child = owned(
      fork(file, [JSON.stringify(args)], {
        ...GROUP,
        env: { ...process.env, ...env },
        execArgv: [],
        stdio: ['ignore', 'ignore', loud ? 'inherit' : 'pipe', 'ipc'],
      }),
    )
    const memory = watchTree(child.pid!)
    const limit = setTimeout(() => end(child, 'SIGKILL'), PATIENCE)
    let last: Said | null = null
    let complaint = ''
    child.stderr?.on('data', (text: Buffer) => {
      complaint = (complaint + text.toString()).slice(-4000)
    })
    child.on('message', (said: Said) => {
      if (said.kind === 'step') onStep?.()
      else last = said
    })
    child.on('error', reject)
    child.on('close', (code, signal) => {
      clearTimeout(limit)
      const seen = memory.stop()
      if (last?.kind === 'result' && code === 0) {
        const { value, ownMB } = last
        return resolve({ value: value as T, ownMB, treeMB: seen ?? ownMB })
      }
      const end = `ended with ${signal ?? code}. ${complaint.trim().split('\n').at(-1) ?? ''}`
      const why = last?.kind === 'failed' ? `failed: ${last.message}` : end
      reject(new RayitoError('BENCH_FAILED', `The program ${name} ${why}`))
    })
  })
}
