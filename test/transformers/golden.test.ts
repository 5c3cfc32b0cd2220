import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import * as runtime from 'onnxruntime-node'
import { loadDataset } from '#src/datasets/index.js'
import { type Classification, pipeline } from '#src/transformers/index.js'
import { signedIsExact } from '#src/transformers/signed-probe.js'
import { signedWeights } from '#src/transformers/signed-weights.js'
import { root, shared } from './fixtures.js'

/** What Python answers on rows of a data set that is not part of the project. */
interface Golden {
  rows: { row: number; top5: Classification[] }[]
}

const rowsFile = join(shared, 'hub', 'tiny-imagenet', 'train.parquet')
const standIn = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'hub-stand-in', 'models')
const models = [
  { name: 'efficientnet-lite0', folder: join(shared, 'hub', 'efficientnet-lite0'), every: 1 },
  // a tenth of a second and more for each picture
  { name: 'vit-base', folder: join(standIn, 'Xenova', 'vit-base-patch16-224'), every: 10 },
]
// optimised once for all runs of these tests
process.env.RAYITO_CACHE = join(root, '.build', 'cache')

describe("answers on real rows are Python's", () => {
  for (const { name, folder, every } of models) {
    const answers = join(shared, 'golden', `${name}-fp32.json`)
    const absent = [folder, answers, rowsFile].find((path) => !existsSync(path))
    test(name, { skip: absent && `${absent} is not there` }, async () => {
      const { rows } = JSON.parse(readFileSync(answers, 'utf8')) as Golden
      const { train } = await loadDataset(rowsFile)
      const classifier = await pipeline('image-classification', folder)
      for (const { row, top5 } of rows.filter((_, i) => i % every === 0)) {
        const answer = await classifier((await train!.at(row)).image)
        const [best, second] = top5 as [Classification, Classification]
        if (best.score - second.score > 1e-6) assert.equal(answer[0]!.label, best.label, `row ${row}`)
        const scores = top5.map(({ score }, i) => Math.abs(answer[i]!.score - score))
        assert.ok(Math.max(...scores) <= 1e-4, `row ${row}: ${scores.join()}`)
      }
      await classifier.close()
    })
  }
})

const q8 = join(standIn, 'Xenova', 'vit-base-patch16-224', 'onnx', 'model_quantized.onnx')
test("a ViT-Base with signed weights has the logits of the file's", {
  skip: !existsSync(q8) && `${q8} is not there`,
}, async (t) => {
  if (!(await signedIsExact(runtime))) return t.skip('this processor rounds signed products')
  const file = readFileSync(q8)
  const signed = signedWeights(file)
  assert.ok(signed)
  const data = Float32Array.from({ length: 3 * 224 * 224 }, (_, i) => Math.sin(i * 0.37) * 2)
  const logits = async (model: Uint8Array) => {
    const session = await runtime.InferenceSession.create(model)
    const { logits } = await session.run({ pixel_values: new runtime.Tensor('float32', data, [1, 3, 224, 224]) })
    await session.release()
    return logits!.data
  }
  assert.deepEqual(await logits(signed), await logits(file))
})
