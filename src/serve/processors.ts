import { availableParallelism } from 'node:os'
import { ray } from '../ray/index.js'

/** What 'auto' means: of this machine, or of the cluster that the session is on. */
export async function processors(): Promise<number> {
  const { address, numCpus } = await ray.init()
  return address === 'local' ? availableParallelism() : Math.max(1, Math.floor(numCpus))
}
