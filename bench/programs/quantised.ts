/** fp32 and q8 in two actors each, a few pictures at a time in turn; then q8's logits against those of the file as it came. */
import { dirname } from 'node:path'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { loadDataset } from '#src/datasets/index.js'
import { InferenceEngine, range } from '#src/lab/index.js'
import { ray } from '#src/ray/index.js'
import type { Dtype } from '#src/transformers/index.js'
import { preprocess } from '#src/transformers/preprocess.js'
import { readEntry } from '#src/transformers/weights-entry.js'
import { clocked, given, report, step } from '../report.js'
import type { ModelPaths } from './prepare.js'

export interface QuantisedWork {
  q8: ModelPaths
  blocks: number
  pictures: number
}

export interface QuantisedResult {
  /** Seconds a picture, one number a block. */
  each: Record<Dtype, number[]>
  /** Of all logits of the pictures. */
  largestDifference: number
}

const WORKERS = 2
const DTYPES: Dtype[] = ['fp32', 'q8']

report(async (): Promise<QuantisedResult> => {
  const { q8, blocks, pictures } = given<QuantisedWork>()
  const { train } = await loadDataset('Maysee/tiny-imagenet')
  const images = await Promise.all(range(0, pictures).map(async (i) => (await train.at(i * 40)).image))

  ray.init({ numCpus: WORKERS })
  const engines = (dtype: Dtype) => range(0, WORKERS).map(() => InferenceEngine.remote(false, { dtype }))
  const actors = { fp32: engines('fp32'), q8: engines('q8') }
  const classify = (dtype: Dtype) =>
    ray.get(images.map((image, k) => actors[dtype][k % WORKERS]!.classifyImageObject.remote(image)))
  const each: Record<Dtype, number[]> = { fp32: [], q8: [] }
  for (let block = -1; block < blocks; block++) {
    for (const dtype of block % 2 ? DTYPES : DTYPES.toReversed()) {
      const { seconds } = await clocked(() => classify(dtype))
      // the first block loads and warms up
      if (block >= 0) each[dtype].push(seconds / pictures)
    }
    if (block >= 0) step()
  }
  await ray.shutdown()

  const plan = (await readEntry(dirname(q8.optimised)))!
  const inputs = images.map((image) => preprocess(plan, image.toRgb()).data)
  const original = await logitsOf(q8.original, {}, inputs)
  const ours = await logitsOf(q8.optimised, { graphOptimizationLevel: 'disabled' }, inputs)
  return { each, largestDifference: Math.max(...original.map((logits, i) => differenceOf(logits, ours[i]!))) }
})

async function logitsOf(
  file: string,
  options: InferenceSession.SessionOptions,
  inputs: Float32Array[],
): Promise<Float32Array[]> {
  const session = await InferenceSession.create(file, options)
  const all: Float32Array[] = []
  for (const data of inputs) {
    const outputs = await session.run({ [session.inputNames[0]!]: new Tensor('float32', data, [1, 3, 224, 224]) })
    all.push(outputs[session.outputNames[0]!]!.data as Float32Array)
  }
  await session.release()
  return all
}

function differenceOf(a: Float32Array, b: Float32Array): number {
  return a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0)
}
