import { RayitoError } from '../../core/errors.js'
import type { RowPredicate } from '../row.js'
import type { View } from './view.js'

/** Rows read ahead while one is being judged. */
const READ_AHEAD = 4

/**
 * The places of the rows that a function keeps, which is called for one row after another. Of a row only the columns are read
 * that it has asked for so far: at the first that it has not, it is stopped, and called again with a row that has it.
 */
export async function placesOf(view: View, fn: RowPredicate<never>): Promise<Uint32Array> {
  const partial = view.steps.length > 0 ? null : new PartialRows(Object.keys(view.features))
  const read = (index: number) => (partial ? view.sourceRow(index, [...partial.asked]) : view.row(index))
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
    const known = partial?.asked.size
    const asksForMore = () => partial?.asked.size !== known
    let keeps: unknown = false
    try {
      keeps = await fn((partial?.whole(row) ?? row) as never, index)
    } catch (error) {
      if (!asksForMore()) throw error
    }
    if (asksForMore()) {
      // Whatever the function made of its being stopped does not count; and what was read ahead lacks the column, too.
      ahead.length = 0
      continue
    }
    if (keeps) kept.push(index)
    index++
  }
  // A row is a plain object, in which what is misspelt is undefined.
  if (partial?.asked.size === 0 && kept.length === 0 && view.numRows > 0 && fn.length === 1) tellOfColumns(view)
  return Uint32Array.from(kept)
}

function tellOfColumns({ features }: View): void {
  const columns = Object.keys(features).join(', ')
  process.emitWarning(`A filter kept no row, and asked for none of the columns (${columns})`, 'RayitoWarning')
}

/** Rows of which some columns are read: those that were asked for. */
class PartialRows {
  readonly asked = new Set<string>()
  readonly #unread: (readonly [name: string, PropertyDescriptor])[]

  constructor(names: readonly string[]) {
    this.#unread = names.map((name) => {
      const get = () => {
        this.asked.add(name)
        throw new RayitoError(
          'INVALID_ARGUMENT',
          `\`fn\` did not ask for the column \`${name}\` while it ran: it was not read`,
        )
      }
      return [name, { get, enumerable: true, configurable: true }]
    })
  }

  /** The row with all its columns; one that was not read throws, and is asked for. */
  whole(row: Record<string, unknown>): Record<string, unknown> {
    for (const [name, unread] of this.#unread) if (!this.asked.has(name)) Object.defineProperty(row, name, unread)
    return row
  }
}
