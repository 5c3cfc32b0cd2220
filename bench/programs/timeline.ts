/** Calls that do nothing, in sessions that record a timeline and in such that do not, session by session in turn. */
import { now } from '#src/core/clock.js'
import { Told } from '#src/ray/engines/local/told.js'
import type { LocalWorker } from '#src/ray/engines/local/worker.js'
import { ray } from '#src/ray/index.js'
import { TIMELINE_DEFAULT } from '#src/ray/options.js'
import type { WireResult } from '#src/ray/protocol.js'
import type { Task } from '#src/ray/task.js'
import { Timeline } from '#src/ray/timeline/timeline.js'
import { TurnClock } from '#src/ray/timeline/turn-clock.js'
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
  /** What a recorded call does more, done by itself. */
  parts: number[]
}

/** Before it is measured a session makes this many times as many calls. */
const WARM = 3

/** Calls of a message, of which the first looks at the clock in the driver, too. */
const MESSAGE = 16

report(async (): Promise<TimelineResult> => {
  const { blocks, tasks } = given<TimelineWork>()
  const calls = () => ray.get(Array.from({ length: tasks }, () => nothing.remote()))
  const result: TimelineResult = { on: [], off: [], parts: [] }
  const parts = partsOf(tasks)
  for (let block = -1; block < blocks; block++) {
    for (const kind of block % 2 ? (['on', 'off'] as const) : (['off', 'on'] as const)) {
      ray.init({ numCpus: 2, timeline: kind === 'on' })
      for (let i = 0; i < WARM; i++) await calls()
      const { cpuSeconds } = await clocked<unknown>(calls)
      // the first block warms up
      if (block >= 0) result[kind].push(cpuSeconds / tasks)
      await ray.shutdown()
    }
    for (let i = 0; i < WARM; i++) parts()
    if (block < 0) continue
    result.parts.push(parts())
    step()
  }
  return result
})

/**
 * What a session with a timeline does for each call and one without does not: the time of its making, of its message, and the
 * record of it in the driver. (A worker looks at the clock as often in both.) Each time it is called it returns seconds a call.
 */
function partsOf(calls: number): () => number {
  const timeline = new Timeline(TIMELINE_DEFAULT)
  const told = new Told(timeline)
  const clock = new TurnClock()
  const sent = new Float64Array(MESSAGE)
  const worker = { number: timeline.started('worker', null) } as LocalWorker
  const tasks = Array.from(
    { length: calls },
    () => ({ submitted: 0, tally: { id: 0 }, attempt: 1, bytesIn: 0 }) as Task,
  )
  const since = now()
  const results = tasks.map(
    (_, i): WireResult => [i, true, [[undefined, false, 0, 0, []]], i * 300, 250, i % MESSAGE ? 0 : since],
  )
  return () => {
    const began = process.cpuUsage()
    for (let i = 0; i < calls; i++) {
      const task = tasks[i]!
      task.submitted = clock.now()
      if (i % MESSAGE === 0) sent[0] = now()
      told.result(worker, task, results[i]!, since, i % MESSAGE ? 0 : sent[0]!)
    }
    const { user, system } = process.cpuUsage(began)
    return (user + system) / 1e6 / calls
  }
}
