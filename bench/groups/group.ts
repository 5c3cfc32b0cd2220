import type { Hub } from '../hub.js'
import type { ModelPaths } from '../programs/prepare.js'
import type { Row } from '../row.js'

/** A file of groups/: rows that are measured together. */
export interface Group {
  name: string
  title: string
  /** Whether it works on the exercise's data set and model. */
  needsModel: boolean
  measure(bench: Bench): Promise<Row[]>
}

/** What a group measures with. */
export interface Bench {
  /** Few pictures and repetitions: to see that all works, not how fast it is. */
  quick: boolean
  /** The environment of the programs, with the caches filled; null where no group needs the model. */
  model: Prepared | null
  /** Says why a row is missing. */
  note(line: string): void
}

export interface Prepared {
  env: Hub['env']
  paths: Record<'fp32' | 'q8', ModelPaths>
}
