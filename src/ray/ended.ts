import type { ActorIdentity } from './actor-identity.js'
import { ActorDiedError } from './errors.js'

type Which = Pick<ActorIdentity, 'id' | 'label'>

export const KILLED = 'it was killed with ray.kill'

/** Of an actor that `ray.kill` ended for good, whatever its maxRestarts. */
export function killed(actor: Which): ActorDiedError {
  return new ActorDiedError(actor, KILLED, {
    remedy: 'Make another actor; after ray.kill(actor, { noRestart: false }) one with maxRestarts starts again.',
  })
}

/** Of an actor that ended with its session. */
export function shutDown(actor: Which): ActorDiedError {
  return new ActorDiedError(actor, 'its session was shut down', { remedy: 'Make another actor.' })
}
