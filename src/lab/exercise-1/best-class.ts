import { RayitoError } from '../../core/errors.js'
import type { ImageClassificationPipeline, Picture } from '../../transformers/index.js'
import type { Best } from './version.js'

/** The class a classifier gives the highest score, and that score. Rejects as the classifier does. */
export async function getBestClassAndScore(classifier: ImageClassificationPipeline, image: Picture): Promise<Best> {
  const [best] = await classifier(image)
  if (!best) throw new RayitoError('MODEL_INVALID', 'Expected the classifier to give a class, got none')
  return [best.label, best.score]
}
