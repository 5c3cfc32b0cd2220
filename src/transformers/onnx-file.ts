import protobuf from 'protobufjs/minimal.js'

/**
 * ONNX files walked as protobuf, by the numbers of onnx.proto, and copied with some of their fields written anew: nothing
 * else of a file of hundreds of megabytes is decoded.
 */

/** Field numbers of onnx.proto. */
export const MODEL = { graph: 7, opset: 8 }
const OPSET = { domain: 1, version: 2 }
export const GRAPH = { node: 1, initializer: 5, input: 11, output: 12, valueInfo: 13 }
export const NODE = { input: 1, output: 2, opType: 4, attribute: 5, domain: 7 }
export const ATTRIBUTE = { name: 1, i: 3, graph: 6, ints: 8, graphs: 11 }
export const TENSOR = { dims: 1, dataType: 2, int32Data: 5, name: 8, rawData: 9, externalData: 13, location: 14 }
const VALUE = { name: 1, type: 2 }
/** TensorProto.DataType. */
export const UINT8 = 2
export const INT8 = 3
export const INT64 = 7

/** A field in a buffer: `start` is where its tag begins, `from` to `end` its content. */
export interface Field {
  number: number
  start: number
  from: number
  end: number
  /** Of a number field. */
  value: number
}

/** A node of a graph. */
export interface Node {
  field: Field
  /** The operator, with its domain before it where it is not ONNX's own. */
  op: string
  inputs: string[]
  outputs: string[]
  /** Attributes that are a whole number or a list of them. */
  integers: Map<string, number[]>
}

/** The fields of a message, or of the whole buffer. */
export function fields(buffer: Uint8Array, within?: Field): Field[] {
  const reader = protobuf.Reader.create(buffer)
  reader.pos = within?.from ?? 0
  const end = within?.end ?? buffer.length
  const found: Field[] = []
  while (reader.pos < end) {
    const start = reader.pos
    const tag = reader.uint32()
    const wire = tag & 7
    let value = 0
    let from = reader.pos
    if (wire === 2) {
      const length = reader.uint32()
      from = reader.pos
      reader.skip(length)
    } else if (wire === 0) {
      value = reader.int32()
      from = reader.pos
    } else reader.skipType(wire)
    found.push({ number: tag >>> 3, start, from, end: reader.pos, value })
  }
  return found
}

export const text = (buffer: Uint8Array, { from, end }: Field) =>
  Buffer.from(buffer.subarray(from, end)).toString('utf8')

/** A list of numbers: packed, or a field for each. */
export function numbers(model: Uint8Array, { from, end, value }: Field): number[] {
  if (from === end) return [value]
  const reader = protobuf.Reader.create(model)
  const all: number[] = []
  for (reader.pos = from; reader.pos < end; ) all.push(reader.int32())
  return all
}

/** A node; what nodes of graphs inside it refer to is added to `taken`. */
export function readNode(model: Uint8Array, field: Field, taken: Set<string>): Node {
  const node: Node = { field, op: '', inputs: [], outputs: [], integers: new Map() }
  let domain = ''
  for (const part of fields(model, field)) {
    if (part.number === NODE.input) node.inputs.push(text(model, part))
    else if (part.number === NODE.output) node.outputs.push(text(model, part))
    else if (part.number === NODE.opType) node.op = text(model, part)
    else if (part.number === NODE.domain) domain = text(model, part)
    else if (part.number === NODE.attribute) readAttribute(model, part, node, taken)
  }
  if (domain && domain !== 'ai.onnx') node.op = `${domain}.${node.op}`
  return node
}

function readAttribute(model: Uint8Array, field: Field, node: Node, taken: Set<string>): void {
  let name = ''
  const values: number[] = []
  for (const part of fields(model, field)) {
    if (part.number === ATTRIBUTE.name) name = text(model, part)
    else if (part.number === ATTRIBUTE.i || part.number === ATTRIBUTE.ints) values.push(...numbers(model, part))
    else if (part.number === ATTRIBUTE.graph || part.number === ATTRIBUTE.graphs) takeFrom(model, part, taken)
  }
  if (values.length > 0) node.integers.set(name, values)
}

/** What a graph inside a node refers to. */
function takeFrom(model: Uint8Array, graph: Field, taken: Set<string>): void {
  for (const inner of fields(model, graph)) {
    if (inner.number === GRAPH.node) for (const name of readNode(model, inner, taken).inputs) taken.add(name)
    if (inner.number === GRAPH.output) {
      for (const value of fields(model, inner)) if (value.number === VALUE.name) taken.add(text(model, value))
    }
  }
}

/** The name of an input, an output or a value with a type. */
export function nameOf(model: Uint8Array, value: Field): string {
  const name = fields(model, value).find(({ number }) => number === VALUE.name)
  return name ? text(model, name) : ''
}

/** A field that holds these pieces. */
export function message(number: number, pieces: Uint8Array[]): Uint8Array[] {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0)
  const head = protobuf.Writer.create()
    .uint32((number << 3) | 2)
    .uint32(length)
    .finish()
  return [head, ...pieces]
}

/** A field that holds a text. */
export const string = (number: number, content: string) => message(number, [Buffer.from(content, 'utf8')])

/** A field that holds a whole number. */
const integer = (number: number, value: number) => [
  protobuf.Writer.create()
    .uint32(number << 3)
    .int64(value)
    .finish(),
]

/** The model with another graph. */
export function withGraph(model: Uint8Array, graph: Field, body: Uint8Array[]): Uint8Array {
  return Buffer.concat([model.subarray(0, graph.start), ...message(MODEL.graph, body), model.subarray(graph.end)])
}

/** The version of ONNX's own operators. */
export function opsetOf(model: Uint8Array, all: readonly Field[]): number {
  for (const entry of all) {
    if (entry.number !== MODEL.opset) continue
    const parts = fields(model, entry)
    const domain = parts.find(({ number }) => number === OPSET.domain)
    if (domain && !['', 'ai.onnx'].includes(text(model, domain))) continue
    return parts.find(({ number }) => number === OPSET.version)?.value ?? 0
  }
  return 0
}

/** A node's content with its inputs as they are now. */
export function rewritten(model: Uint8Array, { field, inputs }: Node): Uint8Array[] {
  const kept = fields(model, field).filter(({ number }) => number !== NODE.input)
  return [
    ...inputs.flatMap((name) => string(NODE.input, name)),
    ...kept.map(({ start, end }) => model.subarray(start, end)),
  ]
}

/** The content of a node of one output. */
export function newNode(op: string, inputs: string[], output: string): Uint8Array[] {
  return [
    ...inputs.flatMap((name) => string(NODE.input, name)),
    ...string(NODE.output, output),
    ...string(NODE.opType, op),
  ]
}

/** A list of whole numbers that the graph holds. */
export function initializer(name: string, values: number[]): Uint8Array[] {
  const bytes = new Uint8Array(BigInt64Array.from(values, BigInt).buffer)
  return message(GRAPH.initializer, [
    ...integer(TENSOR.dims, values.length),
    ...integer(TENSOR.dataType, INT64),
    ...string(TENSOR.name, name),
    ...message(TENSOR.rawData, [bytes]),
  ])
}

/** An output of whole numbers, of any shape. */
export function wholeNumbers(name: string): Uint8Array[] {
  const tensor = message(1, integer(1, INT64))
  return [...string(VALUE.name, name), ...message(VALUE.type, tensor)]
}
