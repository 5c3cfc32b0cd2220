import { readFile } from 'node:fs/promises'
import { isDeepStrictEqual } from 'node:util'
import type { machine } from '#src/lab/exercise-1/exercise-file.js'
import type { Row } from './row.js'

/** How figures came about. */
export interface Run {
  /** ISO 8601. */
  made: string
  /** What was typed, with which they can be made again. */
  command: string
  quick: boolean
  /** Of the machine before it began. */
  load: number
}

/** out/bench.json: what the last run measured, and of runs before it the other groups. */
export interface Figures extends Run {
  machine: ReturnType<typeof machine>
  /** Of each group, how its rows came about. */
  runs: Record<string, Run>
  rows: Row[]
}

/** What a run left; null if there is nothing, or something else. */
export async function readFigures(file: string): Promise<Figures | null> {
  try {
    const figures = JSON.parse(await readFile(file, 'utf8')) as Figures
    return figures.machine && figures.rows.length > 0 ? figures : null
  } catch {
    return null
  }
}

export const groupOf = ({ id }: Pick<Row, 'id'>): string => id.slice(0, id.indexOf('.'))

/**
 * The figures of groups that are not measured now, or not yet, so that a long bench can be made in parts: of the same machine,
 * and as thorough.
 */
export function keptOf(
  before: Figures | null,
  measured: readonly string[],
  { machine, quick }: Pick<Figures, 'machine' | 'quick'>,
): Pick<Figures, 'runs' | 'rows'> {
  if (!before || before.quick !== quick || !isDeepStrictEqual(before.machine, machine)) return { runs: {}, rows: [] }
  const rows = before.rows.filter((row) => !measured.includes(groupOf(row)))
  const run = ({ made, command, load }: Run): Run => ({ made, command, quick, load })
  return {
    rows,
    runs: Object.fromEntries(rows.map(groupOf).map((group) => [group, run(before.runs?.[group] ?? before)])),
  }
}

/** What was measured now, and before that of groups that are not measured, or not yet. */
export function withKept(before: Figures | null, now: Figures): Figures {
  const kept = keptOf(before, Object.keys(now.runs), now)
  return { ...now, runs: { ...kept.runs, ...now.runs }, rows: [...kept.rows, ...now.rows] }
}
