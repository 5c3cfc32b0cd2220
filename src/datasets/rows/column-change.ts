import { expected } from '../../core/errors.js'
import { missing } from '../strict-record.js'

/** Another choice of columns. */
export interface ColumnChange {
  /** Columns that must be there before. */
  readonly needs: readonly string[]
  /** The columns that are there afterwards, in order, each with the name that it has before. */
  readonly of: (names: readonly string[]) => (readonly [name: string, before: string])[]
}

const asTheyAre = (names: readonly string[]) => names.map((name) => [name, name] as const)

export function selecting(columns: string | readonly string[]): ColumnChange {
  const needs = namesIn(columns)
  return {
    needs,
    of: (names) => {
      const known = new Set(names)
      return asTheyAre(needs.filter((name) => known.has(name)))
    },
  }
}

export function removing(columns: string | readonly string[]): ColumnChange {
  const needs = namesIn(columns)
  const removed = new Set(needs)
  return { needs, of: (names) => asTheyAre(names.filter((name) => !removed.has(name))) }
}

/** Throws INVALID_ARGUMENT where the new name is empty, or a column's. */
export function renaming(from: string, to: string): ColumnChange {
  const [before] = namesIn(from)
  if (typeof to !== 'string' || to === '') expected('newColumnName', 'a name', to)
  return {
    needs: [before!],
    of: (names) => {
      if (names.includes(to)) expected('newColumnName', `none of the columns (${names.join(', ')})`, to)
      return names.map((name) => [name === before ? to : name, name])
    },
  }
}

/** The columns of a record, changed. Throws DATASET_COLUMN_NOT_FOUND. */
export function changed<T>(record: Readonly<Record<string, T>>, change: ColumnChange): Record<string, T> {
  const names = Object.keys(record)
  const lost = change.needs.find((name) => !Object.hasOwn(record, name))
  if (lost !== undefined) throw missing('DATASET_COLUMN_NOT_FOUND', 'a column', lost, names)
  return Object.fromEntries(change.of(names).map(([name, before]) => [name, record[before]!]))
}

function namesIn(columns: string | readonly string[]): readonly string[] {
  const names = typeof columns === 'string' ? [columns] : columns
  if (!Array.isArray(names) || !names.every((name) => typeof name === 'string'))
    expected('columnNames', 'a column name or a list of them', columns)
  return names
}
