import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import type { HubOptions, Repo } from '#src/hub/index.js'
import { type Files, HubStandIn } from '../stand-ins/hub.js'

/** Bytes that no compression and no chance repeats. */
export function noise(size: number, seed = 'rayito'): Uint8Array {
  const blocks: Buffer[] = []
  for (let block = 0; block * 32 < size; block++) blocks.push(createHash('sha256').update(`${seed} ${block}`).digest())
  return Buffer.concat(blocks).subarray(0, size)
}

export const LARGE = noise(300_000)
export const FILES: Files = {
  'README.md': 'hello\n',
  'config.json': '{}',
  'data/train.parquet': LARGE,
  'data/valid.parquet': noise(20_000, 'valid'),
}
export const DATASET: Repo = { type: 'dataset', id: 'owner/pictures' }

export function temporary(t: TestContext): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'rayito-hub-')))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Sets variables of the environment until the test ends; undefined takes one out. */
export function setEnvironment(t: TestContext, variables: Record<string, string | undefined>): void {
  const assign = (values: Record<string, string | undefined>) => {
    for (const [name, value] of Object.entries(values)) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
  const before = Object.fromEntries(Object.keys(variables).map((name) => [name, process.env[name]]))
  t.after(() => assign(before))
  assign(variables)
}

/** Takes what a notebook would show, until the test ends. */
export function notebook(t: TestContext): { html: string[]; shown(what: RegExp): Promise<void> } {
  const html: string[] = []
  const seen = new EventEmitter()
  const display = { html: (text: string) => seen.emit('shown', html.push(text)) }
  // As tslab leaves it in the global scope.
  const scope = globalThis as { __tslab__?: unknown }
  scope.__tslab__ = { exports: {}, require: () => ({ display, newDisplay: () => display }) }
  t.after(() => {
    delete scope.__tslab__
  })
  const shown = async (what: RegExp) => {
    while (!html.some((text) => what.test(text))) await once(seen, 'shown')
  }
  return { html, shown }
}

/** A stand-in Hub with one data set, and options for it with an empty cache and short waits. */
export async function setup(
  t: TestContext,
  files: Files = FILES,
): Promise<{ hub: HubStandIn; options: HubOptions & { cacheDir: string } }> {
  const hub = await HubStandIn.start({ 'datasets/owner/pictures': files })
  t.after(() => hub.close())
  const cacheDir = join(temporary(t), 'hub')
  return { hub, options: { endpoint: hub.endpoint, cacheDir, progress: false, retryDelay: 1, token: '' } }
}

/** What a process or thread of `fetcher.ts` is to do. */
export interface Errand {
  repo: Repo
  options: HubOptions
  /** What the chosen paths begin with. */
  prefix?: string
}

const FETCHER = new URL('./fetcher.js', import.meta.url)

/** Another process that downloads; ended with the test. */
export function startProcess(
  t: TestContext,
  errand: Errand,
  env: Record<string, string> = {},
): ChildProcess & { result: Promise<Outcome> } {
  const child = spawn(process.execPath, [fileURLToPath(FETCHER), JSON.stringify(errand)], {
    env: { ...process.env, ...env },
  })
  t.after(() => child.kill('SIGKILL'))
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (text) => {
    stdout += text
  })
  child.stderr.on('data', (text) => {
    stderr += text
  })
  const result = once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr }))
  return Object.assign(child, { result })
}

export interface Outcome {
  code: number | null
  stdout: string
  stderr: string
}

/** A worker thread of this process that downloads; ended with the test. */
export function startThread(t: TestContext, errand: Errand): Worker {
  const worker = new Worker(FETCHER, { workerData: errand })
  t.after(() => worker.terminate())
  return worker
}
