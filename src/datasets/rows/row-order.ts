import { inspect } from 'node:util'
import { expected, RayitoError } from '../../core/errors.js'

/** How `sort` orders: Python's options. */
export interface SortOptions {
  /**
   * Descending, as one for all columns or one each.
   * @default false
   */
  reverse?: boolean | readonly boolean[] | undefined
  /**
   * Where the rows go that have null in the column, in both directions.
   * @default 'at_end'
   */
  nullPlacement?: 'at_start' | 'at_end' | undefined
}

type Key = number | bigint | Uint8Array

/** A column's values as what can be compared. */
interface Keys {
  keys: (Key | null)[]
  descending: boolean
}

/**
 * A function from columns to the places of their rows in order, as pyarrow's `sort_indices`: rows that are alike keep their
 * order, NaN lies between the numbers and null, and text goes by its code points. Throws INVALID_ARGUMENT for wrong options.
 */
export function orderBy(
  count: number,
  { reverse = false, nullPlacement = 'at_end' }: SortOptions,
): (columns: readonly (readonly unknown[])[]) => Uint32Array {
  const descending = typeof reverse === 'boolean' ? Array<boolean>(count).fill(reverse) : reverse
  if (!Array.isArray(descending) || descending.length !== count || descending.some((one) => typeof one !== 'boolean'))
    expected('reverse', `true or false, or ${count} of them, one for each column`, reverse)
  if (nullPlacement !== 'at_end' && nullPlacement !== 'at_start')
    expected('nullPlacement', "'at_start' or 'at_end'", nullPlacement)
  return (columns) => {
    const all = columns.map((values, i): Keys => ({ keys: keysOf(values), descending: descending[i]! }))
    const places = Array.from(columns[0]!, (_, place) => place)
    places.sort((a, b) => {
      for (const { keys, descending } of all) {
        const order = compare(keys[a]!, keys[b]!, descending, nullPlacement === 'at_start')
        if (order !== 0) return order
      }
      return 0
    })
    return Uint32Array.from(places)
  }
}

function compare(a: Key | null, b: Key | null, descending: boolean, nullsFirst: boolean): number {
  const rank = rankOf(a) - rankOf(b)
  if (rank !== 0) return nullsFirst ? -rank : rank
  if (rankOf(a) > 0) return 0
  const isBytes = typeof a === 'object' && a && typeof b === 'object' && b
  const order = isBytes ? Buffer.compare(a, b) : a! < b! ? -1 : a! > b! ? 1 : 0
  return descending ? -order : order
}

const rankOf = (key: Key | null) => (key === null ? 2 : Number.isNaN(key) ? 1 : 0)

function keysOf(values: readonly unknown[]): (Key | null)[] {
  const kinds = new Set<string>()
  const keys = values.map((value) => {
    if (value === null || value === undefined) return null
    kinds.add(typeof value === 'bigint' ? 'number' : typeof value)
    const key = keyOf(value)
    if (key === null || kinds.size > 1)
      throw new RayitoError(
        'INVALID_ARGUMENT',
        `Expected a column to sort by of numbers, text, truth values, times or bytes, got ${inspect(value, { depth: 0 })} in it`,
      )
    return key
  })
  return keys
}

function keyOf(value: unknown): Key | null {
  if (typeof value === 'number' || typeof value === 'bigint' || value instanceof Uint8Array) return value
  if (typeof value === 'string') return Buffer.from(value)
  if (typeof value === 'boolean') return Number(value)
  return value instanceof Date ? value.getTime() : null
}
