import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** The project's root, from .build/test/embedded. */
export const root = fileURLToPath(new URL('../../..', import.meta.url))
export const shared = process.env.RAYITO_SHARED ?? join(root, '..', 'shared')

/** Kept between runs and shared by all files of one: the pictures are drawn once, by whoever asks first. */
export const commonCache = join(root, '.build', 'cache')

/** Why a test is skipped that needs a file beside the project; false where it is there. */
export const absent = (path: string) => !existsSync(path) && `${path} is not there`

export const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest('hex').slice(0, 16)

export const moduleUrl = (path: string) => pathToFileURL(join(root, 'dist', ...path.split('/'))).href

export interface Running {
  child: ChildProcess
  /** What was written so far. */
  said: { stdout: string; stderr: string }
  ended: Promise<number | null>
}

/** Starts an ES module in a Node of its own. */
export function startProgram(source: string, environment: Record<string, string>): Running {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', source], {
    env: { ...process.env, ...environment },
  })
  const said = { stdout: '', stderr: '' }
  child.stdout.on('data', (data) => {
    said.stdout += data
  })
  child.stderr.on('data', (data) => {
    said.stderr += data
  })
  return { child, said, ended: new Promise((resolve) => child.on('close', resolve)) }
}
