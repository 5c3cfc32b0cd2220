import { chart, fixed, legend } from '../chart-style.js'
import { seconds } from '../format.js'
import type { VersionName } from '../settings.js'
import { ran, type Version } from './version.js'

/** What `barChart` knows beside the versions. */
export interface ChartOptions {
  /** Seconds of the classification that moving arguments and results took; those that are not given count as 0. */
  moving?: Partial<Record<VersionName, number>> | undefined
}

const WIDTH = 640
const LEFT = 44
const RIGHT = 76
const BAR = 26
const ROW = 56
const TOP = 44

const PARTS = [
  { name: 'loading', className: 'load' },
  { name: 'moving', className: 'move' },
  { name: 'inference', className: 'infer' },
] as const

/** A bar for each version, split into loading, moving and inference, as SVG. */
export function barChart(versions: readonly (Version | undefined)[], { moving = {} }: ChartOptions = {}): string {
  const bars = ran(versions).map((version) => ({ version, parts: partsOf(version, moving[version.name] ?? 0) }))
  const longest = Math.max(...bars.map(({ version }) => version.seconds), 1e-9)
  const scale = (WIDTH - LEFT - RIGHT) / longest
  const height = TOP + bars.length * ROW + 12
  const rows = bars.map(({ version, parts }, i) => {
    const y = TOP + i * ROW
    let x = LEFT
    const pieces = parts.map((value, k) => {
      const width = value * scale
      const label = seconds(value)
      const shown = width >= label.length * 8 + 10
      const piece =
        `<rect class="${PARTS[k]!.className}" x="${fixed(x)}" y="${y + 20}" width="${fixed(width)}" height="${BAR}"><title>${PARTS[k]!.name} ${label} s</title></rect>` +
        (shown ? `<text class="in" x="${fixed(x + width / 2)}" y="${y + 38}" text-anchor="middle">${label}</text>` : '')
      x += width
      return piece
    })
    return (
      `<text class="name" x="${LEFT - 10}" y="${y + 39}" text-anchor="end">${version.name}</text>` +
      `<text class="soft" x="${LEFT + 3}" y="${y + 14}">${version.title}</text>${pieces.join('')}` +
      `<text x="${fixed(x + 8)}" y="${y + 39}">${seconds(version.seconds)} s</text>`
    )
  })
  const spoken = bars.map(({ version }) => `${version.name} ${seconds(version.seconds)} seconds`).join(', ')
  return chart(WIDTH, height, `Time of each version: ${spoken}`, [
    legend(LEFT, 12, PARTS, 110),
    `<line class="axis" x1="${LEFT}" x2="${LEFT}" y1="${TOP + 16}" y2="${height - 8}"/>`,
    ...rows,
  ])
}

/** Loading, moving and the rest; moving is part of the classification and never more than it. */
function partsOf({ loadSeconds, inferenceSeconds }: Version, moving: number): [number, number, number] {
  const moved = Math.min(Math.max(moving, 0), inferenceSeconds)
  return [loadSeconds, moved, inferenceSeconds - moved]
}
