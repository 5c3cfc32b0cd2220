import type { FunctionToApply, Plan } from './plan.js'

/** A class and how sure the model is of it, from 0 to 1 (a logit, where no function is applied). */
export interface Classification {
  /** The class's synonyms, as the model's configuration has them: `hammer`, `plunger, plumber's helper`. */
  label: string
  score: number
}

/** How an answer is made of logits. */
export interface Answering {
  /** Null for all classes. */
  topK: number | null
  /** Null for what suits the model. */
  functionToApply: FunctionToApply | null
}

const SCORES: Readonly<Record<FunctionToApply, (logits: Float32Array) => Float32Array>> = {
  softmax,
  sigmoid: (logits) => logits.map((x) => 1 / (1 + Math.exp(-x))),
  none: (logits) => logits,
}

/** From logits to the best `topK` classes, best first; of equal ones the first in the model's order. */
export function postprocess(plan: Plan, logits: Float32Array, { topK, functionToApply }: Answering): Classification[] {
  const scores = SCORES[functionToApply ?? plan.activation](logits)
  return best(scores, topK ?? scores.length).map((i) => ({ label: plan.labels[i]!, score: scores[i]! }))
}

/** Places of the `count` largest scores, largest first. A few of a thousand classes are wanted: sorting all takes longer. */
function best(scores: Float32Array, count: number): number[] {
  if (count > 32) {
    const all = Array.from(scores.keys()).sort((a, b) => scores[b]! - scores[a]!)
    return all.slice(0, count)
  }
  const found: number[] = []
  for (let i = 0; i < scores.length; i++) {
    if (found.length === count && !(scores[i]! > scores[found[count - 1]!]!)) continue
    let at = Math.min(found.length, count - 1)
    for (; at > 0 && scores[i]! > scores[found[at - 1]!]!; at--) found[at] = found[at - 1]!
    found[at] = i
  }
  return found
}

/** In 32-bit floats, as both libraries of transformers do it. */
function softmax(logits: Float32Array): Float32Array {
  const largest = logits.reduce((a, b) => Math.max(a, b), -Infinity)
  const exps = logits.map((x) => Math.exp(x - largest))
  const sum = exps.reduce((a, b) => a + b, 0)
  return exps.map((x) => x / sum)
}
