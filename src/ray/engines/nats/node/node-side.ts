import type { Cpus } from '../../local/cpus.js'
import type { Bus } from '../bus.js'
import type { Wards } from '../wards.js'
import type { NodeActor } from './node-actor.js'

/** A node of a cluster, as the sessions of its drivers know it: what they share, and what they tell it. */
export interface NodeSide {
  readonly id: string
  readonly name: string
  /** The cluster's, without a password. */
  readonly address: string
  readonly bus: Bus
  readonly cpus: Cpus
  /** Folders whose modules may run here, besides this package. */
  readonly allow: readonly string[]
  /** Of all drivers. */
  readonly actors: Map<string, NodeActor>
  readonly wards: Wards
  /** What happens here, in words. */
  say(line: string): void
  /** CPUs, tasks or actors are not what they were. */
  changed(): void
  driverLeft(driver: string): void
  /** An object's driver needs it no more: neither its own workers nor actors of others do. */
  release(id: string): void
  /** The last actor of a driver that has left may have ended: nothing of it is kept. */
  actorsEnded(): void
}
