import type { InferenceSession } from 'onnxruntime-node'
import { RayitoError } from '../core/errors.js'
import { native } from '../core/gate.js'
import { makePlan } from './make-plan.js'
import type { ModelFiles } from './model-files.js'
import type { Plan } from './plan.js'

/** A model ready to run. */
export interface Loaded {
  plan: Plan
  session: InferenceSession
}

/** Loads a model's plan and weights. */
export async function loadWeights(
  runtime: typeof import('onnxruntime-node'),
  files: ModelFiles,
  numThreads: number,
  _note: (line: string) => void,
): Promise<Loaded> {
  const plan = await makePlan(files.folder, files.model)
  const session = await native(() =>
    runtime.InferenceSession.create(files.onnx, { intraOpNumThreads: numThreads }),
  ).catch((cause: Error) => {
    throw new RayitoError('MODEL_INVALID', `${files.model}: onnxruntime cannot load ${files.onnx} (${cause.message})`, {
      cause,
    })
  })
  return { plan, session }
}
