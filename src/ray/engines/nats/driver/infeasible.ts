import { InfeasibleError } from '../../../errors.js'

/** No node is as large as a task or an actor needs it. */
export function infeasible(what: string, need: number, largest: number): InfeasibleError {
  const remedy = 'Ask for less with .options({ numCpus }), or start a larger worker: rayito worker --num-cpus N.'
  return new InfeasibleError(what, { CPU: need }, { CPU: largest }, remedy)
}
