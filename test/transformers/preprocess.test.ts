import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Image } from '#src/datasets/image/image.js'
import { makePlan, resolvePlan } from '#src/transformers/make-plan.js'
import { toPixels } from '#src/transformers/pictures.js'
import { postprocess } from '#src/transformers/postprocess.js'
import { preprocess } from '#src/transformers/preprocess.js'
import { copyOfTinyVit, edit, fixture, readFixture } from './fixtures.js'

interface Row {
  settings: Record<string, unknown>
  values: Record<string, { shape: number[]; sha256: string }>
}

const config = { id2label: { 0: 'yes', 1: 'no' } }
const plan = (settings: object) => resolvePlan(config, settings, 'test/model')

test("pixel values equal those of Python's processors in every bit", async (t) => {
  for (const { settings, values } of readFixture<Row[]>('processors.json')) {
    await t.test(JSON.stringify(settings), async () => {
      const steps = plan(settings)
      for (const [picture, { shape, sha256 }] of Object.entries(values)) {
        const pixels = await toPixels(await Image.open(fixture('pictures', `${picture}.png`)))
        const { data, width, height } = preprocess(steps, pixels)
        assert.deepEqual([3, height, width], shape, picture)
        assert.equal(createHash('sha256').update(data).digest('hex'), sha256, picture)
      }
    })
  }
})

test('an array that is given to be filled is, unless it has another length', async () => {
  const steps = plan({ image_processor_type: 'ViTImageProcessor', size: 8 })
  const pixels = await toPixels(new Image(new Uint8Array(12).fill(200), 2, 2))
  const { data } = preprocess(steps, pixels)
  const spare = new Float32Array(data.length)
  assert.equal(preprocess(steps, pixels, spare).data, spare)
  assert.deepEqual(spare, data)
  for (const length of [0, 3, data.length + 1])
    assert.deepEqual(preprocess(steps, pixels, new Float32Array(length)).data, data)
})

test('an EfficientNet without include_top in its file is normalised once', () => {
  const type = { image_processor_type: 'EfficientNetImageProcessor' }
  assert.equal(plan(type).arithmetic.normalize.length, 1)
  assert.equal(plan({ ...type, include_top: true }).arithmetic.normalize.length, 2)
})

test('an EfficientNet moves pixels that it rescales by its offset, and no others', () => {
  const of = (do_rescale: boolean) =>
    plan({ image_processor_type: 'EfficientNetImageProcessor', rescale_offset: true, do_rescale }).arithmetic
  assert.deepEqual([of(true).offset, of(false).offset, of(false).rescale], [-1, 0, null])
})

test('files are read as they are, whatever the library makes of them', async (t) => {
  const model = copyOfTinyVit(t)
  const file = join(model, 'preprocessor_config.json')
  const settings = { image_processor_type: 'EfficientNetImageProcessor', size: 32, include_top: true }
  for (const std of [{}, { image_std: 0.5, image_mean: null }]) {
    edit(file, () => ({ ...settings, ...std }))
    const { labels, ...steps } = await makePlan(model, 'test/model')
    assert.equal(labels.length, 10)
    assert.deepEqual({ ...steps, labels: ['yes', 'no'] }, plan(settings))
  }
  for (const nothing of ['null', '[]']) {
    writeFileSync(file, nothing)
    const message = /preprocessor_config\.json cannot be read \(it holds no settings\)/
    await assert.rejects(makePlan(model, 'test/model'), { code: 'MODEL_INVALID', message })
  }
})

test('names of older and faster processors mean the same', () => {
  const vit = plan({ image_processor_type: 'ViTImageProcessor' })
  assert.deepEqual(plan({ image_processor_type: 'ViTImageProcessorFast' }), vit)
  assert.deepEqual(plan({ feature_extractor_type: 'ViTFeatureExtractor' }), vit)
})

