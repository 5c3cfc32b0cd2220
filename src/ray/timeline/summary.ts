import { inspect } from 'node:util'
import { bytes, formatTime } from '../../core/format.js'
import { percentiles } from '../../core/percentiles.js'
import { htmlTable, textTable } from '../../core/text-table.js'
import type { Tally } from '../tally.js'
import type { FunctionSummary, Percentiles, SessionSummary } from '../types.js'
import type { CallRing } from './call-ring.js'

/** The figures of each function, by the calls that are kept and the counts of the whole session. */
export function summarise(tallies: readonly Tally[], calls: CallRing | null): SessionSummary {
  const waits = tallies.map((): number[] => [])
  const runs = tallies.map((): number[] => [])
  for (const { tally, submitted, began, ended, attempt } of calls ?? []) {
    // A later try waited for the earlier ones as well.
    if (attempt === 1) waits[tally]!.push(Math.max(0, began - submitted))
    runs[tally]!.push(ended - began)
  }
  // An actor that nobody can call any more is asked to end.
  const told = tallies.filter(({ label }) => !label.endsWith('.__terminate__'))
  const functions = told.map(({ id, label, submitted, finished, failed, retried, bytesIn, bytesOut }) => ({
    name: label,
    count: finished + failed,
    pending: submitted - finished - failed,
    failures: failed,
    retries: retried,
    wait: percentilesOf(waits[id]!),
    run: percentilesOf(runs[id]!),
    bytesIn,
    bytesOut,
  }))
  const tries = calls?.count ?? 0
  return { functions, tries, kept: Math.min(tries, calls?.capacity ?? 0) }
}

function percentilesOf(values: readonly number[]): Percentiles | null {
  if (values.length === 0) return null
  const [p50, p95, p99] = percentiles(values, [0.5, 0.95, 0.99])
  return { p50: p50!, p95: p95!, p99: p99! }
}

/** Of a terminal, and between two columns of a table. */
const COLUMNS = 80
const GAP = 2

/** Columns that stand close to each other, numbers under each other. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)))
  return rows.map((row) => row.map((cell, i) => cell.padStart(widths[i]!)).join(' '))
}

/** Three digits of milliseconds, and no more than microseconds: 0.089, 1.74, 12.4, 1501; of minutes 125s. */
function shortTime(ms: number): string {
  if (ms >= 99_999.5) return `${(ms / 1_000).toFixed(0)}s`
  if (ms >= 99.95) return ms.toFixed(0)
  return ms.toFixed(ms >= 9.995 ? 1 : ms >= 0.9995 ? 2 : 3)
}

/** 812, 3.1K, 68.6M. */
const shortBytes = (value: number) => bytes(value).replace(/ (\w?)B$/, '$1')

/** What `ray.summary()` gives: as the value of a cell, or printed, a table. */
export class Summary implements SessionSummary {
  readonly functions: readonly FunctionSummary[]
  readonly tries: number
  readonly kept: number

  constructor({ functions, tries, kept }: SessionSummary) {
    this.functions = functions
    this.tries = tries
    this.kept = kept
  }

  /** Of how many calls the times are, where that is not all; else ''. */
  get #since(): string {
    const [kept, tries] = [this.kept, this.tries].map((count) => count.toLocaleString('en'))
    return this.kept < this.tries
      ? `wait and run: of the newest ${kept} of ${tries} calls (ray.init({ timeline }))`
      : ''
  }

  /** Rows of cells, the heads first. */
  get rows(): string[][] {
    const heads = ['function', 'calls', 'failed', 'wait p50', 'p95', 'p99', 'run p50', 'p95', 'p99', 'in', 'out']
    const times = (of: Percentiles | null) =>
      of ? [of.p50, of.p95, of.p99].map((ms) => formatTime(ms / 1_000)) : ['–', '–', '–']
    const row = ({ name, count, failures, wait, run, bytesIn, bytesOut }: FunctionSummary) => [
      name,
      count.toLocaleString('en'),
      failures.toLocaleString('en'),
      ...times(wait),
      ...times(run),
      bytes(bytesIn),
      bytes(bytesOut),
    ]
    return [heads, ...this.functions.map(row)]
  }

  /** A table that a terminal of 80 columns holds: a name that leaves no room for the figures stands in a line above them. */
  toString(): string {
    const { functions } = this
    const counts = functions.map(({ count, failures }) => [String(count), String(failures)])
    const moved = functions.map(({ bytesIn, bytesOut }) => [shortBytes(bytesIn), shortBytes(bytesOut)])
    const times = (of: 'wait' | 'run') =>
      functions.map(({ [of]: at }) => (at ? [at.p50, at.p95, at.p99].map(shortTime) : ['–', '–', '–']))
    const groups = [
      ['', ...aligned([['calls', 'failed'], ...counts])],
      ['wait, ms', ...aligned([['p50', 'p95', 'p99'], ...times('wait')])],
      ['run, ms', ...aligned([['p50', 'p95', 'p99'], ...times('run')])],
      ['bytes', ...aligned([['in', 'out'], ...moved])],
    ]
    const room =
      COLUMNS - groups.reduce((width, [head, first]) => width + GAP + Math.max(head!.length, first!.length), 0)
    const names = ['', 'function', ...functions.map(({ name }) => (name.length <= room ? name : ''))]
    const lines = textTable(names.map((name, i) => [name, ...groups.map((group) => group[i]!)])).split('\n')
    const [heads, figures] = [lines.slice(0, 2), lines.slice(2)]
    const told = functions.flatMap(({ name }, i) => (name.length <= room ? [figures[i]!] : [name, figures[i]!]))
    return [...heads, ...told, ...(this.#since ? [this.#since] : [])].join('\n')
  }

  toHtml(): string {
    return htmlTable(this.rows) + (this.#since && `<p>${this.#since}</p>`)
  }

  [inspect.custom](): string {
    return this.toString()
  }
}
