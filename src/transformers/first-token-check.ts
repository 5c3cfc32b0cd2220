import { readFile, stat } from 'node:fs/promises'
import type { InferenceSession } from 'onnxruntime-node'
import { firstTokenOnly, questions } from './first-token.js'
import { createSession, type Source } from './model-source.js'
import type { Dtype } from './options.js'
import type { Plan } from './plan.js'

type Runtime = typeof import('onnxruntime-node')

/** A smaller model, and whether a session of it answers as the whole one did. */
export interface Smaller {
  model: Uint8Array
  agrees(session: InferenceSession): Promise<boolean>
}

/** Models from here on are left alone: as protobuf a file ends at 2 GB, and it is in memory three times meanwhile. */
const LARGEST = 1e9
/** Difference of two logits, by the largest of them: in fp32 rounding stays a hundred times below, a wrong graph far above. */
const TOLERANCE = { fp32: 1e-4, q8: 0 }

/**
 * The model with only the first token computed where the others are not read (see first-token.ts), or null where there is
 * nothing to gain: the model is not such a one, or takes pictures of several sizes. Reads and runs the whole model once; in
 * q8, whose logits keep every bit, once more as it would be optimised.
 */
export async function smaller(
  runtime: Runtime,
  { model: source, externalData }: Source,
  dtype: Dtype,
  plan: Plan,
): Promise<Smaller | null> {
  const size = plan.crop ?? (plan.resize?.kind === 'exact' ? plan.resize : null)
  const length = typeof source === 'string' ? (await stat(source)).size : source.length
  if (!size || externalData || length > LARGEST) return null
  const model = typeof source === 'string' ? await readFile(source) : source
  const asked = questions(model)
  if (!asked) return null
  const run = async (session: InferenceSession) => {
    const [input] = session.inputNames
    const [first] = session.outputNames
    const outputs = await session.run({ [input!]: picture(runtime, size) })
    return { outputs, logits: (outputs.logits ?? outputs[first!])!.data as Float32Array }
  }
  const once = async (model: Uint8Array, graphOptimizationLevel: 'all' | 'disabled') => {
    const session = await createSession(runtime, { model }, { graphOptimizationLevel, enableMemPattern: false })
    const answer = await run(session)
    await session.release()
    return answer
  }
  const { outputs, logits } = await once(asked.model, 'disabled')
  const told = (kind: string, names: string[]) =>
    new Map(names.map((name, i) => [name, Array.from(outputs[`${kind}:${i}`]!.data as BigInt64Array, Number)]))
  const made = firstTokenOnly(model, { shapes: told('shape', asked.shapes), values: told('value', asked.values) })
  if (!made) return null
  // what is optimised adds up in another order
  const whole = dtype === 'q8' ? (await once(model, 'all')).logits : logits
  return { model: made, agrees: async (session) => close((await run(session)).logits, whole, TOLERANCE[dtype]) }
}

/** Noise, the same each time, so that no token is like another. */
function picture({ Tensor }: Runtime, { width, height }: { width: number; height: number }) {
  let state = 1
  const noise = () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff
    return state / 0x4000_0000 - 1
  }
  return new Tensor('float32', Float32Array.from({ length: 3 * width * height }, noise), [1, 3, height, width])
}

function close(logits: Float32Array, expected: Float32Array, tolerance: number): boolean {
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  return (
    logits.length === expected.length &&
    logits.every((value, i) => Math.abs(value - expected[i]!) <= tolerance * largest)
  )
}
