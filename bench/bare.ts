import { type Outcome, type RunOptions, runProgram } from './program.js'
import type { Bare, BareRan } from './programs/bare.js'
import type { Ran } from './programs/exercise.js'

/**
 * Runs the reference of exercise 1 in a fresh process. Its inputs are prepared before its clock starts and all lie in its memory
 * (0.6 MB a picture), where ours holds those at work only: they are taken off what it needed.
 */
export async function runBare(work: Bare, options: RunOptions = {}): Promise<Outcome<Ran>> {
  const { value, treeMB, ownMB } = await runProgram<BareRan>('bare', work, options)
  return { value, treeMB: treeMB - value.inputsMB, ownMB: ownMB - value.inputsMB }
}
