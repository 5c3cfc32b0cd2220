import { FlatTable } from './flat-table.js'

/** Numbers of Arrow's types, and what `datasets` calls those that Parquet takes for others. */
const DTYPES: Record<number, string> = { 19: 'large_binary', 20: 'large_string', 23: 'binary_view', 24: 'string_view' }
const [DECIMAL, TIMESTAMP, DURATION, FIXED_SIZE_LIST, LARGE_LIST] = [7, 10, 18, 16, 21]
const UNITS = ['s', 'ms', 'us', 'ns']

/**
 * A column as Arrow knew it, which pyarrow notes beside Parquet's own schema: that has no durations, no time zones and one kind of
 * text. Nothing is read before it is asked for, and damaged notes throw then.
 * @see https://github.com/apache/arrow/blob/main/format/Schema.fbs
 */
export class ArrowField {
  readonly #table: FlatTable
  /** Of the schema itself, whose columns are its children. */
  readonly #isRoot: boolean

  private constructor(table: FlatTable, isRoot = false) {
    this.#table = table
    this.#isRoot = isRoot
  }

  /** What holds the columns, from the text of pyarrow's note `ARROW:schema`. */
  static ofNote(note: string): ArrowField | null {
    const { buffer, byteOffset, byteLength } = Buffer.from(note, 'base64')
    const marked = new DataView(buffer, byteOffset, byteLength)
    // Four bytes of length, and in all but the oldest files four of 255 before them.
    const start = marked.getUint32(0, true) === 0xffffffff ? 8 : 4
    const message = FlatTable.root(new DataView(buffer, byteOffset + start, byteLength - start))
    const schema = message.byte(1) === 1 ? message.table(2) : null
    return schema && new ArrowField(schema, true)
  }

  /** The column or the part at a place, if it is called so. */
  child(index: number, name?: string): ArrowField | null {
    const child = this.#table.item(this.#isRoot ? 1 : 5, index)
    return child && (name === undefined || child.text(0) === name) ? new ArrowField(child) : null
  }

  /** The kind of its values, where Parquet alone tells another one. */
  get dtype(): string | null {
    // Texts by number are plain ones to `datasets`, of whatever length.
    if (this.#table.has(4)) return null
    if (this.#type === DURATION) return `duration[${UNITS[this.#table.table(3)?.short(0, 1) ?? 1]}]`
    return DTYPES[this.#type] ?? null
  }

  get timeZone(): string | null {
    return (this.#type === TIMESTAMP && this.#table.table(3)?.text(1)) || null
  }

  get isWideDecimal(): boolean {
    return this.#type === DECIMAL && this.#table.table(3)?.int(2) === 256
  }

  get isLargeList(): boolean {
    return this.#type === LARGE_LIST
  }

  /** How many a list holds; null where that differs. */
  get length(): number | null {
    return this.#type === FIXED_SIZE_LIST ? (this.#table.table(3)?.int(0) ?? null) : null
  }

  get #type(): number {
    return this.#table.byte(2)
  }
}
