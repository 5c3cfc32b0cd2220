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

/** What the script of a cell is called, and code of the cell in a worker. */
export const scriptName = (number: number): string => `notebook cell ${number}`

/** A frame in the text of a cell. */
const OWN = /^(\s+at )(async )?(.+ \()?notebook cell(?: (\d+))?:(\d+):\d+\)?/
const tslab = dirname(createRequire(import.meta.url).resolve('tslab/package.json')) + sep
const KERNEL = [tslab, fileURLToPath(new URL('../../', import.meta.url))].flatMap((folder) => [
  folder,
  pathToFileURL(folder).href,
])

/**
 * An error as it is printed, told to whoever wrote the cells: without the kernel's, this package's and Node's own frames and the
 * JavaScript above it, with the line of the cell in place of that of the JavaScript.
 * @param cells those that have run by their numbers, the newest last
 */
export function legible(text: string, cells: ReadonlyMap<number, Cell>): string {
  const told: string[] = []
  let frames: string[] = []
  for (const line of [...text.replace(ABOVE, '').split('\n'), null]) {
    if (line !== null && FRAME.test(line)) {
      frames.push(line)
      continue
    }
    if (frames.length > 0) {
      told.push(...ownFrames(frames, cells))
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
  /^(?:<anonymous_script>:\d+\n.*\n+|(?:notebook cell \d+|evalmachine\.<anonymous>|file:.*|node:.*|\/.*|[A-Z]:\\.*):\d+\r?\n.*\n\s*\^+\n\n)/m

function ownFrames(frames: string[], cells: ReadonlyMap<number, Cell>): string[] {
  const script = frames.findIndex((frame) => SCRIPT.test(frame))
  const own = script < 0 ? frames : frames.slice(0, Math.max(0, script - 1))
  return own
    .filter((frame) => !/^\s+\.{3}|\bnode:|at async Promise\.\w+ \(index \d+\)$/.test(frame))
    .filter((frame) => !KERNEL.some((folder) => frame.includes(folder)))
    .map((frame) => {
      const [all, at, , name, number, line] = OWN.exec(frame) ?? []
      if (!all) return frame
      const place = placeOf(Number(number), Number(line), cells) ?? 'notebook cell'
      // A cell's functions are called as members of the proxy that holds what all cells define.
      const called = name?.replace(/^Proxy\./, '')
      return `${at}${called ? `${called}${place})` : place}${frame.slice(all.length)}`
    })
}

/** Its line of JavaScript is found again in the cell's text. */
function placeOf(number: number, line: number, cells: ReadonlyMap<number, Cell>): string | null {
  const { source, javascript } = cells.get(number) ?? {}
  const thrown = javascript?.split('\n')[line - 1]
  if (source === undefined || thrown === undefined) return null
  const lines = source.split('\n')
  const found = mostAlike(thrown, lines)
  const cell = number === [...cells.keys()].at(-1) ? 'the cell' : `cell ${number}`
  return found === null ? null : `line ${found} of ${cell}: ${lines[found - 1]!.trim()}`
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
