import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { serialize } from '#src/core/travel.js'
import { Image } from '#src/datasets/image.js'
import { type Classification, type ImageClassificationPipeline, pipeline } from '#src/transformers/index.js'
import { fixture, ownCache, tinyVit } from './fixtures.js'

ownCache()
const picture = fixture('pictures', 'colour-64x64.png')

test('a classifier travels as the name of its model, and is made again there with the same answers', async () => {
  const classifier = await pipeline('image-classification', tinyVit, { dtype: 'q8', topK: 3 })
  after(() => classifier.close())
  const { module, name, data } = classifier[serialize]()
  assert.deepEqual(data, { model: tinyVit, dtype: 'q8', topK: 3, revision: '', numThreads: null })
  structuredClone(data)

  const source = `
    const { parentPort, workerData: { module, name, data, picture } } = require('node:worker_threads')
    import(module).then(async (exports) => {
      const classifier = await exports[name](data)
      parentPort.postMessage([classifier.numThreads, await classifier(picture)])
      await classifier.close()
    })
  `
  const worker = new Worker(source, { eval: true, workerData: { module, name, data, picture } })
  const said = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
  await worker.terminate()
  assert.deepEqual(said, [1, await classifier(picture)])
})

test('told how many threads to use, it says so where it arrives', async () => {
  const classifier = await pipeline('image-classification', tinyVit, { numThreads: 2 })
  assert.equal((classifier[serialize]().data as { numThreads: number }).numThreads, 2)
  await classifier.close()
  assert.throws(() => classifier[serialize](), { code: 'PIPELINE_CLOSED' })
})

test('tasks and actors take it as an argument, from the object store and without', async () => {
  const { ray } = await import('#src/ray/index.js')
  await ray.init({ numCpus: 2 })
  after(() => ray.shutdown())
  const classifier = await pipeline('image-classification', tinyVit)
  after(() => classifier.close())
  const classify = ray.remote(
    async (clf: ImageClassificationPipeline, image: Image): Promise<Classification[]> => clf(image),
  )
  const image = await Image.open(picture)
  const answer = await classifier(image)
  const ref = ray.put(classifier)
  const refs = [1, 2, 3, 4].map(() => classify.remote(ref, image))
  assert.deepEqual(await ray.get(refs), [answer, answer, answer, answer])
  assert.deepEqual(await ray.get(classify.remote(classifier, image)), answer)
})
