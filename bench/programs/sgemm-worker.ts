/** One of its threads: says how many GFLOP a second it did. */
import { parentPort, workerData } from 'node:worker_threads'
import { InferenceSession, Tensor } from 'onnxruntime-node'

export interface SgemmWork {
  model: Uint8Array
  size: number
  seconds: number
}

const { model, size, seconds } = workerData as SgemmWork
const options: InferenceSession.SessionOptions = { intraOpNumThreads: 1 }
InferenceSession.create(model, options).then(async (session) => {
  const x = new Tensor('float32', new Float32Array(size * size).fill(0.5), [size, size])
  const multiply = async (until: number) => {
    let products = 0
    for (; performance.now() < until; products++) await session.run({ x })
    return products
  }
  await multiply(performance.now() + 200)
  const began = performance.now()
  const products = await multiply(began + seconds * 1e3)
  parentPort!.postMessage((products * 2 * size ** 3) / 1e6 / (performance.now() - began))
})
