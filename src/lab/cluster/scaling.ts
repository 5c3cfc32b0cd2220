import { plural } from '../../core/format.js'
import { chart, fixed } from '../chart-style.js'
import { seconds } from '../format.js'
import { formatTime } from '../time.js'

/** What was measured, all in seconds: the model of a cluster is made of it. */
export interface ScalingFigures {
  /** How many pictures are classified. */
  pictures: number
  /** From the start until every worker can infer. */
  loading: number
  /** What a picture takes on one CPU. */
  inference: number
  /** What the driver needs to send a picture and take its answer. */
  transfer: number
}

/** The numbers of nodes, of one CPU each, that are looked at. */
const NODES: readonly number[] = [1, 2, 4, 8, 16, 32, 64]

/**
 * Seconds that `n` nodes of one CPU each take. They share the inference; the driver, which is one, sends every picture:
 * pictures cannot be answered faster than it sends them.
 */
export function scaledSeconds({ pictures, loading, inference, transfer }: ScalingFigures, n: number): number {
  return loading + pictures * Math.max(inference / n, transfer)
}

/** How many nodes there are work for: with more, they wait for the driver. */
export function nodesFed({ inference, transfer }: ScalingFigures): number {
  return inference / transfer
}

/** The same in sentences. */
export function scalingText(figures: ScalingFigures): string {
  const { inference, transfer, pictures } = figures
  const one = scaledSeconds(figures, 1)
  const many = scaledSeconds(figures, NODES.at(-1)!)
  const fed = nodesFed(figures)
  const times =
    fed < 1
      ? 'it takes longer to send a picture than to classify it: more nodes gain nothing'
      : `the driver can send pictures to ${fed.toFixed(fed < 9.95 ? 1 : 0)} nodes while one of them classifies one`
  return [
    `A picture takes ${formatTime(inference)} to classify and ${formatTime(transfer)} to send and to answer: ${times}.`,
    `${plural(pictures, 'picture')} would take ${seconds(one)} s on one node and ${seconds(many)} s on ${NODES.at(-1)}, ${(one / many).toFixed(1)} times as fast.`,
  ].join(' ')
}

const WIDTH = 640
const HEIGHT = 320
const LEFT = 56
const RIGHT = 24
const TOP = 64
const BOTTOM = 52
/** What a line stands for, how it is drawn, and how many times the classifier's time it assumes. */
const LINES = [
  { text: 'this classifier', className: 'line B', dash: '', slower: 1, from: 0 },
  { text: 'one that takes ten times as long', className: 'line C1', dash: '7 4', slower: 10, from: 160 },
  { text: 'ideal', className: 'line A', dash: '2 4', slower: Infinity, from: 430 },
]

/** Speed-up over the number of nodes, both axes logarithmic: by the figures, for a slower classifier, and ideal. */
export function scalingChart(figures: ScalingFigures): string {
  const most = NODES.at(-1)!
  const x = (n: number) => LEFT + (Math.log2(n) / Math.log2(most)) * (WIDTH - LEFT - RIGHT)
  const y = (s: number) => TOP + (1 - Math.log2(Math.max(1, s)) / Math.log2(most)) * (HEIGHT - TOP - BOTTOM)
  const speedUp = (slower: number) => {
    if (slower === Infinity) return (n: number) => n
    const scaled = { ...figures, inference: figures.inference * slower }
    return (n: number) => scaledSeconds(scaled, 1) / scaledSeconds(scaled, n)
  }
  const axes = NODES.flatMap((n) => [
    `<line class="axis" x1="${fixed(x(n))}" x2="${fixed(x(n))}" y1="${TOP}" y2="${HEIGHT - BOTTOM}"/>`,
    `<line class="axis" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${fixed(y(n))}" y2="${fixed(y(n))}"/>`,
    `<text class="soft" x="${fixed(x(n))}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${n}</text>`,
    `<text class="soft" x="${LEFT - 8}" y="${fixed(y(n) + 4)}" text-anchor="end">${n}</text>`,
  ])
  const steps = Array.from({ length: 49 }, (_, i) => most ** (i / 48))
  const lines = LINES.map(({ className, dash, slower }) => {
    const points = steps.map((n) => `${fixed(x(n))},${fixed(y(speedUp(slower)(n)))}`)
    return `<polyline class="${className}" stroke-dasharray="${dash}" points="${points.join(' ')}"/>`
  })
  const dots = NODES.map(
    (n) =>
      `<circle cx="${fixed(x(n))}" cy="${fixed(y(speedUp(1)(n)))}" r="3.5" class="infer"><title>${plural(n, 'node')}: ${seconds(scaledSeconds(figures, n))} s, ${speedUp(1)(n).toFixed(1)} times as fast as one</title></circle>`,
  )
  const legend = LINES.map(
    ({ text, className, dash, from }) =>
      `<line class="${className}" x1="${LEFT + from}" x2="${LEFT + from + 26}" y1="26" y2="26" stroke-dasharray="${dash}"/><text class="soft" x="${LEFT + from + 34}" y="30">${text}</text>`,
  )
  return chart(WIDTH, HEIGHT, scalingText(figures), [
    ...axes,
    ...lines,
    ...dots,
    ...legend,
    `<text class="soft" x="${LEFT}" y="${TOP - 10}">times as fast as one node</text>`,
    `<text class="soft" x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 12}" text-anchor="middle">nodes of one CPU</text>`,
  ])
}
