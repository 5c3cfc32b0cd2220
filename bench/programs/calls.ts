/** Calls that do next to nothing: by rayito, and by what people use instead, block by block in turn in one process. */
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { Piscina } from 'piscina'
import Tinypool from 'tinypool'
import workerpool from 'workerpool'
import { Image } from '#src/datasets/index.js'
import { type ObjectRef, ray } from '#src/ray/index.js'
import { clocked, given, report, step } from '../report.js'
import { Echo, nothing, width } from './work.js'

export interface CallsWork {
  /** Blocks of each kind, and calls of a block. */
  blocks: number
  tasks: number
  roundTrips: number
  /** Size of the object that is put and got. */
  bytes: number
}

export type Kind =
  | 'noOp'
  | 'picture'
  | 'actorCalls'
  | 'taskRoundTrip'
  | 'roundTrip'
  | 'putGet'
  | 'putGetKept'
  | 'putGetShared'
  | 'createKill'

/** Seconds a call, one number a block, of `ours` and of each peer. */
export type CallsResult = Record<Kind, Record<string, number[]>>

const WORKERS = 2
/** As tiny-imagenet's, decoded: 12 KB. */
const SIDE = 64
/** With as many at once a worker, piscina and tinypool are at their best. */
const AT_ONCE = 16

report(async (): Promise<CallsResult> => {
  const { blocks, tasks, roundTrips, bytes } = given<CallsWork>()
  ray.init({ numCpus: WORKERS })
  const pool = workerpool.pool(path('./pool-worker.js'), {
    workerType: 'thread',
    minWorkers: WORKERS,
    maxWorkers: WORKERS,
  })
  const options = {
    filename: path('./calls-worker.js'),
    minThreads: WORKERS,
    maxThreads: WORKERS,
    concurrentTasksPerWorker: AT_ONCE,
  }
  const piscina = new Piscina(options)
  const tinypool = new Tinypool(options)
  const threads = Array.from({ length: WORKERS }, () => new Worker(new URL('./echo-worker.js', import.meta.url)))
  const [thread] = threads as [Worker]
  const actor = Echo.remote()
  const kept: ObjectRef<Uint8Array>[] = []
  const plain = new Uint8Array(bytes).fill(1)
  const shared = new Uint8Array(new SharedArrayBuffer(bytes)).fill(1)

  const kinds: Record<Kind, { calls: number; subjects: Record<string, () => unknown> }> = {
    noOp: {
      calls: tasks,
      subjects: {
        ours: () => ray.get(times(tasks, () => nothing.remote())),
        workerpool: () => Promise.all(times(tasks, () => pool.exec('nothing', []))),
        piscina: () => Promise.all(times(tasks, () => piscina.run(null, { name: 'nothing' }))),
        tinypool: () => Promise.all(times(tasks, () => tinypool.run(null, { name: 'nothing' }))),
        postMessage: () =>
          echoes(
            threads,
            times(tasks, () => 0),
          ),
      },
    },
    picture: {
      calls: tasks,
      subjects: {
        ours: () => ray.get(pictures(tasks).map((bytes) => width.remote(new Image(bytes, SIDE, SIDE)))),
        workerpool: () => Promise.all(pictures(tasks).map((bytes) => pool.exec('length', [bytes]))),
        piscina: () => Promise.all(pictures(tasks).map((bytes) => piscina.run(bytes, { name: 'length' }))),
        tinypool: () => Promise.all(pictures(tasks).map((bytes) => tinypool.run(bytes, { name: 'length' }))),
        // it sends the picture back too
        postMessage: () => echoes(threads, pictures(tasks)),
      },
    },
    actorCalls: {
      calls: tasks,
      subjects: {
        ours: () => ray.get(times(tasks, () => actor.say.remote(1))),
        postMessage: () =>
          echoes(
            [thread],
            times(tasks, () => 1),
          ),
      },
    },
    taskRoundTrip: {
      calls: roundTrips,
      subjects: {
        ours: () => inTurn(roundTrips, () => ray.get(nothing.remote())),
        workerpool: () => inTurn(roundTrips, () => pool.exec('nothing', [])),
      },
    },
    roundTrip: {
      calls: roundTrips,
      subjects: {
        ours: () => inTurn(roundTrips, (i) => ray.get(actor.say.remote(i))),
        postMessage: () =>
          inTurn(roundTrips, (i) => {
            thread.postMessage(i)
            return once(thread, 'message')
          }),
      },
    },
    putGet: { calls: 1, subjects: { ours: () => got(ray.put(plain), bytes) } },
    putGetKept: {
      calls: 1,
      subjects: {
        ours: () => {
          const ref = ray.put(plain)
          kept.push(ref)
          return got(ref, bytes)
        },
      },
    },
    putGetShared: { calls: 1, subjects: { ours: () => got(ray.put(shared), bytes) } },
    createKill: {
      calls: 1,
      subjects: {
        ours: async () => {
          const actors = [Echo.remote(), Echo.remote()]
          await ray.get(actors.map((one) => one.say.remote(0)))
          for (const one of actors) ray.kill(one)
        },
      },
    },
  }
  const result = Object.fromEntries(
    Object.entries(kinds).map(([kind, { subjects }]) => [
      kind,
      Object.fromEntries(Object.keys(subjects).map((name) => [name, [] as number[]])),
    ]),
  ) as CallsResult
  for (let block = -1; block < blocks; block++) {
    for (const [kind, { calls, subjects }] of Object.entries(kinds) as [Kind, (typeof kinds)[Kind]][]) {
      const names = Object.keys(subjects)
      for (let i = 0; i < names.length; i++) {
        const name = names[(block + 1 + i) % names.length]!
        const { seconds } = await clocked(subjects[name]!)
        // the first block warms up
        if (block >= 0) result[kind][name]!.push(seconds / calls)
      }
    }
    if (block >= 0) step()
  }
  await Promise.all([ray.shutdown(), pool.terminate(), piscina.destroy(), tinypool.destroy()])
  await Promise.all(threads.map((one) => one.terminate()))
  return result
})

async function got(ref: ObjectRef<Uint8Array>, bytes: number): Promise<void> {
  const data = await ray.get(ref)
  if (data.length !== bytes || data[bytes - 1] !== 1) throw new Error('What was got is not what was put')
}

/** All values at once, in rotation, and the end of all answers. */
function echoes(threads: Worker[], values: unknown[]): Promise<void> {
  return new Promise((resolve) => {
    let left = values.length
    const count = () => {
      if (--left > 0) return
      for (const thread of threads) thread.off('message', count)
      resolve()
    }
    for (const thread of threads) thread.on('message', count)
    values.forEach((value, i) => {
      threads[i % threads.length]!.postMessage(value)
    })
  })
}

async function inTurn(count: number, call: (i: number) => PromiseLike<unknown>): Promise<void> {
  for (let i = 0; i < count; i++) await call(i)
}

function times<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make)
}

function pictures(count: number): Uint8Array[] {
  return times(count, () => new Uint8Array(SIDE * SIDE * 3))
}

function path(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url))
}
