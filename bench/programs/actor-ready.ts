/** From nothing to an actor that can classify, in a fresh process. */
import { InferenceEngine } from '#src/lab/index.js'
import { ray } from '#src/ray/index.js'
import { clocked, given, report } from '../report.js'
import { nothing } from './work.js'

export interface ActorWork {
  loadImages: boolean
  dtype: 'fp32' | 'q8'
}

/** All in seconds. */
export interface ActorResult {
  init: number
  ready: number
  /** The first task after it, on a worker that starts for it. */
  firstTask: number
}

report(async (): Promise<ActorResult> => {
  const { loadImages, dtype } = given<ActorWork>()
  const init = await clocked(() => ray.init({ numCpus: 2 }))
  const ready = await clocked(() => ray.get(InferenceEngine.remote(loadImages, { dtype }).ready.remote()))
  const firstTask = await clocked(() => ray.get(nothing.remote()))
  await ray.shutdown()
  return { init: init.seconds, ready: ready.seconds, firstTask: firstTask.seconds }
})
