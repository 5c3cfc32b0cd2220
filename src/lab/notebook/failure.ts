import { stripVTControlCharacters } from 'node:util'
import { RayitoError } from '../../core/errors.js'

interface Place {
  cell: number
  cells: number
  title: string
}

interface Failed {
  /** The cell's text. */
  source: string
  /** What it wrote there. */
  stderr: string
  /** What it was turned into, as its stacks count lines; null if that is not known. */
  javascript: string | null
}

/**
 * The error of a cell that failed. tslab tells it as text only: `LINE:COLUMN - message` for what the compiler refuses, a
 * printed error with its stack for what was thrown, whose lines are those of the JavaScript the cell was turned into.
 */
export function failure({ source, stderr, javascript }: Failed, place: Place): RayitoError {
  const text = stripVTControlCharacters(stderr).trim()
  const lines = source.split('\n')
  const compile = /^(\d+):(\d+) - (.+)$/m.exec(text)
  const line = compile ? Number(compile[1]) : thrownAt(text, javascript?.split('\n') ?? [], lines)
  const said = compile ? compile[3]! : firstLines(text)
  const where = line === null ? '' : `, line ${line}: ${lines[line - 1]?.trim() ?? ''}`
  return new RayitoError('NOTEBOOK_FAILED', `Cell ${place.cell} of ${place.cells} (${place.title})${where}\n${said}`, {
    cell: place.cell,
    line,
    stderr: text,
  })
}

/** What the error says, without its stack and the line of JavaScript, or of JSON, that Node puts above it. */
function firstLines(text: string): string {
  const lines = text
    .split(/^(?:evalmachine\.<anonymous>|<anonymous_script>):\d+\n.*\n *\^*\n+/m)
    .at(-1)!
    .split('\n')
  const stack = lines.findIndex((line) => /^\s+at /.test(line))
  return (stack < 0 ? lines : lines.slice(0, stack)).slice(-12).join('\n') || 'the cell gave no reason'
}

/**
 * The line of the cell that a stack begins in, or null. Cells share one file name in stacks, so the outermost nameless
 * frame is the one that surely belongs to the cell that ran; its line of JavaScript is found again in the cell's text.
 */
function thrownAt(text: string, javascript: string[], source: string[]): number | null {
  const frames = text.split('\n').filter((line) => /^\s+at /.test(line))
  const script = frames.findIndex((line) => /at (sigintHandlersWrap|Script\.runInThisContext)/.test(line))
  // A cell without await is called from the script's own last line, which is none of the cell's.
  const own = script < 0 ? frames : frames.slice(0, Math.max(0, script - 1))
  const frame = own
    .map((line) => /^\s+at (?:async )?evalmachine\.<anonymous>:(\d+):\d+/.exec(line))
    .findLast((match) => match !== null)
  if (!frame) return null
  // On the first line stands what tslab wraps a cell in, too.
  const thrown = javascript[Number(frame[1]) - 1]?.replace(/^\((async )?function\(exports, require\) \{ /, '')
  return thrown === undefined ? null : mostAlike(thrown, source)
}

/** Number of the line that shares most words with the given one. */
function mostAlike(line: string, lines: string[]): number | null {
  const words = wordsOf(line.replaceAll('exports.', ''))
  const scores = lines.map((candidate) => {
    const own = wordsOf(candidate)
    const shared = own.filter((word) => words.includes(word)).length
    return (2 * shared) / (own.length + words.length || 1)
  })
  const best = Math.max(...scores)
  return best < 0.3 ? null : scores.indexOf(best) + 1
}

function wordsOf(line: string): string[] {
  return line.match(/[\p{L}\p{N}_$]+|[^\s\p{L}\p{N}_$]/gu) ?? []
}
