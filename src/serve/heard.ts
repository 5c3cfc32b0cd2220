import { type ActorHandle, type ObjectRef, ray } from '../ray/index.js'
import type { Replica } from './replica.js'

/** Resolves when replicas have answered, however, or after `milliseconds`. */
export async function heard(refs: readonly ObjectRef[], milliseconds: number): Promise<void> {
  const timeout = Math.max(0, milliseconds)
  await Promise.allSettled(refs.map((ref) => ray.get(ref, { timeout })))
}

/** Resolves when replicas have nothing to do, or at `end`: others have calls there of which this thread knows nothing. */
export async function idle(actors: readonly ActorHandle<Replica>[], end: number): Promise<void> {
  const told = ray.isInitialized() ? actors.map((actor) => actor.idle.remote()) : []
  await heard(told, end - performance.now())
}
