import { RayitoError } from '#src/core/errors.js'
import { progress } from '#src/core/progress.js'
import { range } from '#src/lab/settings.js'
import { findNatsServer } from '#src/ray/engines/nats/server/nats-server.js'
import { interleave } from '../interleave.js'
import { runProgram } from '../program.js'
import type { ClusterResult, ClusterWork } from '../programs/cluster.js'
import type { ScaleResult, ScaleWork } from '../programs/cluster-scale.js'
import type { Ran } from '../programs/exercise.js'
import { makeRow, type Row } from '../row.js'
import type { Bench, Group } from './group.js'

/** Workers of the row that has many of them. */
const MANY = 32

/** What crossing the wire costs: two workers of one CPU each on this machine, against the bare client. */
export const cluster: Group = {
  name: 'cluster',
  title: 'A cluster of two workers, the bare NATS client, and threads',
  needsModel: true,
  async measure(bench) {
    const { quick, note } = bench
    try {
      findNatsServer()
    } catch (error) {
      note(`The cluster was not measured: ${(error as Error).message}`)
      return []
    }
    const work: ClusterWork = quick
      ? { blocks: 1, tasks: 2_000, roundTrips: 1_000, bytes: 100_000_000, looks: 1 }
      : { blocks: 15, tasks: 5_000, roundTrips: 2_000, bytes: 100_000_000, looks: 3 }
    const bar = progress({ label: 'cluster', total: work.blocks, unit: 'blocks' })
    const { value } = await runProgram<ClusterResult>('cluster', work, { onStep: () => bar.add(1) }).finally(() =>
      bar.done(),
    )
    const { noOp, roundTrip, object, status } = value
    return [
      makeRow({
        id: 'no-op',
        title: 'Tasks a second that do nothing, on a cluster',
        unit: '/s',
        lowerIsBetter: false,
        ours: noOp.ours.map((seconds) => 1 / seconds),
        peers: { 'publish, consume, acknowledge': noOp.theirs.map((seconds) => 1 / seconds) },
        target: { ratio: 0.6 },
      }),
      makeRow({
        id: 'round-trip',
        title: 'A call of an actor and its answer, on a cluster',
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
      await manyWorkers(quick),
      ...(await againstThreads(bench)),
    ]
  },
}

/** Many more workers than processors: none is left out, no result is lost, and two of them are not faster. */
async function manyWorkers(quick: boolean): Promise<Row> {
  const workers = quick ? 8 : MANY
  const work: ScaleWork = { blocks: quick ? 1 : 10, tasks: quick ? 2_000 : 5_000, workers }
  const bar = progress({ label: `${workers} workers`, total: 2 * work.blocks, unit: 'blocks' })
  const { value } = await runProgram<ScaleResult>('cluster-scale', work, { onStep: () => bar.add(1) }).finally(() =>
    bar.done(),
  )
  if (value.finished !== value.asked)
    throw new RayitoError('BENCH_FAILED', `${value.asked - value.finished} results of ${value.asked} were lost`)
  return makeRow({
    id: 'many',
    title: `Tasks a second that do nothing, ${workers} workers of a cluster`,
    unit: '/s',
    lowerIsBetter: false,
    ours: value.many.map((seconds) => 1 / seconds),
    peers: { 'two workers': value.few.map((seconds) => 1 / seconds) },
    details: { 'workers that took part': [value.worked] },
  })
}

/** Versions B and C2 of exercise 1 on two worker processes of one CPU each: what crossing the wire costs. */
async function againstThreads({ quick, repetitions, model }: Bench): Promise<Row[]> {
  const { env } = model!
  const indices = range(0, quick ? 160 : 10_000, 40)
  // The bench has a cache of its own, in which there is none.
  const withServer = { ...env, NATS_SERVER: findNatsServer() }
  const version = (version: string, onCluster: boolean) => () =>
    runProgram<Ran>('exercise', { version, onCluster, indices, dtype: 'fp32', workers: 2 }, { env: withServer })
  const versions = quick ? (['C2'] as const) : (['B', 'C2'] as const)
  const subjects = versions.flatMap((name) => [
    [name, version(name, true)] as const,
    [`${name} on threads`, version(name, false)] as const,
  ])
  const runs = await interleave('exercise on a cluster', repetitions(3, 1), Object.fromEntries(subjects))
  const of = (name: string, key: 'seconds' | 'loadSeconds') => runs[name]!.map(({ value }) => value[key])
  return versions.map((name) =>
    makeRow({
      id: `fp32.${name}`,
      title: `${indices.length} pictures, ViT-Base fp32, version ${name}, on a cluster`,
      unit: 's',
      ours: of(name, 'seconds'),
      peers: { threads: of(`${name} on threads`, 'seconds') },
      target: { ratio: 1.12 },
      details: {
        'seconds of loading': of(name, 'loadSeconds'),
        'seconds of loading, threads': of(`${name} on threads`, 'loadSeconds'),
      },
    }),
  )
}
