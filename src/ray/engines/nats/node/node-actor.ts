import { Actor, type ActorSettings } from '../../../actor.js'
import type { Task } from '../../../task.js'
import type { LocalEngine } from '../../local/engine.js'
import type { FromNode } from '../messages.js'
import type { NodeCalls } from './node-calls.js'

/** Whoever made an actor here: told of what becomes of it. */
export interface Maker {
  /** Its driver has left. */
  readonly gone: boolean
  restarted(actor: NodeActor): void
  died(actor: NodeActor, error: Error): void
  /** Another node has taken it over, or nobody knows of it any more. */
  taken(actor: NodeActor): void
}

/** A driver's session, as an actor knows it. */
export interface Caller {
  readonly calls: NodeCalls
  tell(message: FromNode): void
}

/** An actor on this node: whoever made it is told of its starts and its end. */
export class NodeActor extends Actor {
  engine: LocalEngine | null = null
  /** Under which the server has its name, where it has one. */
  key: string | null = null
  /** The server is to know how it fares (wards.ts): it is detached, and this node's. */
  warded = false
  /** Other drivers that have called it: told of its end as well. */
  readonly callers = new Set<Caller>()

  constructor(
    id: string,
    className: string,
    label: string,
    settings: ActorSettings,
    creation: Task,
    readonly maker: Maker,
  ) {
    super(id, className, label, settings, creation)
  }

  /** It goes on elsewhere: who has called it finds it there. */
  leaves(): void {
    for (const { calls } of this.callers) calls.left(this)
    this.callers.clear()
  }

  override die(error: Error): void {
    const dead = this.state === 'dead'
    super.die(error)
    if (!dead) this.maker.died(this, error)
  }

  override restart(): boolean {
    const again = super.restart()
    if (again) this.maker.restarted(this)
    return again
  }
}
