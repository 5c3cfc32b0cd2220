import { type ActorHandle, type ObjectRef, ray } from '../ray/index.js'
import type { Replica } from './replica.js'

/** Resolves when replicas have answered, however, or after `milliseconds`. */
export async function heard(refs: readonly ObjectRef[], milliseconds: number): Promise<void> {
  const timeout = Math.max(0, milliseconds)
  await Promise.allSettled(refs.map((ref) => ray.get(ref, { timeout })))
}

/** Ends a replica once it has nothing to do, or at `end`: others have calls there of which this thread knows nothing. */
export async function endIdle(actor: ActorHandle<Replica>, end: number): Promise<void> {
  if (ray.isInitialized()) await heard([actor.idle.remote()], end - performance.now())
  if (ray.isInitialized()) ray.kill(actor)
}
