import assert from 'node:assert/strict'
import { copyFileSync, createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { after, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { inspect } from 'node:util'
import { pipeline as pipelineOfTransformers, RawImage } from '@huggingface/transformers'
import { Image } from '#src/datasets/image/image.js'
import { type Classification, type Dtype, type ImageClassificationPipeline, pipeline } from '#src/transformers/index.js'
import { withoutPadFusion } from '#src/transformers/pad-fusion.js'
import { copyOfTinyVit, edit, fixture, ownCache, readFixture, tinyVit } from './fixtures.js'

interface Row {
  dtype: Dtype
  picture: string
  answer: Classification[]
}

ownCache()
const rows = readFixture<Row[]>('answers.json')
const path = (picture: string) => fixture('pictures', `${picture}.png`)

for (const dtype of ['fp32', 'q8'] as const) {
  describe(dtype, () => {
    let classifier: ImageClassificationPipeline
    before(async () => {
      classifier = await pipeline('image-classification', tinyVit, { dtype, topK: null })
    })
    after(() => classifier.close())

    test("answers are Python's", async () => {
      for (const row of rows.filter((row) => row.dtype === dtype)) {
        const answer = await classifier(path(row.picture))
        assert.equal(answer.length, 10)
        assert.equal(answer[0]!.label, row.answer[0]!.label, row.picture)
        const scores = new Map(row.answer.map(({ label, score }) => [label, score]))
        for (const { label, score } of answer) {
          // where the processor rounds a product differently, a dynamically quantised value may fall to the next step
          assert.ok(Math.abs(score - scores.get(label)!) < (dtype === 'fp32' ? 1e-5 : 2e-2), `${row.picture} ${label}`)
        }
      }
    })

    test('answers are those of @huggingface/transformers, given the picture as Pillow resizes it', async () => {
      const options = { dtype, local_files_only: true } as const
      const theirs = await pipelineOfTransformers('image-classification', tinyVit, options)
      for (const { picture } of rows.filter((row) => row.dtype === dtype)) {
        const image = await Image.open(path(picture))
        const { data, width, height } = await image.toRgb().resize(32, 32, 'bilinear')
        const answer = await theirs(new RawImage(data, width, height, 3), { top_k: null as never })
        assert.deepEqual(await classifier(image), answer, picture)
      }
      await theirs.dispose()
    })
  })
}

describe('a classifier', () => {
  let classifier: ImageClassificationPipeline
  before(async () => {
    classifier = await pipeline('image-classification', tinyVit)
  })
  after(() => classifier.close())

  test('takes a path, a file URL, bytes and a picture, and gives the five best', async () => {
    const file = path('colour-64x64')
    const bytes = await readFile(file)
    const first = await classifier(file)
    assert.equal(first.length, 5)
    assert.deepEqual(
      first.map(({ score }) => score),
      first.map(({ score }) => score).sort((a, b) => b - a),
    )
    for (const same of [pathToFileURL(file), bytes, new Uint8Array(bytes), await Image.open(bytes)]) {
      assert.deepEqual(await classifier(same), first)
    }
  })

  test('gives a list of answers for a list of pictures', async () => {
    const files = ['colour-64x64', 'grey-50x50', 'alpha-40x60'].map(path)
    const each = [await classifier(files[0]!), await classifier(files[1]!), await classifier(files[2]!)]
    assert.deepEqual(await classifier(files), each)
    assert.deepEqual(await classifier([]), [])
    await assert.rejects(classifier([files[0]!, Buffer.from('no picture')]), {
      code: 'IMAGE_INVALID',
      message: /^Picture 1: Expected a picture, got 10 bytes/,
      index: 1,
    })
    await assert.rejects(classifier([null as never]), { code: 'INVALID_ARGUMENT', message: /^Picture 0: Expected/ })
  })

  test('gives as many classes as it is told', async () => {
    const file = path('colour-64x64')
    const all = await classifier(file, { topK: null })
    assert.equal(all.length, 10)
    assert.deepEqual(await classifier(file, { topK: 2 }), all.slice(0, 2))
    assert.deepEqual(await classifier(file, { topK: 99 }), all)
    await assert.rejects(classifier(file, { topK: 0 }), { code: 'INVALID_ARGUMENT', message: /Expected `topK`/ })
  })

  test('makes scores of logits as it is told, for all calls or one', async () => {
    const file = path('colour-64x64')
    const logits = await classifier(file, { functionToApply: 'none', topK: null })
    const exps = logits.map(({ score }) => Math.exp(score))
    const sum = exps.reduce((a, b) => a + b, 0)
    const close = (answer: Classification[], scores: number[]) => {
      assert.deepEqual(
        answer.map(({ label }) => label),
        logits.map(({ label }) => label),
      )
      for (const [i, { score }] of answer.entries()) assert.ok(Math.abs(score - scores[i]!) < 1e-6)
    }
    const softmax = exps.map((x) => x / sum)
    close(await classifier(file, { topK: null }), softmax)
    const sigmoid = await pipeline('image-classification', tinyVit, { functionToApply: 'sigmoid', topK: null })
    const ones = exps.map((x) => x / (1 + x))
    close(await sigmoid(file), ones)
    close(await sigmoid(file, { functionToApply: null }), softmax)
    await sigmoid.close()
    await assert.rejects(classifier(file, { functionToApply: 'relu' as never }), { code: 'INVALID_ARGUMENT' })
  })

  test('answers calls that are made at once each with its own', async () => {
    const files = rows.filter(({ dtype }) => dtype === 'fp32').map(({ picture }) => path(picture))
    const oneByOne: Classification[][] = []
    for (const file of files) oneByOne.push(await classifier(file))
    assert.deepEqual(await Promise.all(files.map((file) => classifier(file))), oneByOne)
  })

  test('reads of many pictures that are asked for at once a few at a time, and keeps to that after one that is none', async () => {
    const bytes = await readFile(path('colour-64x64'))
    const few = availableParallelism() + 1
    let open = 0
    let most = 0
    class Noted extends Blob {
      override arrayBuffer() {
        most = Math.max(most, ++open)
        return super.arrayBuffer()
      }
    }
    const answers = await Promise.allSettled(
      Array.from({ length: 20 * few }, (_, i) =>
        classifier(new Noted([i % 3 ? bytes : 'no picture'])).finally(() => {
          open--
        }),
      ),
    )
    // a picture's place is free a little before its answer is here
    assert.ok(most <= 2 * few, `${most} at once`)
    assert.deepEqual([...new Set(answers.map(({ status }, i) => `${status} ${i % 3 > 0}`))].sort(), [
      'fulfilled true',
      'rejected false',
    ])
  })

  test('waits for no stream that stands still while there are other pictures', async () => {
    for (const given of [
      (stream: PassThrough) => stream,
      (stream: PassThrough) => Readable.toWeb(stream) as ReadableStream,
    ]) {
      const streams = Array.from({ length: availableParallelism() + 1 }, () => new PassThrough())
      const waiting = streams.map((stream) => classifier(given(stream)))
      const first = await classifier(path('colour-64x64'))
      for (const stream of streams) createReadStream(path('colour-64x64')).pipe(stream)
      for (const answer of await Promise.all(waiting)) assert.deepEqual(answer, first)
    }
  })

  test('shows what it is in one line', () => {
    const { numThreads } = classifier
    assert.equal(typeof classifier, 'function')
    assert.equal(
      inspect(classifier),
      `ImageClassificationPipeline(${tinyVit}, fp32, ${numThreads} thread${numThreads === 1 ? '' : 's'})`,
    )
  })

  test('says what is no picture', async () => {
    await assert.rejects(classifier(Buffer.from('no picture')), { code: 'IMAGE_INVALID' })
    await assert.rejects(classifier(42 as never), { code: 'INVALID_ARGUMENT' })
    assert.equal((await classifier(path('colour-64x64'))).length, 5)
  })
})

test('zeros around what is pooled are greater than negative numbers', async (t) => {
  const model = copyOfTinyVit(t)
  copyFileSync(fixture('pooled.onnx'), join(model, 'onnx', 'model.onnx'))
  edit(join(model, 'config.json'), (config) => {
    config.id2label = { 0: 'red', 1: 'green', 2: 'blue' }
  })
  const classifier = await pipeline('image-classification', model, { functionToApply: 'none' })
  const black = new Image(new Uint8Array(3 * 32 * 32), 32, 32)
  // of 16 × 16 windows the first row and the first column reach over the edge; all others see black, which is −1
  const mean = -(15 * 15) / (16 * 16)
  assert.deepEqual(
    await classifier(black),
    ['red', 'green', 'blue'].map((label) => ({ label, score: mean })),
  )
  await classifier.close()
})

test('only for a model that pools what zeros were put around is an optimisation left out, which makes others faster', async () => {
  const [pooled, other] = [fixture('pooled.onnx'), join(tinyVit, 'onnx', 'model.onnx')]
  for (const model of [pooled, await readFile(pooled)])
    assert.deepEqual(await withoutPadFusion(model), {
      extra: { optimization: { disable_specified_optimizers: 'Pad_Fusion' } },
    })
  for (const model of [other, await readFile(other), join(tinyVit, 'config.json'), new Uint8Array()])
    assert.deepEqual(await withoutPadFusion(model), {})
})
