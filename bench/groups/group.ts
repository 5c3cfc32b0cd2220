import { chart } from '../chart.js'
import type { Hub } from '../hub.js'
import type { ModelPaths } from '../programs/prepare.js'
import type { Ray } from '../python.js'
import type { Row } from '../row.js'
import { type Machine, machineLine } from '../table.js'

/** A file of groups/: rows that are measured together. */
export interface Group {
  name: string
  title: string
  /** Whether it works on the exercise's data set and model. */
  needsModel: boolean
  /** Which rows its chart shows. @default all */
  charted?: (row: Row) => boolean
  measure(bench: Bench): Promise<Row[]>
}

/** What a group measures with. */
export interface Bench {
  /** Few pictures and repetitions: to see that all works, not how fast it is. */
  quick: boolean
  /** How often: what was asked for, else one of the two. */
  repetitions(normal: number, quick: number): number
  /** The environment of the programs, with the caches filled; null where no group needs the model. */
  model: Prepared | null
  /** Ray itself, where it is wanted and the group works on the model. */
  ray: Ray | null
  /** Says why a row is missing. */
  note(line: string): void
}

/** The chart of what a group measured. */
export function chartOf({ title, charted = () => true }: Group, rows: readonly Row[], on: Machine): string {
  return chart(title, rows.filter(charted), machineLine(on))
}

export interface Prepared {
  env: Hub['env']
  paths: Paths
  /** The data set's train file; null where it is none of the Hub's. */
  rows: string | null
  /** The same for what the package brings. */
  embedded: { env: Hub['env']; paths: Paths }
}

export type Paths = Record<'fp32' | 'q8', ModelPaths>
