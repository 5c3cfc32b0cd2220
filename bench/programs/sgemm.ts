/** How fast this machine multiplies matrices through onnxruntime, in sessions of one thread, as many as workers at once. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { writeOnnx } from '../onnx.js'
import { given, report } from '../report.js'
import type { SgemmWork } from './sgemm-worker.js'

/** Rows, inner size and columns: ViT-Base's widest product, over five pictures; no size tried was faster. */
export const SIZES = [1_024, 768, 3_072] as const

report(async (): Promise<{ gflops: number }> => {
  const { workers, seconds } = given<{ workers: number; seconds: number }>()
  const [rows, inner, columns] = SIZES
  const weights = Float32Array.from({ length: inner * columns }, (_, i) => ((i * 7) % 13) / 13 - 0.5)
  const model = writeOnnx({
    nodes: [{ op: 'MatMul', inputs: ['x', 'w'], outputs: ['y'] }],
    tensors: new Map([['w', { shape: [inner, columns], data: weights }]]),
    inputs: { x: [rows, inner] },
    outputs: { y: [rows, columns] },
  })
  const work: SgemmWork = { model, sizes: SIZES, seconds }
  const threads = Array.from(
    { length: workers },
    () => new Worker(new URL('./sgemm-worker.js', import.meta.url), { workerData: work }),
  )
  const all = (await Promise.all(threads.map((thread) => once(thread, 'message')))) as [number][]
  return { gflops: all.reduce((sum, [rate]) => sum + rate, 0) }
})
