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

function record(measurement: Measurement): void {
  if (sink) sink([measurement])
  else if (collecting && pending.length < MOST) pending.push(measurement)
}

function checked(name: string): string {
  if (!NAME.test(name)) throw new TypeError(`Expected a name of Prometheus, got ${name}`)
  return name
}

/** A number that only grows. May be used in replicas. */
export function counter(name: string, help: string): { inc(by?: number): void } {
  checked(name)
  return { inc: (by = 1) => record([name, 'counter', help, by, null]) }
}

/**
 * How values spread. May be used in replicas.
 * @param buckets their upper bounds, ascending; by default from a millisecond to a minute
 */
export function histogram(
  name: string,
  help: string,
  { buckets }: { buckets?: readonly number[] } = {},
): { observe(value: number): void } {
  checked(name)
  return { observe: (value) => record([name, 'histogram', help, value, buckets ?? null]) }
}
