import { expected, RayitoError } from '../../core/errors.js'
import { plural } from '../../core/format.js'
import { percentiles } from '../../core/percentiles.js'
import { progress } from '../../core/progress.js'
import { chart, fixed } from '../chart-style.js'
import { seconds } from '../format.js'
import { watchInterruption } from '../interruption.js'
import type { PictureFile, ServiceClient } from './service-client.js'

/** What so many clients saw, each sending its next request when it has the answer to the one before. */
export interface Level {
  clients: number
  /** Time of each request, in milliseconds, as they ended. */
  milliseconds: number[]
  /** Time of all of them together. */
  seconds: number
}

/** How `measureLatency` asks. */
export interface LatencyOptions {
  /** @default [1, 2, 4, 8] */
  clients?: readonly number[] | undefined
  /** How many requests each number of clients makes together. @default 40 */
  requests?: number | undefined
}

/**
 * Measures the service under a growing number of clients. Each client asks once before it counts, so that connections are
 * there. Rejects with SERVE_UNREACHABLE when the service does not answer: a time without an answer means nothing.
 */
export async function measureLatency(
  client: ServiceClient,
  pictures: readonly PictureFile[],
  { clients = [1, 2, 4, 8], requests = 40 }: LatencyOptions = {},
): Promise<Level[]> {
  if (pictures.length === 0) expected('pictures', 'at least one picture', '[]')
  const bar = progress({ label: 'Measuring', total: clients.length * requests, unit: 'requests' })
  const interruption = watchInterruption()
  const ask = async (k: number) => {
    interruption.check()
    const { status, response, milliseconds } = await client.send(pictures[k % pictures.length]!)
    if (status === 200) return milliseconds
    throw new RayitoError('SERVE_UNREACHABLE', `${client.url} answered ${status} (${response.detail}) to a picture`)
  }
  try {
    const levels: Level[] = []
    for (const count of clients) {
      await Promise.all(Array.from({ length: count }, (_, k) => ask(k)))
      const milliseconds: number[] = []
      let next = 0
      const began = performance.now()
      let failure: unknown
      await Promise.all(
        Array.from({ length: count }, async () => {
          try {
            while (next < requests) {
              milliseconds.push(await ask(next++))
              bar.add(1)
            }
          } catch (error) {
            // The others stop, too: they would go on beside what comes next.
            failure ??= error
            next = requests
          }
        }),
      )
      if (failure) throw failure
      levels.push({ clients: count, milliseconds, seconds: (performance.now() - began) / 1000 })
    }
    return levels
  } finally {
    bar.done()
    interruption.end()
  }
}

/** The value below which that share (0 to 1) of the values lie: the nearest one that was measured. */
export function percentile(values: readonly number[], share: number): number {
  return percentiles(values, [share])[0]!
}

const rate = ({ milliseconds, seconds }: Level) => milliseconds.length / seconds
const mean = ({ milliseconds }: Level) => milliseconds.reduce((sum, one) => sum + one, 0) / milliseconds.length
const whole = (ms: number) => (ms < 9.95 ? ms.toFixed(1) : ms.toFixed(0))

/** The figures of the levels, one a row. */
export class LatencyTable {
  /** Rows of cells, the heads first; times in milliseconds. */
  readonly rows: string[][]

  constructor(levels: readonly Level[]) {
    this.rows = [
      ['clients', 'requests/s', 'median', '95 %', 'slowest', 'in flight'],
      ...levels.map((level) => [
        String(level.clients),
        rate(level).toFixed(1),
        ...[0.5, 0.95, 1].map((share) => whole(percentile(level.milliseconds, share))),
        ((rate(level) * mean(level)) / 1000).toFixed(1),
      ]),
    ]
  }

  toString(): string {
    const widths = this.rows[0]!.map((_, i) => Math.max(...this.rows.map((row) => row[i]!.length)))
    return this.rows.map((row) => row.map((cell, i) => cell.padStart(widths[i]!)).join('  ')).join('\n')
  }

  toHtml(): string {
    const [heads, ...rows] = this.rows
    const row = (tag: string, cells: string[]) =>
      `<tr>${cells.map((cell) => `<${tag} style="text-align:right">${cell}</${tag}>`).join('')}</tr>`
    return `<table><thead>${row('th', heads!)}</thead><tbody>${rows.map((cells) => row('td', cells)).join('')}</tbody></table>`
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString()
  }
}

