import { expected } from '../core/errors.js'
import { knownOptions } from '../core/options.js'

/**
 * Metrics of an application: counters and histograms that end up in /metrics. What a replica measures goes with its next
 * answer to the HTTP thread, so nothing has to be asked for, and what was answered is never lost.
 */

export type Measurement = [
  name: string,
  kind: 'counter' | 'histogram',
  help: string,
  value: number,
  /** Of a histogram, if it has its own. */
  buckets: readonly number[] | null,
]

/** What every answer of a replica has. */
export interface Measured {
  /** What was measured there since the last one: see `takeMeasured`. */
  measured: string
}

const MOST = 10_000
const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/

let pending: Measurement[] = []
let collecting = false
let sink: ((measurements: readonly Measurement[]) => void) | null = null

/** In a replica: keeps what is measured until `takeMeasured`. */
export function collectMeasured(): void {
  collecting = true
}

/** What was measured since, as JSON; empty if nothing was. */
export function takeMeasured(): string {
  if (pending.length === 0) return ''
  const text = JSON.stringify(pending)
  pending = []
  return text
}

/** In the HTTP thread: where measurements go. */
export function installSink(to: typeof sink): void {
  sink = to
}

/** What a replica, or a replica's replica, measured. */
export function passOn(text: string): void {
  if (text === '') return
  for (const measurement of JSON.parse(text) as Measurement[]) record(measurement)
}

/** Exported so that a counter which travels with a class that uses it finds the replica's, where another's would count for nobody. */
export function record(measurement: Measurement): void {
  if (sink) sink([measurement])
  else if (collecting && pending.length < MOST) pending.push(measurement)
}

/** Here, where it is wrong: later it would fail the request whose answer takes the measurement along. */
function finite(name: string, value: number, from: number): number {
  if (!Number.isFinite(value) || value < from)
    expected('value', `a finite number${from === 0 ? ' from 0 and up' : ''} for ${name}`, value)
  return value
}

function checked(name: string, help: string): void {
  if (typeof name !== 'string' || !NAME.test(name)) expected('name', 'a name of Prometheus', name)
  if (typeof help !== 'string' || help === '') expected('help', `a text for ${name}`, help)
}

/** A number that only grows. May be used in replicas. @throws RayitoError INVALID_ARGUMENT, `inc` too */
export function counter(name: string, help: string): { inc(by?: number): void } {
  checked(name, help)
  return { inc: (by = 1) => record([name, 'counter', help, finite(name, by, 0), null]) }
}

/**
 * How values spread. May be used in replicas.
 * @param buckets their upper bounds, ascending; by default from a millisecond to a minute
 * @throws RayitoError INVALID_ARGUMENT, `observe` too
 */
export function histogram(
  name: string,
  help: string,
  options: { buckets?: readonly number[] | undefined } = {},
): { observe(value: number): void } {
  checked(name, help)
  knownOptions(options, ['buckets'])
  const { buckets } = options
  const ascend = (bound: number, i: number) => Number.isFinite(bound) && (i === 0 || bound > buckets![i - 1]!)
  if (buckets !== undefined && !(Array.isArray(buckets) && buckets.every(ascend)))
    expected('buckets', `ascending numbers for ${name}`, buckets)
  return { observe: (value) => record([name, 'histogram', help, finite(name, value, -Infinity), buckets ?? null]) }
}
