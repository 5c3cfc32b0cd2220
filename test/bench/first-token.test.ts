import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import fc from 'fast-check'
import * as runtime from 'onnxruntime-node'
import { questions } from '#src/transformers/first-token.js'
import { smaller } from '#src/transformers/first-token-check.js'
import type { Dtype } from '#src/transformers/options.js'
import type { Plan } from '#src/transformers/plan.js'
import { generatedVit } from '../../bench/generated-vit.js'
import { type Constant, type Graph, readOnnx, writeOnnx } from '../../bench/onnx.js'

const folder = mkdtempSync(join(tmpdir(), 'first-token-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const TOKENS = 5
const WIDTH = 6
const plan = { crop: null, resize: { kind: 'exact', width: WIDTH, height: TOKENS } } as Plan

/** A session of a model in memory, asked for something of 3 × height × width. */
async function run(model: Uint8Array, seed: number, height: number, width: number) {
  const session = await runtime.InferenceSession.create(model, { logSeverityLevel: 3 })
  const data = Float32Array.from({ length: 3 * height * width }, (_, i) => Math.sin(i * 7.3 + seed * 1.9))
  const input = new runtime.Tensor('float32', data, [1, 3, height, width])
  const outputs = await session.run({ [session.inputNames[0]!]: input })
  await session.release()
  return outputs
}

/** The smaller model of one in memory. */
async function smallerOf(model: Uint8Array, at: Plan = plan, dtype: Dtype = 'fp32') {
  const file = join(folder, 'model.onnx')
  writeFileSync(file, model)
  return smaller(runtime, { model: file }, dtype, at)
}

/** Shapes of all values of a model, as it is run. */
async function shapesOf(model: Uint8Array, height: number, width: number): Promise<Map<string, number[]>> {
  const asked = questions(model)!
  const told = await run(asked.model, 1, height, width)
  return new Map(asked.shapes.map((name, i) => [name, Array.from(told[`shape:${i}`]!.data as BigInt64Array, Number)]))
}

async function assertSame(a: Uint8Array, b: Uint8Array, height = TOKENS, width = WIDTH, tolerance = 1e-5) {
  for (const seed of [1, 2, 3]) {
    const [one, other] = await Promise.all([run(a, seed, height, width), run(b, seed, height, width)])
    for (const [name, { data }] of Object.entries(one)) {
      const largest = Math.max(...(data as Float32Array).map(Math.abs), 1)
      for (const [i, value] of (data as Float32Array).entries()) {
        const difference = Math.abs(value - (other[name]!.data as Float32Array)[i]!)
        assert.ok(difference <= tolerance * largest, `${name}[${i}] differs by ${difference}`)
      }
    }
  }
}

/** Tokens from the first channel of the input, [1, 5, 6], then what `build` adds, then the entry `at` of axis 1. */
function classifier(build: (graph: Builder) => string, at = 0): Uint8Array {
  const graph = new Builder()
  const tokens = graph.op('Gather', ['pixels', graph.whole([0], [])], { axis: 1 })
  const pooled = graph.op('Gather', [build(Object.assign(graph, { tokens })), graph.whole([at], [])], { axis: 1 })
  graph.op('Gemm', [pooled, graph.numbers([WIDTH, 4])], {}, 'logits')
  return graph.write()
}

class Builder {
  tokens = ''
  readonly outputs: Graph['outputs'] = { logits: [1, 4] }
  readonly #nodes: Graph['nodes'][number][] = []
  readonly #tensors = new Map<string, Constant>()

  op(op: string, inputs: string[], attributes: Record<string, number | number[]> = {}, name = '') {
    const output = name || `${op}-${this.#nodes.length}`
    this.#nodes.push({ op, inputs, outputs: [output], attributes })
    return output
  }

  numbers(shape: number[], seed = 1) {
    const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i * 3.1 + seed) / 2)
    return this.#constant({ shape, data })
  }

  scalar(value: number) {
    return this.#constant({ shape: [], data: Float32Array.of(value) })
  }

  several(op: string, inputs: string[], count: number) {
    const outputs = Array.from({ length: count }, (_, i) => `${op}-${this.#nodes.length}-${i}`)
    this.#nodes.push({ op, inputs, outputs })
    return outputs
  }

  bytes(shape: number[]) {
    const bytes = Uint8Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => (i * 37 + 101) & 255)
    return this.#constant({ shape, bytes })
  }

  whole(integers: number[], shape = [integers.length]) {
    return this.#constant({ shape, integers })
  }

  #constant(tensor: Constant) {
    const name = `constant-${this.#tensors.size}`
    this.#tensors.set(name, tensor)
    return name
  }

  write() {
    return writeOnnx({
      nodes: this.#nodes,
      tensors: this.#tensors,
      inputs: { pixels: ['batch', 3, TOKENS, WIDTH] },
      outputs: this.outputs,
    })
  }
}

/** x times a weight, with one more product behind it so that there is always one to shrink. */
const linear = (graph: Builder, x: string, seed = 1) => graph.op('MatMul', [x, graph.numbers([WIDTH, WIDTH], seed)])

