import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { fixture, root, tinyVit } from './fixtures.js'

export interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

const url = (module: string) => JSON.stringify(pathToFileURL(join(root, 'dist', ...module.split('/'))).href)

/** What a program of these tests finds: `pipeline`, `Image`, the tiny model's folder and a picture's path. */
const HEAD = `
import { pipeline } from ${url('transformers/index.js')}
import { Image } from ${url('datasets/image/image.js')}
const model = ${JSON.stringify(tinyVit)}
const picture = ${JSON.stringify(fixture('pictures', 'colour-64x64.png'))}
`

/** Runs an ES module in a Node of its own until it ends. */
export async function runProgram(source: string, environment: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const folder = mkdtempSync(join(tmpdir(), 'rayito-program-'))
  const file = join(folder, 'program.mjs')
  writeFileSync(file, HEAD + source)
  try {
    return await run([file], environment)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The same of one that is typed on the command line. */
export const runTyped = (source: string) => run(['--input-type=module', '--eval', HEAD + source])

function run(args: string[], environment: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { env: { ...process.env, ...environment } })
    const ended: Ended = { code: null, signal: null, stdout: '', stderr: '' }
    child.stdout.on('data', (data) => {
      ended.stdout += data
    })
    child.stderr.on('data', (data) => {
      ended.stderr += data
    })
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ ...ended, code, signal }))
  })
}
