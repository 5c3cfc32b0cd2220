import type { CellProgress } from '../lab/notebook/run.js'

interface Terminal {
  isTTY?: boolean
  columns?: number
  write(text: string): unknown
}

const MARKS = { ok: '✓', error: '✗', stopped: '■' }

/** Shows each cell of an execution on a line of its own: while it runs on a terminal, else once it has ended. */
export function cellLines(notebook: string, terminal: Terminal) {
  const width = () => Math.min(terminal.columns ?? 80, 100)
  let ticking: NodeJS.Timeout | undefined
  terminal.write(`${notebook}\n`)
  return {
    onCell({ cell, cells, title }: CellProgress) {
      const began = performance.now()
      const line = (mark: string) => {
        const seconds = `${((performance.now() - began) / 1000).toFixed(1)} s`
        const head = ` ${mark} ${String(cell).padStart(String(cells).length)}/${cells}  `
        const room = width() - head.length - seconds.length - 2
        const shown = title.length > room ? `${title.slice(0, room - 1)}…` : title
        return `${head}${shown.padEnd(room)} ${seconds}`
      }
      if (terminal.isTTY) {
        const draw = () => terminal.write(`\r\x1b[2K${line('▸')}`)
        draw()
        ticking = setInterval(draw, 100)
        ticking.unref()
      }
      return (status: keyof typeof MARKS) => {
        clearInterval(ticking)
        terminal.write(`${terminal.isTTY ? '\r\x1b[2K' : ''}${line(MARKS[status])}\n`)
      }
    },
    end: () => clearInterval(ticking),
  }
}
