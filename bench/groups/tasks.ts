import { interleave } from '../interleave.js'
import { runProgram } from '../program.js'
import type { CallsResult, CallsWork, Kind } from '../programs/calls.js'
import type { ObjectsWork } from '../programs/objects.js'
import type { TimelineResult, TimelineWork } from '../programs/timeline.js'
import { type Measured, makeRow } from '../row.js'
import type { Group } from './group.js'

const BYTES = 100_000_000
/** A notebook's worth of them. */
const FIRST_OBJECTS = 8

/** What a call costs, against what is under it and beside it. */
export const tasks: Group = {
  name: 'tasks',
  title: 'Calls and objects: tasks, actors, put and get',
  needsModel: false,
  async measure({ quick, repetitions, ray }) {
    const work: CallsWork = quick
      ? { blocks: 2, tasks: 500, roundTrips: 100, bytes: BYTES }
      : { blocks: 10, tasks: 4_000, roundTrips: 1_000, bytes: BYTES }
    const runs = await interleave('tasks', repetitions(3, 1), {
      ours: async () => (await runProgram<CallsResult>('calls', work)).value,
      ...(ray && { ray: async () => (await ray.run<Record<Kind, number[]>>('calls', work)).value }),
    })
    const objects: ObjectsWork = { bytes: BYTES, count: FIRST_OBJECTS }
    const first = await interleave('tasks, first objects', repetitions(5, 1), {
      ours: async () => (await runProgram<number[]>('objects', objects)).value,
      ...(ray && { ray: async () => (await ray.run<number[]>('objects', objects)).value }),
    })
    const sessions: TimelineWork = quick
      ? { blocks: 2, tasks: 1_000 }
      : { blocks: 20 * repetitions(3, 1) + 1, tasks: 20_000 }
    const { value: timeline } = await runProgram<TimelineResult>('timeline', sessions)
    // of all turns, block by block
    const ours = (kind: Kind, name = 'ours') => runs.ours.flatMap((turn) => turn[kind][name]!)
    const theirs = (kind: Kind) => runs.ray?.flatMap((turn) => turn[kind])
    const row = (
      kind: Kind,
      of: (seconds: number) => number,
      peers: string[],
      { targets = {}, ...rest }: Omit<Measured, 'ours' | 'peers'>,
    ) =>
      makeRow({
        ...rest,
        ours: ours(kind).map(of),
        peers: {
          ...Object.fromEntries(peers.map((name) => [name, ours(kind, name).map(of)])),
          Ray: theirs(kind)?.map(of),
        },
        targets: ray ? targets : {},
      })
    const rate = { unit: '/s', lowerIsBetter: false }
    return [
      row('noOp', perSecond, ['workerpool', 'piscina', 'tinypool', 'postMessage'], {
        id: 'no-op',
        title: 'Tasks a second that do nothing, two workers',
        ...rate,
        target: { ratio: 1 },
        targets: { Ray: 15 },
      }),
      row('picture', perSecond, ['workerpool', 'piscina', 'tinypool', 'postMessage'], {
        id: 'picture',
        title: 'Tasks a second with a picture of 12 KB each',
        ...rate,
        target: { ratio: 0.5 },
        targets: { Ray: 12 },
      }),
      row('actorCalls', perSecond, ['postMessage'], {
        id: 'actor-calls',
        title: 'Calls of an actor a second, all given at once',
        ...rate,
        targets: { Ray: 8 },
      }),
      row('taskRoundTrip', milliseconds, ['workerpool'], {
        id: 'task-round-trip',
        title: 'A task and its answer',
        unit: 'ms',
        targets: { Ray: 1 / 15 },
      }),
      row('roundTrip', milliseconds, ['postMessage'], {
        id: 'round-trip',
        title: 'A call of an actor and its answer',
        unit: 'ms',
        target: { ratio: 4 },
        targets: { Ray: 1 / 15 },
      }),
      makeRow({
        id: 'put-get-first',
        title: `Put and get 100 MB that go at once, a session’s first ${FIRST_OBJECTS}`,
        unit: 'ms',
        ours: first.ours.flat().map(milliseconds),
        peers: { Ray: first.ray?.flat().map(milliseconds) },
        targets: ray ? { Ray: 1.2 } : {},
      }),
      row('putGet', milliseconds, [], {
        id: 'put-get',
        title: 'Put and get 100 MB that go at once',
        unit: 'ms',
        targets: { Ray: 1.2 },
      }),
      row('putGetKept', milliseconds, [], {
        id: 'put-get-kept',
        title: 'Put and get 100 MB that stay, each in memory of its own',
        unit: 'ms',
        targets: { Ray: 1.2 },
      }),
      row('putGetShared', milliseconds, [], {
        id: 'put-get-shared',
        title: 'Put and get 100 MB that lie in shared memory',
        unit: 'ms',
        targets: { Ray: 1.2 },
      }),
      row('createKill', milliseconds, [], {
        id: 'create-kill',
        title: 'Create two actors, call each, kill both',
        unit: 'ms',
        targets: { Ray: 0.1 },
      }),
      makeRow({
        id: 'timeline',
        title: 'Processor time of an empty task, with the timeline',
        unit: 'µs',
        ours: timeline.on.map(microseconds),
        peers: { without: timeline.off.map(microseconds) },
        target: { ratio: 1.01 },
      }),
      makeRow({
        id: 'timeline-parts',
        title: 'What the timeline does for such a task, by itself',
        unit: 'µs',
        ours: timeline.parts.map(microseconds),
        peers: { 'the task': timeline.off.map(microseconds) },
        target: { ratio: 0.01 },
      }),
    ]
  },
}

const perSecond = (secondsEach: number) => 1 / secondsEach
const microseconds = (seconds: number) => seconds * 1e6
const milliseconds = (seconds: number) => seconds * 1e3
