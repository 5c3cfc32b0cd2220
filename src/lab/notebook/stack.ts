import { createRequire } from 'node:module'
import { dirname, sep } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** A cell, and the JavaScript it was turned into, as its stacks count lines. */
export interface Cell {
  source: string
  javascript: string
}

const FRAME = /^\s+(at |\.{3} \d+ lines matching)/
/** What runs a cell's script; a cell without await is called from the script's own last line, which is none of the cell's. */
const SCRIPT = /^\s+at (sigintHandlersWrap|Script\.runInThisContext)/
/** A frame in the text of a cell: all of them have this name. */
const OWN = /^(\s+at )(async )?(.+ \()?evalmachine\.<anonymous>:(\d+):\d+\)?/
const tslab = dirname(createRequire(import.meta.url).resolve('tslab/package.json')) + sep
const KERNEL = [tslab, fileURLToPath(new URL('../../', import.meta.url))].flatMap((folder) => [
  folder,
  pathToFileURL(folder).href,
])

/**
 * An error as it is printed, told to whoever wrote the cell: without the kernel's, this package's and Node's own frames and the
 * JavaScript above it, with the line of the cell in place of that of the JavaScript.
 */
export function legible(text: string, cell: Cell): string {
  const told: string[] = []
  let frames: string[] = []
  for (const line of [...text.replace(ABOVE, '').split('\n'), null]) {
    if (line !== null && FRAME.test(line)) {
      frames.push(line)
      continue
    }
    if (frames.length > 0) {
      told.push(...ownFrames(frames, cell))
      // Behind the last frame stands what opens the error's properties.
      if (frames.at(-1)!.endsWith(' {') && !told.at(-1)!.endsWith(' {')) told.push(`${told.pop()} {`)
    }
    frames = []
    if (line !== null) told.push(line)
  }
  return told.join('\n')
}

/** What Node puts above an error of a script: its place, the line, and where in the line; of JSON the beginning of its text. */
const ABOVE =
  /^(?:<anonymous_script>:\d+\n.*\n+|(?:evalmachine\.<anonymous>|file:.*|node:.*|\/.*|[A-Z]:\\.*):\d+\r?\n.*\n\s*\^+\n\n)/m

function ownFrames(frames: string[], cell: Cell): string[] {
  const script = frames.findIndex((frame) => SCRIPT.test(frame))
  const own = script < 0 ? frames : frames.slice(0, Math.max(0, script - 1))
  // Cells share their name in stacks: the outermost nameless frame is the one that surely belongs to the cell that ran.
  const outermost = own.findLast((frame) => OWN.test(frame) && !OWN.exec(frame)![3])
  return own
    .filter((frame) => !/^\s+\.{3}|\bnode:|at async Promise\.\w+ \(index \d+\)$/.test(frame))
    .filter((frame) => !KERNEL.some((folder) => frame.includes(folder)))
    .map((frame) => {
      const [all, at, , name, line] = OWN.exec(frame) ?? []
      // A worker counts the lines of what it was sent.
      if (!all) return frame.replace(/\bnotebook cell:\d+:\d+/, 'notebook cell')
      const place = frame === outermost ? placeOf(Number(line), cell) : null
      return `${at}${place ?? (name ? `${name}notebook cell)` : 'notebook cell')}${frame.slice(all.length)}`
    })
}

/** Its line of JavaScript is found again in the cell's text. */
function placeOf(line: number, { source, javascript }: Cell): string | null {
  const thrown = javascript.split('\n')[line - 1]
  const lines = source.split('\n')
  const found = thrown === undefined ? null : mostAlike(thrown, lines)
  return found === null ? null : `line ${found} of the cell: ${lines[found - 1]!.trim()}`
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
