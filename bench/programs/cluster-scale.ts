/** No-op tasks on a cluster of few and of many worker processes of one CPU each. */
import { findCluster, nothing } from '#src/lab/index.js'
import { ray } from '#src/ray/index.js'
import { clocked, given, report, step } from '../report.js'

export interface ScaleWork {
  blocks: number
  tasks: number
  /** How many workers there are at the end; it begins with two. */
  workers: number
}

/** Seconds a task; results that came, of all that were asked for. */
export interface ScaleResult {
  few: number[]
  many: number[]
  finished: number
  asked: number
  worked: number
}

report(async (): Promise<ScaleResult> => {
  const { blocks, tasks, workers } = given<ScaleWork>()
  const cluster = await findCluster({ address: undefined })
  try {
    await ray.init({ address: cluster.address })
    const call = () => ray.get(Array.from({ length: tasks }, () => nothing.remote()))
    const measured = async () => {
      const seconds: number[] = []
      // the first block warms up
      for (let block = -1; block < blocks; block++) {
        const { seconds: all } = await clocked(call)
        if (block >= 0) seconds.push(all / tasks)
        if (block >= 0) step()
      }
      return seconds
    }
    const few = await measured()
    const names = Array.from({ length: workers - cluster.workers.length }, (_, i) => `more-${i}`)
    while (names.length) await Promise.all(names.splice(0, 4).map((name) => cluster.join(name)))
    while ((await ray.nodes()).length < workers) await new Promise((resolve) => setTimeout(resolve, 10))
    const many = await measured()
    const stats = await ray.stats()
    await ray.shutdown()
    return {
      few,
      many,
      finished: stats.tasks.finished,
      asked: 2 * (blocks + 1) * tasks,
      worked: Object.keys(stats.perWorker).length,
    }
  } finally {
    await cluster.stop()
  }
})
