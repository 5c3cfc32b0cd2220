import type { Exercise1 } from '#src/lab/exercise-1/exercise-file.js'
import { amount, type Peer, type Row, ratioText, verdict } from './row.js'

const HEADS = ['', 'ours', 'reference', 'ratio', 'target', 'ok']
/** Columns of a terminal. */
const WIDTH = 80
/** Names and ratios are read from the left, figures from the right. */
const LEFT = new Set([0, 5])

/** The rows as text, at most 80 columns wide: a line for ours and its reference, and one for each further peer. */
export function table(rows: readonly Row[]): string {
  const all = [HEADS, ...rows.flatMap(lines)]
  const widths = HEADS.map((_, i) => Math.max(...all.map((line) => line[i]!.length)))
  // what does not fit is taken from the names
  widths[0] = Math.min(widths[0]!, WIDTH - widths.slice(1).reduce((sum, width) => sum + 2 + width, 0))
  return all
    .map((line) =>
      line
        .map((cell, i) => (LEFT.has(i) ? cell.slice(0, widths[i]).padEnd(widths[i]!) : cell.padStart(widths[i]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function lines(row: Row): string[][] {
  const { id, unit, ours, target } = row
  const peers = Object.entries(row.peers)
  const [reference, ...others] = peers as [[string, Peer]?, ...[string, Peer][]]
  // A reference with a target of its own beside the row's has a line of its own.
  const apart = reference !== undefined && reference[1].target !== null
  const line = ([name, peer]: [string, Peer]) => [
    `  ${name}`,
    '',
    amount(peer.value, unit),
    ratioText(peer),
    peer.target ?? '',
    verdict(peer),
  ]
  const own = apart
    ? [id, amount(ours, unit), '', '', target ?? '', verdict(row)]
    : [
        id,
        amount(ours, unit),
        reference ? amount(reference[1].value, unit) : '',
        ratioText(row),
        target ?? '',
        verdict(row),
      ]
  return [own, ...(apart ? peers : others).map(line)]
}

/** What it was measured on. */
export type Machine = Exercise1['machine']

/** One line about the machine. */
export function machineLine({ cpu, cores, memoryGB, node, platform }: Machine): string {
  return `${cpu}, ${cores} cores, ${memoryGB} GB, Node ${node.replace(/^v/, '')}, ${platform}`
}
