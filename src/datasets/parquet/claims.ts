/** What the bytes of a page claim of its values: passed over, and an error where hyparquet would believe too much. */
export class Claims {
  at = 0

  constructor(
    readonly bytes: Uint8Array,
    /** Values in the page. */
    readonly count: number,
  ) {}

  /** Levels, behind four bytes that tell their length. */
  prefixedLevels(width: number): void {
    const { buffer, byteOffset, byteLength } = this.bytes
    const end = this.at + 4 + new DataView(buffer, byteOffset, byteLength).getUint32(this.at, true)
    this.at += 4
    this.levels(width, end)
  }

  /** One for each value. What is missing before `end`, hyparquet would take from the bytes behind it. */
  levels(width: number, end: number): void {
    if (this.runs(width, end) < this.count) throw new Error('the levels of a page end too early')
    this.at = end
  }

  /**
   * Runs of equal or bit-packed values; how many they hold.
   * @see https://parquet.apache.org/docs/file-format/data-pages/encodings/
   */
  runs(width: number, end: number): number {
    if (width > 32 || end > this.bytes.length) throw damaged('values')
    let seen = 0
    while (seen < this.count && this.at < end) {
      const header = this.#varint()
      const isPacked = header % 2 === 1
      const run = isPacked ? ((header - 1) / 2) * 8 : header / 2
      // Packed values come in eights, and some writers fill up further.
      if (run > this.count - seen + (isPacked ? 512 : 0))
        throw new Error(`a run of ${run} values in a page of ${this.count}`)
      this.at += isPacked ? (run / 8) * width : (width + 7) >> 3
      seen += run
    }
    return seen
  }

  /**
   * Differences in blocks of parts. hyparquet goes back, for ever, where a size or a number of them is negative.
   * @param values how many to pass over, of 32 bits; else what follows is left
   */
  deltas(values?: number): void {
    const block = this.#varint()
    const parts = this.#varint()
    if (block === 0 || block >= 2 ** 31 || block % (parts * 32) !== 0) throw damaged('differences')
    if (values === undefined) return
    // The number of values, and the first.
    this.#varint()
    this.#varint()
    for (let left = values - 1; left > 0; ) {
      this.#varint()
      const widths = this.bytes.subarray(this.at, this.at + parts)
      this.at += parts
      for (let part = 0; part < widths.length && left > 0; part++, left -= block / parts)
        this.at += ((block / parts) * widths[part]!) / 8
      if (this.at > this.bytes.length) throw damaged('differences')
    }
  }

  /**
   * Differences of whole numbers of 32 bits. DuckDB writes a first one without a sign with 33 bits, and hyparquet would lose the
   * highest: it gets the number of 32 that is meant, in as many bytes.
   */
  wholeDeltas(): void {
    this.deltas()
    this.#varint()
    const start = this.at
    const first = this.#varint()
    if (first < 2 ** 32) return
    const meant = (first % 2 === 0 ? first / 2 : -(first + 1) / 2) | 0
    let rest = meant < 0 ? -2 * meant - 1 : 2 * meant
    for (let at = start; at < this.at; at++, rest = Math.floor(rest / 128))
      this.bytes[at] = (rest % 128) + (at < this.at - 1 ? 128 : 0)
  }

  /** Of 35 bits at most, as no writer takes more bytes than needed and hyparquet reads on. */
  #varint(): number {
    let value = 0
    for (let scale = 1; scale < 2 ** 35; scale *= 128) {
      const byte = this.bytes[this.at++] ?? 0
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
    throw damaged('values')
  }
}

const damaged = (what: string) => new Error(`the ${what} of a page are damaged`)