/** The same as dynamic quantisation writes it. */
function quantised(graph: Builder, x: string) {
  const [bytes, scale, zero] = graph.several('DynamicQuantizeLinear', [x], 3)
  const sums = graph.op('MatMulInteger', [bytes!, graph.bytes([WIDTH, WIDTH]), zero!, graph.bytes([])])
  const scales = graph.op('Mul', [scale!, graph.scalar(0.01)])
  return graph.op('Mul', [graph.op('Cast', [sums], { to: 1 }), scales])
}

/** Attention of two heads as PyTorch's exporter writes it: shapes are asked for while it runs. */
function attention(graph: Builder, x: string) {
  const heads = (name: string, perm: number[]) => {
    const all = linear(graph, x, name.length)
    const size = (at: number) =>
      graph.op('Unsqueeze', [graph.op('Gather', [graph.op('Shape', [all]), graph.whole([at], [])]), graph.whole([0])])
    const shape = graph.op('Concat', [size(0), size(1), graph.whole([2]), graph.whole([3])], { axis: 0 })
    return graph.op('Transpose', [graph.op('Reshape', [all, shape])], { perm })
  }
  const scores = graph.op('MatMul', [heads('q', [0, 2, 1, 3]), heads('key', [0, 2, 3, 1])])
  const seen = graph.op('MatMul', [graph.op('Softmax', [scores], { axis: -1 }), heads('value', [0, 2, 1, 3])])
  const back = graph.op('Transpose', [seen], { perm: [0, 2, 1, 3] })
  const size = graph.op('Slice', [graph.op('Shape', [back]), graph.whole([0]), graph.whole([2])])
  const shape = graph.op('Concat', [size, graph.whole([WIDTH])], { axis: 0 })
  return linear(graph, graph.op('Reshape', [back, shape]), 5)
}

/** Normalisation in the parts that operators before version 17 have. */
function normalised(graph: Builder, x: string) {
  const mean = (of: string) => graph.op('ReduceMean', [of], { axes: [-1], keepdims: 1 })
  const centred = graph.op('Sub', [x, mean(x)])
  const spread = mean(graph.op('Pow', [centred, graph.scalar(2)]))
  return graph.op('Div', [centred, graph.op('Sqrt', [graph.op('Add', [spread, graph.scalar(0.01)])])])
}

const turned = (graph: Builder, x: string) => graph.op('Transpose', [x], { perm: [0, 2, 1] })

/** What may stand between tokens and the choice of the first, each from [1, 5, 6] to [1, 5, 6]. */
const STEPS: Record<string, (graph: Builder, x: string) => string> = {
  product: (graph, x) => linear(graph, x, 2),
  'quantised product': (graph, x) => quantised(graph, x),
  bias: (graph, x) => graph.op('Add', [graph.numbers([WIDTH]), x]),
  'a constant for each token': (graph, x) => graph.op('Mul', [x, graph.numbers([1, TOKENS, WIDTH])]),
  twice: (graph, x) => graph.op('Add', [x, graph.op('Tanh', [x])]),
  'held below a half': (graph, x) => graph.op('Clip', [x, '', graph.scalar(0.5)]),
  residual: (graph, x) => graph.op('Add', [linear(graph, graph.op('Erf', [x]), 3), x]),
  norm: (graph, x) => graph.op('LayerNormalization', [x, graph.numbers([WIDTH]), graph.numbers([WIDTH])], { axis: -1 }),
  'norm in parts': normalised,
  attention: (graph, x) => graph.op('Add', [attention(graph, x), x]),
  'shares of columns': (graph, x) => graph.op('Softmax', [x], { axis: 2 }),
  'shares of tokens': (graph, x) => graph.op('Softmax', [x], { axis: 1 }),
  'less the mean of tokens': (graph, x) =>
    graph.op('Sub', [x, graph.op('ReduceMean', [x], { axes: [1], keepdims: 1 })]),
  'shares of tokens, which are columns': (graph, x) =>
    turned(graph, graph.op('Softmax', [turned(graph, x)], { axis: -1 })),
  'mixed tokens, which are columns': (graph, x) =>
    turned(graph, graph.op('MatMul', [turned(graph, x), graph.numbers([TOKENS, TOKENS])])),
  'mixed tokens': (graph, x) => graph.op('MatMul', [graph.numbers([1, TOKENS, TOKENS]), x]),
  'there and back': (graph, x) =>
    graph.op('Transpose', [graph.op('Relu', [graph.op('Transpose', [x], { perm: [2, 0, 1] })])], { perm: [1, 2, 0] }),
  'in other rows': (graph, x) =>
    graph.op('Reshape', [
      graph.op('Sigmoid', [graph.op('Reshape', [x, graph.whole([1, WIDTH, TOKENS])])]),
      graph.whole([1, TOKENS, WIDTH]),
    ]),
}

