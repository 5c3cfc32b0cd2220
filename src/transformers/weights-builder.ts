/**
 * The program that makes an entry of the weights cache, in a process of its own: onnxruntime holds its thread and twice
 * the model's memory meanwhile, which the process's end gives back, and ending it half-way harms nobody.
 */
import { randomUUID } from 'node:crypto'
import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import * as runtime from 'onnxruntime-node'
import { rename } from '../core/rename.js'
import { smaller } from './first-token-check.js'
import { makePlan } from './make-plan.js'
import type { ModelFiles } from './model-files.js'
import { createSession, modelSource, reason, refusal, type Source } from './model-source.js'
import type { Plan } from './plan.js'
import { type Failure, toFailure } from './thread-protocol.js'
import { alignWeights } from './weights-align.js'
import { DATA, GRAPH, seal } from './weights-entry.js'
import type { Place } from './weights-place.js'

/** What the program is sent. */
export interface BuildOrder {
  files: ModelFiles
  place: Place
}

/** What it answers. */
export type BuildResult = { kind: 'built' } | { kind: 'failed'; failure: Failure }

/** Drafts of builders that were ended are older than this, in milliseconds. */
const ABANDONED = 3_600_000

async function build({ files, place }: BuildOrder): Promise<void> {
  await removeDrafts(place)
  const draft = join(place.root, `.${place.name}.${randomUUID().slice(0, 8)}`)
  await mkdir(draft, { recursive: true })
  try {
    const plan = await makePlan(files.folder, files.model)
    const source = await modelSource(runtime, files)
    if (!(await optimiseSmaller(files, source, plan, draft))) await optimise(files, source, draft)
    await seal(draft, plan)
    // where another was faster, its entry is as good
    await rename(draft, join(place.root, place.name)).catch(() => {})
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
  await removeOld(place)
}

/**
 * The same of the model without what is computed for nobody. False, and nothing written, where it gives nothing or does
 * not answer as the whole model does.
 */
async function optimiseSmaller(files: ModelFiles, source: Source, plan: Plan, folder: string): Promise<boolean> {
  try {
    const found = await smaller(runtime, source, files.dtype, plan)
    if (!found) return false
    const session = await optimise(files, { model: found.model }, folder)
    const agrees = await found.agrees(session)
    await session.release()
    if (agrees) return true
  } catch {
    // what is wrong with the model or the disk is said of the whole one
  }
  for (const name of await readdir(folder)) await remove(join(folder, name))
  return false
}

/**
 * Optimises the graph for this processor and writes it with its weights beside it, laid out as the kernels want them, so
 * that sessions map them instead of holding copies.
 */
async function optimise(files: ModelFiles, source: Source, folder: string): Promise<runtime.InferenceSession> {
  const options = {
    graphOptimizationLevel: 'all',
    optimizedModelFilePath: join(folder, GRAPH),
    // it warns that the result fits this processor only, which the cache knows
    logSeverityLevel: 3,
    extra: {
      session: {
        optimized_model_external_initializers_file_name: DATA,
        optimized_model_external_initializers_min_size_in_bytes: '1024',
        save_external_prepacked_constant_initializers: '1',
      },
    },
  } as const
  const session = await createSession(runtime, source, options).catch(async (cause: Error) => {
    // a full disk and a bad model fail alike; only a bad one fails without writing, too
    await createSession(runtime, source, {}).catch((why: Error) => {
      throw refusal(files, 'load', why)
    })
    throw new Error(reason(cause), { cause })
  })
  await alignWeights(folder)
  return session
}

/** Removes drafts that nobody finishes: of this entry, since only the lock's holder builds it, and old ones of its like. */
async function removeDrafts({ root, prefix, name }: Place): Promise<void> {
  for (const other of await readdir(root)) {
    if (!other.startsWith(`.${prefix}`)) continue
    const made = (await stat(join(root, other)).catch(() => null))?.mtimeMs ?? 0
    if (other.startsWith(`.${name}.`) || made < Date.now() - ABANDONED) await remove(join(root, other))
  }
}

/** Removes the entries that this one replaces. */
async function removeOld({ root, prefix, name }: Place): Promise<void> {
  for (const other of await readdir(root)) {
    if (other.startsWith(prefix) && !other.startsWith(name)) await remove(join(root, other))
  }
}

const remove = (path: string) => rm(path, { recursive: true, force: true }).catch(() => {})

process.once('message', (order: BuildOrder) => {
  const answer = (result: BuildResult) => process.send?.(result, () => process.disconnect?.())
  build(order).then(
    () => answer({ kind: 'built' }),
    (error: unknown) => answer({ kind: 'failed', failure: toFailure(error) }),
  )
})
