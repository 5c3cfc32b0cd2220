import { availableParallelism } from 'node:os'
import type { Engine, EngineHost } from '../engine.js'
import type { InitOptions } from '../types.js'
import { LocalEngine } from './local/engine.js'
import { connectThread } from './threads/connection.js'

/** The engine that the options ask for. */
export function makeEngine(
  { numCpus = availableParallelism(), resourceLimits }: InitOptions,
  host: EngineHost,
): Engine {
  return new LocalEngine({ name: 'threads', connect: connectThread, cpus: numCpus, resourceLimits }, host)
}
