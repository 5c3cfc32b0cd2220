/** Opens a data set of the cache and reads one row, in a fresh process. */
import { loadDataset } from '#src/datasets/index.js'
import { clocked, given, report } from '../report.js'

report(async () => {
  const { row } = given<{ row: number }>()
  const { seconds, value } = await clocked(async () => {
    const { train } = await loadDataset('Maysee/tiny-imagenet')
    return { rows: train.numRows, width: (await train.at(row)).image.width }
  })
  return { seconds, ...value }
})
