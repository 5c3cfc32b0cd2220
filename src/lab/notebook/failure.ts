import { stripVTControlCharacters } from 'node:util'
import { RayitoError } from '../../core/errors.js'

interface Place {
  cell: number
  cells: number
  title: string
}

/**
 * The error of a cell that failed. The kernel tells it as text only: `LINE:COLUMN - message` for what the compiler refuses, a
 * printed error, in whose stack the line of the cell stands, for what was thrown.
 */
export function failure(source: string, stderr: string, place: Place): RayitoError {
  const text = stripVTControlCharacters(stderr).trim()
  const compile = /^(\d+):(\d+) - (.+)$/m.exec(text)
  const thrown = [...text.matchAll(/^\s+at line (\d+) of the cell: /gm)].at(-1)
  const number = (compile ?? thrown)?.[1]
  const line = number === undefined ? null : Number(number)
  const said = compile ? compile[3]! : firstLines(text)
  const where = line === null ? '' : `, line ${line}: ${source.split('\n')[line - 1]?.trim() ?? ''}`
  return new RayitoError('NOTEBOOK_FAILED', `Cell ${place.cell} of ${place.cells} (${place.title})${where}\n${said}`, {
    cell: place.cell,
    line,
    stderr: text,
  })
}

/** The last line of what an error says, where its fields and what caused it follow: `RangeError: bad {`. */
const OPEN = /^(\S*(?:Error|Exception)\b.*) \{$/

/** What the error says, without its stack and its fields. */
function firstLines(text: string): string {
  const lines = text.split('\n')
  const end = lines.findIndex((line) => OPEN.test(line) || /^\s+at /.test(line))
  const said = end < 0 ? lines : [...lines.slice(0, end), ...(OPEN.exec(lines[end]!)?.slice(1) ?? [])]
  return said.slice(-12).join('\n') || 'the cell gave no reason'
}
