/** The four versions of exercise 1, written as its notebook writes them, from the data set's loading to the actors' end. */
import { loadDataset } from '#src/datasets/index.js'
import { type Best, getBestClassAndScore, InferenceEngine, inference, ready } from '#src/lab/index.js'
import { type ObjectRef, ray } from '#src/ray/index.js'
import { type Dtype, pipeline } from '#src/transformers/index.js'

export interface Exercise {
  indices: number[]
  dtype: Dtype
  workers: number
}

/** Called when the last worker can infer. */
type Loaded = () => void

async function a({ indices, dtype, workers }: Exercise, loaded: Loaded): Promise<Best[]> {
  const { train } = await loadDataset('Maysee/tiny-imagenet')
  const classifier = await pipeline('image-classification', undefined, { dtype, numThreads: workers })
  loaded()

  const result: Best[] = []
  for (const i of indices) {
    const { image } = await train.at(i)
    result.push(await getBestClassAndScore(classifier, image))
  }

  await classifier.close()
  return result
}

async function b({ indices, dtype, workers }: Exercise, loaded: Loaded): Promise<Best[]> {
  const { train } = await loadDataset('Maysee/tiny-imagenet')
  const classifier = await pipeline('image-classification', undefined, { dtype })
  const rclef = ray.put(classifier)
  await ray.get(Array.from({ length: workers }, () => ready.remote(rclef)))
  loaded()

  const refs: ObjectRef<Best>[] = []
  for (const i of indices) {
    const { image } = await train.at(i)
    refs.push(inference.remote(rclef, image))
  }
  const result = await ray.get(refs)

  await classifier.close()
  return result
}

async function c1({ indices, dtype, workers }: Exercise, loaded: Loaded): Promise<Best[]> {
  const actors = Array.from({ length: workers }, () => InferenceEngine.remote(true, { dtype }))
  await ray.get(actors.map((actor) => actor.ready.remote()))
  loaded()

  const refs: ObjectRef<Best>[] = []
  for (const [k, i] of indices.entries()) {
    const actor = actors[k % actors.length]!
    refs.push(actor.classifyImage.remote(i))
  }
  const result = await ray.get(refs)

  for (const actor of actors) ray.kill(actor)
  return result
}

async function c2({ indices, dtype, workers }: Exercise, loaded: Loaded): Promise<Best[]> {
  const { train } = await loadDataset('Maysee/tiny-imagenet')
  const actors = Array.from({ length: workers }, () => InferenceEngine.remote(false, { dtype }))
  await ray.get(actors.map((actor) => actor.ready.remote()))
  loaded()

  const refs: ObjectRef<Best>[] = []
  for (const [k, i] of indices.entries()) {
    const { image } = await train.at(i)
    const actor = actors[k % actors.length]!
    refs.push(actor.classifyImageObject.remote(image))
  }
  const result = await ray.get(refs)

  for (const actor of actors) ray.kill(actor)
  return result
}

export const VERSIONS = { A: a, B: b, C1: c1, C2: c2 }
