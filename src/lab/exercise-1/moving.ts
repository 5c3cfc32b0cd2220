import { type RemoteFunction, ray } from '../../ray/index.js'

/** A task that does nothing with what it is given: what is left of its time is moving alone. */
export const nothing = ray.remote(async function nothing(..._arguments: unknown[]): Promise<void> {})

/** A task that only looks at a file's length. */
export const weigh: RemoteFunction<[file: Uint8Array], number> = ray.remote(async function weigh(
  file: Uint8Array,
): Promise<number> {
  return file.length
})
