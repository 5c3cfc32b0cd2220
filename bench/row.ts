import { interval, median, ratios, spread } from './statistics.js'

/** A measured thing, as out/bench.json has it. All values but the ratios are in `unit`. */
export interface Row {
  id: string
  title: string
  unit: string
  lowerIsBetter: boolean
  /** Median of the repetitions. */
  ours: number
  /** Half the width of the interval that holds the true median. */
  spread: number
  /** What it is compared with, measured in turn with ours; the first is the reference. */
  peers: Record<string, { value: number; spread: number }>
  /** What `ours` must keep, given the reference of this run; null where there is no target. */
  limit: number | null
  /** Median of ours by the reference, repetition by repetition; null without a reference. */
  ratio: number | null
  ratioSpread: [low: number, high: number] | null
  /** The target in words: `≤ 1.08 ×`, `≤ 700 MB`. */
  target: string | null
  holds: boolean | null
  /** Whether the spread lies wholly on one side of the target. */
  certain: boolean
  /** What was measured, repetition by repetition: ours and the peers'. */
  samples: Record<string, readonly number[]>
  /** Medians of what else was seen in the same runs, to find where the time goes. */
  details: Record<string, number>
}

/** What was measured, one number a repetition. */
export interface Measured {
  id: string
  title: string
  unit: string
  /** @default true */
  lowerIsBetter?: boolean
  ours: readonly number[]
  /** The first is the reference, with as many repetitions as ours. */
  peers?: Record<string, readonly number[]>
  /** The bound of the ratio, or of the value itself. */
  target?: { ratio: number } | { value: number }
  details?: Record<string, readonly number[]>
}

/** Medians, spreads and the verdict. */
export function makeRow({
  id,
  title,
  unit,
  lowerIsBetter = true,
  ours,
  peers = {},
  target,
  details = {},
}: Measured): Row {
  const reference = Object.values(peers)[0]
  const perTurn = reference && ratios(ours, reference)
  const row = {
    ...{ id, title, unit, lowerIsBetter, ours: median(ours), spread: spread(ours) },
    peers: Object.fromEntries(
      Object.entries(peers).map(([name, samples]) => [name, { value: median(samples), spread: spread(samples) }]),
    ),
    ratio: perTurn ? median(perTurn) : null,
    ratioSpread: perTurn ? interval(perTurn) : null,
    samples: { ours, ...peers },
    details: Object.fromEntries(Object.entries(details).map(([name, samples]) => [name, median(samples)])),
  }
  if (!target) return { ...row, limit: null, target: null, holds: null, certain: true }
  const samples = 'ratio' in target ? perTurn! : ours
  const bound = 'ratio' in target ? target.ratio : target.value
  const keeps = (value: number) => (lowerIsBetter ? value <= bound : value >= bound)
  const [low, high] = interval(samples)
  const sign = lowerIsBetter ? '≤' : '≥'
  return {
    ...row,
    limit: 'ratio' in target ? bound * median(reference!) : bound,
    target: 'ratio' in target ? `${sign} ${bound.toFixed(2)} ×` : `${sign} ${amount(bound, unit)}`,
    holds: keeps(median(samples)),
    certain: keeps(low) === keeps(high),
  }
}

/** A value with three digits and its unit: `13.4 s`, `464 MB`, `24,100 tasks/s`. */
export function amount(value: number, unit: string): string {
  return `${digits(value)} ${unit}`.trim()
}

function digits(value: number): string {
  if (value === 0) return '0'
  const three = Number(value.toPrecision(3))
  if (three >= 1000) return three.toLocaleString('en-US')
  return Math.abs(three) < 1e-3 ? three.toExponential(1) : String(three)
}

/** `1.03 (1.01–1.05)`; where the spread holds 1, `no difference`. */
export function ratioText({ ratio, ratioSpread }: Row): string {
  if (ratio === null || ratioSpread === null) return ''
  const [low, high] = ratioSpread
  if (low <= 1 && high >= 1) return 'no difference'
  const places = ratio < 0.1 ? 3 : ratio < 10 ? 2 : 1
  return `${ratio.toFixed(places)} (${low.toFixed(places)}–${high.toFixed(places)})`
}

/** `yes`, `no`, and a question mark where the spread crosses the target. */
export function verdict({ holds, certain }: Row): string {
  return holds === null ? '' : `${holds ? 'yes' : 'no'}${certain ? '' : '?'}`
}
