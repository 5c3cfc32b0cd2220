import type { VersionName } from '../settings.js'
import type { Lane } from './activity.js'

/** Class and score of a picture: what the assignment calls the best classification. */
export type Best = [label: string, score: number]

/** What one version of the exercise did and what it took. All times are wall seconds. */
export interface Version {
  name: VersionName
  title: string
  /** The whole cell: loading of data set and model, classification, end of the actors. */
  seconds: number
  /** From its start until the last worker can infer. */
  loadSeconds: number
  /** From then until the last answer. */
  inferenceSeconds: number
  /** Highest memory of this process and its children, in megabytes of 10⁶ bytes. */
  peakMemoryMB: number
  /** Bytes of arguments and results that passed between the driver and its workers. */
  bytesMoved: number
  /** Pictures classified by each worker. */
  perWorker: Record<string, number>
  /** An answer for each picture, in the order of the pictures. */
  result: Best[]
  /** What the driver and the workers did, where it was recorded. */
  lanes?: Lane[]
}

export const TITLES: Readonly<Record<VersionName, string>> = {
  A: 'sequential',
  B: 'tasks',
  C1: 'actors, by index',
  C2: 'actors, by picture',
}

/** Seconds that a picture takes once all is loaded. */
export const each = (version: Version): number => version.inferenceSeconds / version.result.length

/** Workers that classified. */
export const workersOf = ({ perWorker }: Version): number => Math.max(1, Object.keys(perWorker).length)

/**
 * Seconds that a version would take for so many pictures, by its figures. Workers do not share a picture: fewer pictures than
 * workers take as long as one for each of them.
 */
export const secondsFor = (version: Version, pictures: number): number =>
  version.loadSeconds + Math.max(pictures, workersOf(version)) * each(version)

/** Those of the versions that were run. */
export function ran(versions: readonly (Version | undefined)[]): Version[] {
  return versions.filter((version) => version !== undefined)
}