const WIDTH = 640
const HEIGHT = 320
const TOP = 52
const BOTTOM = 272
/** The two halves: where they begin and end. */
const TIMES = [64, 380] as const
const RATES = [452, 620] as const

/** Left every request as a point (from a second up the scale is in seconds, whose figures have room), with the median as a line; right the requests a second. As SVG. */
export function latencyChart(levels: readonly Level[]): string {
  const slowest = tidy(Math.max(...levels.flatMap(({ milliseconds }) => milliseconds), 1e-9))
  const fastest = tidy(Math.max(...levels.map(rate), 1e-9))
  const [unit, milliseconds] = slowest < 1_000 ? ['ms', 1] : ['s', 1_000]
  const height = (share: number) => BOTTOM - share * (BOTTOM - TOP)
  const middle = ([from, to]: readonly [number, number], i: number) => from + ((i + 0.5) * (to - from)) / levels.length
  const scale = ([from, to]: readonly [number, number], top: number, unit: string) =>
    [0, 0.5, 1].map((share) => {
      const y = fixed(height(share))
      return `<line class="axis" x1="${from}" x2="${to}" y1="${y}" y2="${y}"/><text class="soft" x="${from - 8}" y="${fixed(height(share) + 4)}" text-anchor="end">${short(share * top)}${share === 1 ? ` ${unit}` : ''}</text>`
    })
  const points = levels.flatMap(({ milliseconds }, i) => {
    const x = middle(TIMES, i)
    const room = (TIMES[1] - TIMES[0]) / levels.length / 3.2
    // Spread so that points of the same height lie beside each other: each by the golden ratio from the one before.
    const dots = milliseconds.map((ms, k) => {
      const side = (((k * 0.618034) % 1) - 0.5) * 2 * room
      return `<circle class="infer" fill-opacity=".7" cx="${fixed(x + side)}" cy="${fixed(height(ms / slowest))}" r="3"/>`
    })
    const y = fixed(height(percentile(milliseconds, 0.5) / slowest))
    const ends = `x1="${fixed(x - room - 6)}" x2="${fixed(x + room + 6)}"`
    return [...dots, `<line class="middle" stroke-width="2" ${ends} y1="${y}" y2="${y}"/>`]
  })
  const bars = levels.map((level, i) => {
    const top = height(rate(level) / fastest)
    const wide = Math.min(((RATES[1] - RATES[0]) / levels.length) * 0.62, 48)
    const x = middle(RATES, i)
    return (
      `<rect class="infer" x="${fixed(x - wide / 2)}" y="${fixed(top)}" width="${fixed(wide)}" height="${fixed(BOTTOM - top)}"/>` +
      `<text class="soft" x="${fixed(x)}" y="${fixed(top - 5)}" text-anchor="middle">${short(rate(level))}</text>`
    )
  })
  const names = [TIMES, RATES].flatMap((half) =>
    levels.map(
      ({ clients }, i) =>
        `<text x="${fixed(middle(half, i))}" y="${BOTTOM + 20}" text-anchor="middle">${clients}</text>`,
    ),
  )
  const spoken = levels
    .map((level) => {
      const median = seconds(percentile(level.milliseconds, 0.5) / 1000)
      return `${plural(level.clients, 'client')}: median ${median} seconds, ${short(rate(level))} requests a second`
    })
    .join('; ')
  return chart(WIDTH, HEIGHT, spoken, [
    `<text class="name" x="${TIMES[0]}" y="26">Time of each request</text><text class="name" x="${RATES[0]}" y="26">Requests a second</text>`,
    ...scale(TIMES, slowest / milliseconds, unit),
    ...scale(RATES, fastest, ''),
    ...points,
    ...bars,
    ...names,
    `<text class="soft" x="${(TIMES[0] + TIMES[1]) / 2}" y="${BOTTOM + 40}" text-anchor="middle">clients</text><text class="soft" x="${(RATES[0] + RATES[1]) / 2}" y="${BOTTOM + 40}" text-anchor="middle">clients</text>`,
  ])
}

const short = (value: number) =>
  value === 0 ? '0' : value < 9.95 ? value.toFixed(1).replace(/\.0$/, '') : value.toFixed(0)

/** The next number that makes a good end of a scale: 1, 2, 3, 4, 5, 6, 8 or 10 times a power of ten. */
function tidy(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value))
  return power * ([1, 2, 3, 4, 5, 6, 8, 10].find((step) => step * power >= value) ?? 10)
}
