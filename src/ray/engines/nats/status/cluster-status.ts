import type { DriverLease, NodeLease } from '../lease.js'

/** A cluster as it is now. */
export interface ClusterStatus {
  nodes: NodeLease[]
  drivers: DriverLease[]
  /** Tasks and calls of actors that workers have begun with. */
  running: number
  /** Those that have not begun: with their drivers, in the queue, on a node. */
  waiting: number
}
