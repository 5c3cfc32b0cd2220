import { plural } from '../core/format.js'
import type { Exercise1 } from '../lab/exercise-1/exercise-file.js'
import { ResultTable } from '../lab/exercise-1/table.js'

interface ReportOptions {
  /** Whether to colour. */
  colour: boolean
  /** Columns of the terminal. @default 80 */
  columns?: number
}

/** What exercise 1 found, for a terminal: its machine, its table with the fastest version marked, and the conclusion. */
export function report(exercise: Exercise1, { colour, columns = 80 }: ReportOptions): string {
  const { machine, versions, agreement, indices, model, dtype, nodes } = exercise
  const cpus = nodes?.reduce((sum, node) => sum + node.cpus, 0)
  const paint = (code: number, text: string) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text)
  const [heads, ...rows] = String(new ResultTable(versions, { cores: machine.cores })).split('\n')
  const table = rows.map((row, i) => (versions[i]!.name === exercise.fastest ? paint(32, row) : row))
  const agree = versions.length < 2 ? '' : agreementText(agreement)
  const cluster = nodes ? `a cluster of ${plural(nodes.length, 'node')} with ${plural(cpus!, 'CPU')}, driven from ` : ''
  const what = `${plural(indices.count, 'picture')}, ${model} (${dtype}), ${cluster}${machine.cpu}, ${plural(machine.cores, 'core')}, Node ${machine.node}`
  return [
    ...wrap(what, columns).map((line) => paint(2, line)),
    '',
    paint(1, heads!),
    ...table,
    '',
    ...wrap([agree, exercise.why].filter(Boolean).join(' '), columns),
    '',
  ].join('\n')
}

function agreementText({ sameClasses, maxScoreDifference }: Exercise1['agreement']): string {
  if (!sameClasses) return 'The versions DISAGREE.'
  if (maxScoreDifference === 0) return 'The versions agree in every class and score.'
  return `The versions agree in every class; scores differ by at most ${maxScoreDifference.toExponential(1)}.`
}

/** A text in lines of at most so many characters, broken between words, but not between a number and its unit. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = []
  for (const word of text.split(/(?<!\d)\s+|\s+(?!(?:%|m?s|[KMGT]?B)(?!\w))/)) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= columns) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}
