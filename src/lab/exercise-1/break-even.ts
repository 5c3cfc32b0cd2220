import { plural } from '../../core/format.js'
import { chart, fixed } from '../chart-style.js'
import { list } from '../format.js'
import { each, ran, secondsFor, type Version, workersOf } from './version.js'

/** With how many pictures a parallel version is ahead of A, by the measured figures. */
export interface BreakEven {
  version: Version
  /** The fewest pictures with which it is; null where A stays ahead with any number. */
  from: number | null
  /** The most pictures with which it is: Infinity unless it only loads sooner. */
  to: number
}

/** How many times the measured number of pictures the text carries the figures on to. */
const FAR = 100

/**
 * A version's time is its loading and, for each picture, its share of the classification. Two such lines cross at
 * (loading − A's loading) ÷ (A's time of a picture − its own): what starts later and takes less for each is ahead from
 * there on, what starts sooner and takes more until there. With fewer pictures than workers a version's line is level.
 */
export function breakEven(versions: readonly (Version | undefined)[]): BreakEven[] {
  const all = ran(versions)
  const a = all.find(({ name }) => name === 'A')
  if (!a) return []
  return all
    .filter(({ name }) => name !== 'A')
    .map((version) => {
      const gain = each(a) - each(version)
      const later = version.loadSeconds - a.loadSeconds
      const workers = workersOf(version)
      // Where A's line crosses the level part, if that is where they cross.
      const level = (secondsFor(version, 1) - a.loadSeconds) / each(a)
      const first = Math.max(1, Math.ceil(level))
      if (gain > 0) {
        const from = later / gain
        return { version, from: from > workers ? Math.ceil(from) : first, to: Infinity }
      }
      // By loading alone, if at all.
      const to = later < 0 ? Math.floor(-later / Math.abs(gain)) : 0
      return to >= workers ? { version, from: first, to } : { version, from: null, to: 0 }
    })
}

/** The same in a sentence. */
export function breakEvenText(versions: readonly (Version | undefined)[]): string {
  const found = breakEven(versions)
  if (found.length === 0) return 'Without version A and another there is nothing to compare.'
  const most = FAR * found[0]!.version.result.length
  const paying = found.filter((one): one is BreakEven & { from: number } => one.from !== null && one.from <= most)
  const far = found.filter(({ from }) => from !== null && from > most).map(({ version }) => version.name)
  const never = found.filter(({ from }) => from === null).map(({ version }) => version.name)
  const texts = paying
    .sort((x, y) => x.from - y.from)
    .map(({ version, from, to }) => {
      if (to <= most)
        return `${version.name} with ${from > 1 ? `${from.toLocaleString('en')}` : 'up'} to about ${plural(to, 'picture')}`
      return from > 1
        ? `${version.name} from about ${from.toLocaleString('en')} pictures on`
        : `${version.name} from the first picture on`
    })
  const pays = texts.length > 0 ? `${list(texts)} would be ahead of A` : ''
  const not = [
    far.length > 0 ? `${list(far)} not with ${most.toLocaleString('en')} pictures yet` : '',
    never.length > 0 ? `${list(never)} with no number of pictures, since a picture takes no less time there` : '',
  ].filter((text) => text !== '')
  return `By these figures ${[pays, ...not].filter((text) => text !== '').join('; ')}.`
}

const WIDTH = 640
const HEIGHT = 300
const RIGHT = 28
const TOP = 44
const BOTTOM = 44
/** Pictures at the right end of the chart. */
const MOST = 10_000

const DASHES = { A: '', B: '', C1: '7 4', C2: '2 3' } as const

/** Seconds of each version over the number of pictures, both on logarithmic axes, with the points where lines cross A's. */
export function breakEvenChart(versions: readonly (Version | undefined)[]): string {
  const all = ran(versions)
  const values = all.flatMap((version) => [secondsFor(version, 1), secondsFor(version, MOST)])
  const low = Math.floor(Math.log10(Math.max(Math.min(...values), 1e-4)))
  const high = Math.max(Math.ceil(Math.log10(Math.max(...values, 1e-3))), low + 1)
  // So much room has 10,000 s; on a slow machine the axis goes on to 100,000 s and more.
  const left = 66 + 10 * Math.max(0, high - 4)
  const x = (n: number) => left + (Math.log10(n) / Math.log10(MOST)) * (WIDTH - left - RIGHT)
  const y = (s: number) =>
    TOP + (1 - (Math.log10(Math.max(s, 10 ** low)) - low) / (high - low)) * (HEIGHT - TOP - BOTTOM)
  const steps = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => 10 ** (from + i))
  const grid = [
    ...steps(0, Math.log10(MOST)).map(
      (n) =>
        `<line class="grid" x1="${fixed(x(n))}" x2="${fixed(x(n))}" y1="${TOP}" y2="${HEIGHT - BOTTOM}"/><text class="soft" x="${fixed(x(n))}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${n.toLocaleString('en')}</text>`,
    ),
    ...steps(low, high).map(
      (s) =>
        `<line class="grid" x1="${left}" x2="${WIDTH - RIGHT}" y1="${fixed(y(s))}" y2="${fixed(y(s))}"/><text class="soft" x="${left - 8}" y="${fixed(y(s) + 4)}" text-anchor="end">${Number(s.toPrecision(1)).toLocaleString('en')} s</text>`,
    ),
  ]
  const lines = all.map((version) => {
    const points = [...Array.from({ length: 41 }, (_, i) => MOST ** (i / 40)), Math.min(workersOf(version), MOST)]
      .sort((n, m) => n - m)
      .map((n) => `${fixed(x(n))},${fixed(y(secondsFor(version, n)))}`)
    return `<polyline class="line ${version.name}" stroke-dasharray="${DASHES[version.name]}" points="${points.join(' ')}"><title>${version.name} ${version.title}</title></polyline>`
  })
  const crossings = breakEven(versions)
    .flatMap(({ version, from, to }) => [from === 1 ? 0 : (from ?? 0), to].map((n) => ({ version, n })))
    .filter(({ n }) => n >= 1 && n <= MOST)
    .map(
      ({ version, n }) =>
        `<circle cx="${fixed(x(n))}" cy="${fixed(y(secondsFor(version, n)))}" r="4.5" class="dot ${version.name}" stroke-width="2.5"><title>${version.name} and A cross at about ${plural(n, 'picture')}</title></circle>`,
    )
  const legend = all.map(({ name, title }, i) => {
    const from = left + i * 132
    return `<line class="line ${name}" x1="${from}" x2="${from + 22}" y1="20" y2="20" stroke-dasharray="${DASHES[name]}"/><text class="small" x="${from + 28}" y="24">${name} ${title.replace('actors, ', '')}</text>`
  })
  const count = all[0]?.result.length ?? 1
  return chart(WIDTH, HEIGHT, breakEvenText(versions), [
    ...grid,
    `<line class="mark" x1="${fixed(x(count))}" x2="${fixed(x(count))}" y1="${TOP}" y2="${HEIGHT - BOTTOM}"><title>this run: ${plural(count, 'picture')}</title></line>`,
    ...lines,
    ...crossings,
    legend.join(''),
    `<text class="soft" x="${(left + WIDTH - RIGHT) / 2}" y="${HEIGHT - 8}" text-anchor="middle">pictures</text>`,
  ])
}