test('a file that names no processor means that of its kind of model, as files of the first years do', () => {
  const settings = { size: 224, image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5] }
  const of = (model_type: string) => resolvePlan({ ...config, model_type }, settings, 'test/model')
  for (const [model, type] of [
    ['vit', 'ViTImageProcessor'],
    ['swinv2', 'ViTImageProcessor'],
    ['resnet', 'ConvNextImageProcessor'],
    ['dinov2', 'BitImageProcessor'],
    ['mobilevitv2', 'MobileViTImageProcessor'],
  ] as const)
    assert.deepEqual(of(model), plan({ ...settings, image_processor_type: type }), model)
  const legacy = { ...settings, feature_extractor_type: 'ImageFeatureExtractor' }
  assert.deepEqual(resolvePlan({ ...config, model_type: 'vit' }, legacy, 'test/model'), of('vit'))
  assert.throws(() => of('sam'), { code: 'MODEL_INVALID', message: /names no image_processor_type/ })
})

test('every processor but one takes both forms of a size, and cuts the middle out where it is told', () => {
  const settings = { image_mean: 0.5, image_std: 0.5, size: { shortest_edge: 33 }, crop_size: 32, resample: 3 }
  const of = (type: string) => ({
    ...plan({ ...settings, do_center_crop: true, image_processor_type: type }),
    processor: '',
  })
  for (const kind of ['ViT', 'DeiT', 'Siglip', 'Pvt', 'EfficientNet'])
    assert.deepEqual(of(`${kind}ImageProcessor`), of('BitImageProcessor'), kind)
  assert.equal(plan({ ...settings, image_processor_type: 'ViTImageProcessor' }).crop, null)
  for (const type of ['ViTImageProcessor', 'BitImageProcessor']) {
    const meant = (square: boolean) => plan({ image_processor_type: type, size: 33, default_to_square: square }).resize
    assert.deepEqual(meant(true), { kind: 'exact', width: 33, height: 33 })
    assert.deepEqual(meant(false), { kind: 'shortest', edge: 33 })
  }
  const nothing = { shortest_edge: 33, longest_edge: null, height: null, width: null }
  const vit = { image_processor_type: 'ViTImageProcessor' }
  assert.deepEqual(plan({ ...vit, size: [20, 30] }), plan({ ...vit, size: { height: 20, width: 30 } }))
  const bit = { ...settings, image_processor_type: 'BitImageProcessor' }
  assert.deepEqual(plan({ ...bit, size: nothing }), plan(bit))
})

test('what a class never does it does not because a file says so, and null is no', () => {
  const of = (kind: string, settings: object) => plan({ ...settings, image_processor_type: `${kind}ImageProcessor` })
  assert.equal(of('Segformer', { do_center_crop: true, crop_size: 32 }).crop, null)
  assert.deepEqual(of('MobileViT', { do_normalize: true }), of('MobileViT', {}))
  assert.equal(of('Bit', { do_flip_channel_order: true }).flip, false)
  for (const flag of ['do_resize', 'do_center_crop', 'do_rescale', 'do_normalize', 'do_flip_channel_order'])
    for (const kind of ['Bit', 'MobileViT'])
      assert.deepEqual(of(kind, { [flag]: null }), of(kind, { [flag]: false }), `${kind} ${flag}`)
})

test('a setting of a step that is not taken is not looked at, as in Python', () => {
  const bit = { image_processor_type: 'BitImageProcessor', size: 32 }
  const unresized = { ...bit, do_resize: false }
  assert.deepEqual(plan({ ...unresized, size: { longest_edge: 30 }, resample: 9 }), plan(unresized))
  const plain = { ...bit, do_normalize: false }
  assert.deepEqual(plan({ ...plain, image_mean: [0.5], image_std: [] }), plan(plain))
  assert.deepEqual(plan({ ...bit, do_pad: true, use_square_size: true }), plan(bit))
})

