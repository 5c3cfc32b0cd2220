import { packageFile } from '../../core/package-file.js'
import type { Engine, EngineHost } from '../engine.js'
import { RayError } from '../errors.js'
import type { SessionOptions } from '../options.js'
import { setLeaving } from '../pack/reach.js'
import { LocalEngine } from './local/engine.js'
import { NatsEngine } from './nats/driver/engine.js'
import { PROCESSES } from './processes/connection.js'
import { Threads } from './threads/threads.js'

/** Threads started ahead, at most: each takes about 10 MB. */
const MOST_SPARES = 4

/** The engine that the options ask for. @throws RayitoError PACKAGE_BUNDLED, RAY_RUNTIME */
export function makeEngine(options: SessionOptions, host: EngineHost): Engine {
  const { bun, deno } = process.versions
  if (bun || deno)
    throw new RayError('RAY_RUNTIME', `Tasks and actors run on Node, got ${bun ? `Bun ${bun}` : `Deno ${deno}`}`)
  const { numCpus, resourceLimits, workers, address } = options
  setLeaving(address !== 'local' || workers === 'processes')
  if (address !== 'local') return new NatsEngine(address, options, host)
  // Or all that is told is that worker after worker ends.
  packageFile('ray/worker/main.js')
  const connector = workers === 'processes' ? PROCESSES : new Threads(Math.min(Math.ceil(numCpus), MOST_SPARES))
  return new LocalEngine({ name: workers, connector, cpus: numCpus, resourceLimits }, host)
}
