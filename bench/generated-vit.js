/** A ViT-Base of true size and cost whose weights are random, for machines that reach no Hub: fp32, and q8 as the Hub has it. */
import { writeOnnx } from './onnx.js'
export const VIT_BASE = { width: 768, layers: 12, heads: 12, labels: 1_000, image: 224, patch: 16 }
/** The model file; the same bytes for the same sizes. `q8`: products by 8-bit weights, as onnxruntime's dynamic quantisation writes them. */
export function generatedVit(sizes, dtype) {
  const { width, layers, heads, labels, image, patch } = sizes
  const random = normals()
  const tensors = new Map()
  const nodes = []
  const op = (op, inputs, output, attributes = {}) => {
    nodes.push({ op, inputs, outputs: [output], attributes })
    return output
  }
  const numbers = (name, shape, deviation, mean = 0) => {
    const data = new Float32Array(shape.reduce((a, b) => a * b, 1))
    for (let i = 0; i < data.length; i++) data[i] = mean + deviation * random()
    tensors.set(name, { shape, data })
    return name
  }
  const one = (name, value) => {
    tensors.set(name, { shape: [], data: Float32Array.of(value) })
    return name
  }
  const whole = (name, integers, shape = [integers.length]) => {
    tensors.set(name, { shape, integers })
    return name
  }
  const product = (x, name, rows, columns, gain) => {
    const weight = numbers(`${name}.weight`, [rows, columns], gain / Math.sqrt(rows))
    if (dtype === 'fp32') return op('MatMul', [x, weight], `${name}/MatMul`)
    const { data, shape } = tensors.get(weight)
    tensors.delete(weight)
    const { bytes, scale, zero } = quantised(data)
    tensors.set(`${weight}_quantized`, { shape, bytes })
    tensors.set(`${weight}_zero_point`, { shape: [], bytes: Uint8Array.of(zero) })
    nodes.push({
      op: 'DynamicQuantizeLinear',
      inputs: [x],
      outputs: [`${name}/x`, `${name}/scale`, `${name}/zero`],
    })
    const sums = op(
      'MatMulInteger',
      [`${name}/x`, `${weight}_quantized`, `${name}/zero`, `${weight}_zero_point`],
      `${name}/sums`,
    )
    const scales = op('Mul', [`${name}/scale`, one(`${weight}_scale`, scale)], `${name}/scales`)
    return op('Mul', [op('Cast', [sums], `${name}/cast`, { to: 1 }), scales], `${name}/MatMul`)
  }
  const linear = (x, name, rows, columns, gain = 1) =>
    op('Add', [numbers(`${name}.bias`, [columns], 0.02), product(x, name, rows, columns, gain)], `${name}/Add`)
  const norm = (x, name) =>
    op(
      'LayerNormalization',
      [x, numbers(`${name}.weight`, [width], 0.1, 1), numbers(`${name}.bias`, [width], 0.05)],
      `${name}/norm`,
      { axis: -1, epsilon: 1e-12 },
    )
  const tokens = (image / patch) ** 2 + 1
  const split = whole('split', [0, 0, heads, width / heads])
  const merge = whole('merge', [0, 0, width])
  const scale = one('scale', Math.sqrt(width / heads))
  const [root2, unit, half] = [one('root2', Math.SQRT2), one('one', 1), one('half', 0.5)]
  const patches = [
    numbers('embeddings.patch.weight', [width, 3, patch, patch], 1.5 / Math.sqrt(3 * patch * patch)),
    numbers('embeddings.patch.bias', [width], 0.02),
  ]
  const convolved = op('Conv', ['pixel_values', ...patches], 'patches', {
    kernel_shape: [patch, patch],
    strides: [patch, patch],
  })
  const flat = op('Reshape', [convolved, whole('flat', [0, width, -1])], 'flattened')
  const rows = op('Transpose', [flat], 'rows', { perm: [0, 2, 1] })
  const batch = op('Gather', [op('Shape', ['pixel_values'], 'shape'), whole('first', [0])], 'batch', { axis: 0 })
  const each = op('Concat', [batch, whole('row', [1, width])], 'each', { axis: 0 })
  const token = op('Expand', [numbers('embeddings.cls_token', [1, 1, width], 0.3), each], 'token')
  const position = numbers('embeddings.position', [1, tokens, width], 0.3)
  let x = op('Add', [op('Concat', [token, rows], 'all', { axis: 1 }), position], 'embedded')
  for (let i = 0; i < layers; i++) {
    const at = `layer.${i}`
    const before = norm(x, `${at}.layernorm_before`)
    const part = (name, gain, perm) => {
      const all = linear(before, `${at}.attention.${name}`, width, width, gain)
      return op('Transpose', [op('Reshape', [all, split], `${at}/${name}/heads`)], `${at}/${name}`, { perm })
    }
    const query = part('query', 1.3, [0, 2, 1, 3])
    const key = part('key', 1.3, [0, 2, 3, 1])
    const value = part('value', 1, [0, 2, 1, 3])
    const scores = op('Div', [op('MatMul', [query, key], `${at}/scores`), scale], `${at}/scaled`)
    const seen = op('MatMul', [op('Softmax', [scores], `${at}/shares`, { axis: -1 }), value], `${at}/seen`)
    const merged = op('Reshape', [op('Transpose', [seen], `${at}/back`, { perm: [0, 2, 1, 3] }), merge], `${at}/merged`)
    x = op('Add', [linear(merged, `${at}.attention.output`, width, width), x], `${at}/half`)
    const wide = linear(norm(x, `${at}.layernorm_after`), `${at}.intermediate`, width, 4 * width)
    const error = op('Erf', [op('Div', [wide, root2], `${at}/divided`)], `${at}/erf`)
    const gate = op('Mul', [wide, op('Add', [error, unit], `${at}/plus`)], `${at}/gate`)
    x = op('Add', [linear(op('Mul', [gate, half], `${at}/gelu`), `${at}.output`, 4 * width, width), x], `${at}/whole`)
  }
  const pooled = op('Gather', [norm(x, 'layernorm'), whole('class', [0], [])], 'pooled', { axis: 1 })
  const head = [
    numbers('classifier.weight', [labels, width], 2.5 / Math.sqrt(width)),
    numbers('classifier.bias', [labels], 0.02),
  ]
  op('Gemm', [pooled, ...head], 'logits', { transB: 1 })
  return writeOnnx({
    nodes,
    tensors,
    inputs: { pixel_values: ['batch_size', 3, image, image] },
    outputs: { logits: ['batch_size', labels] },
  })
}
/** config.json and preprocessor_config.json beside it. */
export function configurationOf({ width, layers, heads, labels, image, patch }) {
  const names = Object.fromEntries(Array.from({ length: labels }, (_, i) => [i, `label ${String(i).padStart(3, '0')}`]))
  return {
    'config.json': {
      architectures: ['ViTForImageClassification'],
      model_type: 'vit',
      hidden_act: 'gelu',
      hidden_size: width,
      image_size: image,
      patch_size: patch,
      num_channels: 3,
      intermediate_size: 4 * width,
      num_attention_heads: heads,
      num_hidden_layers: layers,
      layer_norm_eps: 1e-12,
      qkv_bias: true,
      id2label: names,
      label2id: Object.fromEntries(Object.entries(names).map(([id, name]) => [name, Number(id)])),
    },
    'preprocessor_config.json': {
      do_normalize: true,
      do_rescale: true,
      do_resize: true,
      image_mean: [0.5, 0.5, 0.5],
      image_std: [0.5, 0.5, 0.5],
      image_processor_type: 'ViTImageProcessor',
      resample: 2,
      rescale_factor: 1 / 255,
      size: { height: image, width: image },
    },
  }
}
/** Unsigned bytes over the range of the values, zero among them. */
function quantised(data) {
  const [low, high] = data.reduce(([low, high], x) => [Math.min(low, x), Math.max(high, x)], [0, 0])
  const scale = (high - low) / 255
  const zero = Math.round(-low / scale)
  return { bytes: Uint8Array.from(data, (x) => Math.max(0, Math.min(255, Math.round(x / scale) + zero))), scale, zero }
}
/** Numbers of the normal distribution (Box and Muller), from a generator of 32 bits (mulberry32) with a fixed seed. */
function normals() {
  let state = 1
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  let spare = null
  return () => {
    if (spare !== null) {
      const value = spare
      spare = null
      return value
    }
    const radius = Math.sqrt(-2 * Math.log(1 - uniform()))
    const angle = 2 * Math.PI * uniform()
    spare = radius * Math.sin(angle)
    return radius * Math.cos(angle)
  }
}
