/** Opens the data set of the exercise and reads rows, in a fresh process. */
import { loadDataset } from '#src/datasets/index.js'
import { clocked, given, report } from '../report.js'

/** All in seconds. */
export interface RowsResult {
  open: number
  first: number
  rows: number
}

report(async (): Promise<RowsResult> => {
  const { indices } = given<{ indices: number[] }>()
  const open = await clocked(() => loadDataset('Maysee/tiny-imagenet'))
  const { train } = open.value
  const first = await clocked(() => train.at(2300))
  const rows = await clocked(async () => {
    for (const i of indices) await train.at(i)
  })
  return { open: open.seconds, first: first.seconds, rows: rows.seconds }
})
