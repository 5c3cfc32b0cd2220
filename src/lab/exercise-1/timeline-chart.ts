import { escaped } from '../../core/text-table.js'
import { chart, fixed, legend, ticks } from '../chart-style.js'
import { percent, seconds } from '../format.js'
import { type Doing, type Lane, sharesOf } from './activity.js'
import type { Version } from './version.js'

const WIDTH = 760
const RIGHT = 20
const TOP = 74
const BAR = 26
const ROW = 36
/** Width of the narrowest stripe. */
const COLUMN = 0.5
/** Room of a letter of a worker's name. */
const LETTER = 7.4
/** Letters of a name that are shown: of longer ones, which begin with their node's, the last. */
const LETTERS = 36
/** From one entry of the legend to the next. */
const STEP = 108

const CLASSES: Readonly<Record<Doing, string>> = {
  loading: 'load',
  reading: 'read',
  moving: 'move',
  inferring: 'infer',
  waiting: 'wait',
}
const LEGEND = Object.entries(CLASSES).map(([name, className]) => ({ name, className }))
const shown = (name: string) => (name.length > LETTERS ? `…${name.slice(1 - LETTERS)}` : name)

/** What the driver and each worker did while a version ran: a row each over the seconds, as SVG. */
export function timelineChart({ name, title, seconds: whole, loadSeconds, lanes = [] }: Version): string {
  const left = 24 + LETTER * Math.max(6, ...lanes.map((lane) => shown(lane.name).length))
  const x = (s: number) => left + (s / Math.max(whole, 1e-9)) * (WIDTH - left - RIGHT)
  const bottom = TOP + lanes.length * ROW
  const height = bottom + 42
  const grid = ticks(whole).map((s) => {
    const at = fixed(x(s))
    return `<line class="grid" x1="${at}" x2="${at}" y1="${TOP - 4}" y2="${bottom}"/><text class="soft" x="${at}" y="${bottom + 16}" text-anchor="middle">${s}</text>`
  })
  const rows = lanes.map((lane, i) => {
    const y = TOP + i * ROW
    const pieces = LEGEND.map(({ name, className }) => {
      const path = runs(lane, whole, Math.floor((WIDTH - left - RIGHT) / COLUMN))
        .filter(({ doing }) => doing === name)
        .map(({ from, to }) => {
          const wide = (to - from) * COLUMN
          return `M${fixed(left + from * COLUMN)} ${y}h${wide}v${BAR}h-${wide}z`
        })
      return path.length ? `<path class="${className}" d="${path.join('')}"/>` : ''
    })
    const shares = sharesOf([lane])
    const told = LEGEND.map(({ name }) => `${name} ${percent(shares[name as Doing])}`).join(', ')
    return (
      `<text class="small" x="${fixed(left - 10)}" y="${y + 18}" text-anchor="end">${escaped(shown(lane.name))}</text>` +
      `<g shape-rendering="crispEdges"><title>${escaped(lane.name)}: ${told}</title>${pieces.join('')}</g>`
    )
  })
  const loaded = x(loadSeconds)
  const right = loaded > WIDTH - 180
  const shares = sharesOf(lanes)
  const spoken = LEGEND.map(({ name }) => `${name} ${percent(shares[name as Doing])}`).join(', ')
  return chart(WIDTH, height, `Version ${name}, ${seconds(whole)} seconds of the workers' time: ${spoken}`, [
    `<text class="name" x="16" y="28">${name} ${title}</text><text class="soft" x="${WIDTH - RIGHT}" y="28" text-anchor="end">${seconds(whole)} s</text>`,
    legend(Math.min(left, WIDTH - RIGHT - LEGEND.length * STEP), 42, LEGEND, STEP),
    ...grid,
    ...rows,
    `<line class="mark" x1="${fixed(loaded)}" x2="${fixed(loaded)}" y1="${TOP - 4}" y2="${bottom + 22}"/>`,
    `<text class="soft" x="${fixed(loaded + (right ? -6 : 6))}" y="${bottom + 34}" text-anchor="${right ? 'end' : 'start'}">all can infer: ${seconds(loadSeconds)} s</text>`,
    `<text class="soft" x="${fixed(left - 10)}" y="${bottom + 16}" text-anchor="end">seconds</text>`,
  ])
}

/**
 * A lane in columns: each shows what most of the time up to it is still owed to, of what goes on in it, so that what is
 * shorter than a column takes its share of them all the same.
 */
function runs({ stretches }: Lane, whole: number, columns: number): { doing: Doing; from: number; to: number }[] {
  const column = Math.max(whole, 1e-9) / columns
  const owed = { loading: 0, reading: 0, moving: 0, inferring: 0, waiting: 0 }
  const found: { doing: Doing; from: number; to: number }[] = []
  let at = 0
  for (let i = 0; i < columns; i++) {
    const end = (i + 1) * column
    let chosen: Doing = 'waiting'
    let most = Number.NEGATIVE_INFINITY
    for (let k = at; k < stretches.length && stretches[k]!.from < end; k++) {
      const { doing, from, to } = stretches[k]!
      owed[doing] += Math.max(0, Math.min(to, end) - Math.max(from, i * column))
      if (to <= end) at = k + 1
    }
    for (let k = Math.max(0, at - 1); k < stretches.length && stretches[k]!.from < end; k++) {
      const { doing, to } = stretches[k]!
      if (to <= i * column || owed[doing] <= most) continue
      chosen = doing
      most = owed[doing]
    }
    owed[chosen] -= column
    const last = found.at(-1)
    if (last?.doing === chosen) last.to = i + 1
    else found.push({ doing: chosen, from: i, to: i + 1 })
  }
  return found
}
