import type { machine } from '#src/lab/exercise-file.js'
import type { Row } from './row.js'

/** out/bench.json. */
export interface Figures {
  /** ISO 8601. */
  made: string
  machine: ReturnType<typeof machine>
  /** What was typed, with which they can be made again. */
  command: string
  quick: boolean
  /** Of the machine before it began. */
  load: number
  rows: Row[]
}
