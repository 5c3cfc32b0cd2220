/** How deep a footer nests: ten levels at most are known. */
const DEEPEST = 32

const [TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, STRUCT] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12]

/**
 * Passes over a struct of Thrift's compact protocol, as footers, page headers and indexes are; returns where it ends. hyparquet makes
 * room for as many elements as a list claims to have before it reads one, and takes a number of a million bytes for one: so it is to
 * read only what this has passed over.
 * @see https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
 * @throws Error where the struct claims what is not there
 */
export function endOfStruct(bytes: Uint8Array, at = 0): number {
  const walk = new Walk(bytes, at)
  walk.struct(0)
  return walk.at
}

class Walk {
  constructor(
    readonly bytes: Uint8Array,
    public at: number,
  ) {}

  struct(depth: number): void {
    if (depth > DEEPEST) throw new Error('a header is nested too deep')
    for (;;) {
      const byte = this.#byte()
      const type = byte & 15
      if (type === 0) return
      if (byte < 16) this.#varint()
      if (type !== TRUE && type !== FALSE) this.#element(type, depth)
    }
  }

  #element(type: number, depth: number): void {
    if (type === TRUE || type === FALSE || type === BYTE) this.#skip(1)
    else if (type === I16 || type === I32 || type === I64) this.#varint()
    else if (type === DOUBLE) this.#skip(8)
    else if (type === BINARY) this.#skip(this.#varint())
    else if (type === LIST) this.#list(depth + 1)
    else if (type === STRUCT) this.struct(depth + 1)
    else throw new Error(`a header holds the unknown type ${type}`)
  }

  #list(depth: number): void {
    if (depth > DEEPEST) throw new Error('a header is nested too deep')
    const byte = this.#byte()
    const size = byte >> 4 === 15 ? this.#varint() : byte >> 4
    // No element takes less than a byte.
    if (size > this.bytes.length - this.at) throw new Error(`a header claims a list of ${size}`)
    for (let i = 0; i < size; i++) this.#element(byte & 15, depth)
  }

  /** Of ten bytes at most: 64 bits. */
  #varint(): number {
    let value = 0
    for (let scale = 1; scale < 2 ** 70; scale *= 128) {
      const byte = this.#byte()
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
    throw new Error('a header holds a number that never ends')
  }

  #byte(): number {
    this.#skip(1)
    return this.bytes[this.at - 1]!
  }

  #skip(length: number): void {
    this.at += length
    if (this.at > this.bytes.length) throw new Error('a header ends too early')
  }
}
