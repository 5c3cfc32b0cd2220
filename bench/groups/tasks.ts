import { progress } from '#src/core/progress.js'
import { runProgram } from '../program.js'
import type { TasksResult, TasksWork } from '../programs/tasks.js'
import type { TimelineResult, TimelineWork } from '../programs/timeline.js'
import { makeRow } from '../row.js'
import type { Group } from './group.js'

/** What a call costs, against what is under it. */
export const tasks: Group = {
  name: 'tasks',
  title: 'Tasks and actors against workerpool and postMessage',
  needsModel: false,
  async measure({ quick }) {
    const work: TasksWork = quick
      ? { blocks: 7, tasks: 1_000, roundTrips: 300 }
      : { blocks: 31, tasks: 4_000, roundTrips: 1_000 }
    const bar = progress({ label: 'tasks', total: work.blocks, unit: 'blocks' })
    const { value } = await runProgram<TasksResult>('tasks', work, { onStep: () => bar.add(1) }).finally(() =>
      bar.done(),
    )
    const { noOp, picture, roundTrip } = value
    const sessions: TimelineWork = quick ? { blocks: 7, tasks: 4_000 } : { blocks: 61, tasks: 20_000 }
    const { value: timeline } = await runProgram<TimelineResult>('timeline', sessions)
    const rate = { unit: '/s', lowerIsBetter: false }
    return [
      makeRow({
        id: 'no-op',
        title: 'Tasks a second that do nothing, two workers',
        ...rate,
        ours: noOp.ours.map(perSecond),
        peers: { workerpool: noOp.theirs.map(perSecond) },
        target: { ratio: 0.6 },
      }),
      makeRow({
        id: 'picture',
        title: 'Tasks a second with a picture of 12 KB each',
        ...rate,
        ours: picture.ours.map(perSecond),
        peers: { workerpool: picture.theirs.map(perSecond) },
        target: { ratio: 0.5 },
      }),
      makeRow({
        id: 'round-trip',
        title: 'A call of an actor and its answer',
        unit: 'ms',
        ours: roundTrip.ours.map(milliseconds),
        peers: { postMessage: roundTrip.theirs.map(milliseconds) },
        target: { ratio: 4 },
      }),
      makeRow({
        id: 'timeline',
        title: 'Processor time of a task that does nothing, with the timeline',
        unit: 'µs',
        ours: timeline.on.map(microseconds),
        peers: { without: timeline.off.map(microseconds) },
        target: { ratio: 1.01 },
      }),
    ]
  },
}

const perSecond = (secondsEach: number) => 1 / secondsEach
const microseconds = (seconds: number) => seconds * 1e6
const milliseconds = (seconds: number) => seconds * 1e3
