import { existsSync, readFileSync } from 'node:fs'
import { availableParallelism, cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import type { NodeInfo } from '../../ray/index.js'
import type { Settings, VersionName } from '../settings.js'
import { writeJson } from '../write-json.js'
import { type Agreement, agreementOf } from './compare.js'
import type { Conclusion } from './conclusion.js'
import { ran, type Version } from './version.js'

/** `out/exercise-1.json`: what was measured, on what, and the answers. All times are wall seconds. */
export interface Exercise1 {
  /** ISO 8601. */
  made: string
  machine: { cpu: string; cores: number; memoryGB: number; node: string; platform: string }
  engine: 'threads' | 'processes' | 'nats'
  /** Of a cluster: the machines that took part. */
  nodes?: { name: string; cpus: number }[]
  source: string
  model: string
  dtype: string
  dataset: string
  indices: { start: number; stop: number; step: number; count: number }
  versions: Version[]
  agreement: Agreement
  fastest: VersionName
  why: string
}

export const EXERCISE_FILE = 'exercise-1.json'

/** Gathers the results of exercise 1. `model` is the id that was really used. */
export function exercise1(
  settings: Settings,
  {
    model,
    versions,
    conclusion,
    nodes = [],
  }: {
    model: string
    versions: readonly (Version | undefined)[]
    conclusion: Conclusion
    nodes?: readonly NodeInfo[] | undefined
  },
): Exercise1 {
  return {
    made: new Date().toISOString(),
    machine: machine(),
    engine: settings.address ? 'nats' : 'threads',
    ...(settings.address && { nodes: nodes.map(({ name, resources }) => ({ name, cpus: resources.CPU })) }),
    source: settings.source,
    model,
    dtype: settings.dtype,
    dataset: settings.dataset,
    indices: { start: 0, stop: settings.stop, step: settings.step, count: settings.images },
    versions: ran(versions).map(({ lanes: _, ...version }) => version),
    agreement: agreementOf(versions),
    fastest: conclusion.fastest,
    why: conclusion.why,
  }
}

/** The machine, as tables and files name it. */
export function machine(): Exercise1['machine'] {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    // Those that this process may use: a container or `taskset` may leave it fewer than there are.
    cores: availableParallelism(),
    memoryGB: Math.round(totalmem() / 1e8) / 10,
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
  }
}

/** Writes it into a folder, whole or not at all; returns the file's path. Rejects with RESULTS_UNWRITABLE. */
export function saveExercise1(folder: string, exercise: Exercise1): Promise<string> {
  return writeJson(folder, EXERCISE_FILE, exercise)
}

/** Reads it from a folder, or null when it is not there. */
export function readExercise1(folder: string): Exercise1 | null {
  const path = join(folder, EXERCISE_FILE)
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Exercise1) : null
}
