import { amount, type Peer, type Row, ratioText, verdict, verdictsOf } from './row.js'

const WIDTH = 720
const LEFT = 24
/** For what is said at a bar's end, at least. */
const RIGHT = 300
/** Widths of a letter of a value, and of what is said behind it; DejaVu's, which are wide. */
const LETTERS = [7.7, 6.4] as const
/** Width of a letter of a row's title. */
const BOLD = 8.2
const BAR = 16
const HEAD = 64
const FOOT = 16

/** Ground and ink of its own, so that it reads on any page; dark where the reader prefers that. */
const STYLE = `
.rayito-bench .ground{fill:#fff}.rayito-bench text{fill:#1f2328;font:14px system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',sans-serif}
.rayito-bench .head{font-size:17px;font-weight:600}.rayito-bench .soft{fill:#59636e;font-size:12px}.rayito-bench .what{font-weight:600}
.rayito-bench .ours{fill:#2a6db0}.rayito-bench .missed{fill:#b3402f}.rayito-bench .peer{fill:#b4bcc5}.rayito-bench .spread{stroke:#1f2328}.rayito-bench .limit{stroke:#8a6d1f;stroke-width:2;stroke-dasharray:4 3}
@media (prefers-color-scheme:dark){.rayito-bench .ground{fill:#14171b}.rayito-bench text{fill:#dde3ea}.rayito-bench .soft{fill:#98a3b0}
.rayito-bench .ours{fill:#3478bd}.rayito-bench .missed{fill:#c9503d}.rayito-bench .peer{fill:#4a5561}.rayito-bench .spread{stroke:#dde3ea}.rayito-bench .limit{stroke:#c79b33}}`

/**
 * A pair of bars for each row: ours and its reference, with the target as a line. Each pair has a scale of its own, as the
 * rows of a group have several units; ours is red where it misses its target.
 */
export function chart(title: string, rows: readonly Row[], caption: string): string {
  const blocks: string[] = []
  let y = HEAD
  const right = Math.max(RIGHT, ...rows.flatMap(barsOf).map(({ text, name }) => roomFor(text, name)))
  for (const row of rows) {
    const { svg, height } = block(row, y, WIDTH - LEFT - right)
    blocks.push(svg)
    y += height
  }
  const spoken = rows.map((row) => `${row.title}: ${amount(row.ours, row.unit)}`).join('; ')
  const height = y + FOOT
  return `<svg xmlns="http://www.w3.org/2000/svg" class="rayito-bench" role="img" aria-label="${escaped(`${title}. ${spoken}`)}" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" style="max-width:100%;height:auto">
<style>${STYLE}</style>
<rect class="ground" width="${WIDTH}" height="${height}" rx="6"/>
<text class="head" x="${LEFT}" y="28">${escaped(title)}</text>
<text class="soft" x="${LEFT}" y="46">${escaped(caption)}</text>
${blocks.join('\n')}
</svg>
`
}

interface Bar {
  /** The value in its unit, and what is said behind it. */
  text: string
  name: string
  className: string
  value: number
  spread: number
}

function roomFor(text: string, name: string): number {
  return 8 + text.length * LETTERS[0] + (1 + name.length) * LETTERS[1] + 8
}

function barsOf(row: Row): Bar[] {
  const { unit, ours: value, spread } = row
  const className = verdictsOf(row).some(({ holds }) => holds === false) ? 'missed' : 'ours'
  return [
    { text: amount(value, unit), name: 'ours', className, value, spread },
    ...Object.entries(row.peers).map(([name, peer]) => ({
      text: amount(peer.value, unit),
      name: told(name, peer),
      className: 'peer',
      value: peer.value,
      spread: peer.spread,
    })),
  ]
}

/** @param width of the longest bar */
function block(row: Row, top: number, width: number): { svg: string; height: number } {
  const { limit } = row
  const bars = barsOf(row)
  const largest = Math.max(...bars.map(({ value, spread }) => value + spread), limit ?? 0) || 1
  const place = (value: number) => fixed(LEFT + (Math.max(value, 0) / largest) * width)
  // the ratio is to the reference; one with a target of its own says it at its bar
  const [reference] = Object.values(row.peers)
  const ratio = reference?.target ? '' : ratioText(row)
  const facts = [ratio, row.target && `target ${row.target}: ${verdict(row)}`].filter(Boolean).join(' · ')
  // beside the title where there is room, otherwise below it
  const crowded = row.title.length * BOLD + facts.length * LETTERS[1] > WIDTH - LEFT - 28
  const below = crowded && facts ? 18 : 0
  const first = top + 28 + below
  const drawn = bars.map((bar, i) => {
    const y = first + i * (BAR + 4)
    const middle = y + BAR / 2
    const end = Math.max(place(bar.value), place(bar.value + bar.spread), i === 0 && limit !== null ? place(limit) : 0)
    return (
      `<rect class="${bar.className}" x="${LEFT}" y="${y}" width="${fixed(place(bar.value) - LEFT)}" height="${BAR}"/>` +
      `<line class="spread" x1="${place(bar.value - bar.spread)}" x2="${place(bar.value + bar.spread)}" y1="${middle}" y2="${middle}"/>` +
      `<text x="${fixed(end + 8)}" y="${y + 13}">${escaped(bar.text)} <tspan class="soft">${escaped(bar.name)}</tspan></text>`
    )
  })
  const bottom = first + bars.length * (BAR + 4)
  const line =
    limit === null
      ? ''
      : `<line class="limit" x1="${place(limit)}" x2="${place(limit)}" y1="${first - 3}" y2="${first + BAR + 3}"/>`
  return {
    svg:
      `<text class="what" x="${LEFT}" y="${top + 18}">${escaped(row.title)}</text>` +
      `<text class="soft" x="${WIDTH - 16}" y="${top + 18 + below}" text-anchor="end">${escaped(facts)}</text>${drawn.join('')}${line}`,
    height: bottom - top + 12,
  }
}

/** A peer with a target says how ours keeps it. */
function told(name: string, peer: Peer): string {
  return peer.target === null ? name : `${name}: ${ratioText(peer)}, target ${peer.target}: ${verdict(peer)}`
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (mark) => `&#${mark.charCodeAt(0)};`)
}

function fixed(value: number): number {
  return Math.round(value * 10) / 10
}
