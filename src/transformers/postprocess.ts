import type { Plan } from './plan.js'

/** A class and how sure the model is of it, from 0 to 1. */
export interface Classification {
  label: string
  score: number
}

/** From logits to the best `topK` classes, best first; of equal ones the first in the model's order. */
export function postprocess(plan: Plan, logits: Float32Array, topK: number | null): Classification[] {
  const scores = plan.activation === 'softmax' ? softmax(logits) : logits.map((x) => 1 / (1 + Math.exp(-x)))
  const order = Array.from(scores.keys()).sort((a, b) => scores[b]! - scores[a]! || a - b)
  return order.slice(0, topK ?? undefined).map((i) => ({ label: plan.labels[i]!, score: scores[i]! }))
}

/** In 32-bit floats, as both libraries of transformers do it. */
function softmax(logits: Float32Array): Float32Array {
  const largest = logits.reduce((a, b) => Math.max(a, b), -Infinity)
  const exps = logits.map((x) => Math.exp(x - largest))
  const sum = exps.reduce((a, b) => a + b, 0)
  return exps.map((x) => x / sum)
}
