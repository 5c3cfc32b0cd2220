/** For each share (0 to 1) the value below which that share of the values lie: the nearest that is among them; NaN of none. */
export function percentiles(values: Iterable<number>, shares: readonly number[]): number[] {
  const sorted = Float64Array.from(values).sort()
  return shares.map((share) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN)
}
