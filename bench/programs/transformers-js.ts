/** The peer in plain TypeScript: @huggingface/transformers in two workers of workerpool, as a user would write it. */
import { fileURLToPath } from 'node:url'
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet'
import workerpool from 'workerpool'
import { clocked, given, report } from '../report.js'
import type { Ran } from './exercise.js'

export interface PlainWork {
  indices: number[]
  /** The train file, and the folder of the model. */
  rows: string
  model: string
  workers: number
}

report(async (): Promise<Ran> => {
  const { indices, rows, model, workers } = given<PlainWork>()
  const began = performance.now()
  let loaded = began
  const { seconds, cpuSeconds, value } = await clocked(async () => {
    const file = await asyncBufferFromFile(rows)
    const data = (await parquetReadObjects({ file, columns: ['image'], utf8: false })) as {
      image: { bytes: Uint8Array }
    }[]
    const pool = workerpool.pool(fileURLToPath(new URL('./transformers-js-worker.js', import.meta.url)), {
      workerType: 'thread',
      minWorkers: workers,
      maxWorkers: workers,
      workerThreadOpts: { workerData: model },
    })
    await Promise.all(Array.from({ length: workers }, () => pool.exec('ready', [])))
    loaded = performance.now()
    const labels = await Promise.all(indices.map((i) => pool.exec('classify', [data[i]!.image.bytes])))
    await pool.terminate()
    return labels as string[]
  })
  return { seconds, cpuSeconds, loadSeconds: (loaded - began) / 1e3, labels: value }
})
