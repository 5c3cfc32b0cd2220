import type { Finding } from '../../../core/findings.js'

/** What a node says of itself. */
export interface NodeLease {
  kind: 'node'
  id: string
  name: string
  version: string
  cpus: number
  available: number
  /** Tasks and calls of actors that workers have begun with. */
  tasks: number
  /** None of its workers computes: what runs waits for others, or for its reader. */
  resting: boolean
  actors: number
  objects: number
  memoryMB: number
  host: string
  pid: number
  /** It takes no more work. */
  draining: boolean
}

/** What a driver says of itself. */
export interface DriverLease {
  kind: 'driver'
  id: string
  version: string
  namespace: string
  /** Whether it wants to know what workers do. */
  timeline: boolean
  resourceLimits: { maxOldGenerationSizeMb?: number; maxYoungGenerationSizeMb?: number; stackSizeMb?: number } | null
  /** Environment variables that its workers have, as threads of its own would. */
  env: Record<string, string>
  /** What it found out so far, as they are to hold to it. */
  findings: readonly Finding[]
  /** Of its tasks, in thousandths of a CPU: nodes pull them by size. */
  sizes: readonly number[]
  /** Its tasks and calls of actors that have not ended. */
  unfinished: number
  host: string
  pid: number
}

export type Lease = NodeLease | DriverLease

/** Variables that say where something is on this machine. */
const OF_THIS_MACHINE = ['RAYITO_CACHE', 'RAYITO_OUT']

/** Settings that the driver's own threads would inherit: which model, which weights, where from. A node takes no others. */
export function travellingEnv(env: NodeJS.ProcessEnv): Record<string, string> {
  const settings = Object.entries(env).filter(([name]) => name.startsWith('RAYITO_') && !OF_THIS_MACHINE.includes(name))
  return Object.fromEntries(settings) as Record<string, string>
}
