import assert from 'node:assert/strict'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Image, loadDataset } from '#src/datasets/index.js'
import { Drawings } from '#src/embedded/drawings.js'
import { EMBEDDED_DATASET, embeddedModel } from '#src/embedded/index.js'
import { Random } from '#src/embedded/random.js'
import { SUBJECTS } from '#src/embedded/subjects.js'
import { EDGE, vary } from '#src/embedded/vary.js'
import { type Classification, type ImageClassificationPipeline, pipeline } from '#src/transformers/index.js'
import { absent, commonCache, root, shared } from './support.js'

process.env.RAYITO_CACHE = commonCache

const model = embeddedModel()
const config = JSON.parse(readFileSync(join(model, 'config.json'), 'utf8')) as { id2label: Record<string, string> }
const labels = Object.values(config.id2label)

/** Per cent of the answers for which it holds. */
const share = <T>(answers: readonly T[], holds: (answer: T, at: number) => boolean) =>
  (100 * answers.filter(holds).length) / answers.length
const sure = ({ score }: Classification) => score >= 0.8

const PHOTOGRAPHS = join(shared, 'embedded', 'photos')
const UNCHANGED = join(shared, 'hub', 'efficientnet-lite0')

/** EfficientNet-Lite0's own weights and names, prepared for as the embedded model is. */
function unchanged(): string {
  const folder = mkdtempSync(join(tmpdir(), 'rayito-lite0-'))
  mkdirSync(join(folder, 'onnx'))
  copyFileSync(join(UNCHANGED, 'onnx', 'model.onnx'), join(folder, 'onnx', 'model.onnx'))
  copyFileSync(join(model, 'preprocessor_config.json'), join(folder, 'preprocessor_config.json'))
  const id2label = Object.fromEntries(Object.entries(config.id2label).slice(0, 1000))
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, id2label }))
  return folder
}

/** Noise, squares, gradients and plain colours. */
function plain(): Image[] {
  const random = new Random(1, 2, 3)
  return Array.from({ length: 60 }, (_, k) => {
    const [from, to] = [
      [0, 0, 0],
      [0, 0, 0],
    ].map((colour) => colour.map(() => random.between(0, 255))) as [number[], number[]]
    const cell = [1, 4, 8, 16][k % 4]!
    const cells = Array.from({ length: EDGE * EDGE * 3 }, () => random.between(0, 255))
    const data = Uint8Array.from({ length: EDGE * EDGE * 3 }, (_, i) => {
      const [x, y, channel] = [Math.floor(i / 3) % EDGE, Math.floor(i / 3 / EDGE), i % 3]
      if (k % 3 === 0) return cells[(Math.floor(y / cell) * EDGE + Math.floor(x / cell)) * 3 + channel]!
      return k % 3 === 1 ? from[channel]! : from[channel]! + ((to[channel]! - from[channel]!) * y) / EDGE
    })
    return new Image(data, EDGE, EDGE)
  })
}

/** Faces, flags, signs, letters, hands and people. */
const NONE =
  'angry-face cowboy-hat-face dotted-line-face face-blowing-a-kiss face-with-medical-mask face-with-rolling-eyes face-with-tongue frowning-face-with-open-mouth grinning-face-with-sweat kissing-face lying-face nerd-face shaking-face smiling-face weary-face yawning-face flag-belarus flag-cyprus flag-kenya flag-somalia flag-for-flag-honduras flag-for-flag-ecuador flag-guyana flag-nicaragua flag-puerto-rico a-button-blood-type beating-heart brown-heart down-right-arrow fast-reverse-button heart-exclamation japanese-prohibited-button left-arrow-curving-right next-track-button peace-symbol red-heart transgender-symbol wheelchair-symbol input-latin-letters keycap-0 keycap-4 letter-c letter-h letter-m letter-r letter-w backhand-index-pointing-down palm-up-hand person-frowning-medium-skin-tone pinching-hand-medium-skin-tone victory-hand-medium-skin-tone woman-standing-dark-skin-tone person-facepalming'
    .split(' ')
    .map((icon) => `twemoji:${icon}`)

