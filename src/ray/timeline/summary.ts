import { inspect } from 'node:util'
import { bytes, formatTime } from '../../core/format.js'
import { percentiles } from '../../core/percentiles.js'
import { htmlTable, textTable } from '../../core/text-table.js'
import type { Tally } from '../tally.js'
import type { FunctionSummary, Percentiles } from '../types.js'
import type { KeptCall } from './call-ring.js'

/** The figures of each function, by the calls that are kept and the counts of the whole session. */
export function summarise(tallies: readonly Tally[], calls: Iterable<KeptCall>): FunctionSummary[] {
  const waits = tallies.map((): number[] => [])
  const runs = tallies.map((): number[] => [])
  for (const { tally, submitted, began, ended, attempt } of calls) {
    // A later try waited for the earlier ones as well.
    if (attempt === 1) waits[tally]!.push(Math.max(0, began - submitted))
    runs[tally]!.push(ended - began)
  }
  // An actor that nobody can call any more is asked to end.
  const told = tallies.filter(({ label }) => !label.endsWith('.__terminate__'))
  return told.map(({ id, label, submitted, finished, failed, retried, bytesIn, bytesOut }) => ({
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
}

function percentilesOf(values: readonly number[]): Percentiles | null {
  if (values.length === 0) return null
  const [p50, p95, p99] = percentiles(values, [0.5, 0.95, 0.99])
  return { p50: p50!, p95: p95!, p99: p99! }
}

/** What `ray.summary()` gives: as the value of a cell, or printed, a table. */
export class Summary {
  constructor(
    /** In the order of their first calls. */
    readonly functions: readonly FunctionSummary[],
  ) {}

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

  toString(): string {
    return textTable(this.rows)
  }

  toHtml(): string {
    return htmlTable(this.rows)
  }

  [inspect.custom](): string {
    return this.toString()
  }
}
