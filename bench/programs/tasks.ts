/** Calls that do nothing: by rayito, and by what is under it, block by block in turn in one process. */
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import workerpool from 'workerpool'
import { Image } from '#src/datasets/index.js'
import { ray } from '#src/ray/index.js'
import { clocked, given, report, step } from '../report.js'
import { Echo, nothing, width } from './work.js'

export interface TasksWork {
  /** Blocks of each kind, and calls of a block. */
  blocks: number
  tasks: number
  roundTrips: number
}

/** Seconds a call, one number a block. */
export type TasksResult = Record<'noOp' | 'picture' | 'roundTrip', { ours: number[]; theirs: number[] }>

const WORKERS = 2
/** As tiny-imagenet's, decoded: 12 KB. */
const SIDE = 64

report(async (): Promise<TasksResult> => {
  const { blocks, tasks, roundTrips } = given<TasksWork>()
  ray.init({ numCpus: WORKERS })
  const pool = workerpool.pool(fileURLToPath(new URL('./pool-worker.js', import.meta.url)), {
    workerType: 'thread',
    minWorkers: WORKERS,
    maxWorkers: WORKERS,
  })
  const thread = new Worker(new URL('./echo-worker.js', import.meta.url))
  const actor = Echo.remote()

  const kinds = {
    noOp: {
      ours: () => ray.get(times(tasks, () => nothing.remote())),
      theirs: () => Promise.all(times(tasks, () => pool.exec('nothing', []))),
      calls: tasks,
    },
    picture: {
      ours: () => ray.get(pictures(tasks).map((bytes) => width.remote(new Image(bytes, SIDE, SIDE)))),
      theirs: () => Promise.all(pictures(tasks).map((bytes) => pool.exec('length', [bytes]))),
      calls: tasks,
    },
    roundTrip: {
      ours: async () => {
        for (let i = 0; i < roundTrips; i++) await ray.get(actor.say.remote(i))
      },
      theirs: async () => {
        for (let i = 0; i < roundTrips; i++) {
          thread.postMessage(i)
          await once(thread, 'message')
        }
      },
      calls: roundTrips,
    },
  }
  const result: TasksResult = {
    noOp: { ours: [], theirs: [] },
    picture: { ours: [], theirs: [] },
    roundTrip: { ours: [], theirs: [] },
  }
  for (let block = -1; block < blocks; block++) {
    for (const kind of Object.keys(kinds) as (keyof typeof kinds)[]) {
      for (const who of block % 2 ? (['ours', 'theirs'] as const) : (['theirs', 'ours'] as const)) {
        const { seconds } = await clocked<unknown>(kinds[kind][who])
        // the first block warms up
        if (block >= 0) result[kind][who].push(seconds / kinds[kind].calls)
      }
    }
    if (block >= 0) step()
  }
  await Promise.all([ray.shutdown(), pool.terminate(), thread.terminate()])
  return result
})

function times<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make)
}

function pictures(count: number): Uint8Array[] {
  return times(count, () => new Uint8Array(SIDE * SIDE * 3))
}
