import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fields, GRAPH, MODEL, message, newNode, string, TENSOR, text } from '#src/transformers/onnx-file.js'
import { alignWeights } from '#src/transformers/weights-align.js'

type Entries = Record<string, string>

/** A folder of optimised weights as onnxruntime leaves it: what each initializer notes of its data, and the data. */
function weights(t: TestContext, initializers: Record<string, Entries>, data: Uint8Array | null) {
  const folder = mkdtempSync(join(tmpdir(), 'rayito-align-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const tensors = Object.entries(initializers).flatMap(([name, entries]) =>
    message(GRAPH.initializer, [
      ...string(TENSOR.name, name),
      ...Object.entries(entries).flatMap(([key, value]) =>
        message(TENSOR.externalData, [...string(1, key), ...string(2, value)]),
      ),
    ]),
  )
  const graph = [...message(GRAPH.node, newNode('Relu', ['x'], 'y')), ...tensors]
  writeFileSync(join(folder, 'model.onnx'), Buffer.concat([Uint8Array.of(8, 8), ...message(MODEL.graph, graph)]))
  if (data) writeFileSync(join(folder, 'model.data'), data)
  return folder
}

/** What the initializers of a folder note now, and whether all else is there. */
function noted(folder: string): Record<string, Entries> {
  const model = readFileSync(join(folder, 'model.onnx'))
  const [version, graph] = fields(model) as [{ value: number }, ReturnType<typeof fields>[number]]
  const all = fields(model, graph)
  assert.deepEqual([version.value, all[0]!.number], [8, GRAPH.node])
  const tensors = all.filter(({ number }) => number === GRAPH.initializer)
  return Object.fromEntries(
    tensors.map((tensor) => {
      const parts = fields(model, tensor)
      const entries = parts.filter(({ number }) => number === TENSOR.externalData).map((entry) => fields(model, entry))
      const name = parts.find(({ number }) => number === TENSOR.name)!
      return [
        text(model, name),
        Object.fromEntries(entries.map(([key, value]) => [text(model, key!), text(model, value!)])),
      ]
    }),
  )
}

const numbered = (length: number) => Uint8Array.from({ length }, (_, i) => i * 7)

test('weights laid out for kernels that lie at odd places are copied to the end, to even ones', async (t) => {
  const data = numbered(1000)
  const plain = { location: 'model.data', offset: '10', length: '100' }
  const folder = weights(
    t,
    {
      odd: { prepacked_0: 'MatMul|70;33;5|128;64;6|300;3;7', prepacked_1: 'Gemm|1;2;8', ...plain },
      even: { ...plain, prepacked_0: 'MatMul|64;33;5|0;7;6' },
      none: plain,
    },
    data,
  )
  await alignWeights(folder)
  assert.deepEqual(noted(folder), {
    odd: { ...plain, prepacked_0: 'MatMul|1024;33;5|128;64;6|1088;3;7', prepacked_1: 'Gemm|1152;2;8' },
    even: { ...plain, prepacked_0: 'MatMul|64;33;5|0;7;6' },
    none: plain,
  })
  const now = readFileSync(join(folder, 'model.data'))
  assert.ok(now.subarray(0, 1000).equals(data), 'all stays where others read it')
  for (const [at, from, length] of [
    [1024, 70, 33],
    [1088, 300, 3],
    [1152, 1, 2],
  ] as const)
    assert.ok(now.subarray(at, at + length).equals(data.subarray(from, from + length)))
  assert.equal(now.length, 1154)
  const before = statSync(join(folder, 'model.onnx')).mtimeMs
  await alignWeights(folder)
  assert.deepEqual(
    [statSync(join(folder, 'model.onnx')).mtimeMs, statSync(join(folder, 'model.data')).size],
    [before, 1154],
  )
})

test('large ones are copied whole', async (t) => {
  const data = Buffer.alloc(4_200_001, numbered(1000))
  const folder = weights(t, { odd: { prepacked_0: `MatMul|1;${data.length - 1};5` } }, data)
  await alignWeights(folder)
  const at = 4_200_064
  assert.deepEqual(noted(folder), { odd: { prepacked_0: `MatMul|${at};4200000;5` } })
  assert.ok(readFileSync(join(folder, 'model.data')).subarray(at).equals(data.subarray(1)))
})

test('weights that end too early are an error, and a model without data is left alone', async (t) => {
  const short = weights(t, { odd: { prepacked_0: 'MatMul|70;33;5' } }, numbered(80))
  await assert.rejects(alignWeights(short), /model\.data ends before its weights do/)
  const tiny = weights(t, { odd: { prepacked_0: 'MatMul|70;33;5' } }, null)
  await alignWeights(tiny)
  assert.deepEqual(noted(tiny), { odd: { prepacked_0: 'MatMul|70;33;5' } })
})
