import type { Output } from '../lab/notebook/nbformat.js'
import type { CellProgress } from '../lab/notebook/run.js'
import { wrap } from './report.js'

interface Terminal {
  isTTY?: boolean
  columns?: number
  write(text: string): unknown
}

const MARKS = { ok: '✓', error: '✗', stopped: '■' }

/**
 * Shows each cell of an execution on a line of its own: while it runs on a terminal, with the bar that the cell moves, else once it has ended. Of what cells show,
 * `notices` are said below their line, once each: they are taken out of the set.
 */
export function cellLines(notebook: string, terminal: Terminal, notices = new Set<string>()) {
  const width = () => Math.min(terminal.columns || 80, 100)
  let ticking: NodeJS.Timeout | undefined
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
      if (terminal.isTTY) {
        const draw = () => terminal.write(`\r\x1b[2K${line('▸', barOf(outputs))}`)
        draw()
        ticking = setInterval(draw, 100)
        ticking.unref()
      }
      return (status: keyof typeof MARKS) => {
        clearInterval(ticking)
        terminal.write(`${terminal.isTTY ? '\r\x1b[2K' : ''}${line(MARKS[status])}\n`)
        const said = JSON.stringify(outputs)
        for (const notice of notices)
          if (said.includes(notice) && notices.delete(notice))
            terminal.write(`   ${terminal.isTTY ? wrap(notice, width() - 3).join('\n   ') : notice}\n`)
      }
    },
    end: () => clearInterval(ticking),
  }
}

/** The bar (core/progress.ts) that a cell is moving, in words; undefined while it moves none. */
function barOf(outputs: readonly Output[]): string | undefined {
  for (const output of outputs) {
    const html = output.output_type === 'display_data' ? [output.data['text/html'] ?? []].flat().join('') : ''
    if (!html.includes('<progress value="0')) continue
    const text = html.replaceAll(/<[^>]*>/g, '').replaceAll(/&#(\d+);/g, (_, code) => String.fromCharCode(code))
    // without rate and time: there is a clock beside it
    return text.replaceAll(/ +/g, ' ').split(' · ')[0]
  }
  return undefined
}
