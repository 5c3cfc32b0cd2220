import type { CodeCell } from '#src/lab/notebook/nbformat.js'
import { textOf } from '#src/lab/notebook/nbformat.js'

/** Everything that a cell put out, as text. */
export function outputOf({ outputs }: CodeCell): string {
  return outputs
    .map((output) =>
      output.output_type === 'stream'
        ? textOf(output.text)
        : Object.values((output as { data?: object }).data ?? {})
            .map(textOf)
            .join('\n'),
    )
    .join('\n')
}
