import type { SchemaElement } from 'hyparquet'

/** Groups in which a column lies at most: pyarrow reads 100, the schema itself among them. */
const MOST_LEVELS = 256

/** Characters of the paths of all columns and groups at most: a million columns of short names. */
const MOST_CHARACTERS = 2 ** 24

/**
 * Refuses a schema that is nested too deep, or whose paths take far more room than the footer does: it is a list in which each group tells how
 * many of those behind it are its own, and whoever makes a tree of it goes down by a call a level and writes down each path whole.
 */
export function refuseTooLarge(schema: readonly SchemaElement[]): void {
  /** The groups that an element lies in, each with how many of its own are still to come, and how long its path is. */
  const groups: { left: number; length: number }[] = []
  let characters = 0
  for (const { name, num_children } of schema) {
    while (groups.at(-1)?.left === 0) groups.pop()
    const group = groups.at(-1)
    if (group) group.left--
    const length = (group?.length ?? 0) + name.length + 1
    characters += length
    if (groups.length > MOST_LEVELS) throw new Error(`columns in more than ${MOST_LEVELS} groups, not supported`)
    if (characters > MOST_CHARACTERS) throw new Error('names of columns that are too long together, not supported')
    if (Number(num_children) > 0) groups.push({ left: Number(num_children), length })
  }
}
