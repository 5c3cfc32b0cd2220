import { mkdir, readdir, rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { type ErrorCode, RayitoError } from '../core/errors.js'
import { progress } from '../core/progress.js'
import { rename } from '../core/rename.js'
import type { PartResult } from './part-worker.js'
import { readPart } from './parts.js'
import { fileOf, SPLITS, type Split } from './rows.js'
import { SUBJECTS } from './subjects.js'
import { writeTable } from './table.js'

const PER_CLASS = SPLITS.train + SPLITS.valid
/** More threads than this gain little. */
const MOST_WORKERS = 4

/**
 * Makes the picture set in `root`/`name`, which appears when it is whole. What an earlier build had drawn is taken over.
 * To be called by one at a time.
 */
export async function build(root: string, name: string): Promise<void> {
  const parts = join(root, `.${name}.parts`)
  const draft = join(root, `.${name}.draft`)
  await mkdir(parts, { recursive: true })
  await draw(parts)
  await rm(draft, { recursive: true, force: true })
  await mkdir(join(draft, 'data'), { recursive: true })
  for (const split of Object.keys(SPLITS) as Split[]) {
    const pictures: Uint8Array[] = []
    for (const label of SUBJECTS.keys()) pictures.push(...(await readPart(parts, label))![split])
    const labels = pictures.map((_, row) => Math.floor(row / SPLITS[split]))
    await writeTable(join(draft, fileOf(split)), pictures, labels)
  }
  await rm(join(root, name), { recursive: true, force: true, maxRetries: 5 })
  await rename(draft, join(root, name))
  // the parts, and what other versions left
  for (const other of await readdir(root)) {
    if (other !== name && !other.startsWith(`${name}.lock`)) {
      await rm(join(root, other), { recursive: true, force: true }).catch(() => {})
    }
  }
}

/** Draws the parts that are not there, on worker threads. */
async function draw(folder: string): Promise<void> {
  const missing: number[] = []
  for (const label of SUBJECTS.keys()) if (!(await readPart(folder, label))) missing.push(label)
  const bar = progress({ label: 'Drawing the built-in pictures', total: SUBJECTS.length * PER_CLASS, unit: 'pictures' })
  bar.skip((SUBJECTS.length - missing.length) * PER_CLASS)
  const count = Math.min(availableParallelism(), MOST_WORKERS, missing.length)
  const workers: Worker[] = []
  try {
    while (workers.length < count) workers.push(startWorker(folder))
    await Promise.all(workers.map((worker) => drawWith(worker, missing, () => bar.add(PER_CLASS))))
  } finally {
    bar.done()
    await Promise.all(workers.map((worker) => worker.terminate()))
  }
}

function startWorker(folder: string): Worker {
  return new Worker(new URL('./part-worker.js', import.meta.url), { workerData: { folder }, execArgv: [] })
}

/** Hands class after class to a worker. */
function drawWith(worker: Worker, missing: number[], drawn: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const next = () => {
      const label = missing.shift()
      if (label === undefined) resolve()
      else worker.postMessage(label)
    }
    worker.on('message', ({ error }: PartResult) => {
      if (error) return reject(revived(error))
      drawn()
      next()
    })
    worker.on('error', reject)
    worker.on('exit', (code) => reject(new Error(`a thread that draws ended with ${code}`)))
    next()
  })
}

function revived({ code, message }: NonNullable<PartResult['error']>): Error {
  if (code?.startsWith('EMBEDDED')) return new RayitoError(code as ErrorCode, message, { remedy: '' })
  return Object.assign(new Error(message), { code })
}
