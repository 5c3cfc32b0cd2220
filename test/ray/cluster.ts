/** A cluster for tests: not here yet. */
export function clusterMissing(): string | false {
  return 'no cluster yet'
}
export async function address(_numCpus: number): Promise<string> {
  throw new Error('no cluster yet')
}
export async function endCluster(): Promise<void> {}
