/** ViT-Base: what a picture costs, and its weights as transformers in Python reads them. */
import { RayitoError } from '#src/core/errors.js'
import type { Node } from '#src/transformers/onnx-file.js'
import { readOnnx, type Tensor } from './onnx.js'

/** Names in ONNX files, as exporters write them, and those of Python's checkpoints; `$1` is the layer. */
const NAMES: readonly [RegExp, string][] = [
  [/^(?:vit\.)?embeddings\.cls_token$/, 'vit.embeddings.cls_token'],
  [/^(?:vit\.)?embeddings\.position(?:_embeddings)?$/, 'vit.embeddings.position_embeddings'],
  [
    /^(?:vit\.)?embeddings\.patch(?:_embeddings\.projection)?\.(weight|bias)$/,
    'vit.embeddings.patch_embeddings.projection.$1',
  ],
  [
    /layer\.(\d+)\.attention\.(?:attention\.)?(query|key|value)\.(weight|bias)$/,
    'vit.encoder.layer.$1.attention.attention.$2.$3',
  ],
  [/layer\.(\d+)\.attention\.output\.(?:dense\.)?(weight|bias)$/, 'vit.encoder.layer.$1.attention.output.dense.$2'],
  [/layer\.(\d+)\.(intermediate|output)\.(?:dense\.)?(weight|bias)$/, 'vit.encoder.layer.$1.$2.dense.$3'],
  [/layer\.(\d+)\.(layernorm_before|layernorm_after)\.(weight|bias)$/, 'vit.encoder.layer.$1.$2.$3'],
  [/^(?:vit\.)?layernorm\.(weight|bias)$/, 'vit.layernorm.$1'],
  [/^classifier\.(weight|bias)$/, 'classifier.$1'],
]
/** What a layer has, each with weight and bias. */
const PARTS = [
  'layernorm_before',
  'attention.attention.query',
  'attention.attention.key',
  'attention.attention.value',
  'attention.output.dense',
  'layernorm_after',
  'intermediate.dense',
  'output.dense',
]
const pair = (name: string) => [`${name}.weight`, `${name}.bias`]

/** The name that Python's checkpoints have for an initializer, or null for one that is none of its weights. */
export function checkpointName(name: string): string | null {
  for (const [pattern, by] of NAMES) {
    const found = pattern.exec(name)
    if (found) return by.replace(/\$(\d)/g, (_, group) => found[Number(group)]!)
  }
  return null
}

/**
 * The weights of a ViT in an ONNX file, named and turned as `ViTForImageClassification` has them. A product's weight, which
 * exporters leave without a name, is known by the bias that is added to it, and lies the other way round in torch. Rejects
 * with BENCH_FAILED naming what is missing.
 */
export function checkpoint(onnx: Uint8Array, layers = 12): Map<string, Tensor> {
  const { nodes, tensors } = readOnnx(onnx)
  const weights = new Map<string, Tensor>()
  for (const [name, tensor] of tensors) {
    const known = checkpointName(name)
    if (known) weights.set(known, tensor)
  }
  const biasOf = new Map<string, string>()
  for (const { op, inputs } of nodes) {
    if (op !== 'Add') continue
    const bias = inputs.map(checkpointName).find((name) => name?.endsWith('.bias'))
    for (const input of inputs) if (bias) biasOf.set(input, bias)
  }
  for (const node of nodes) {
    const turned = turnedWeight(node)
    if (!turned) continue
    const weight = tensors.get(turned)
    const name = checkpointName(turned) ?? biasOf.get(node.outputs[0]!)?.replace(/bias$/, 'weight')
    if (weight && name) weights.set(name, transposed(weight))
  }
  const needed = [
    'vit.embeddings.cls_token',
    'vit.embeddings.position_embeddings',
    ...pair('vit.embeddings.patch_embeddings.projection'),
    ...Array.from({ length: layers }, (_, i) => PARTS.flatMap((part) => pair(`vit.encoder.layer.${i}.${part}`))).flat(),
    ...pair('vit.layernorm'),
    ...pair('classifier'),
  ]
  const missing = needed.filter((name) => !weights.has(name))
  if (missing.length > 0)
    throw new RayitoError(
      'BENCH_FAILED',
      `The model file lacks ${missing.length} weights of a ViT, ${missing[0]} first`,
    )
  return new Map(needed.map((name) => [name, weights.get(name)!]))
}

/** The weight that a node multiplies by from the right: torch keeps it the other way round. */
function turnedWeight({ op, inputs, integers }: Node): string | null {
  if (op === 'MatMul' || (op === 'Gemm' && !integers.get('transB')?.[0])) return inputs[1] ?? null
  return null
}

function transposed({ shape, data }: Tensor): Tensor {
  const [rows, columns] = shape as [number, number]
  const turned = new Float32Array(data.length)
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) turned[j * rows + i] = data[i * columns + j]!
  return { shape: [columns, rows], data: turned }
}

/** A safetensors file: the length of its header in eight bytes, the header, the numbers. */
export function safetensors(tensors: ReadonlyMap<string, Tensor>): Uint8Array[] {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } }
  let end = 0
  for (const [name, { shape, data }] of tensors) {
    header[name] = { dtype: 'F32', shape, data_offsets: [end, end + data.byteLength] }
    end += data.byteLength
  }
  // the numbers begin at a multiple of eight
  const text = JSON.stringify(header)
  const head = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(head.length))
  return [
    length,
    head,
    ...Array.from(tensors.values(), ({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
  ]
}

/**
 * Arithmetic of one picture in GFLOP, a multiplication and an addition each counted: the products of ViT-Base with 196
 * patches of 16 × 16 and the class token, 12 layers of 768, 12 heads. What is not a product is not counted (under 1 %).
 * @param lastRows tokens of which the last layer computes more than keys and values
 */
export function gflopOfPicture(lastRows = 197): number {
  const [tokens, width, wide, heads, layers, labels] = [197, 768, 3_072, 12, 12, 1_000]
  const product = (m: number, k: number, n: number) => 2 * m * k * n
  const layer = (rows: number) =>
    2 * product(tokens, width, width) +
    2 * product(rows, width, width) +
    2 * heads * product(rows, width / heads, tokens) +
    2 * product(rows, width, wide)
  const all = (layers - 1) * layer(tokens) + layer(lastRows)
  return (product(tokens - 1, 3 * 16 * 16, width) + all + product(1, width, labels)) / 1e9
}
