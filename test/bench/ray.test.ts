import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { generatedVit, type Sizes } from '../../bench/generated-vit.js'
import { type Graph, readOnnx, writeOnnx } from '../../bench/onnx.js'
import { checkpoint, checkpointName, gflopOfPicture, safetensors } from '../../bench/vit.js'

const PROGRAMS = fileURLToPath(new URL('../../../bench/ray', import.meta.url))

test('every package of Ray’s environment is pinned, none for graphics cards by name', () => {
  const lines = readFileSync(join(PROGRAMS, 'requirements.txt'), 'utf8')
    .split('\n')
    .filter((line) => line && !line.startsWith('#'))
  for (const line of lines) assert.match(line, /^[\w.-]+(\[\w+\])?==[\w.]+(; .*)?$/)
  for (const name of ['ray[serve]', 'torch', 'transformers', 'datasets', 'pillow'])
    assert.ok(
      lines.some((line) => line.startsWith(`${name}==`)),
      name,
    )
  assert.ok(!lines.some((line) => /^(nvidia|cuda|triton)/.test(line)))
})

test('the programs with Ray are Python that compiles', (t) => {
  const python = ['python3', 'python'].find((name) =>
    /^Python 3/.test(spawnSync(name, ['--version']).stdout?.toString()),
  )
  if (!python) return t.skip('no Python here')
  const check = 'import ast, sys; [ast.parse(open(name).read(), name) for name in sys.argv[1:]]'
  const files = readdirSync(PROGRAMS).filter((name) => name.endsWith('.py'))
  assert.ok(files.length >= 8)
  const { status, stderr } = spawnSync(python, ['-c', check, ...files.map((name) => join(PROGRAMS, name))])
  assert.equal(status, 0, stderr.toString())
})

test('a weight’s name is Python’s, whichever exporter wrote it', () => {
  for (const [name, python] of [
    ['vit.embeddings.cls_token', 'vit.embeddings.cls_token'],
    ['embeddings.position', 'vit.embeddings.position_embeddings'],
    ['embeddings.patch.weight', 'vit.embeddings.patch_embeddings.projection.weight'],
    ['layer.3.attention.query.bias', 'vit.encoder.layer.3.attention.attention.query.bias'],
    ['vit.encoder.layer.11.attention.output.dense.bias', 'vit.encoder.layer.11.attention.output.dense.bias'],
    ['layer.0.output.weight', 'vit.encoder.layer.0.output.dense.weight'],
    ['vit.encoder.layer.2.layernorm_after.weight', 'vit.encoder.layer.2.layernorm_after.weight'],
    ['layernorm.bias', 'vit.layernorm.bias'],
    ['classifier.weight', 'classifier.weight'],
    ['onnx::MatMul_1234', null],
    ['shape.split', null],
  ] as const)
    assert.equal(checkpointName(name), python)
})

/** A layer's weights by name, but the products' weights without one, as exporters leave them. */
function exported(without: string[] = []): Uint8Array {
  const tensors: Graph['tensors'] = new Map()
  const nodes: { op: string; inputs: string[]; outputs: string[] }[] = []
  const add = (name: string, shape: number[]) => {
    if (without.includes(name)) return
    const size = shape.reduce((a, b) => a * b, 1)
    ;(tensors as Map<string, unknown>).set(name, { shape, data: Float32Array.from({ length: size }, (_, i) => i) })
  }
  const linear = (name: string, rows: number, columns: number) => {
    add(`onnx::MatMul_${name}`, [rows, columns])
    add(`${name}.bias`, [columns])
    nodes.push({ op: 'MatMul', inputs: ['x', `onnx::MatMul_${name}`], outputs: [`${name}/MatMul`] })
    nodes.push({ op: 'Add', inputs: [`${name}.bias`, `${name}/MatMul`], outputs: [`${name}/Add`] })
  }
  add('vit.embeddings.cls_token', [1, 1, 2])
  add('vit.embeddings.position_embeddings', [1, 5, 2])
  add('vit.embeddings.patch_embeddings.projection.weight', [2, 3, 1, 1])
  add('vit.embeddings.patch_embeddings.projection.bias', [2])
  const layer = 'vit.encoder.layer.0'
  for (const name of ['layernorm_before', 'layernorm_after'])
    for (const part of ['weight', 'bias']) add(`${layer}.${name}.${part}`, [2])
  for (const name of ['query', 'key', 'value']) linear(`${layer}.attention.attention.${name}`, 2, 2)
  linear(`${layer}.attention.output.dense`, 2, 2)
  linear(`${layer}.intermediate.dense`, 2, 8)
  linear(`${layer}.output.dense`, 8, 2)
  for (const part of ['weight', 'bias']) add(`vit.layernorm.${part}`, [2])
  add('classifier.weight', [4, 2])
  add('classifier.bias', [4])
  return writeOnnx({ nodes, tensors, inputs: { x: [1, 2] }, outputs: {} })
}

