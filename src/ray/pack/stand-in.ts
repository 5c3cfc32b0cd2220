import { deserialize, isOthers, OTHER_COPY, serialize, Travel } from '../../core/travel.js'
import type { AnyFunction } from './encode-options.js'
import { told } from './thrown.js'

/** What stands for a value that says so itself. */
export interface StandIn {
  /** How it is made again; null: by its class, from `data`. */
  readonly travel: Travel | null
  readonly data: unknown
  readonly type: AnyFunction
}

/** Asks a value with a `[serialize]` what stands for it. @param fail throws why it cannot travel */
export function standIn(value: object, fail: (reason: string, remedy?: string) => never): StandIn {
  let stands: unknown
  try {
    stands = (value as { [serialize](): unknown })[serialize]()
  } catch (cause) {
    fail(`cannot be serialized: its [ray.serialize] threw ${cause instanceof Error ? cause.message : told(cause)}`)
  }
  const type = value.constructor as AnyFunction & { [deserialize]?: unknown }
  if (stands instanceof Travel) return { travel: stands, data: stands.data, type }
  if (isOthers(stands)) fail(...OTHER_COPY)
  if (typeof type?.[deserialize] !== 'function')
    fail(
      `is an instance of ${type?.name}, which has [ray.serialize] but no static [ray.deserialize]`,
      'Give the class both.',
    )
  return { travel: null, data: stands, type }
}
