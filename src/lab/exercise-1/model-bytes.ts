import { readFile } from 'node:fs/promises'
import type { ImageClassificationPipeline } from '../../transformers/index.js'
import { findModel } from '../../transformers/model-files.js'
import { fillOptions } from '../../transformers/options.js'

/** The file with a classifier's weights, as bytes: what the classifier would weigh if it travelled whole. */
export async function modelBytes({ model, dtype, revision }: ImageClassificationPipeline): Promise<Uint8Array> {
  const { onnx } = await findModel(model, fillOptions({ dtype, ...(revision && { revision }) }))
  return readFile(onnx)
}
