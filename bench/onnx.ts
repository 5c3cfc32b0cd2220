/** As much of ONNX's files as the bench needs: the tensors of a model, and a model of one product. */
import protobuf from 'protobufjs/minimal.js'
import * as file from '#src/transformers/onnx-file.js'

/** Field numbers of onnx.proto, of what is written here only. */
const MODEL = { irVersion: 1, ...file.MODEL }
const GRAPH = { name: 2, ...file.GRAPH }
const { NODE, ATTRIBUTE, TENSOR, UINT8, INT64 } = file
/** TensorProto.DataType. */
const FLOAT = 1

/** A tensor of 32-bit numbers, row by row. */
export interface Tensor {
  shape: number[]
  data: Float32Array
}

/** The nodes of a model, in order, and those of its initializers that are 32-bit numbers in the file itself. */
export function readOnnx(model: Uint8Array): { nodes: file.Node[]; tensors: Map<string, Tensor> } {
  const nodes: file.Node[] = []
  const tensors = new Map<string, Tensor>()
  for (const graph of file.fields(model)) {
    if (graph.number !== MODEL.graph) continue
    for (const part of file.fields(model, graph)) {
      if (part.number === GRAPH.node) nodes.push(file.readNode(model, part, new Set()))
      else if (part.number === GRAPH.initializer) readTensor(model, part, tensors)
    }
  }
  return { nodes, tensors }
}

function readTensor(model: Uint8Array, initializer: file.Field, tensors: Map<string, Tensor>): void {
  const shape: number[] = []
  let [name, type, raw] = ['', 0, null as Uint8Array | null]
  for (const part of file.fields(model, initializer)) {
    if (part.number === TENSOR.dims) shape.push(...file.numbers(model, part))
    else if (part.number === TENSOR.dataType) type = part.value
    else if (part.number === TENSOR.name) name = file.text(model, part)
    else if (part.number === TENSOR.rawData) raw = model.subarray(part.from, part.end)
  }
  // copied: numbers of four bytes begin at a multiple of four
  if (type === FLOAT && raw) tensors.set(name, { shape, data: new Float32Array(new Uint8Array(raw).buffer) })
}

/** A tensor of 32-bit numbers, of whole numbers (64 bits), or of unsigned bytes. */
export type Constant = Tensor | { shape: number[]; integers: number[] } | { shape: number[]; bytes: Uint8Array }

/** A graph, as `writeOnnx` takes it. Shapes of inputs and outputs may name dimensions. */
export interface Graph {
  nodes: readonly (Pick<file.Node, 'op' | 'inputs' | 'outputs'> & { attributes?: Record<string, number | number[]> })[]
  tensors: ReadonlyMap<string, Constant>
  inputs: Record<string, (number | string)[]>
  outputs: Record<string, (number | string)[]>
}

/** The bytes of a model file, operators of version 17. */
export function writeOnnx({ nodes, tensors, inputs, outputs }: Graph): Uint8Array {
  const graph = message((w) => {
    for (const { op, inputs, outputs, attributes = {} } of nodes)
      w.uint32(bytesField(GRAPH.node)).bytes(
        message((w) => {
          for (const name of inputs) w.uint32(bytesField(NODE.input)).string(name)
          for (const name of outputs) w.uint32(bytesField(NODE.output)).string(name)
          w.uint32(bytesField(NODE.opType)).string(op)
          for (const [name, value] of Object.entries(attributes))
            w.uint32(bytesField(NODE.attribute)).bytes(attribute(name, value))
        }),
      )
    w.uint32(bytesField(GRAPH.name)).string('bench')
    for (const [name, tensor] of tensors) w.uint32(bytesField(GRAPH.initializer)).bytes(initializer(name, tensor))
    for (const [name, shape] of Object.entries(inputs)) w.uint32(bytesField(GRAPH.input)).bytes(value(name, shape))
    for (const [name, shape] of Object.entries(outputs)) w.uint32(bytesField(GRAPH.output)).bytes(value(name, shape))
  })
  return message((w) => {
    w.uint32(numberField(MODEL.irVersion)).int64(8)
    w.uint32(bytesField(MODEL.graph)).bytes(graph)
    w.uint32(bytesField(MODEL.opset)).bytes(message((w) => w.uint32(numberField(2)).int64(17)))
  })
}

function attribute(name: string, value: number | number[]): Uint8Array {
  return message((w) => {
    w.uint32(bytesField(ATTRIBUTE.name)).string(name)
    if (Array.isArray(value)) {
      for (const number of value) w.uint32(numberField(8)).int64(number)
      w.uint32(numberField(20)).int32(7) // INTS
    } else if (Number.isInteger(value)) w.uint32(numberField(ATTRIBUTE.i)).int64(value).uint32(numberField(20)).int32(2)
    else
      w.uint32((2 << 3) | 5)
        .float(value)
        .uint32(numberField(20))
        .int32(1)
  })
}

function initializer(name: string, tensor: Constant): Uint8Array {
  const [type, values] =
    'integers' in tensor
      ? [INT64, new BigInt64Array(tensor.integers.map(BigInt))]
      : 'bytes' in tensor
        ? [UINT8, tensor.bytes]
        : [FLOAT, tensor.data]
  return message((w) => {
    for (const size of tensor.shape) w.uint32(numberField(TENSOR.dims)).int64(size)
    w.uint32(numberField(TENSOR.dataType)).int32(type)
    w.uint32(bytesField(TENSOR.name)).string(name)
    w.uint32(bytesField(TENSOR.rawData)).bytes(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
  })
}

function value(name: string, shape: (number | string)[]): Uint8Array {
  const dimensions = message((w) => {
    for (const size of shape)
      w.uint32(bytesField(1)).bytes(
        message((w) =>
          typeof size === 'number' ? w.uint32(numberField(1)).int64(size) : w.uint32(bytesField(2)).string(size),
        ),
      )
  })
  const type = message((w) => w.uint32(numberField(1)).int32(FLOAT).uint32(bytesField(2)).bytes(dimensions))
  return message((w) =>
    w
      .uint32(bytesField(1))
      .string(name)
      .uint32(bytesField(2))
      .bytes(message((w) => w.uint32(bytesField(1)).bytes(type))),
  )
}

function message(write: (writer: protobuf.Writer) => unknown): Uint8Array {
  const writer = protobuf.Writer.create()
  write(writer)
  return writer.finish()
}

const bytesField = (number: number) => (number << 3) | 2
const numberField = (number: number) => number << 3
