/**
 * Ray's programming model: tasks, actors and objects, typed.
 * @see https://docs.ray.io/en/latest/ray-core/walkthrough.html
 */
import * as members from './ray.js'

export { ActorPool, type GetNextOptions, type PoolFunction } from './actor-pool.js'
export * from './errors.js'
export { ObjectRef } from './object-ref.js'
export { ObjectRefGenerator } from './object-ref-generator.js'
export type { SessionInfo } from './options.js'
export type { RuntimeContext } from './runtime.js'
export type { Session } from './session.js'
export { Summary } from './timeline/summary.js'
export type * from './types.js'

// Of the module's type, so that an editor shows with each member what is written there.
/** Ray's programming model on worker threads, processes or a cluster: tasks, actors, and objects that they share. */
export const ray: typeof members = { ...members }
