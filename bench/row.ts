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
  peers: Record<string, Peer>
  /** What `ours` must keep, given the reference of this run; null where there is no target. */
  limit: number | null
  /** Median of ours by the reference, repetition by repetition; null without a reference. */
  ratio: number | null
  ratioSpread: Spread | null
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

type Spread = [low: number, high: number]

/** What a row's `ours` is compared with. */
export interface Peer extends Verdict {
  value: number
  spread: number
  /** Median of ours by this one's, repetition by repetition. */
  ratio: number
  ratioSpread: Spread
}

/** What must be kept, and whether it was. */
export interface Verdict {
  limit: number | null
  target: string | null
  holds: boolean | null
  certain: boolean
}

/** What was measured, one number a repetition. */
export interface Measured {
  id: string
  title: string
  unit: string
  /** @default true */
  lowerIsBetter?: boolean
  ours: readonly number[]
  /**
   * The first is the reference; each with at most as many repetitions as ours. One that was not
   * measured, or whose figure could not be seen (NaN), is left out.
   */
  peers?: Record<string, readonly number[] | undefined>
  /** The bound of the ratio to the reference, or of the value itself. */
  target?: { ratio: number } | { value: number }
  /** The bounds of the ratios to peers, by their names. */
  targets?: Record<string, number>
  details?: Record<string, readonly number[]>
}

const NO_TARGET: Verdict = { limit: null, target: null, holds: null, certain: true }

/** Medians, spreads and the verdicts. */
export function makeRow({
  id,
  title,
  unit,
  lowerIsBetter = true,
  ours,
  peers = {},
  target,
  targets = {},
  details = {},
}: Measured): Row {
  const measured = Object.entries(peers).filter(
    (peer): peer is [string, readonly number[]] => peer[1] !== undefined && !peer[1].some(Number.isNaN),
  )
  const judge = (samples: readonly number[], bound: number, limit: number, words: string): Verdict => {
    const keeps = (value: number) => (lowerIsBetter ? value <= bound : value >= bound)
    const [low, high] = interval(samples)
    return {
      limit,
      target: `${lowerIsBetter ? '≤' : '≥'} ${words}`,
      holds: keeps(median(samples)),
      certain: keeps(low) === keeps(high),
    }
  }
  const compare = (theirs: readonly number[], bound: number | undefined): Peer => {
    const perTurn = ratios(ours, theirs)
    return {
      value: median(theirs),
      spread: spread(theirs),
      ratio: median(perTurn),
      ratioSpread: interval(perTurn),
      ...(bound === undefined
        ? NO_TARGET
        : judge(perTurn, bound, bound * median(theirs), `${bound.toFixed(bound < 0.1 ? 3 : 2)} ×`)),
    }
  }
  const reference = measured[0]?.[1]
  const first = reference && compare(reference, target && 'ratio' in target ? target.ratio : undefined)
  return {
    ...{ id, title, unit, lowerIsBetter, ours: median(ours), spread: spread(ours) },
    peers: Object.fromEntries(measured.map(([name, samples]) => [name, compare(samples, targets[name])])),
    ratio: first?.ratio ?? null,
    ratioSpread: first?.ratioSpread ?? null,
    ...(target && 'value' in target ? judge(ours, target.value, target.value, amount(target.value, unit)) : NO_TARGET),
    ...(first && target && 'ratio' in target ? verdictOf(first) : {}),
    samples: { ours, ...Object.fromEntries(measured) },
    details: Object.fromEntries(Object.entries(details).map(([name, samples]) => [name, median(samples)])),
  }
}

function verdictOf({ limit, target, holds, certain }: Verdict): Verdict {
  return { limit, target, holds, certain }
}

/** Every target of a row: its own and those of its peers. */
export function verdictsOf(row: Row): Verdict[] {
  return [row, ...Object.values(row.peers)].filter(({ holds }) => holds !== null)
}

/** A value with three digits and its unit: `13.4 s`, `464 MB`, `24,100 tasks/s`. */
export function amount(value: number, unit: string): string {
  return `${digits(value)} ${unit}`.trim()
}

function digits(value: number): string {
  if (value === 0) return '0'
  const three = Number(value.toPrecision(3))
  if (Math.abs(three) >= 1000) return three.toLocaleString('en-US')
  return Math.abs(three) < 1e-3 ? three.toExponential(1) : String(three)
}

/** `1.03 (1.01–1.05)`; of one repetition without brackets; where the spread holds 1, `no difference`. */
export function ratioText({ ratio, ratioSpread }: { ratio: number | null; ratioSpread: Spread | null }): string {
  if (ratio === null || ratioSpread === null) return ''
  const [low, high] = ratioSpread
  if (low <= 1 && high >= 1) return 'no difference'
  const places = ratio < 0.01 ? 4 : ratio < 0.1 ? 3 : ratio < 10 ? 2 : 1
  if (low === high) return ratio.toFixed(places)
  return `${ratio.toFixed(places)} (${low.toFixed(places)}–${high.toFixed(places)})`
}

/** `yes`, `no`, and a question mark where the spread crosses the target. */
export function verdict({ holds, certain }: Pick<Verdict, 'holds' | 'certain'>): string {
  return holds === null ? '' : `${holds ? 'yes' : 'no'}${certain ? '' : '?'}`
}
