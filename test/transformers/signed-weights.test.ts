import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import * as runtime from 'onnxruntime-node'
import { fields, GRAPH, MODEL, message, readNode, rewritten, TENSOR, withGraph } from '#src/transformers/onnx-file.js'
import { signedIsExact } from '#src/transformers/signed-probe.js'
import { signedWeights } from '#src/transformers/signed-weights.js'
import { fixture } from './fixtures.js'

const read = (name: string) => readFileSync(fixture('integers', name))
const graphs = readdirSync(fixture('integers'))

/** Every output of a model for some inputs. */
async function outputs(model: Uint8Array, input: (size: number) => runtime.Tensor['data'], type: 'uint8' | 'float32') {
  const session = await runtime.InferenceSession.create(model)
  const [{ name, shape }] = session.inputMetadata as unknown as [{ name: string; shape: (number | string)[] }]
  const dims = shape.map((length) => (typeof length === 'number' ? length : 1))
  const data = input(dims.reduce((a, b) => a * b))
  const results = await session.run({ [name]: new runtime.Tensor(type, data as never, dims) })
  const values = Object.entries(results).map(([name, { data }]) => [name, [...(data as Int32Array)]] as const)
  await session.release()
  return Object.fromEntries(values)
}

describe('signed weights', () => {
  for (const name of graphs.filter((name) => !name.startsWith('kept-'))) {
    test(`change no result: ${name}`, async (t) => {
      if (!(await signedIsExact(runtime))) return t.skip('this processor rounds signed products')
      const model = read(name)
      const before = Buffer.from(model)
      const signed = signedWeights(model)
      assert.ok(signed, 'rewritten')
      assert.deepEqual(model, before, 'the given bytes stay')
      for (const seed of [1, 7, 100, 255]) {
        const bytes = (size: number) => Uint8Array.from({ length: size }, (_, i) => (seed * (i + 1) * 37) & 255)
        assert.deepEqual(await outputs(signed, bytes, 'uint8'), await outputs(model, bytes, 'uint8'))
      }
    })
  }

  for (const name of graphs.filter((name) => name.startsWith('kept-'))) {
    test(`leave alone what they would break: ${name}`, () => assert.equal(signedWeights(read(name)), null))
  }

  test('leave alone weights that lie in another file', () => {
    const model = read('columns.onnx')
    const graph = fields(model).find(({ number }) => number === MODEL.graph)!
    const located = (place: number) => {
      const body = fields(model, graph).flatMap(({ number, start, from, end }) =>
        number === GRAPH.initializer
          ? message(number, [model.subarray(from, end), Uint8Array.of(TENSOR.location << 3, place)])
          : [model.subarray(start, end)],
      )
      return withGraph(model, graph, body)
    }
    assert.ok(signedWeights(located(0)), 'in this one, as is said')
    assert.equal(signedWeights(located(1)), null)
  })

  test('leave alone a zero point that is that of the other factor, too', () => {
    const model = read('columns.onnx')
    const graph = fields(model).find(({ number }) => number === MODEL.graph)!
    const body = fields(model, graph).flatMap((field) => {
      if (field.number !== GRAPH.node) return [model.subarray(field.start, field.end)]
      const node = readNode(model, field, new Set())
      if (node.op === 'MatMulInteger') node.inputs[2] = node.inputs[3]!
      return message(GRAPH.node, rewritten(model, node))
    })
    assert.equal(signedWeights(withGraph(model, graph, body)), null)
  })

  test("give a dynamically quantised classifier's logits, every bit of them", async (t) => {
    if (!(await signedIsExact(runtime))) return t.skip('this processor rounds signed products')
    const model = readFileSync(fixture('tiny-vit', 'onnx', 'model_quantized.onnx'))
    const signed = signedWeights(model)
    assert.ok(signed)
    for (const k of [1, 2, 3]) {
      const pixels = (size: number) => Float32Array.from({ length: size }, (_, i) => Math.sin(i * k))
      assert.deepEqual(await outputs(signed, pixels, 'float32'), await outputs(model, pixels, 'float32'))
    }
  })

  test('are not looked for in what is no model', () => {
    assert.equal(signedWeights(new Uint8Array()), null)
    assert.equal(signedWeights(readFileSync(fixture('tiny-vit', 'onnx', 'model.onnx'))), null)
    assert.throws(() => signedWeights(read('plain.onnx').subarray(0, 100)))
  })
})
