/** As much of ONNX's files as the bench needs: the tensors of a model, and a model of one product. */
import protobuf from 'protobufjs/minimal.js'

/** Field numbers of onnx.proto. */
const MODEL = { irVersion: 1, graph: 7, opset: 8 }
const GRAPH = { node: 1, name: 2, initializer: 5, input: 11, output: 12 }
const NODE = { input: 1, output: 2, opType: 4, attribute: 5 }
const TENSOR = { dims: 1, dataType: 2, name: 8, rawData: 9 }
const ATTRIBUTE = { name: 1, i: 3 }
/** TensorProto.DataType. */
const FLOAT = 1
const UINT8 = 2
const INT64 = 7
/** The nodes of a model, in order, and those of its initializers that are 32-bit numbers in the file itself. */
export function readOnnx(bytes) {
  const nodes = []
  const tensors = new Map()
  for (const graph of parts(bytes)) {
    if (graph.field !== MODEL.graph) continue
    for (const part of parts(graph.bytes)) {
      if (part.field === GRAPH.node) nodes.push(readNode(part.bytes))
      else if (part.field === GRAPH.initializer) readTensor(part.bytes, tensors)
    }
  }
  return { nodes, tensors }
}
function readNode(bytes) {
  const node = { op: '', inputs: [], outputs: [], integers: {} }
  for (const { field, bytes: content } of parts(bytes)) {
    if (field === NODE.input) node.inputs.push(text(content))
    else if (field === NODE.output) node.outputs.push(text(content))
    else if (field === NODE.opType) node.op = text(content)
    else if (field === NODE.attribute) {
      const all = parts(content)
      const name = all.find(({ field }) => field === ATTRIBUTE.name)
      const value = all.find(({ field }) => field === ATTRIBUTE.i)
      if (name && value) node.integers[text(name.bytes)] = value.number
    }
  }
  return node
}
function readTensor(bytes, tensors) {
  const shape = []
  let [name, type, raw] = ['', 0, null]
  for (const { field, bytes: content, number } of parts(bytes)) {
    if (field === TENSOR.dims) shape.push(...(content.length > 0 ? numbers(content) : [number]))
    else if (field === TENSOR.dataType) type = number
    else if (field === TENSOR.name) name = text(content)
    else if (field === TENSOR.rawData) raw = content
  }
  // copied: numbers of four bytes begin at a multiple of four
  if (type === FLOAT && raw) tensors.set(name, { shape, data: new Float32Array(new Uint8Array(raw).buffer) })
}
function parts(bytes) {
  const reader = protobuf.Reader.create(bytes)
  const found = []
  while (reader.pos < reader.len) {
    const tag = reader.uint32()
    const part = { field: tag >>> 3, bytes: new Uint8Array(), number: 0 }
    const wire = tag & 7
    if (wire === 2) {
      const length = reader.uint32()
      part.bytes = bytes.subarray(reader.pos, reader.pos + length)
      reader.skip(length)
    } else if (wire === 0) part.number = Number(reader.int64())
    else reader.skipType(wire)
    found.push(part)
  }
  return found
}
function numbers(bytes) {
  const reader = protobuf.Reader.create(bytes)
  const found = []
  while (reader.pos < reader.len) found.push(Number(reader.int64()))
  return found
}
function text(bytes) {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
}
/** The bytes of a model file, operators of version 17. */
export function writeOnnx({ nodes, tensors, inputs, outputs }) {
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
function attribute(name, value) {
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
function initializer(name, tensor) {
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
function value(name, shape) {
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
function message(write) {
  const writer = protobuf.Writer.create()
  write(writer)
  return writer.finish()
}
const bytesField = (number) => (number << 3) | 2
const numberField = (number) => number << 3
