import { after, beforeEach, describe } from 'node:test'
import type { EngineName } from '#src/ray/engine.js'
import { type InitOptions, ray } from '#src/ray/index.js'
import { address, clusterMissing, endCluster } from './cluster.js'

export { latch, letGo, started } from './latch.js'

/** RAYITO_TEST_ENGINES=nats runs those only. */
const ENGINES = (process.env.RAYITO_TEST_ENGINES?.split(',') ?? ['threads', 'processes', 'nats']) as EngineName[]

/** What a test needs to know of where it runs. */
export interface Where {
  engine: EngineName
  /** Ends the session and begins another. */
  begin(options: InitOptions): Promise<void>
}

/** Looks again until it holds, for ten seconds: what is asserted next says what does not. */
export async function until(holds: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 10_000
  while (!(await holds()) && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 20))
}

/** The same tests on every engine; each has a session of its own. */
export function onEachEngine(
  title: string,
  options: InitOptions,
  tests: (where: Where) => void,
  { engines = ENGINES, oneSession = false } = {},
): void {
  for (const engine of engines) {
    if (!ENGINES.includes(engine)) continue
    const skip = engine === 'nats' && clusterMissing()
    describe(`${title} on ${engine}`, skip ? { skip } : {}, () => {
      let ofAll = false
      const begin = (given: InitOptions) => {
        ofAll = false
        return beginSession(engine, given)
      }
      beforeEach(async () => {
        if (ofAll && ray.isInitialized()) return
        await begin(options)
        ofAll = oneSession
      })
      after(async () => {
        await ray.shutdown()
        if (engine === 'nats') await endCluster()
      })
      tests({ engine, begin })
    })
  }
}

/**
 * The same, but one after the other in one session, whose workers they use again, unless one ends it or begins another: where
 * that tells as much, since starting workers is most of what a test costs.
 */
export function inOneSession(title: string, options: InitOptions, tests: (where: Where) => void): void {
  onEachEngine(title, options, tests, { oneSession: true })
}

async function beginSession(engine: EngineName, options: InitOptions): Promise<void> {
  await ray.shutdown()
  await ray.init(await initOptions(engine, options))
}

/** Options under which a session runs on that engine. */
async function initOptions(engine: EngineName, { numCpus = 2, ...options }: InitOptions): Promise<InitOptions> {
  if (engine === 'nats') return { ...options, address: await address(numCpus) }
  return { ...options, numCpus, workers: engine }
}
