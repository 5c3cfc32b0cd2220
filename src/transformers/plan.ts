import type { ResizeFilter } from '../datasets/image/resize.js'

/** From logits to scores, in Python's words: `none` leaves them as they are. */
export type FunctionToApply = 'softmax' | 'sigmoid' | 'none'

/**
 * What stands between a picture and the model's input, and between its output and the answer: a model's configuration,
 * resolved once, so that a worker needs neither the configuration files nor the library that reads them.
 */
export interface Plan {
  /** Python's class whose steps these are, such as ViTImageProcessor. */
  processor: string
  /**
   * `exact`: to width × height. `shortest`: the shorter edge to `edge`, the other in proportion. In pixels.
   */
  resize: { kind: 'exact'; width: number; height: number } | { kind: 'shortest'; edge: number } | null
  filter: ResizeFilter
  /** Cut from the middle after the resize; what the picture lacks is filled with black. */
  crop: { width: number; height: number } | null
  /** Applied to every byte, in this order, each step rounded to 32-bit floats. */
  arithmetic: Arithmetic
  /** Blue first. */
  flip: boolean
  /** Names of the classes, in the order of the model's output. */
  labels: string[]
  /** From logits to scores, where the caller does not say. */
  activation: FunctionToApply
}

export interface Arithmetic {
  /** Multiplies each byte; null for none. */
  rescale: number | null
  /** Added after the rescaling. */
  offset: number
  /** (value − mean) / std for each channel, once for each entry. */
  normalize: { mean: number[]; std: number[] }[]
}
