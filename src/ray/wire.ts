import { types } from 'node:util'
import { Deserializer, Serializer } from 'node:v8'
import { NotSerializableError } from './errors.js'

type View = new (buffer: ArrayBufferLike, offset: number, length: number) => ArrayBufferView

/** Node has it from 24 on. */
const { Float16Array } = globalThis as { Float16Array?: View }

/** Views over memory, by their place in this list. */
const VIEWS: readonly View[] = [
  DataView as View,
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  ...(Float16Array ? [Float16Array] : []),
]

/**
 * What structured cloning carries, as bytes: for workers that share no memory. Shared memory under views follows behind,
 * and lies in shared memory again on the other side. (v8 itself can write shared memory, but not read it again.)
 *
 *     u32 count, count × f64 length, u32 length of the head, head, the shared memories
 */
class WireSerializer extends Serializer {
  readonly memories: SharedArrayBuffer[] = []

  constructor() {
    super()
    const treat = this as unknown as { _setTreatArrayBufferViewsAsHostObjects(treat: boolean): void }
    treat._setTreatArrayBufferViewsAsHostObjects(true)
  }

  _writeHostObject(object: object): void {
    if (!ArrayBuffer.isView(object))
      throw new NotSerializableError('A value', `is a ${object.constructor?.name}, which lives in one process only`)
    const { buffer, byteOffset } = object
    const shared = types.isSharedArrayBuffer(buffer)
    this.writeUint32(VIEWS.findIndex((type) => object instanceof type))
    this.writeUint32(shared ? 1 : 0)
    this.writeDouble(byteOffset)
    this.writeDouble(object instanceof DataView ? object.byteLength : (object as Uint8Array).length)
    if (shared) this.writeUint32(this.#index(buffer))
    else this.writeValue(buffer)
  }

  #index(memory: SharedArrayBuffer): number {
    const known = this.memories.indexOf(memory)
    return known >= 0 ? known : this.memories.push(memory) - 1
  }
}

class WireDeserializer extends Deserializer {
  memories: SharedArrayBuffer[] = []

  _readHostObject(): ArrayBufferView {
    const type = VIEWS[this.readUint32()]
    if (!type)
      throw new NotSerializableError(
        'A value',
        `is of a type that Node ${process.version} lacks`,
        'Run the same version of Node on all machines.',
      )
    const shared = this.readUint32() === 1
    const offset = this.readDouble()
    const length = this.readDouble()
    const buffer = shared ? this.memories[this.readUint32()]! : (this.readValue() as ArrayBuffer)
    return new type(buffer, offset, length)
  }
}

/** @throws NotSerializableError for what lives in one process only */
export function encodeWire(value: unknown): Buffer {
  const serializer = new WireSerializer()
  serializer.writeHeader()
  try {
    serializer.writeValue(value)
  } catch (error) {
    if (error instanceof NotSerializableError) throw error
    throw new NotSerializableError('A value', `cannot leave this process: ${(error as Error).message}`)
  }
  const head = serializer.releaseBuffer()
  const { memories } = serializer
  const start = 8 + 8 * memories.length
  const size = memories.reduce((sum, { byteLength }) => sum + byteLength, start + head.length)
  const bytes = Buffer.allocUnsafe(size)
  bytes.writeUInt32LE(memories.length, 0)
  memories.forEach(({ byteLength }, i) => void bytes.writeDoubleLE(byteLength, 4 + 8 * i))
  bytes.writeUInt32LE(head.length, start - 4)
  bytes.set(head, start)
  let at = start + head.length
  for (const memory of memories) {
    bytes.set(new Uint8Array(memory), at)
    at += memory.byteLength
  }
  return bytes
}

export function decodeWire(encoded: Uint8Array): unknown {
  const bytes = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.byteLength)
  const count = bytes.readUInt32LE(0)
  const start = 8 + 8 * count
  const length = bytes.readUInt32LE(start - 4)
  // v8 reads numbers in place: they must lie as in the original.
  const head = Uint8Array.prototype.slice.call(bytes, start, start + length)
  const deserializer = new WireDeserializer(head)
  let at = start + length
  for (let i = 0; i < count; i++) {
    const memory = new SharedArrayBuffer(bytes.readDoubleLE(4 + 8 * i))
    new Uint8Array(memory).set(bytes.subarray(at, at + memory.byteLength))
    at += memory.byteLength
    deserializer.memories.push(memory)
  }
  deserializer.readHeader()
  return deserializer.readValue()
}
