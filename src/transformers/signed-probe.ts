import protobuf from 'protobufjs/minimal.js'
import { native } from '../core/gate.js'

const SIZE = 64

let known: Promise<boolean> | undefined

/**
 * Whether this processor multiplies unsigned by signed bytes exactly. Kernels for x64 without VNNI add pairs of products
 * in 16 bits and cut off what overflows; there unsigned weights are slow but right. Asked of onnxruntime itself, with the
 * largest values there are.
 */
export function signedIsExact(runtime: typeof import('onnxruntime-node')): Promise<boolean> {
  known ??= native(async () => {
    const session = await runtime.InferenceSession.create(largestProducts())
    const input = new runtime.Tensor('uint8', new Uint8Array(SIZE * SIZE).fill(255), [SIZE, SIZE])
    const { y } = await session.run({ x: input })
    await session.release()
    return (y!.data as Int32Array).every((sum, i) => sum === SIZE * 255 * (i % 2 ? -128 : 127))
  }).catch(() => false)
  return known
}

/** A model of one MatMulInteger whose weight has columns of 127 and of −128 in turn. */
function largestProducts(): Uint8Array {
  const bytes = (write: (writer: protobuf.Writer) => protobuf.Writer) => write(protobuf.Writer.create()).finish()
  const field = (number: number) => (number << 3) | 2
  const number = (n: number) => n << 3
  const weight = Int8Array.from({ length: SIZE * SIZE }, (_, i) => (i % 2 ? -128 : 127))
  const tensor = bytes((w) =>
    w
      .uint32(number(1))
      .int64(SIZE)
      .uint32(number(1))
      .int64(SIZE)
      .uint32(number(2))
      .int32(3)
      .uint32(field(8))
      .string('w')
      .uint32(field(9))
      .bytes(new Uint8Array(weight.buffer)),
  )
  const node = bytes((w) =>
    ['x', 'w']
      .reduce((w, name) => w.uint32(field(1)).string(name), w)
      .uint32(field(2))
      .string('y')
      .uint32(field(4))
      .string('MatMulInteger'),
  )
  const value = (name: string, type: number) => {
    const dimension = bytes((w) => w.uint32(number(1)).int64(SIZE))
    const shape = bytes((w) => w.uint32(field(1)).bytes(dimension).uint32(field(1)).bytes(dimension))
    const tensorType = bytes((w) => w.uint32(number(1)).int32(type).uint32(field(2)).bytes(shape))
    return bytes((w) =>
      w
        .uint32(field(1))
        .string(name)
        .uint32(field(2))
        .bytes(bytes((w) => w.uint32(field(1)).bytes(tensorType))),
    )
  }
  const graph = bytes((w) =>
    w
      .uint32(field(1))
      .bytes(node)
      .uint32(field(2))
      .string('probe')
      .uint32(field(5))
      .bytes(tensor)
      .uint32(field(11))
      .bytes(value('x', 2))
      .uint32(field(12))
      .bytes(value('y', 6)),
  )
  const opset = bytes((w) => w.uint32(number(2)).int64(13))
  return bytes((w) => w.uint32(number(1)).int64(8).uint32(field(7)).bytes(graph).uint32(field(8)).bytes(opset))
}
