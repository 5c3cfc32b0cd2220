import type { Actor } from '../../../actor.js'
import { FAREWELL } from '../farewell.js'

/** Resolves when these actors go on without their driver, or it has waited as long as for its leave; it says which do not. */
export async function outlast(actors: readonly Actor[], goesOn: (actor: Actor) => boolean): Promise<void> {
  const end = performance.now() + FAREWELL
  const left = () => actors.filter((actor) => actor.state !== 'dead' && !goesOn(actor))
  while (left().length && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 5))
  for (const { label, creation, place } of left()) {
    const before = creation.state === 'preparing' ? 'its arguments were there' : 'a worker had room for it'
    const not = place
      ? 'may not be made: its driver left before its worker was done'
      : `was not made: its driver left before ${before}`
    process.stderr.write(`rayito: ${label} is detached and ${not}\n`)
  }
}
