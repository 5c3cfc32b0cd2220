import protobuf from 'protobufjs/minimal.js'
import {
  type Field,
  fields,
  GRAPH,
  INT8,
  MODEL,
  message,
  type Node,
  nameOf,
  numbers,
  readNode,
  TENSOR,
  text,
  UINT8,
  withGraph,
} from './onnx-file.js'

/**
 * Dynamically quantised models of the Hub multiply by unsigned bytes, for which onnxruntime has no fast kernels. A weight
 * w with zero point z means w − z, and so does the signed byte w − 128 with z − 128: nothing changes but the speed.
 */

/** ConvInteger stays as it is: it multiplies the other way round, and its signed kernel is the slow one (measured, five times). */
const OPERATOR = 'MatMulInteger'
/** Inputs of MatMulInteger: the weight and its zero point. */
const WEIGHT = 1
const ZERO_POINT = 3

interface Tensor {
  field: Field
  dataType: number
  /** Bytes in the file, or values in the list. */
  raw: Field | null
  list: Field[]
  /** Fields that stay as they are. */
  rest: Field[]
  external: boolean
}

/** The model with signed weights, or null where it has none that can be rewritten. */
export function signedWeights(model: Uint8Array): Uint8Array | null {
  const graph = fields(model).find(({ number }) => number === MODEL.graph)
  if (!graph) return null
  const { nodes, tensors, taken } = readGraph(model, graph)
  const chosen = choose(nodes, tensors, taken)
  if (chosen.size === 0) return null
  const body = splice(
    model,
    graph,
    [...chosen].map((name) => {
      const { field } = tensors.get(name)!
      return { start: field.start, end: field.end, by: message(GRAPH.initializer, signed(model, tensors.get(name)!)) }
    }),
  )
  return withGraph(model, graph, body)
}

/** The nodes and initializers of the main graph, and every name that something else than its nodes refers to. */
function readGraph(
  model: Uint8Array,
  graph: Field,
): { nodes: Node[]; tensors: Map<string, Tensor>; taken: Set<string> } {
  const nodes: Node[] = []
  const tensors = new Map<string, Tensor>()
  const taken = new Set<string>()
  const named: readonly number[] = [GRAPH.input, GRAPH.output, GRAPH.valueInfo]
  for (const field of fields(model, graph)) {
    if (field.number === GRAPH.node) nodes.push(readNode(model, field, taken))
    else if (field.number === GRAPH.initializer) {
      const [name, tensor] = readTensor(model, field)
      tensors.set(name, tensor)
    } else if (named.includes(field.number)) {
      taken.add(nameOf(model, field))
    }
  }
  return { nodes, tensors, taken }
}

function readTensor(model: Uint8Array, field: Field): [name: string, Tensor] {
  const tensor: Tensor = { field, dataType: 0, raw: null, list: [], rest: [], external: false }
  let name = ''
  for (const part of fields(model, field)) {
    if (part.number === TENSOR.dataType) tensor.dataType = part.value
    else if (part.number === TENSOR.rawData) tensor.raw = part
    else if (part.number === TENSOR.int32Data) tensor.list.push(part)
    else {
      if (part.number === TENSOR.name) name = text(model, part)
      if (part.number === TENSOR.location && part.value !== 0) tensor.external = true
      tensor.rest.push(part)
    }
  }
  return [name, tensor]
}

/**
 * The initializers to rewrite: weights and zero points of integer products that nothing else uses. A node whose weight or
 * zero point must stay keeps both, which may free others of their last such node, so it is repeated until nothing changes.
 */
function choose(nodes: Node[], tensors: Map<string, Tensor>, taken: Set<string>): Set<string> {
  const unsigned = (name: string | undefined) => {
    const tensor = name ? tensors.get(name) : undefined
    return tensor !== undefined && tensor.dataType === UINT8 && !tensor.external
  }
  const fixed = new Set(taken)
  let candidates = nodes.filter(
    ({ op, inputs }) => op === OPERATOR && unsigned(inputs[WEIGHT]) && unsigned(inputs[ZERO_POINT]),
  )
  for (const node of nodes) {
    const rewritable = candidates.includes(node)
    node.inputs.forEach((name, at) => {
      if (!rewritable || (at !== WEIGHT && at !== ZERO_POINT)) fixed.add(name)
    })
  }
  for (;;) {
    const staying = candidates.filter(({ inputs }) => !fixed.has(inputs[WEIGHT]!) && !fixed.has(inputs[ZERO_POINT]!))
    if (staying.length === candidates.length) break
    for (const { inputs } of candidates) {
      if (fixed.has(inputs[WEIGHT]!) || fixed.has(inputs[ZERO_POINT]!))
        fixed.add(inputs[WEIGHT]!).add(inputs[ZERO_POINT]!)
    }
    candidates = staying
  }
  return new Set(candidates.flatMap(({ inputs }) => [inputs[WEIGHT]!, inputs[ZERO_POINT]!]))
}

/** A TensorProto's content with every value less by 128: the highest bit of the byte is turned. */
function signed(model: Uint8Array, { raw, list, rest }: Tensor): Uint8Array[] {
  const values = raw
    ? new Uint8Array(model.subarray(raw.from, raw.end)) // not slice: a Buffer's shares its bytes
    : Uint8Array.from(list.flatMap((field) => numbers(model, field)))
  for (let i = 0; i < values.length; i++) values[i]! ^= 0x80
  const type = protobuf.Writer.create()
    .uint32(TENSOR.dataType << 3)
    .int32(INT8)
    .finish()
  return [...rest.map(({ start, end }) => model.subarray(start, end)), type, ...message(TENSOR.rawData, [values])]
}

/** The content of a message with some of its fields replaced. */
function splice(
  model: Uint8Array,
  { from, end }: Field,
  changes: { start: number; end: number; by: Uint8Array[] }[],
): Uint8Array[] {
  const pieces: Uint8Array[] = []
  let at = from
  for (const change of changes.sort((a, b) => a.start - b.start)) {
    pieces.push(model.subarray(at, change.start), ...change.by)
    at = change.end
  }
  return [...pieces, model.subarray(at, end)]
}
