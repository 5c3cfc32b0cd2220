/** A table as FlatBuffers lay it down; reading what lies outside of the bytes throws. @see https://flatbuffers.dev/internals */
export class FlatTable {
  constructor(
    readonly view: DataView,
    readonly at: number,
  ) {}

  /** The table that a buffer begins with a reference to. */
  static root(view: DataView): FlatTable {
    return new FlatTable(view, view.getUint32(0, true))
  }

  byte(field: number): number {
    const at = this.#place(field)
    return at === null ? 0 : this.view.getUint8(at)
  }

  short(field: number, otherwise = 0): number {
    const at = this.#place(field)
    return at === null ? otherwise : this.view.getInt16(at, true)
  }

  int(field: number): number {
    const at = this.#place(field)
    return at === null ? 0 : this.view.getInt32(at, true)
  }

  has(field: number): boolean {
    return this.#place(field) !== null
  }

  text(field: number): string | null {
    const at = this.#target(this.#place(field))
    if (at === null) return null
    const { buffer, byteOffset, byteLength } = this.view
    const length = this.view.getUint32(at, true)
    if (at + 4 + length > byteLength) throw new RangeError('a text goes beyond the end')
    return Buffer.from(buffer, byteOffset + at + 4, length).toString()
  }

  table(field: number): FlatTable | null {
    const at = this.#target(this.#place(field))
    return at === null ? null : new FlatTable(this.view, at)
  }

  /** One of a list of tables. */
  item(field: number, index: number): FlatTable | null {
    const list = this.#target(this.#place(field))
    if (list === null || index >= this.view.getUint32(list, true)) return null
    return new FlatTable(this.view, this.#target(list + 4 + 4 * index)!)
  }

  /** Where a field lies; null if it was left out. */
  #place(field: number): number | null {
    const fields = this.at - this.view.getInt32(this.at, true)
    const slot = 4 + 2 * field
    const offset = slot < this.view.getUint16(fields, true) ? this.view.getUint16(fields + slot, true) : 0
    return offset === 0 ? null : this.at + offset
  }

  #target(at: number | null): number | null {
    return at === null ? null : at + this.view.getUint32(at, true)
  }
}
