import { ray } from '../../ray/index.js'
import type { ImageClassificationPipeline, Picture } from '../../transformers/index.js'
import { getBestClassAndScore } from './best-class.js'

/** The assignment's task: classifies one picture. Give the classifier as a `ray.put` reference: a worker then makes it once. */
export const inference = ray.remote(async function inference(classifier: ImageClassificationPipeline, image: Picture) {
  return getBestClassAndScore(classifier, image)
})

/** A task that does nothing with a classifier, but has it: it returns when its worker can infer. */
export const ready = ray.remote(async function ready(_classifier: ImageClassificationPipeline) {})