test('Python gets every weight of the model file, those of products turned as torch has them', () => {
  const weights = checkpoint(exported(), 1)
  assert.equal(weights.size, 4 + 8 * 2 + 2 + 2)
  const { shape, data } = weights.get('vit.encoder.layer.0.intermediate.dense.weight')!
  assert.deepEqual(shape, [8, 2])
  assert.deepEqual([...data.slice(0, 4)], [0, 8, 1, 9])
  assert.deepEqual(weights.get('classifier.weight')!.shape, [4, 2])
})

test('a weight that the model file lacks is named', () => {
  assert.throws(() => checkpoint(exported(['vit.layernorm.bias']), 1), /lacks 1 .*vit\.layernorm\.bias/)
})

test('the weights’ file has a header of names, shapes and places', () => {
  const file = Buffer.concat(
    safetensors(
      new Map([
        ['a', { shape: [2], data: Float32Array.of(1, 2) }],
        ['b', { shape: [1, 1], data: Float32Array.of(3) }],
      ]),
    ),
  )
  const length = Number(file.readBigUInt64LE())
  assert.equal(length % 8, 0)
  const header = JSON.parse(file.subarray(8, 8 + length).toString())
  assert.deepEqual(header.a, { dtype: 'F32', shape: [2], data_offsets: [0, 8] })
  assert.deepEqual(header.b, { dtype: 'F32', shape: [1, 1], data_offsets: [8, 12] })
  assert.equal(file.readFloatLE(8 + length + 8), 3)
})

test('a model of one product is one that onnxruntime runs and that is read back', async () => {
  const model = writeOnnx({
    nodes: [{ op: 'MatMul', inputs: ['x', 'w'], outputs: ['y'] }],
    tensors: new Map([['w', { shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) }]]),
    inputs: { x: [1, 2] },
    outputs: { y: [1, 2] },
  })
  const session = await InferenceSession.create(model)
  const { y } = await session.run({ x: new Tensor('float32', Float32Array.of(1, 1), [1, 2]) })
  assert.deepEqual([...(y!.data as Float32Array)], [4, 6])
  await session.release()
  const { nodes, tensors } = readOnnx(model)
  assert.deepEqual(nodes[0]!.inputs, ['x', 'w'])
  assert.deepEqual(tensors.get('w'), { shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) })
})

test('a picture costs ViT-Base 35 GFLOP', () => {
  assert.ok(Math.abs(gflopOfPicture() - 35.13) < 0.01)
  // less the queries, the attention, the projection and the wide products of 195 tokens in one layer
  assert.ok(Math.abs(gflopOfPicture() - gflopOfPicture(2) - 2.42) < 0.01)
})

const SMALL: Sizes = { width: 64, layers: 2, heads: 4, labels: 10, image: 32, patch: 16 }

test('the generated model runs in onnxruntime, in q8 about as in fp32, and Python gets all its weights', async () => {
  const pixels = Float32Array.from({ length: 3 * 32 * 32 }, (_, i) => Math.sin(i))
  const logits = async (dtype: 'fp32' | 'q8') => {
    const session = await InferenceSession.create(generatedVit(SMALL, dtype))
    const { logits } = await session.run({ pixel_values: new Tensor('float32', pixels, [1, 3, 32, 32]) })
    await session.release()
    return logits!.data as Float32Array
  }
  const [fp32, q8] = [await logits('fp32'), await logits('q8')]
  assert.equal(fp32.length, 10)
  assert.ok(fp32.every(Number.isFinite))
  assert.ok(Math.max(...fp32) - Math.min(...fp32) > 0.5)
  fp32.forEach((value, i) => {
    assert.ok(Math.abs(value - q8[i]!) < 0.5)
  })
  const weights = checkpoint(generatedVit(SMALL, 'fp32'), SMALL.layers)
  assert.deepEqual(weights.get('vit.encoder.layer.1.intermediate.dense.weight')!.shape, [256, 64])
  assert.deepEqual(Buffer.from(generatedVit(SMALL, 'fp32')), Buffer.from(generatedVit(SMALL, 'fp32')))
})
