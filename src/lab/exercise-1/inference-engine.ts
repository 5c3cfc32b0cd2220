import { type Dataset, loadDataset } from '../../datasets/index.js'
import { type ActorClass, ray } from '../../ray/index.js'
import { type ImageClassificationPipeline, type Picture, pipeline } from '../../transformers/index.js'
import type { Settings } from '../settings.js'
import { getBestClassAndScore } from './best-class.js'
import type { Best } from './version.js'

/** What an engine loads. @default as the settings say */
export type EngineOptions = { [Name in 'dataset' | 'model' | 'dtype']?: Settings[Name] | undefined }

/** The methods of the actor. */
export interface Engine {
  /** Resolves when the actor can classify. */
  ready(): Promise<void>
  /** Class and score of row `i` of the data set; `["Error", 1]` without a data set or when there is no such row. */
  classifyImage(i: number): Promise<Best>
  /** Class and score of a picture that is sent along. */
  classifyImageObject(image: Picture): Promise<Best>
}

/**
 * The assignment's actor: a classifier of its own and, with `loadImages` (default true), the data set. A constructor in
 * JavaScript cannot wait, so it begins to load and the methods wait for the end of it; what failed there is thrown by
 * every call.
 */
export const InferenceEngine: ActorClass<[loadImages?: boolean, options?: EngineOptions], Engine> = ray.remote(
  class InferenceEngine implements Engine {
    readonly #classifier: Promise<ImageClassificationPipeline>
    readonly #dataset: Promise<Dataset> | null

    constructor(loadImages = true, { dataset = 'Maysee/tiny-imagenet', model, dtype = 'fp32' }: EngineOptions = {}) {
      this.#classifier = pipeline('image-classification', model, { dtype })
      this.#dataset = loadImages ? loadDataset(dataset, { split: 'train' }) : null
      // Told by the calls that wait for them.
      this.#classifier.catch(() => {})
      this.#dataset?.catch(() => {})
    }

    async ready(): Promise<void> {
      await Promise.all([this.#classifier, this.#dataset])
    }

    async classifyImage(i: number): Promise<Best> {
      const dataset = await this.#dataset
      if (!dataset || !Number.isInteger(i) || i < 0 || i >= dataset.numRows) return ['Error', 1]
      const { image } = await dataset.at(i)
      return getBestClassAndScore(await this.#classifier, image)
    }

    async classifyImageObject(image: Picture): Promise<Best> {
      return getBestClassAndScore(await this.#classifier, image)
    }
  },
)