describe('the embedded model', () => {
  let fp32: ImageClassificationPipeline
  let q8: ImageClassificationPipeline
  before(async () => {
    fp32 = await pipeline('image-classification', model, { topK: 1, numThreads: 1 })
    q8 = await pipeline('image-classification', model, { dtype: 'q8', topK: 1, numThreads: 1 })
  })
  after(async () => {
    await fp32.close()
    await q8.close()
  })
  const answers = async (classify: ImageClassificationPipeline, pictures: readonly Image[]) => {
    const got: Classification[] = []
    for (const picture of pictures) got.push((await classify(picture))[0]!)
    return got
  }

  test('comes in two files of 32 MB together, and a card', () => {
    const files = readdirSync(join(model, 'onnx'))
    assert.deepEqual(files.sort(), ['model.onnx', 'model_quantized.onnx'])
    const bytes = files.reduce((sum, file) => sum + statSync(join(model, 'onnx', file)).size, 0)
    assert.ok(bytes <= 32e6, `${bytes} bytes`)
    assert.match(readFileSync(join(model, 'README.md'), 'utf8'), /^license: /m)
  })

  test("keeps ImageNet's 1000 classes in their order and adds subjects, each called by a name of its own first", () => {
    assert.ok(labels.length >= 1240, `${labels.length} classes`)
    assert.equal(new Set(labels).size, labels.length)
    assert.deepEqual(
      [labels[0], labels[587], labels[999]],
      ['tench, Tinca tinca', 'hammer', 'toilet tissue, toilet paper, bathroom tissue'],
    )
    for (const { classIndex, label } of SUBJECTS) assert.equal(labels[classIndex], label)
  })

  test("knows the picture set's validation pictures, in q8 as in fp32", async () => {
    const { valid } = await loadDataset(EMBEDDED_DATASET)
    const pictures: Image[] = []
    const right: string[] = []
    for (let label = 0; label < SUBJECTS.length; label += 4) {
      for (let row = 0; row < 5; row++) {
        pictures.push((await valid!.at(label * 5 + row)).image)
        right.push(SUBJECTS[label]!.label)
      }
    }
    const got = await answers(fp32, pictures)
    assert.ok(share(got, ({ label }, at) => label === right[at]) >= 97, 'top-1')
    assert.ok(share(got, sure) >= 90, 'sure')
    const quantised = await answers(q8, pictures)
    assert.ok(share(quantised, ({ label }, at) => label === got[at]!.label) >= 98, 'q8 as fp32')
    assert.ok(Math.abs(share(quantised, sure) - share(got, sure)) <= 2, 'as sure in q8')
  })

  test("names the project's own pictures: hammer, umbrella, sailboat, and not what has no name", async () => {
    for (const classify of [fp32, q8]) {
      const names = ['example-image', 'umbrella', 'sailboat', 'nameless']
      const pictures = await Promise.all(names.map((name) => Image.open(join(root, 'images', `${name}.png`))))
      const got = await answers(classify, pictures)
      assert.deepEqual(
        got.slice(0, 3).map(({ label }) => label),
        ['hammer', 'umbrella', 'sailboat'],
      )
      assert.deepEqual(got.map(sure), [true, true, true, false], JSON.stringify(got))
    }
  })

  test('is seldom sure of what is none of its classes', async () => {
    const drawings = new Drawings()
    const pictures: Image[] = []
    for (const [at, icon] of NONE.entries()) {
      const drawing = await drawings.render(icon)
      for (let i = 0; i < 3; i++) pictures.push(new Image(vary(drawing, 5, at, i), EDGE, EDGE))
    }
    pictures.push(...plain())
    const got = await answers(fp32, pictures)
    assert.ok(share(got, sure) <= 2, JSON.stringify(got.filter(sure)))
  })

  test('answers on photographs as the unchanged EfficientNet-Lite0 does', {
    skip: absent(PHOTOGRAPHS) || absent(UNCHANGED),
  }, async () => {
    const folder = unchanged()
    const original = await pipeline('image-classification', folder, { topK: 1, numThreads: 1 })
    try {
      const files = readdirSync(PHOTOGRAPHS)
      const pictures = await Promise.all(files.map((file) => Image.open(join(PHOTOGRAPHS, file))))
      const right = files.map((file) =>
        file
          .replace(/^n\d+_|\.jpg$/g, '')
          .replaceAll('_', ' ')
          .toLowerCase(),
      )
      const isRight = ({ label }: Classification, at: number) => label.toLowerCase().split(', ').includes(right[at]!)
      const before = await answers(original, pictures)
      const now = await answers(fp32, pictures)
      const quantised = await answers(q8, pictures)
      assert.ok(Math.abs(share(now, isRight) - share(before, isRight)) <= 1, 'top-1')
      assert.ok(Math.abs(share(now, sure) - share(before, sure)) <= 1, 'sure')
      assert.ok(share(quantised, ({ label }, at) => label === now[at]!.label) >= 97, 'q8 as fp32')
      assert.ok(Math.abs(share(quantised, sure) - share(now, sure)) <= 2, 'as sure in q8')
    } finally {
      await original.close()
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    }
  })
})
