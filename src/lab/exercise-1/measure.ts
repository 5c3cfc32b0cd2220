import { now } from '../../core/clock.js'
import { RayitoError } from '../../core/errors.js'
import { progress } from '../../core/progress.js'
import { ray } from '../../ray/index.js'
import { watchInterruption } from '../interruption.js'
import type { Settings, VersionName } from '../settings.js'
import { lanesOf, watchDriver } from './activity.js'
import { watchMemory } from './memory.js'
import { type Best, TITLES, type Version } from './version.js'

/** What a version tells while it runs. */
export interface Run {
  /** The last worker can infer: loading ends here. A version that never calls it rejects with INVALID_ARGUMENT. */
  loaded(): void
  /** One more picture has its answer. */
  step(): void
}

/**
 * Makes a version of the exercise into a function that `time()` can run: it returns the version's answers with what they
 * took. A version that the settings leave out is not run; the function then returns undefined. One whose cell is interrupted
 * ends at its next picture.
 */
export function measure(
  { versions, images }: Pick<Settings, 'versions' | 'images'>,
  name: VersionName,
  classifyAll: (run: Run) => Promise<Best[]>,
): () => Promise<Version | undefined> {
  return async () => {
    if (!versions.includes(name)) {
      console.log(`Version ${name} is not among the chosen ones (${versions.join(', ')}).`)
      return undefined
    }
    const before = await statsNow()
    const memory = watchMemory()
    const bar = progress({ label: `Version ${name}`, total: images, unit: 'pictures' })
    const driver = watchDriver()
    const interruption = watchInterruption()
    const began = now()
    let loadedAt: number | undefined
    let atLoad = Promise.resolve(before)
    let result: Best[]
    let ended: number
    let peak: number
    let spans: ReturnType<typeof driver> = []
    try {
      result = await classifyAll({
        loaded() {
          interruption.check()
          loadedAt = now()
          atLoad = statsNow()
        },
        step() {
          interruption.check()
          bar.add(1)
        },
      })
    } finally {
      ended = now()
      peak = memory.stop()
      bar.done()
      interruption.end()
      spans = driver()
    }
    if (loadedAt === undefined)
      throw new RayitoError(
        'INVALID_ARGUMENT',
        `Expected version ${name} to call run.loaded() when its last worker can infer, got no call`,
      )
    const after = await statsNow()
    const events = ray.isInitialized() ? await ray.timeline() : []
    return {
      name,
      title: TITLES[name],
      seconds: (ended - began) / 1e3,
      loadSeconds: (loadedAt - began) / 1e3,
      inferenceSeconds: (ended - loadedAt) / 1e3,
      peakMemoryMB: Math.round(peak / 1e5) / 10,
      bytesMoved: after.bytes - before.bytes,
      perWorker: name === 'A' ? { driver: result.length } : countsBetween((await atLoad).perWorker, after.perWorker),
      result,
      lanes: lanesOf(spans, events, { began, loaded: loadedAt, ended }),
    }
  }
}

interface Counts {
  bytes: number
  perWorker: Record<string, number>
}

async function statsNow(): Promise<Counts> {
  if (!ray.isInitialized()) return { bytes: 0, perWorker: {} }
  const { bytes, perWorker } = await ray.stats()
  return { bytes: bytes.copied + bytes.shared, perWorker: { ...perWorker } }
}

/** Calls of each worker that had any between two looks. */
function countsBetween(before: Record<string, number>, after: Record<string, number>): Record<string, number> {
  const counts = Object.entries(after).map(([worker, calls]): [string, number] => [
    worker,
    calls - (before[worker] ?? 0),
  ])
  const busy = counts.filter(([, calls]) => calls > 0)
  return Object.fromEntries(busy.sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true })))
}
