import { availableParallelism } from 'node:os'
import type { Engine, EngineHost } from '../engine.js'
import type { InitOptions } from '../types.js'
import { LocalEngine } from './local/engine.js'
import { NatsEngine } from './nats/engine.js'
import { connectProcess } from './processes/connection.js'
import { connectThread } from './threads/connection.js'

/** The engine that the options ask for. */
export function makeEngine(options: InitOptions, host: EngineHost): Engine {
  const { numCpus = availableParallelism(), resourceLimits, workers = 'threads', address } = options
  if (address && address !== 'local') return new NatsEngine(address, options, host)
  const connect = workers === 'processes' ? connectProcess : connectThread
  return new LocalEngine({ name: workers, connect, cpus: numCpus, resourceLimits }, host)
}