test('classes without names, and what makes scores of logits, are as in Python', () => {
  const of = (config: object) => resolvePlan(config, { image_processor_type: 'ViTImageProcessor' }, 'test/model')
  assert.deepEqual(of({}).labels, ['LABEL_0', 'LABEL_1'])
  assert.deepEqual(of({ num_labels: 3 }).labels, ['LABEL_0', 'LABEL_1', 'LABEL_2'])
  const one = { id2label: { 0: 'age' } }
  assert.deepEqual(
    [{}, one, { problem_type: 'multi_label_classification' }].map((config) => of(config).activation),
    ['softmax', 'sigmoid', 'sigmoid'],
  )
  assert.equal(of({ ...one, problem_type: 'regression' }).activation, 'none')
  assert.equal(of({ problem_type: 'regression' }).activation, 'none')
})

test('what is not known is refused, not guessed', () => {
  const refused = (settings: object, message: RegExp, labels: object = config) =>
    assert.throws(() => resolvePlan(labels, settings, 'test/model'), { code: 'MODEL_INVALID', message })
  const vit = { image_processor_type: 'ViTImageProcessor' }
  refused({}, /names no image_processor_type/)
  refused({ image_processor_type: 'SamImageProcessor' }, /SamImageProcessor, which is not known/)
  refused({ image_processor_type: 'constructorImageProcessor' }, /which is not known/)
  refused({ ...vit, do_center_crop: true }, /Expected a crop_size of height and width, got undefined/)
  refused(
    { image_processor_type: 'ConvNextImageProcessor', size: 224, do_center_crop: true, crop_size: 200 },
    /crops twice/,
  )
  refused({ ...vit, size: 'large' }, /The size "large" is in no form that is known here for ViTImageProcessor/)
  refused({ ...vit, size: { longest_edge: 30 } }, /in no form that is known here/)
  refused({ ...vit, size: { shortest_edge: 20, longest_edge: 30 } }, /in no form that is known here/)
  refused({ ...vit, resample: 9 }, /resample 9/)
  refused({ ...vit, do_pad: true, pad_size: { height: 300, width: 300 } }, /pad_size/)
  refused({ ...vit, size: 100_000 }, /a size that memory holds, got 100000×100000 by preprocessor_config\.json/)
  refused({ ...vit, size: { shortest_edge: 100_000 } }, /a size that memory holds/)
  refused({ ...vit, do_center_crop: true, crop_size: 100_000 }, /a size that memory holds/)
  refused({ image_processor_type: 'CLIPImageProcessor', use_square_size: true }, /use_square_size/)
  refused({ ...vit, image_mean: [0.5] }, /three numbers/)
  refused({ ...vit, image_std: [0.5, 0.5, '0.5'] }, /three numbers/)
  refused({ ...vit, image_std: '0.5' }, /three numbers/)
  refused({ image_processor_type: 3 }, /prepared by 3, which is not known/)
  refused({ image_processor_type: 'ConvNextImageProcessor', size: { height: 9, width: 9 } }, /in no form/)
  refused(vit, /id2label of config\.json is empty/, { id2label: {} })
  refused(vit, /does not count from 0\. Number its classes/, { id2label: { 1: 'one', 2: 'two' } })
})

test('of classes that score alike the first of the model go first, however many are asked for', () => {
  const id2label = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [i, String(i)]))
  const steps = resolvePlan({ id2label }, { image_processor_type: 'ViTImageProcessor' }, 'test/model')
  const logits = Float32Array.from({ length: 50 }, (_, i) => [2, 0, 3, 3, 1][i % 5]!)
  const order = [3, 2, 1, 0].flatMap((logit) => steps.labels.filter((_, i) => logits[i] === logit))
  for (const topK of [1, 2, 3, 5, 21, 32, 33, 49, null])
    for (const functionToApply of ['none', 'softmax', 'sigmoid'] as const)
      assert.deepEqual(
        postprocess(steps, logits, { topK, functionToApply }).map(({ label }) => label),
        order.slice(0, topK ?? 50),
      )
})
