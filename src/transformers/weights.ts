import { fork } from 'node:child_process'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { InferenceSession } from 'onnxruntime-node'
import { childEnv } from '../core/child-env.js'
import { RayitoError } from '../core/errors.js'
import { native } from '../core/gate.js'
import { withLock } from '../core/lock.js'
import { packageFile } from '../core/package-file.js'
import { makePlan } from './make-plan.js'
import type { ModelFiles } from './model-files.js'
import { createSession, modelSource, refusal } from './model-source.js'
import type { Plan } from './plan.js'
import { fromFailure } from './thread-protocol.js'
import type { BuildOrder, BuildResult } from './weights-builder.js'
import { GRAPH, readEntry } from './weights-entry.js'
import { type Place, placeOf } from './weights-place.js'

type Runtime = typeof import('onnxruntime-node')
type SessionOptions = InferenceSession.SessionOptions
/** Without a plan of all buffers beforehand a session is a quarter smaller (measured on ViT-Base) and as fast. */
const SMALL: SessionOptions = { enableMemPattern: false }

/** A model ready to run. */
export interface Loaded {
  plan: Plan
  session: InferenceSession
}

/**
 * Loads a model on weights that were optimised once and are mapped by every session of every process. Where they cannot be
 * kept, `note` is told, and the session has its own.
 */
export async function loadWeights(
  runtime: Runtime,
  files: ModelFiles,
  numThreads: number,
  note: (line: string) => void,
): Promise<Loaded> {
  const place = await placeOf(files, runtime.env.versions.node ?? runtime.env.versions.common)
  const folder = join(place.root, place.name)
  for (let attempt = 0; attempt < 2; attempt++) {
    const plan = (await readEntry(folder)) ?? (await build(files, place, note))
    if (!plan) break
    try {
      const options: SessionOptions = { ...SMALL, intraOpNumThreads: numThreads, graphOptimizationLevel: 'disabled' }
      return { plan, session: await createSession(runtime, { model: join(folder, GRAPH) }, options) }
    } catch {
      // sound by its hashes and yet refused: made anew, once
      await rm(folder, { recursive: true, force: true }).catch(() => {})
    }
  }
  return loadPlain(runtime, files, numThreads)
}

async function loadPlain(runtime: Runtime, files: ModelFiles, numThreads: number): Promise<Loaded> {
  const plan = await native(() => makePlan(files.folder, files.model))
  const source = await modelSource(runtime, files)
  const session = await createSession(runtime, source, { ...SMALL, intraOpNumThreads: numThreads }).catch(
    (cause: Error) => {
      throw refusal(files, 'load', cause)
    },
  )
  return { plan, session }
}

const noted = new Set<string>()

/** Makes the entry, once for all threads and processes that ask at the same time; null where it cannot be made. */
async function build(files: ModelFiles, place: Place, note: (line: string) => void): Promise<Plan | null> {
  const folder = join(place.root, place.name)
  try {
    await mkdir(place.root, { recursive: true })
    return await withLock(`${folder}.lock`, async () => {
      const made = await readEntry(folder)
      if (made) return made
      note(`Optimising ${files.model} (${files.dtype}) for this processor, once.`)
      await rm(folder, { recursive: true, force: true, maxRetries: 5 })
      await runBuilder({ files, place })
      return await readEntry(folder)
    })
  } catch (error) {
    if (error instanceof RayitoError) throw error
    const line = `The weights of ${files.model} cannot be kept in ${place.root} (${(error as Error).message}): each session has its own.`
    if (!noted.has(line)) note(line)
    noted.add(line)
    return null
  }
}

function runBuilder(order: BuildOrder): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = fork(packageFile('transformers/weights-builder.js'), {
      env: childEnv(),
      execArgv: [],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    let said = ''
    let result: BuildResult | undefined
    child.stderr?.on('data', (data: Buffer) => {
      said = (said + data.toString()).slice(-2000)
    })
    child.on('message', (message: BuildResult) => {
      result = message
    })
    child.on('error', reject)
    child.on('close', (code, signal) => {
      if (result?.kind === 'built') resolve()
      else if (result) reject(fromFailure(result.failure))
      else
        reject(new Error(`the program that makes them ended with ${signal ?? code}: ${said.trim().split('\n').at(-1)}`))
    })
    child.send(order)
  })
}
