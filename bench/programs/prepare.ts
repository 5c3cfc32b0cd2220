/** Fills the caches: data set, both models, optimised weights. Reports where they are. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import * as runtime from 'onnxruntime-node'
import { hubCache } from '#src/core/paths.js'
import { loadDataset } from '#src/datasets/index.js'
import { type Dtype, pipeline } from '#src/transformers/index.js'
import { findModel } from '#src/transformers/model-files.js'
import { fillOptions } from '#src/transformers/options.js'
import { GRAPH } from '#src/transformers/weights-entry.js'
import { placeOf } from '#src/transformers/weights-place.js'
import { report } from '../report.js'

/** A model's files. */
export interface ModelPaths {
  /** As it lies on the Hub. */
  original: string
  /** What the sessions of all workers map. */
  optimised: string
}

export interface Places {
  paths: Record<Dtype, ModelPaths>
  /** The train file of the Hub's data set; null where there is none. */
  rows: string | null
}

report(async (): Promise<Places> => {
  await loadDataset('Maysee/tiny-imagenet')
  const paths = async (dtype: Dtype): Promise<ModelPaths> => {
    const classifier = await pipeline('image-classification', undefined, { dtype })
    const files = await findModel(classifier.model, fillOptions({ dtype }))
    await classifier.close()
    const { root, name } = await placeOf(files, runtime.env.versions.node ?? runtime.env.versions.common)
    return { original: files.onnx, optimised: join(root, name, GRAPH) }
  }
  return { paths: { fp32: await paths('fp32'), q8: await paths('q8') }, rows: await trainFile() }
})

async function trainFile(): Promise<string | null> {
  const folder = join(hubCache(), 'datasets--Maysee--tiny-imagenet')
  const files = await readdir(folder, { recursive: true }).catch(() => [])
  const train = files.find((file) => /^snapshots.*train.*\.parquet$/.test(file))
  return train ? join(folder, train) : null
}