describe('a vision transformer that classifies by its first token', () => {
  test('computes its last layer for that, and keys and values for all; logits stay', async () => {
    const sizes = { width: 24, layers: 2, heads: 3, labels: 5, image: 32, patch: 8 }
    const model = generatedVit(sizes, 'fp32')
    const found = await smallerOf(model, { crop: null, resize: { kind: 'exact', width: 32, height: 32 } } as Plan)
    assert.ok(found)
    const shapes = await shapesOf(found.model, 32, 32)
    const products = readOnnx(model).nodes.filter(({ op }) => op === 'MatMul')
    const rows = new Map(products.map(({ outputs }) => [outputs[0]!, shapes.get(outputs[0]!)!.at(-2)]))
    const shrunk = [...rows].filter(([, count]) => count === 2).map(([name]) => name)
    assert.deepEqual(shrunk, [
      'layer.1.attention.query/MatMul',
      'layer.1/scores',
      'layer.1/seen',
      'layer.1.attention.output/MatMul',
      'layer.1.intermediate/MatMul',
      'layer.1.output/MatMul',
    ])
    assert.ok(
      [...rows.values()].every((count) => count === 2 || count! >= 8),
      'all others are whole',
    )
    await assertSame(model, found.model, 32, 32)
  })

  test('in q8 takes its scales over all tokens, and computes what comes behind the last for the first; every bit stays', async () => {
    const sizes = { width: 24, layers: 2, heads: 3, labels: 5, image: 32, patch: 8 }
    const model = generatedVit(sizes, 'q8')
    const found = await smallerOf(model, { crop: null, resize: { kind: 'exact', width: 32, height: 32 } } as Plan, 'q8')
    assert.ok(found)
    const shapes = await shapesOf(found.model, 32, 32)
    const sums = [...shapes].filter(([name]) => name.endsWith('/sums'))
    assert.deepEqual(
      sums.filter(([, shape]) => shape.at(-2) === 2).map(([name]) => name),
      ['layer.1.output/sums'],
    )
    await assertSame(model, found.model, 32, 32, 0)
    const session = await runtime.InferenceSession.create(found.model)
    assert.equal(await found.agrees(session), true)
    await session.release()
  })

  test('is known in the form that exporters write: shapes asked for, normalisation in parts', async () => {
    const model = classifier((graph) =>
      normalised(graph, graph.op('Add', [attention(graph, graph.tokens), graph.tokens])),
    )
    const found = await smallerOf(model)
    assert.ok(found)
    const shapes = await shapesOf(found.model, TOKENS, WIDTH)
    const asked = readOnnx(found.model).nodes.filter(({ op }) => op === 'Shape')
    assert.equal(asked.length, 0, 'no shape is asked for any more')
    assert.equal([...shapes].filter(([name, shape]) => name.startsWith('MatMul') && shape.at(-2) === 2).length, 4)
    await assertSame(model, found.model)
  })

  test('gives the same logits whatever stands before the choice', async () => {
    const step = fc.constantFrom(...Object.keys(STEPS))
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 6 }), async (steps) => {
        const model = classifier((graph) =>
          steps.reduce((x, name) => STEPS[name]!(graph, x), linear(graph, graph.tokens)),
        )
        const found = await smallerOf(model)
        if (found) await assertSame(model, found.model)
      }),
      { numRuns: 150, examples: Object.keys(STEPS).map((name) => [[name]]) },
    )
  })

  test('notices a graph that does not answer as the whole one', async () => {
    const model = (seed: number) => classifier((graph) => linear(graph, graph.tokens, seed))
    const found = await smallerOf(model(1))
    const other = await runtime.InferenceSession.create(model(2))
    assert.equal(await found!.agrees(other), false)
    const same = await runtime.InferenceSession.create(found!.model)
    assert.equal(await found!.agrees(same), true)
  })
})

describe('in q8', () => {
  test('logits that differ in a bit are not taken', async () => {
    const model = (last: number) =>
      classifier((graph) =>
        graph.op('Add', [linear(graph, graph.tokens), graph.op('Mul', [graph.tokens, graph.scalar(last)])]),
      )
    const [one, other] = [model(1), model(1 + 2e-7)]
    const agree = async (dtype: Dtype) => {
      const found = await smallerOf(one, plan, dtype)
      const session = await runtime.InferenceSession.create(other)
      return found!.agrees(session)
    }
    assert.equal(await agree('fp32'), true)
    assert.equal(await agree('q8'), false)
  })
})

describe('a model is left alone', () => {
  const alone: Record<string, Uint8Array> = {
    'that takes another token': classifier((graph) => linear(graph, graph.tokens), 1),
    'whose tokens are all read in the end': classifier((graph) => {
      const product = linear(graph, graph.tokens)
      graph.outputs[product] = [1, TOKENS, WIDTH]
      return product
    }),
    'that normalises over tokens last': classifier((graph) =>
      STEPS['shares of tokens']!(graph, linear(graph, graph.tokens)),
    ),
  }
  for (const [name, model] of Object.entries(alone)) test(name, async () => assert.equal(await smallerOf(model), null))

  test('that takes pictures of several sizes', async () => {
    const model = classifier((graph) => linear(graph, graph.tokens))
    assert.equal(await smallerOf(model, { ...plan, resize: { kind: 'shortest', edge: 6 } }), null)
  })

  test('that is empty', () => assert.equal(questions(new Uint8Array()), null))
})
