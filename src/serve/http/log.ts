import pino from 'pino'
import { kernel } from '../../core/notebook.js'
import type { RunOptions } from '../types.js'

/** One JSON line for each request, and for each failure of the server. */
export interface Log {
  request(line: object, message: string): void
  failure(line: { requestId: string; failure?: string }, message: string): void
  /** Writes what is still in memory. */
  flush(): void
}

/** Lines are gathered for so long before they are written: a write costs more than a line. */
const GATHER = 100

/** @param to where requests are told: nowhere, stdout, or what has `write`; failures always are, on stderr at least */
export function makeLog(to: RunOptions['log']): Log {
  const options = { base: undefined, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level } }
  // A notebook's reader does not see what is written to the terminal that JupyterLab was started in.
  if (!to && kernel())
    return { request() {}, failure: ({ failure }, message) => console.error(`${message}: ${failure}`), flush() {} }
  if (!to) {
    const errors = pino(options, pino.destination({ dest: 2, sync: true }))
    return { request() {}, failure: (line, message) => errors.error(line, message), flush() {} }
  }
  const lines = gathered(typeof to === 'object' ? (text) => to.write(text) : (text) => process.stdout.write(text))
  const log = pino(options, lines)
  return {
    request: (line, message) => log.info(line, message),
    failure(line, message) {
      log.error(line, message)
      lines.flush()
    },
    flush: () => lines.flush(),
  }
}

function level(label: string): { level: string } {
  return { level: label }
}

function gathered(write: (text: string) => void): { write(text: string): void; flush(): void } {
  let held = ''
  let timer: NodeJS.Timeout | null = null
  const flush = () => {
    if (timer) clearTimeout(timer)
    timer = null
    const text = held
    held = ''
    if (text) write(text)
  }
  return {
    write(text) {
      held += text
      if (held.length > 65_536) flush()
      else timer ??= setTimeout(flush, GATHER)
    },
    flush,
  }
}
