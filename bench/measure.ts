import { RayitoError } from '#src/core/errors.js'
import { stoppedBy } from './children.js'
import type { Bench, Group } from './groups/group.js'
import type { Row } from './row.js'

/**
 * Measures group by group and keeps each one's rows when it is done. One that fails is told, and holds up none of the others.
 * Resolves to the lines that say what failed.
 */
export async function measureAll(
  groups: readonly Group[],
  bench: Bench,
  keep: (group: Group, rows: Row[]) => Promise<void>,
): Promise<string[]> {
  const failures: string[] = []
  for (const group of groups) {
    const rows = await group.measure(bench).catch((error: unknown) => {
      if (stoppedBy()) throw error
      // what is wrong in the bench itself shows where
      if (!(error instanceof RayitoError)) console.error(error)
      const failure = `${group.name} was not measured: ${error instanceof Error ? error.message : String(error)}`
      process.stderr.write(`bench: ${failure}\n`)
      failures.push(failure)
      return []
    })
    if (stoppedBy()) break
    if (rows.length > 0) await keep(group, rows)
  }
  return failures
}
