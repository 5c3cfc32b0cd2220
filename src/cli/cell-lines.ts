import { isLively } from '../core/progress.js'
import type { Output } from '../lab/notebook/nbformat.js'
import type { CellProgress } from '../lab/notebook/run.js'
import { wrap } from './report.js'

interface Terminal {
  isTTY?: boolean
  columns?: number
  write(text: string): unknown
}

const MARKS = { ok: '✓', error: '✗', stopped: '■' }

/** How often what a cell shows is searched for notices while it runs, in milliseconds. */
const LISTEN = 1_000

/**
 * Shows each cell of an execution on a line of its own: while it runs on a lively terminal, with the bar that the cell moves, else once it has ended. The notices of
 * cells (core/progress.ts) have lines of their own, once each: those that are in `said` are not said again.
 */
export function cellLines(notebook: string, terminal: Terminal, said = new Set<string>()) {
  const width = () => Math.min(terminal.columns || 80, 100)
  const lively = isLively(terminal)
  const clear = lively ? '\r\x1b[2K' : ''
  const timers: NodeJS.Timeout[] = []
  const end = () => timers.splice(0).forEach(clearInterval)
  const say = (outputs: readonly Output[]) => {
    for (const notice of noticesOf(outputs)) {
      if (said.has(notice)) continue
      said.add(notice)
      terminal.write(`${clear}   ${terminal.isTTY ? wrap(notice, width() - 3).join('\n   ') : notice}\n`)
    }
  }
  terminal.write(`${notebook}\n`)
  return {
    onCell({ cell, cells, title, part, parts, outputs }: CellProgress) {
      const named = parts > 1 ? `${title} (${part} of ${parts})` : title
      const began = performance.now()
      const line = (mark: string, what = named) => {
        const seconds = `${((performance.now() - began) / 1000).toFixed(1)} s`
        const head = ` ${mark} ${String(cell).padStart(String(cells).length)}/${cells}  `
        const room = Math.max(width() - head.length - seconds.length - 2, 1)
        const shown = what.length > room ? `${what.slice(0, room - 1)}…` : what
        return `${head}${shown.padEnd(room)} ${seconds}`
      }
      if (lively) {
        const draw = () => terminal.write(`${clear}${line('▸', barOf(outputs))}`)
        draw()
        timers.push(setInterval(draw, 100).unref())
      }
      // A cell may wait for long, and its notice says for what.
      timers.push(setInterval(() => say(outputs), LISTEN).unref())
      return (status: keyof typeof MARKS) => {
        end()
        terminal.write(`${clear}${line(MARKS[status])}\n`)
        say(outputs)
      }
    },
    end,
  }
}

/** The bar (core/progress.ts) that a cell is moving, in words; undefined while it moves none. */
function barOf(outputs: readonly Output[]): string | undefined {
  const html = htmlOf(outputs).find((text) => text.includes('<progress value="0'))
  // without rate and time: there is a clock beside it
  return html && textOf(html).replaceAll(/ +/g, ' ').split(' · ')[0]
}

const noticesOf = (outputs: readonly Output[]) =>
  htmlOf(outputs)
    .filter((text) => text.includes('class="rayito-notice"'))
    .map(textOf)

const htmlOf = (outputs: readonly Output[]) =>
  outputs.map((output) =>
    output.output_type === 'display_data' ? [output.data['text/html'] ?? []].flat().join('') : '',
  )

const textOf = (html: string) =>
  html.replaceAll(/<[^>]*>/g, '').replaceAll(/&#(\d+);/g, (_, code) => String.fromCharCode(code))
