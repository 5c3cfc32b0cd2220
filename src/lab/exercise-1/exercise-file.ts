import { existsSync, readFileSync } from 'node:fs'
import { availableParallelism, cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import type { NodeInfo } from '../../ray/index.js'
import { range, type Settings, type VersionName } from '../settings.js'
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
  /** The rows: `count` of range(start, stop, step), all of them unless they were chosen otherwise. */
  indices: { start: number; stop: number; step: number; count: number }
  versions: Version[]
  agreement: Agreement
  fastest: VersionName
  why: string
}

export const EXERCISE_FILE = 'exercise-1.json'

/** Gathers the results of exercise 1. `model` is the id that was really used, `indices` the rows. @default as the settings say */
export function exercise1(
  settings: Settings,
  {
    model,
    versions,
    conclusion,
    nodes = [],
    indices = range(0, settings.stop, settings.step),
  }: {
    model: string
    versions: readonly (Version | undefined)[]
    conclusion: Conclusion
    nodes?: readonly NodeInfo[] | undefined
    indices?: readonly number[] | undefined
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
    indices: rangeOf(indices),
    versions: ran(versions).map(({ lanes: _, ...version }) => version),
    agreement: agreementOf(versions),
    fastest: conclusion.fastest,
    why: conclusion.why,
  }
}

/** The range that rows, in whatever order, are of. */
function rangeOf(rows: readonly number[]): Exercise1['indices'] {
  const start = rows.reduce((least, row) => Math.min(least, row), Infinity)
  const divisor = (x: number, y: number): number => (y === 0 ? x : divisor(y, x % y))
  const step = rows.map((row) => row - start).reduce(divisor, 0) || 1
  return { start, stop: rows.reduce((most, row) => Math.max(most, row), 0) + step, step, count: rows.length }
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
