import { join } from 'node:path'
import { encodePng } from '../core/png.js'
import type { Drawings } from './drawings.js'
import { SUBJECTS } from './subjects.js'
import { EDGE, vary } from './vary.js'

/** The splits, and how many pictures of each class they hold. */
export const SPLITS = { train: 50, valid: 5 } as const
export type Split = keyof typeof SPLITS

/** Where a split is, below the set's folder. */
export const fileOf = (split: string) => join('data', `${split}-00000-of-00001.parquet`)

/** Changes whenever other pixels come out. */
export const VERSION = 1

/** The pictures of a class as PNG files, in the order of their rows, by split. The drawings take turns. */
export async function rowsOf(label: number, drawings: Drawings): Promise<Record<Split, Uint8Array[]>> {
  const rendered = await Promise.all(SUBJECTS[label]!.icons.map((icon) => drawings.render(icon)))
  const made = Object.entries(SPLITS).map(([split, count], number) => {
    const png = (_: unknown, row: number) =>
      encodePng(vary(rendered[row % rendered.length]!, VERSION, number, label * 1000 + row), EDGE, EDGE, 3)
    return [split, Array.from({ length: count }, png)] as const
  })
  return Object.fromEntries(made) as Record<Split, Uint8Array[]>
}
