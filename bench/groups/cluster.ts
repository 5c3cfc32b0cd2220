import { findNatsServer } from '#src/ray/engines/nats/nats-server.js'
import { progress } from '#src/core/progress.js'
import { runProgram } from '../program.js'
import type { ClusterResult, ClusterWork } from '../programs/cluster.js'
import { makeRow } from '../row.js'
import type { Group } from './group.js'

/** What crossing the wire costs: two workers of one CPU each on this machine, against the bare client. */
export const cluster: Group = {
  name: 'cluster',
  title: 'A cluster of two workers against the bare NATS client',
  needsModel: false,
  async measure({ quick, note }) {
    try {
      findNatsServer()
    } catch (error) {
      note(`The cluster was not measured: ${(error as Error).message}`)
      return []
    }
    const work: ClusterWork = quick
      ? { blocks: 3, tasks: 2_000, roundTrips: 200, bytes: 100_000_000 }
      : { blocks: 15, tasks: 5_000, roundTrips: 500, bytes: 100_000_000 }
    const bar = progress({ label: 'cluster', total: work.blocks, unit: 'blocks' })
    const { value } = await runProgram<ClusterResult>('cluster', work, { onStep: () => bar.add(1) }).finally(() =>
      bar.done(),
    )
    const { noOp, roundTrip, object, status } = value
    return [
      makeRow({
        id: 'no-op',
        title: 'Tasks a second that do nothing',
        unit: '/s',
        lowerIsBetter: false,
        ours: noOp.ours.map((seconds) => 1 / seconds),
        peers: { 'publish, consume, acknowledge': noOp.theirs.map((seconds) => 1 / seconds) },
        target: { ratio: 0.6 },
      }),
      makeRow({
        id: 'round-trip',
        title: 'A call of an actor and its answer',
        unit: 'ms',
        ours: roundTrip.ours.map((seconds) => seconds * 1e3),
        peers: { 'request, reply': roundTrip.theirs.map((seconds) => seconds * 1e3) },
        target: { ratio: 2 },
      }),
      makeRow({
        id: 'object',
        title: 'An object of 100 MB on two nodes',
        unit: 's',
        ours: object,
        target: { value: 6 },
      }),
      makeRow({ id: 'status', title: 'One look with rayito status', unit: 's', ours: status, target: { value: 0.3 } }),
    ]
  },
}
