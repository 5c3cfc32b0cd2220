import { readFile } from 'node:fs/promises'
import type { InferenceSession } from 'onnxruntime-node'
import { fields, GRAPH, MODEL, readNode } from './onnx-file.js'

/**
 * Options for a session that optimises a model in which zeros are put around what a MaxPool reads, as BiT's is. onnxruntime
 * up to 1.30 lets the MaxPool do that, for which what is around is less than any number: where all near an edge is
 * negative, the answer is another one. For other models none: before a Conv it is right, and a third of the time.
 */
export async function withoutPadFusion(model: string | Uint8Array): Promise<InferenceSession.SessionOptions> {
  try {
    if (!poolsPadded(typeof model === 'string' ? await readFile(model) : model)) return {}
  } catch {
    return {} // no model: onnxruntime says what is wrong with it
  }
  return { extra: { optimization: { disable_specified_optimizers: 'Pad_Fusion' } } }
}

function poolsPadded(model: Uint8Array): boolean {
  const graph = fields(model).find(({ number }) => number === MODEL.graph)
  if (!graph) return false
  const nodes = fields(model, graph)
    .filter(({ number }) => number === GRAPH.node)
    .map((field) => readNode(model, field, new Set()))
  const padded = new Set(nodes.filter(({ op }) => op === 'Pad').map(({ outputs }) => outputs[0]!))
  return nodes.some(({ op, inputs }) => op === 'MaxPool' && padded.has(inputs[0]!))
}
