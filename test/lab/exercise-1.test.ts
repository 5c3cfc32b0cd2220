import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Image, loadDataset } from '#src/datasets/index.js'
import { getBestClassAndScore, InferenceEngine, inference, measure, modelBytes, sameAnswers } from '#src/lab/index.js'
import { ray } from '#src/ray/index.js'
import { type ImageClassificationPipeline, pipeline } from '#src/transformers/index.js'
import { tinyHub } from './tiny-hub.js'

let hub: Awaited<ReturnType<typeof tinyHub>>
let classifier: ImageClassificationPipeline
let pictures: Image[]
const rows = [0, 1, 2_300, 9_999]

before(async () => {
  hub = await tinyHub()
  Object.assign(process.env, hub.env)
  ray.init({ numCpus: 2 })
  classifier = await pipeline('image-classification')
  const { train } = await loadDataset('Maysee/tiny-imagenet')
  pictures = await Promise.all(rows.map(async (i) => (await train.at(i)).image))
})
after(async () => {
  await ray.shutdown()
  await classifier.close()
  await hub.close()
})

test('getBestClassAndScore gives the first of what the classifier says', async () => {
  const [best] = await classifier(pictures[0]!)
  assert.deepEqual(await getBestClassAndScore(classifier, pictures[0]!), [best!.label, best!.score])
  await assert.rejects(getBestClassAndScore(classifier, new Uint8Array(3)), { code: 'IMAGE_INVALID' })
})

test('the task and the actor answer what the classifier answers here', async () => {
  const expected = await Promise.all(pictures.map((image) => getBestClassAndScore(classifier, image)))
  const rclef = ray.put(classifier)
  assert.deepEqual(await ray.get(pictures.map((image) => inference.remote(rclef, image))), expected)
  const engine = InferenceEngine.remote()
  assert.deepEqual(await ray.get(rows.map((i) => engine.classifyImage.remote(i))), expected)
  assert.deepEqual(await ray.get(pictures.map((image) => engine.classifyImageObject.remote(image))), expected)
  ray.kill(engine)
})

test('classifyImage answers ["Error", 1] past the end, before the start and between rows', async () => {
  const engine = InferenceEngine.remote(true)
  for (const i of [10_000, 1e9, -1, 1.5, Number.NaN])
    assert.deepEqual(await ray.get(engine.classifyImage.remote(i)), ['Error', 1], String(i))
  ray.kill(engine)
})

test('an actor without the data set answers ["Error", 1] by row, and classifies pictures', async () => {
  const engine = InferenceEngine.remote(false)
  await ray.get(engine.ready.remote())
  assert.deepEqual(await ray.get(engine.classifyImage.remote(0)), ['Error', 1])
  const [label, score] = await ray.get(engine.classifyImageObject.remote(pictures[0]!))
  assert.deepEqual([label, score], await getBestClassAndScore(classifier, pictures[0]!))
  ray.kill(engine)
})

test('what an actor could not load is thrown by its calls', async () => {
  const engine = InferenceEngine.remote(false, { model: 'nobody/nothing' })
  await assert.rejects(ray.get(engine.ready.remote()), /nobody\/nothing/)
  await assert.rejects(ray.get(engine.classifyImageObject.remote(pictures[0]!)), /nobody\/nothing/)
  ray.kill(engine)
})

test('measure tells the times, the bytes and who did how much', async () => {
  const settings = { versions: ['A' as const, 'C2' as const], images: 40 }
  const a = await measure(settings, 'A', async (run) => {
    run.loaded()
    return Promise.all(Array.from({ length: 40 }, () => getBestClassAndScore(classifier, pictures[0]!)))
  })()
  const c2 = await measure(settings, 'C2', async (run) => {
    const engines = [InferenceEngine.remote(false), InferenceEngine.remote(false)]
    await ray.get(engines.map((engine) => engine.ready.remote()))
    run.loaded()
    const refs = Array.from({ length: 40 }, (_, k) => engines[k % 2]!.classifyImageObject.remote(pictures[0]!))
    const result = await ray.get(refs)
    for (const engine of engines) ray.kill(engine)
    return result
  })()
  assert.match(sameAnswers([a, c2]), /^A, C2: the same 40 classes/)
  assert.deepEqual(a!.perWorker, { driver: 40 })
  assert.deepEqual(Object.values(c2!.perWorker), [20, 20])
  assert.equal(a!.bytesMoved, 0)
  assert.ok(c2!.bytesMoved > 40 * pictures[0]!.data.length, 'pictures, which are shared, and answers, which are copied')
  const doings = (version: typeof a) =>
    version!.lanes!.map(({ name, stretches }) => [
      name.replace(/\d+$/, ''),
      [...new Set(stretches.map(({ doing }) => doing))]
        .filter((doing) => doing === 'loading' || doing === 'inferring')
        .sort(),
    ])
  assert.deepEqual(doings(a), [['driver', ['inferring']]])
  assert.deepEqual(doings(c2), [
    ['driver', []],
    ['InferenceEngine#', ['inferring', 'loading']],
    ['InferenceEngine#', ['inferring', 'loading']],
  ])
  for (const version of [a!, c2!]) {
    assert.ok(Math.abs(version.loadSeconds + version.inferenceSeconds - version.seconds) < 1e-9)
    const most = (1.024 * process.resourceUsage().maxRSS) / 1e3
    assert.ok(version.peakMemoryMB > 20 && version.peakMemoryMB <= Math.ceil(most), `${version.peakMemoryMB}, ${most}`)
  }
})

test('a version that was not chosen is not run, and one that never says loaded() is refused', async () => {
  const settings = { versions: ['A' as const], images: 1 }
  assert.equal(await measure(settings, 'B', () => assert.fail('it ran'))(), undefined)
  await assert.rejects(measure(settings, 'A', async () => [['cat', 1]])(), { message: /run\.loaded\(\)/ })
})

test('modelBytes is the file with the weights', async () => {
  assert.equal((await modelBytes(classifier)).length, 104_434)
})
