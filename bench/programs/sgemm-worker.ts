/** One of its threads: says how many GFLOP a second it did. */
import { parentPort, workerData } from 'node:worker_threads'
import { InferenceSession, Tensor } from 'onnxruntime-node'

export interface SgemmWork {
  model: Uint8Array
  sizes: readonly [rows: number, inner: number, columns: number]
  seconds: number
}

const { model, sizes, seconds } = workerData as SgemmWork
const [rows, inner, columns] = sizes
const options: InferenceSession.SessionOptions = { intraOpNumThreads: 1 }
InferenceSession.create(model, options).then(async (session) => {
  const x = new Tensor('float32', new Float32Array(rows * inner).fill(0.5), [rows, inner])
  const multiply = async (until: number) => {
    let products = 0
    for (; performance.now() < until; products++) await session.run({ x })
    return products
  }
  await multiply(performance.now() + 200)
  const began = performance.now()
  const products = await multiply(began + seconds * 1e3)
  parentPort!.postMessage((products * 2 * rows * inner * columns) / 1e6 / (performance.now() - began))
})
