import { Actor } from '../../actor.js'
import type { LocalEngine } from '../local/engine.js'
import type { Session } from './session.js'

/** An actor on this node: whoever made it is told of its starts and its end. */
export class NodeActor extends Actor {
  engine: LocalEngine | null = null
  session: Session | null = null
  /** Under which the server has its name, where it has one. */
  key: string | null = null
  /** The server is to know how it fares (wards.ts): it is detached, and this node's. */
  warded = false

  override die(error: Error): void {
    const dead = this.state === 'dead'
    super.die(error)
    if (!dead) this.session?.actorDied(this, error)
  }

  override restart(): boolean {
    const again = super.restart()
    if (again) this.session?.actorRestarted(this)
    return again
  }
}
