import { type Best, TITLES, type Version } from '#src/lab/exercise-1/version.js'
import type { VersionName } from '#src/lab/settings.js'

/** A version with made-up figures. */
export function version(
  name: VersionName,
  loadSeconds: number,
  inferenceSeconds: number,
  more: Partial<Version> = {},
): Version {
  return {
    name,
    title: TITLES[name],
    seconds: loadSeconds + inferenceSeconds,
    loadSeconds,
    inferenceSeconds,
    peakMemoryMB: 400,
    bytesMoved: 0,
    perWorker: {},
    result: Array.from({ length: 250 }, (_, i): Best => [`class ${i % 7}`, 0.5]),
    ...more,
  }
}
