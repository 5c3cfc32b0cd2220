import { htmlTable, textTable } from '../../core/text-table.js'
import { bytes, seconds } from '../format.js'
import { ran, type Version } from './version.js'

/** What a ResultTable knows beside the versions. */
export interface TableOptions {
  /**
   * What one picture takes on one thread, in seconds. With it the table has the efficiency: the time one core would have
   * needed for the pictures, divided by the time for which the version held cores.
   */
  oneThread?: number | undefined
  /** Cores that A's threads were on: this machine's. */
  cores: number
  /** Cores that the workers of B, C1 and C2 were on. @default as many */
  workerCores?: number | undefined
}

interface Column {
  title: string
  of: (version: Version) => string
}

/** The figures of the versions, one a row: as a table where a page can be shown, as text in a terminal. */
export class ResultTable {
  readonly #versions: Version[]
  readonly #columns: Column[]

  constructor(versions: readonly (Version | undefined)[], { oneThread, cores, workerCores = cores }: TableOptions) {
    this.#versions = ran(versions)
    const a = this.#versions.find(({ name }) => name === 'A')
    const count = ({ result }: Version) => result.length
    const held = ({ name, seconds }: Version) => seconds * (name === 'A' ? cores : workerCores)
    this.#columns = [
      { title: 'seconds', of: (v) => seconds(v.seconds) },
      { title: 'loading', of: (v) => seconds(v.loadSeconds) },
      ...(a ? [{ title: 'speed-up', of: (v: Version) => (a.seconds / v.seconds).toFixed(2) }] : []),
      ...(oneThread === undefined
        ? []
        : [{ title: 'efficiency', of: (v: Version) => ((count(v) * oneThread) / held(v)).toFixed(2) }]),
      { title: 'pictures/s', of: (v) => (count(v) / v.seconds).toFixed(1) },
      { title: 'moved', of: (v) => bytes(v.bytesMoved) },
      { title: 'memory', of: (v) => bytes(v.peakMemoryMB * 1e6) },
    ]
  }

  /** Rows of cells, the heads first. */
  get rows(): string[][] {
    const heads = ['version', ...this.#columns.map(({ title }) => title)]
    return [heads, ...this.#versions.map((v) => [`${v.name} ${v.title}`, ...this.#columns.map(({ of }) => of(v))])]
  }

  /** The table as text: at most 80 columns wide. */
  toString(): string {
    return textTable(this.rows)
  }

  toHtml(): string {
    return htmlTable(this.rows)
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString()
  }
}
