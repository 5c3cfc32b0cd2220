import { RayitoError } from '../core/errors.js'
import type { RowPredicate } from './row.js'
import type { View } from './view.js'

/** Rows read ahead while one is being judged. */
const READ_AHEAD = 4

/**
 * The places of the rows that a function keeps, which is called for one row after another. Of a row only the columns are read
 * that it has asked for so far: at the first that it has not, it is stopped, and called again with a row that has it.
 */
export async function placesOf(view: View, fn: RowPredicate<never>): Promise<Uint32Array> {
  const names = view.steps.length > 0 ? null : Object.keys(view.features)
  const asked = new Set<string>()
  const read = (index: number) => (names ? view.sourceRow(index, [...asked]) : view.row(index))
  const ahead: Promise<Record<string, unknown>>[] = []
  const kept: number[] = []
  for (let index = 0; index < view.numRows; ) {
    while (ahead.length < READ_AHEAD && index + ahead.length < view.numRows) {
      const row = read(index + ahead.length)
      // Its failure is thrown in its turn, or never if another comes before.
      row.catch(() => {})
      ahead.push(row)
    }
    const row = (await ahead.shift())!
    const lacking = new Set<string>()
    let keeps: unknown = false
    try {
      keeps = await fn((names ? withAll(names, row, lacking) : row) as never, index)
    } catch (error) {
      if (lacking.size === 0) throw error
    }
    if (lacking.size > 0) {
      // Whatever the function made of its being stopped does not count; and what was read ahead lacks the column, too.
      for (const name of lacking) asked.add(name)
      ahead.length = 0
      continue
    }
    if (keeps) kept.push(index)
    index++
  }
  return Uint32Array.from(kept)
}

/** The row with all its columns; those that were not read throw and are noted as lacking. */
function withAll(names: readonly string[], row: Record<string, unknown>, lacking: Set<string>): object {
  const told = {}
  for (const name of names) {
    const read = { value: row[name], writable: true }
    const unread = {
      get() {
        lacking.add(name)
        throw new RayitoError(
          'INVALID_ARGUMENT',
          `\`fn\` did not ask for the column \`${name}\` while it ran: it was not read`,
        )
      },
    }
    Object.defineProperty(told, name, {
      ...(Object.hasOwn(row, name) ? read : unread),
      enumerable: true,
      configurable: true,
    })
  }
  return told
}
