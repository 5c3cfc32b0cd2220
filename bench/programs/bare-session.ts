import { InferenceSession, Tensor } from 'onnxruntime-node'

export interface BareWork {
  file: string
  options: InferenceSession.SessionOptions
  /** Each 3 × 224 × 224 numbers. */
  inputs: Float32Array[]
}

/** The best class of each input, by a session made for them. */
export async function inferAll({ file, options, inputs }: BareWork, loaded: () => void): Promise<number[]> {
  const session = await InferenceSession.create(file, options)
  loaded()
  const [input, output] = [session.inputNames[0]!, session.outputNames[0]!]
  const best: number[] = []
  for (const data of inputs) {
    const outputs = await session.run({ [input]: new Tensor('float32', data, [1, 3, 224, 224]) })
    const logits = outputs[output]!.data as Float32Array
    best.push(logits.indexOf(logits.reduce((a, b) => Math.max(a, b))))
  }
  return best
}
