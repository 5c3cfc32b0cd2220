import { ActorDiedError, NotSerializableError } from '../../../errors.js'
import { encodeError } from '../../../pack/error-codec.js'
import type { Task } from '../../../task.js'
import type { LocalEngine } from '../../local/engine.js'
import type { FromNode, NetActor, NetTask } from '../messages.js'
import { type Maker, NodeActor } from './node-actor.js'
import type { NodeCalls } from './node-calls.js'
import type { NodeSide } from './node-side.js'

/** What a driver's actors need of its session. */
export interface ActorsSession {
  readonly calls: NodeCalls
  /** The driver has left. */
  readonly gone: boolean
  /** For actors that end with their driver, or that outlive it. */
  engine(detached: boolean): LocalEngine
  task(net: NetTask, actor: NodeActor | null): Task
  values(net: NetTask): unknown[]
  tell(message: FromNode): void
}

/** How many that ended are remembered by their names. */
const KEPT = 1_000

/** A driver's actors on this node. */
export class SessionActors implements Maker {
  readonly #actors = new Set<NodeActor>()
  /** The last named ones that ended before their driver did: in its own last moments it frees no names. */
  readonly #ended: { id: string; key: string }[] = []

  constructor(
    private readonly node: NodeSide,
    private readonly namespace: string,
    private readonly session: ActorsSession,
  ) {}

  get gone(): boolean {
    return this.session.gone
  }

  /** Whether one outlives the driver. */
  get lasting(): boolean {
    return [...this.#actors].some(({ settings }) => settings.detached)
  }

  create(net: NetActor): void {
    const { id, className, label, creation, numCpus, maxRestarts, maxTaskRetries, maxConcurrency, detached } = net
    const { namespace, node, session } = this
    const settings = { name: undefined, namespace, numCpus, maxRestarts, maxTaskRetries, maxConcurrency, detached }
    const task = session.task(creation, null)
    const actor = new NodeActor(id, className, label, settings, task, this)
    const engine = session.engine(detached)
    actor.engine = engine
    actor.key = net.key
    actor.warded = detached
    this.#actors.add(actor)
    node.actors.set(id, actor)
    session.calls.add(creation.id, { task, engine, delivery: null, told: true })
    task.returns[0]!.whenSettled(() => {
      const { state, error } = task.returns[0]!
      if (state !== 'failed' || actor.state === 'dead') return
      actor.die(
        error instanceof ActorDiedError ? error : new ActorDiedError(actor, 'it could not be made', { cause: error }),
      )
    })
    task.prepare(session.values(creation), () => {
      if (actor.state !== 'dead') engine.createActor(actor)
    })
    node.changed()
  }

  /** A call of an actor on this node, which may be another driver's. */
  call(id: string, net: NetTask): void {
    const { session } = this
    const actor = this.node.actors.get(id)
    if (!actor) return session.tell(['moved', id, net.id, false])
    if (actor.maker !== this) actor.callers.add(session)
    const task = session.task(net, actor)
    session.calls.add(net.id, { task, engine: actor.engine!, delivery: null, told: true })
    if (actor.maker !== this && net.args.some((arg) => (arg[0] === 'value' ? arg[1] : arg[2])?.[2].length))
      return task.fail(
        new NotSerializableError(
          'An argument',
          "has refs or handles inside, and the actor is another driver's",
          'Pass their values.',
        ),
      )
    actor.queue.push(task)
    task.prepare(session.values(net), () => actor.engine!.pump(actor))
  }

  kill(id: string, restart: boolean): void {
    const actor = this.node.actors.get(id)
    if (!actor) return restart ? undefined : this.session.tell(['moved', id, null, false])
    if (actor.maker !== this) actor.callers.add(this.session)
    actor.engine!.kill(actor, restart)
  }

  restarted(actor: NodeActor): void {
    this.session.tell(['restarted', actor.id, 1])
    if (actor.warded) this.node.wards.restarted(actor.id)
  }

  died(actor: NodeActor, error: Error): void {
    this.#actors.delete(actor)
    this.node.actors.delete(actor.id)
    // While its driver lives, that frees the name.
    if (actor.warded && this.session.gone) this.node.wards.ended(actor)
    const { id, key } = actor
    if (key && !this.session.gone && this.#ended.push({ id, key }) > KEPT) this.#ended.shift()
    if (this.session.gone) this.node.actorsEnded()
    const death = encodeError(error)
    // What it ran is told with its end: afterwards the driver knows its calls no more.
    this.session.tell(['died', actor.id, death, this.session.calls.events()])
    for (const caller of actor.callers) caller.tell(['died', actor.id, death, null])
    this.node.changed()
  }

  /**
   * The driver is gone: actors end, but for those that outlive it.
   * @param all those too
   * @param again the driver lives, and may start them elsewhere
   */
  end(all: boolean, again: boolean): void {
    const why = again ? 'it was to go on elsewhere' : 'its driver has left'
    for (const actor of [...this.#actors]) {
      if (!all && actor.settings.detached) continue
      if (again) actor.leaves()
      this.#leave(actor, new ActorDiedError(actor, why))
      // One that leaves frees its names itself.
      if (!again) this.node.wards.ended(actor)
    }
    if (!again) for (const { id, key } of this.#ended.splice(0)) void this.node.wards.endedBefore(id, key)
    for (const { callers } of this.node.actors.values()) callers.delete(this.session)
  }

  /** Another node has taken over an actor that is here still, or nobody knows of it any more. */
  taken(actor: NodeActor): void {
    actor.warded = false
    actor.key = null
    actor.leaves()
    // Its driver may have others here, whose workers go on.
    actor.engine!.kill(actor, false)
  }

  /** It ends here, but may go on elsewhere. */
  #leave(actor: NodeActor, why: Error): void {
    actor.warded = false
    actor.die(why)
  }
}
