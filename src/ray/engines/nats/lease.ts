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

const NUMBERS = {
  node: ['cpus', 'available', 'tasks', 'actors', 'objects', 'memoryMB', 'pid'],
  driver: ['unfinished', 'pid'],
} as const

/** A sign of life as it was written; null for what is none: anybody may have written it. */
export function readLease(bytes: Uint8Array): Lease | null {
  let lease: Partial<Record<string, unknown>>
  try {
    lease = Object(JSON.parse(Buffer.from(bytes).toString()))
  } catch {
    return null
  }
  const { kind, id, name, namespace, sizes, findings, env } = lease
  if ((kind !== 'node' && kind !== 'driver') || !isText(id) || !/^[\w-]+$/.test(id)) return null
  if (!isText(lease.version) || !isText(lease.host) || !NUMBERS[kind].every((key) => isNumber(lease[key]))) return null
  if (kind === 'node') return isText(name) ? (lease as unknown as NodeLease) : null
  if (!isText(namespace) || !Array.isArray(sizes) || !sizes.every(isNumber) || !Array.isArray(findings)) return null
  return typeof env === 'object' && env !== null ? (lease as unknown as DriverLease) : null
}

const isText = (value: unknown): value is string => typeof value === 'string'
const isNumber = (value: unknown): value is number => Number.isFinite(value)

/** Variables that say where something is on this machine. */
const OF_THIS_MACHINE = ['RAYITO_CACHE', 'RAYITO_OUT']

/** Settings that the driver's own threads would inherit: which model, which weights, where from. A node takes no others. */
export function travellingEnv(env: NodeJS.ProcessEnv): Record<string, string> {
  const settings = Object.entries(env).filter(([name]) => name.startsWith('RAYITO_') && !OF_THIS_MACHINE.includes(name))
  return Object.fromEntries(settings) as Record<string, string>
}
