/** How fast this machine multiplies matrices through onnxruntime, in sessions of one thread, as many as workers at once. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { writeOnnx } from '../onnx.js'
import { given, report } from '../report.js'
import type { SgemmWork } from './sgemm-worker.js'

/** Rows and columns of both: at this size the rate no longer grows. */
export const SIZE = 1_024

report(async (): Promise<{ gflops: number }> => {
  const { workers, seconds } = given<{ workers: number; seconds: number }>()
  const weights = Float32Array.from({ length: SIZE * SIZE }, (_, i) => ((i * 7) % 13) / 13 - 0.5)
  const model = writeOnnx({
    nodes: [{ op: 'MatMul', inputs: ['x', 'w'], outputs: ['y'] }],
    tensors: new Map([['w', { shape: [SIZE, SIZE], data: weights }]]),
    inputs: { x: [SIZE, SIZE] },
    outputs: { y: [SIZE, SIZE] },
  })
  const work: SgemmWork = { model, size: SIZE, seconds }
  const threads = Array.from(
    { length: workers },
    () => new Worker(new URL('./sgemm-worker.js', import.meta.url), { workerData: work }),
  )
  const all = (await Promise.all(threads.map((thread) => once(thread, 'message')))) as [number][]
  return { gflops: all.reduce((sum, [rate]) => sum + rate, 0) }
})
