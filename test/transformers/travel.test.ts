import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { serialize } from '#src/core/travel.js'
import { Image } from '#src/datasets/image/image.js'
import type { Recipe } from '#src/transformers/image-classification.js'
import { type Classification, type ImageClassificationPipeline, pipeline } from '#src/transformers/index.js'
import { fillOptions } from '#src/transformers/options.js'
import { revivePipeline } from '#src/transformers/pipeline.js'
import { folderFiles, HubStandIn } from '../stand-ins/hub.js'
import { fixture, ownCache, tinyVit } from './fixtures.js'

const { weights } = ownCache()
const picture = fixture('pictures', 'colour-64x64.png')

test('a classifier travels as the name of its model, and is made again there with the same answers', async () => {
  const classifier = await pipeline('image-classification', tinyVit, {
    dtype: 'q8',
    topK: 3,
    functionToApply: 'none',
  })
  after(() => classifier.close())
  const { module, name, data } = classifier[serialize]()
  const { endpoint, cacheDir, ...rest } = data as Recipe
  assert.deepEqual(rest, {
    model: tinyVit,
    dtype: 'q8',
    topK: 3,
    functionToApply: 'none',
    revision: '',
    asked: '',
    numThreads: null,
    source: 'auto',
  })
  assert.deepEqual([endpoint, cacheDir], [undefined, undefined])
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

test('made again from the commit of a branch, it uses the weights that were optimised for the branch', async () => {
  const home = mkdtempSync(join(tmpdir(), 'rayito-home-'))
  const hub = await HubStandIn.start({ 'models/owner/vit': folderFiles(tinyVit) })
  try {
    const classifier = await pipeline('image-classification', 'owner/vit', {
      endpoint: hub.endpoint,
      cacheDir: home,
      token: 'hf_secret',
      progress: false,
    })
    const { data } = classifier[serialize]()
    assert.doesNotMatch(JSON.stringify(data), /hf_secret/)
    const again = await revivePipeline(data as Recipe)
    assert.equal(again.revision, classifier.revision)
    assert.deepEqual(await again(picture), await classifier(picture))
    assert.equal(readdirSync(weights).filter((name) => name.startsWith('owner')).length, 1)
    await Promise.all([classifier.close(), again.close()])
  } finally {
    await hub.close()
    rmSync(home, { recursive: true, force: true })
  }
})

test('made from a relative path, it is made again from the same folder, wherever the program has gone', async () => {
  const began = process.cwd()
  after(() => process.chdir(began))
  process.chdir(dirname(tinyVit))
  const classifier = await pipeline('image-classification', `./${basename(tinyVit)}`, { cacheDir: 'cache' })
  process.chdir(tmpdir())
  const recipe = classifier[serialize]().data as Recipe
  const again = await revivePipeline(recipe)
  assert.deepEqual(await again(picture), await classifier(picture))
  assert.equal(recipe.cacheDir, join(dirname(tinyVit), 'cache'))
  await Promise.all([classifier.close(), again.close()])
})

test('not told, it uses one in a worker thread, beside which others work, and all of the main thread’s', async () => {
  const program = `import { parentPort } from 'node:worker_threads'
    import { fillOptions } from ${JSON.stringify(import.meta.resolve('#src/transformers/options.js'))}
    parentPort.postMessage(fillOptions().numThreads)`
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(program)}`))
  assert.deepEqual(await once(worker, 'message'), [1])
  assert.equal(fillOptions().numThreads, availableParallelism())
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
