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
  const thrown = [...text.matchAll(/^\s+at line (\d+) of the cell: /gm)].at(-1)
  const compile = thrown ? null : refusal(text, source.split('\n'))
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

/** What the compiler says: a cell that it refuses never ran, so nothing stands before it. A line of a cell's log may look alike (`12:30 - `). */
function refusal(text: string, lines: string[]): RegExpExecArray | null {
  const said = /^(\d+):(\d+) - (.+)/.exec(text)
  const line = lines[Number(said?.[1]) - 1]
  return line !== undefined && Number(said![2]) <= line.length + 1 ? said : null
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
