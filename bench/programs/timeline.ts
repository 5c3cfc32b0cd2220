/** Calls that do nothing, in sessions that record a timeline and in such that do not, session by session in turn. */
import { ray } from '#src/ray/index.js'
import { clocked, given, report, step } from '../report.js'
import { nothing } from './work.js'

export interface TimelineWork {
  /** Sessions of each kind, and calls of each. */
  blocks: number
  tasks: number
}

/** Seconds of processor time a call, of all threads: steadier than the clock's. One number a session. */
export interface TimelineResult {
  on: number[]
  off: number[]
}

/** Before it is measured a session makes this many times as many calls. */
const WARM = 3

report(async (): Promise<TimelineResult> => {
  const { blocks, tasks } = given<TimelineWork>()
  const calls = () => ray.get(Array.from({ length: tasks }, () => nothing.remote()))
  const result: TimelineResult = { on: [], off: [] }
  for (let block = -1; block < blocks; block++) {
    for (const kind of block % 2 ? (['on', 'off'] as const) : (['off', 'on'] as const)) {
      ray.init({ numCpus: 2, timeline: kind === 'on' })
      for (let i = 0; i < WARM; i++) await calls()
      const { cpuSeconds } = await clocked<unknown>(calls)
      // the first block warms up
      if (block >= 0) result[kind].push(cpuSeconds / tasks)
      await ray.shutdown()
    }
    if (block >= 0) step()
  }
  return result
})
