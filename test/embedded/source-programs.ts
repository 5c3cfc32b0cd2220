/** Programs of source.test.ts: `node source-programs.js NAME` prints one line of JSON, or code and message of an error. */
import { loadDataset } from '#src/datasets/index.js'
import { chooseSource, getBestClassAndScore, InferenceEngine, readSettings } from '#src/lab/index.js'
import { ray } from '#src/ray/index.js'
import { pipeline } from '#src/transformers/index.js'

const programs: Record<string, () => Promise<unknown>> = {
  async both() {
    const { train } = await loadDataset('Maysee/tiny-imagenet')
    const again = await loadDataset('Maysee/tiny-imagenet', { split: 'train' })
    const classifier = await pipeline('image-classification')
    const answer = await classifier((await again.at(0)).image)
    await classifier.close()
    return { rows: train.numRows, model: classifier.model, answers: answer.length }
  },
  async otherDataset() {
    await loadDataset('owner/other')
  },
  async otherModel() {
    await pipeline('image-classification', 'owner/other')
  },
  async actor() {
    const { train } = await loadDataset('Maysee/tiny-imagenet')
    const classifier = await pipeline('image-classification')
    const { image } = await train.at(40)
    const expected = await getBestClassAndScore(classifier, image)
    const engine = InferenceEngine.remote(true, {})
    const answers = await ray.get([engine.classifyImage.remote(40), engine.classifyImageObject.remote(image)])
    await Promise.all([ray.shutdown(), classifier.close()])
    return { same: answers.every((answer) => JSON.stringify(answer) === JSON.stringify(expected)) }
  },
  async onlyDataset() {
    await loadDataset('Maysee/tiny-imagenet', { source: 'hub' })
  },
  async chosen() {
    const { source, dataset, model } = await chooseSource(readSettings())
    return { source, dataset, model }
  },
}

programs[process.argv[2]!]!().then(
  (value) => console.log(JSON.stringify(value ?? null)),
  (error) => {
    console.error(error.code, error.message)
    process.exitCode = 1
  },
)
