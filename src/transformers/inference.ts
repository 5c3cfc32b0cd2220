import type { Answering, Classification } from './postprocess.js'
import type { Pixels } from './preprocess.js'

/** A loaded model, in this thread or in one of its own. */
export interface Inference {
  /** The best classes of a picture, best first. */
  classify(picture: Pixels, how: Answering): Promise<Classification[]>
  /** Frees the model. Calls under way are rejected with PIPELINE_CLOSED or finish. */
  close(): Promise<void>
  /** Whether it can still be given pictures. */
  readonly alive: boolean
}
