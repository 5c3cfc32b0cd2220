/** Its worker: a classifier, made once. */
import { basename, dirname } from 'node:path'
import { workerData } from 'node:worker_threads'
import { env, type ImageClassificationOutput, pipeline, RawImage } from '@huggingface/transformers'
import workerpool from 'workerpool'

const model = workerData as string
env.allowRemoteModels = false
env.localModelPath = dirname(model)
const classifier = pipeline('image-classification', basename(model), { dtype: 'fp32' })

workerpool.worker({
  async ready() {
    await classifier
  },
  async classify(bytes: Uint8Array): Promise<string> {
    const image = await RawImage.fromBlob(new Blob([bytes as Uint8Array<ArrayBuffer>]))
    const [best] = (await (await classifier)(image)) as ImageClassificationOutput
    return best!.label
  },
})
