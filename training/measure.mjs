/**
 * Measures a model through the project's own pipeline, fp32 and q8, against the goals.
 *
 *     node training/measure.mjs [--model FOLDER] [--work FOLDER of glyphs] [--photographs FOLDER] [--only fp32]
 */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { embeddedModel } from '../dist/embedded/index.js'
import { pipeline } from '../dist/index.js'
import { evaluationSets } from './evaluation.mjs'

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: embeddedModel() },
    work: { type: 'string' },
    photographs: { type: 'string' },
    only: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})
const sets = await evaluationSets(values.work, values.photographs)
const percent = (part, whole) => (whole ? Math.round((1000 * part) / whole) / 10 : null)
const best = {}
const rows = []
for (const dtype of values.only ? [values.only] : ['fp32', 'q8']) {
  const classify = await pipeline('image-classification', values.model, { dtype, numThreads: 1, topK: 1 })
  best[dtype] = {}
  for (const [name, pictures] of Object.entries(sets)) {
    const answers = []
    for (const { image } of pictures) answers.push((await classify(image))[0])
    best[dtype][name] = answers.map(({ label }) => label)
    const high = answers.map(({ score }) => score >= 0.8)
    const right = answers.map(({ label }, i) => label === pictures[i].label)
    const highAndRight = right.filter((is, i) => is && high[i]).length
    rows.push({
      dtype,
      set: name,
      pictures: pictures.length,
      'top-1 %': pictures[0].label === null ? null : percent(right.filter(Boolean).length, pictures.length),
      'score >= 0.80 %': percent(high.filter(Boolean).length, pictures.length),
      'of these right %': pictures[0].label === null ? null : percent(highAndRight, high.filter(Boolean).length),
      'as fp32 %':
        dtype === 'fp32' || !best.fp32
          ? null
          : percent(answers.filter(({ label }, i) => label === best.fp32[name][i]).length, pictures.length),
    })
  }
  const times = []
  for (let i = 0; i < 60; i++) {
    const started = performance.now()
    await classify(sets.valid[i].image)
    times.push(performance.now() - started)
  }
  times.sort((a, b) => a - b)
  const file = join(values.model, 'onnx', dtype === 'q8' ? 'model_quantized.onnx' : 'model.onnx')
  console.log(
    dtype,
    'milliseconds a picture, one thread (median of 60):',
    times[30].toFixed(2),
    'bytes:',
    statSync(file).size,
  )
  await classify.close()
}
if (values.json) console.log(JSON.stringify(rows))
else console.table(rows)
