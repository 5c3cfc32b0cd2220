/** One version of exercise 1 in a process of its own, on threads or on a cluster of worker processes of one CPU each. */
import { findCluster, type VersionName } from '#src/lab/index.js'
import { ray } from '#src/ray/index.js'
import { clocked, given, report } from '../report.js'
import { type Exercise, VERSIONS } from './versions.js'

/** Seconds of the whole and of its loading, processor time of all threads; the classes found. */
export interface Ran {
  seconds: number
  loadSeconds: number
  cpuSeconds: number
  labels: string[]
}

report(async (): Promise<Ran> => {
  const { version, onCluster, ...exercise } = given<Exercise & { version: VersionName; onCluster?: boolean }>()
  // Two workers, as many as the exercise has threads; it is there before the clock runs, as a cluster is.
  const cluster = onCluster ? await findCluster({ address: undefined }) : null
  if (cluster) await ray.init({ address: cluster.address })
  else if (version !== 'A') ray.init({ numCpus: exercise.workers })
  const began = performance.now()
  let loaded = began
  const { seconds, cpuSeconds, value } = await clocked(() =>
    VERSIONS[version](exercise, () => {
      loaded = performance.now()
    }),
  )
  await ray.shutdown()
  await cluster?.stop()
  return { seconds, cpuSeconds, loadSeconds: (loaded - began) / 1e3, labels: value.map(([label]) => label) }
})
