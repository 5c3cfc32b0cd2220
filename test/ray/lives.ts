import type { DriverLease, NodeLease } from '#src/ray/engines/nats/lease.js'
import { packageVersion } from '#src/ray/version.js'

/** Signs of life, of nobody. */
export const node: NodeLease = {
  kind: 'node',
  id: 'node-1',
  name: 'one',
  version: packageVersion(),
  cpus: 1,
  available: 1,
  tasks: 0,
  resting: true,
  actors: 0,
  objects: 0,
  memoryMB: 100,
  host: 'here',
  pid: 1,
  draining: false,
}
export const driver: DriverLease = {
  kind: 'driver',
  id: 'driver-1',
  version: packageVersion(),
  namespace: '',
  timeline: false,
  resourceLimits: null,
  env: {},
  findings: [],
  sizes: [],
  unfinished: 0,
  host: 'here',
  pid: 1,
}
