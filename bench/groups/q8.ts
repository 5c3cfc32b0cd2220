import { progress } from '#src/core/progress.js'
import { runProgram } from '../program.js'
import type { QuantisedResult, QuantisedWork } from '../programs/quantised.js'
import { makeRow } from '../row.js'
import type { Group } from './group.js'

/** What the 8-bit weights give, and that rewriting them changes no answer. */
export const q8: Group = {
  name: 'q8',
  title: 'The 8-bit model against the 32-bit one',
  needsModel: true,
  async measure({ quick, model }) {
    const { env, paths } = model!
    const work: QuantisedWork = { q8: paths.q8, blocks: quick ? 1 : 20, pictures: quick ? 4 : 10 }
    const bar = progress({ label: 'q8', total: work.blocks, unit: 'blocks' })
    const { value } = await runProgram<QuantisedResult>('quantised', work, { env, onStep: () => bar.add(1) }).finally(
      () => bar.done(),
    )
    const milliseconds = (samples: number[]) => samples.map((seconds) => seconds * 1e3)
    return [
      makeRow({
        id: 'picture',
        title: 'A picture in q8, two workers',
        unit: 'ms',
        ours: milliseconds(value.each.q8),
        peers: { fp32: milliseconds(value.each.fp32) },
        target: { ratio: 0.33 },
      }),
      makeRow({
        id: 'logits',
        title: 'Largest difference of a logit from the unrewritten file',
        unit: '',
        ours: [value.largestDifference],
        target: { value: 0 },
      }),
    ]
  },
}
