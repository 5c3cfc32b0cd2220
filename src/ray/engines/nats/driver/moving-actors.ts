import type { Actor } from '../../../actor.js'
import { ActorDiedError, ActorUnavailableError } from '../../../errors.js'
import type { Task } from '../../../task.js'
import { FAREWELL } from '../farewell.js'
import type { ActorNames } from './actor-names.js'
import type { DriverSide } from './driver-side.js'
import type { NodePeer } from './node-peer.js'

/** Milliseconds until a node is asked again for what it said that it has not, at first; doubled each time, up to the most. */
const PAUSE = 50
const PAUSE_MOST = 1_000

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds).unref())

/** Where an actor is. */
export interface Place {
  node: NodePeer
  /** What it is called there. */
  id: string
  /** Another driver's: it restarts it, not we. */
  foreign: boolean
  /** How often in a row it was not where it was said to be. */
  missed: number
}

/** Where one was: on no node that is known, while it waits to be placed. */
export type Left = Pick<Place, 'id' | 'missed'> & { node: NodePeer | null }

interface Move {
  readonly left: Left
  /** Calls that came back, in their order. */
  readonly returned: Task[]
}

/** What a driver's table does with an actor that has moved. */
export interface MovingActorsEvents {
  /** How many of its calls are on their way. */
  underWay(actor: Actor): number
  arrived(actor: Actor, place: Place): void
  died(actor: Actor, error: Error): void
}

/** Other drivers' actors that are not where they were, or nowhere yet: looked for as long as anybody may bring them somewhere. */
export class MovingActors {
  readonly #moves = new Map<Actor, Move>()
  /** Those that were killed, and where that was said last: until nobody has their names any more. */
  readonly #killed = new Map<Actor, Left>()

  constructor(
    private readonly driver: DriverSide,
    private readonly names: ActorNames,
    private readonly events: MovingActorsEvents,
  ) {}

  has(actor: Actor): boolean {
    return this.#moves.has(actor)
  }

  /** Calls of one of them wait, or it is to be killed. */
  get busy(): boolean {
    for (const [{ queue }, { returned }] of this.#moves) if (queue.length + returned.length > 0) return true
    return this.#toKill.length > 0
  }

  /** Those that were killed and that no node has been told to end yet. */
  get #toKill(): Actor[] {
    const { nodesById } = this.driver
    return [...this.#killed].flatMap(([actor, { node }]) => (node && nodesById.get(node.id) === node ? [] : [actor]))
  }

  /** Those that were on that node, which may have calls of theirs. */
  from(node: NodePeer): Actor[] {
    return [...this.#moves].filter(([, { left }]) => left.node === node).map(([actor]) => actor)
  }

  /** Calls that came back and wait. */
  returned(actor: Actor): readonly Task[] {
    return this.#moves.get(actor)?.returned ?? []
  }

  /** @param why what happened to it, should it be dead */
  follow(actor: Actor, left: Left, why: string): void {
    if (this.#moves.has(actor)) return
    actor.place = null
    if (actor.state !== 'dead') actor.state = 'restarting'
    const move: Move = { left, returned: [] }
    this.#moves.set(actor, move)
    void this.#follow(actor, move, why)
  }

  async #follow(actor: Actor, { left, returned }: Move, why: string): Promise<void> {
    const { node, id, missed } = left
    if (node && this.driver.nodesById.get(node.id) === node) await pause(Math.min(PAUSE * 2 ** missed, PAUSE_MOST))
    // What has no answer from there yet may come back, and was asked for before what waits.
    while (this.events.underWay(actor) > 0 && !this.driver.down) await pause(PAUSE)
    // Where nobody can be asked any more, the session is over.
    const found = await this.names.locate(actor.settings, id, node).catch(() => undefined)
    this.#moves.delete(actor)
    const place = found && { node: found.node, id, foreign: true, missed: missed + 1 }
    if (this.#killed.delete(actor)) {
      if (place) this.kill(actor, place)
    } else if (actor.state !== 'dead' && place !== undefined) {
      actor.queue.unshift(returned)
      if (place) this.events.arrived(actor, place)
      else this.events.died(actor, new ActorDiedError(actor, why))
    }
    this.driver.changed()
  }

  /** @param place null: it is to be killed wherever it goes on */
  kill(actor: Actor, place: Place | null): void {
    this.#killed.set(actor, place ?? this.#moves.get(actor)!.left)
    place?.node.send(['kill', place.id, false])
  }

  /** Resolves when those that were killed while they moved are, or that takes too long, which is said. */
  async allKilled(): Promise<void> {
    const end = performance.now() + FAREWELL
    while (this.#toKill.length && !this.driver.failure && performance.now() < end) await pause(PAUSE)
    for (const { label } of this.#toKill)
      process.stderr.write(`rayito: ${label} may live on: it was killed, and is on no worker yet\n`)
  }

  /** What was killed there was not there, or has ended, perhaps when it had been started elsewhere already; null: the node is lost. */
  unkilled(node: NodePeer, id: string | null = null): void {
    for (const [actor, left] of this.#killed)
      if (left.node === node && (id === null || left.id === id)) this.follow(actor, left, '')
  }

  /** A call came back. @param begun it may have run, and runs again only where that is allowed */
  cameBack(actor: Actor, task: Task, begun: boolean): void {
    if (task.state === 'done') return
    if (!begun) {
      task.attempt--
      task.state = 'queued'
    } else if (!task.retry()) return task.fail(new ActorUnavailableError(actor, 'it is to go on on another node'))
    this.#moves.get(actor)?.returned.push(task)
  }
}
