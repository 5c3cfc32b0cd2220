import assert from 'node:assert/strict'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import * as runtime from 'onnxruntime-node'
import type { ModelFiles } from '#src/transformers/model-files.js'
import { modelSource } from '#src/transformers/model-source.js'
import {
  fields,
  GRAPH,
  INT8,
  MODEL,
  message,
  newNode,
  readNode,
  rewritten,
  string,
  TENSOR,
  text,
  UINT8,
  withGraph,
} from '#src/transformers/onnx-file.js'
import type { Dtype } from '#src/transformers/options.js'
import { signedIsExact } from '#src/transformers/signed-probe.js'
import { signedWeights } from '#src/transformers/signed-weights.js'
import { noLinks } from '../windows.js'
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

/** The initializers of a model, each with its type. */
function types(model: Uint8Array): Record<string, number> {
  const graph = fields(model).find(({ number }) => number === MODEL.graph)!
  const tensors = fields(model, graph).filter(({ number }) => number === GRAPH.initializer)
  const entries = tensors.map((tensor) => {
    const part = (wanted: number) => fields(model, tensor).find(({ number }) => number === wanted)!
    return [text(model, part(TENSOR.name)), part(TENSOR.dataType).value]
  })
  return Object.fromEntries(entries)
}

/** A model with more in its graph. */
function withMore(model: Uint8Array, ...more: Uint8Array[][]): Uint8Array {
  const graph = fields(model).find(({ number }) => number === MODEL.graph)!
  return withGraph(model, graph, [model.subarray(graph.from, graph.end), ...more.flat()])
}

const value = (field: number, name: string) => message(field, string(1, name))
const node = (op: string, ...inputs: string[]) => message(GRAPH.node, newNode(op, inputs, 'more'))
const bytes = (name: string) =>
  message(GRAPH.initializer, [Uint8Array.of(TENSOR.dataType << 3, UINT8), ...string(TENSOR.name, name)])

describe('signed weights', () => {
  for (const name of graphs.filter((name) => !name.startsWith('kept-'))) {
    test(`change no result: ${name}`, async (t) => {
      if (!(await signedIsExact(runtime))) return t.skip('this processor rounds signed products')
      const model = read(name)
      const before = Buffer.from(model)
      const signed = signedWeights(model)
      assert.ok(signed, 'rewritten')
      assert.deepEqual(model, before, 'the given bytes stay')
      for (const [name, type] of Object.entries(types(signed)))
        assert.equal(type, name === 'x_zero' ? UINT8 : INT8, name)
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

  for (const [where, ...more] of [
    ['is an output of the model', value(GRAPH.output, 'w')],
    ['may be given as an input', value(GRAPH.input, 'w')],
    ['has the type of its zero point noted', value(GRAPH.valueInfo, 'w_zero')],
    ['is the weight of another operator', node('ConvInteger', 'x', 'w', 'x_zero', 'w_zero')],
    ['has the zero point of a computed factor', node('MatMulInteger', 'x', 'computed', 'x_zero', 'w_zero')],
    [
      'is that of two products, of which one must stay',
      node('MatMulInteger', 'x', 'w', 'x_zero', 'w_zero_2'),
      [...bytes('w_zero_2'), ...value(GRAPH.output, 'w_zero_2')],
    ],
  ] as [string, ...Uint8Array[][]][])
    test(`leave alone a weight that ${where}`, () => {
      assert.equal(signedWeights(withMore(read('columns.onnx'), ...more)), null)
    })

  test('are those of a product beside one that must stay', () => {
    const model = withMore(
      read('columns.onnx'),
      [...bytes('w_2'), ...bytes('w_zero_2'), ...value(GRAPH.output, 'w_zero_2')],
      node('MatMulInteger', 'x', 'w_2', 'x_zero', 'w_zero_2'),
    )
    const unsigned = { x_zero: UINT8, w_2: UINT8, w_zero_2: UINT8 }
    assert.deepEqual(types(signedWeights(model)!), { ...unsigned, w: INT8, w_zero: INT8 })
  })

  test('are exact on a processor that has instructions for them', async (t) => {
    const known = existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : ''
    if (!/\bavx(512)?_vnni\b/.test(known)) return t.skip('not known of this processor')
    assert.equal(await signedIsExact(runtime), true)
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

  test('are what a q8 model is loaded with, and no other', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'rayito-signed-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const broken = join(folder, 'model_quantized.onnx')
    writeFileSync(broken, read('plain.onnx').subarray(0, 100))
    const [whole, small] = ['model.onnx', 'model_quantized.onnx'].map((name) => fixture('tiny-vit', 'onnx', name))
    const source = (dtype: Dtype, onnx: string) => modelSource(runtime, { dtype, onnx } as ModelFiles)
    const signed = (await signedIsExact(runtime)) ? signedWeights(readFileSync(small!)) : small
    assert.deepEqual(await source('q8', small!), { model: signed })
    for (const [dtype, onnx] of [
      ['fp32', small],
      ['fp32', whole],
      ['q8', whole],
      ['q8', broken],
    ] as const)
      assert.deepEqual(await source(dtype, onnx!), { model: onnx })
  })

  test('are not made of those that lie beside a graph, which are handed over where a link leads to another folder', {
    skip: noLinks,
  }, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'rayito-beside-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const onnx = join(folder, 'model_quantized.onnx')
    const source = () => modelSource(runtime, { dtype: 'q8', onnx } as ModelFiles)
    writeFileSync(onnx, read('plain.onnx'))
    writeFileSync(`${onnx}_data`, 'one')
    assert.deepEqual(await source(), { model: onnx })
    mkdirSync(join(folder, 'blobs'))
    writeFileSync(join(folder, 'blobs', 'content'), 'other')
    symlinkSync(join('blobs', 'content'), `${onnx}_data_1`)
    const data = { one: Buffer.from('one'), other: Buffer.from('other') }
    assert.deepEqual(await source(), {
      model: read('plain.onnx'),
      externalData: [
        { path: 'model_quantized.onnx_data', data: data.one },
        { path: 'model_quantized.onnx_data_1', data: data.other },
      ],
    })
  })

  test('are not looked for in what is no model', () => {
    assert.equal(signedWeights(new Uint8Array()), null)
    assert.equal(signedWeights(readFileSync(fixture('tiny-vit', 'onnx', 'model.onnx'))), null)
    assert.throws(() => signedWeights(read('plain.onnx').subarray(0, 100)))
  })
})
