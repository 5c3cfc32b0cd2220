/**
 * The reference of exercise 1: onnxruntime-node alone, over inputs that are prepared before the clock starts. One session
 * of several threads in this thread, or workers with a session of one thread each. Its time is that of the loading of
 * onnxruntime and the sessions, and of the inference.
 */
import { dirname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { loadDataset } from '#src/datasets/index.js'
import type { Plan } from '#src/transformers/plan.js'
import { preprocess } from '#src/transformers/preprocess.js'
import { readEntry } from '#src/transformers/weights-entry.js'
import { clocked, given, report } from '../report.js'
import type { BareWork } from './bare-session.js'
import type { Ran } from './exercise.js'
import type { ModelPaths } from './prepare.js'

/** What the program is given. */
export interface Bare {
  indices: number[]
  paths: ModelPaths
  /** Use the file as it lies on the Hub, not the optimised one. */
  plain?: boolean
  threads: number
  /** 0: this thread infers. */
  workers: number
}

/** What it reports. */
export interface BareRan extends Ran {
  /** MB of the prepared inputs, which nobody else holds all at once. */
  inputsMB: number
}

report(async (): Promise<BareRan> => {
  const { indices, paths, plain, threads, workers } = given<Bare>()
  const plan = (await readEntry(dirname(paths.optimised)))!
  const inputs = await prepared(plan, indices)
  const work = (inputs: Float32Array[]): BareWork => ({
    file: plain ? paths.original : paths.optimised,
    options: plain
      ? { intraOpNumThreads: threads }
      : { intraOpNumThreads: threads, graphOptimizationLevel: 'disabled' as const },
    inputs,
  })
  const inputsMB = inputs.reduce((sum, { byteLength }) => sum + byteLength, 0) / 1e6
  const began = performance.now()
  const { seconds, cpuSeconds, value } = await clocked(() =>
    workers === 0 ? here(work(inputs)) : inWorkers(workers, inputs, work),
  )
  return {
    seconds,
    cpuSeconds,
    loadSeconds: (value.loaded - began) / 1e3,
    labels: value.best.map((i) => plan.labels[i]!),
    inputsMB,
  }
})

async function prepared(plan: Plan, indices: number[]): Promise<Float32Array[]> {
  const { train } = await loadDataset('Maysee/tiny-imagenet')
  const inputs: Float32Array[] = []
  for (const i of indices) inputs.push(preprocess(plan, (await train.at(i)).image.toRgb()).data)
  return inputs
}

interface Done {
  /** When the last session was there. */
  loaded: number
  /** The best class of each picture. */
  best: number[]
}

async function here(work: BareWork): Promise<Done> {
  const { inferAll } = await import('./bare-session.js')
  let loaded = 0
  const best = await inferAll(work, () => {
    loaded = performance.now()
  })
  return { loaded, best }
}

/** The pictures dealt out in rotation, as versions C1 and C2 do. */
async function inWorkers(
  count: number,
  inputs: Float32Array[],
  work: (inputs: Float32Array[]) => BareWork,
): Promise<Done> {
  let loaded = 0
  const answers = await Promise.all(
    Array.from({ length: count }, (_, w) => {
      const mine = inputs.filter((_, i) => i % count === w)
      const worker = new Worker(new URL('./bare-worker.js', import.meta.url), {
        workerData: work(mine),
        transferList: mine.map(({ buffer }) => buffer as ArrayBuffer),
      })
      return new Promise<number[]>((resolve, reject) => {
        worker.on('error', reject)
        worker.on('message', (message: 'loaded' | number[]) => {
          if (message === 'loaded') loaded = performance.now()
          else resolve(message)
        })
      })
    }),
  )
  return { loaded, best: inputs.map((_, i) => answers[i % count]![Math.floor(i / count)]!) }
}
