import type { Exercise1 } from '#src/lab/exercise-file.js'
import { amount, type Row, ratioText, verdict } from './row.js'

const HEADS = ['', 'ours', 'reference', 'ratio', 'target', 'ok']
/** Columns of a terminal. */
const WIDTH = 80
/** Names and ratios are read from the left, figures from the right. */
const LEFT = new Set([0, 5])

/** The rows as text, at most 80 columns wide. */
export function table(rows: readonly Row[]): string {
  const cells = rows.map((row) => {
    const [reference] = Object.values(row.peers)
    const { unit } = row
    return [
      row.id,
      amount(row.ours, unit),
      reference ? amount(reference.value, unit) : '',
      ratioText(row),
      row.target ?? '',
      verdict(row),
    ]
  })
  const all = [HEADS, ...cells]
  const widths = HEADS.map((_, i) => Math.max(...all.map((line) => line[i]!.length)))
  return all
    .map((line) =>
      line
        .map((cell, i) => (LEFT.has(i) ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
        .join('  ')
        .trimEnd()
        .slice(0, WIDTH),
    )
    .join('\n')
}

/** One line about the machine. */
export function machineLine({ cpu, cores, memoryGB, node, platform }: Exercise1['machine']): string {
  return `${cpu}, ${cores} cores, ${memoryGB} GB, Node ${node.replace(/^v/, '')}, ${platform}`
}
