import { RayitoError } from '../../../../core/errors.js'
import { type Actor, calledActor } from '../../../actor.js'
import { killed } from '../../../ended.js'
import { ActorDiedError, ActorNameError, ActorUnavailableError } from '../../../errors.js'
import { EMPTY } from '../../../object-ref.js'
import { KIND } from '../../../protocol.js'
import type { Task } from '../../../task.js'
import { placementOf } from '../../local/schedule.js'
import type { NetActor } from '../messages.js'
import type { NameRecord } from '../name-record.js'
import { netTask } from '../outgoing.js'
import { ActorNames } from './actor-names.js'
import type { DriverSide } from './driver-side.js'
import { foreignActor } from './foreign-actor.js'
import { infeasible } from './infeasible.js'
import { MovingActors, type Place } from './moving-actors.js'
import type { NodePeer } from './node-peer.js'
import { wardOf } from './ward-of.js'

/** A driver's actors on the nodes. */
export class ActorTable {
  readonly #waiting: Actor[] = []
  /** Those whose queues are being sent. */
  readonly #pumping = new Set<Actor>()
  readonly #calls = new Map<Actor, Set<Task>>()
  readonly #byId = new Map<string, Actor>()
  readonly #names: ActorNames
  readonly #moving: MovingActors

  constructor(private readonly driver: DriverSide) {
    this.#names = new ActorNames(driver, (id) => this.#byId.has(id))
    this.#moving = new MovingActors(driver, this.#names, {
      underWay: (actor) => this.#calls.get(actor)?.size ?? 0,
      arrived: (actor, place) => this.#arrived(actor, place),
      died: (actor, error) => this.#die(actor, error),
    })
  }

  get busy(): boolean {
    return this.#waiting.length > 0 || this.#moving.busy
  }

  /** Those that no node has room for yet. */
  get waiting(): readonly Actor[] {
    return this.#waiting
  }

  /** One that has no calls holds CPUs. */
  get keeping(): boolean {
    for (const [actor, calls] of this.#calls) if (actor.settings.numCpus && actor.place && calls.size === 0) return true
    return false
  }

  /** Calls that are not on their way to their actor yet. */
  get waitingCalls(): number {
    let waiting = 0
    for (const { queue } of this.#byId.values()) waiting += queue.length
    return waiting
  }

  create(actor: Actor): void {
    if (!this.#byId.has(actor.id)) {
      this.#byId.set(actor.id, actor)
      this.#calls.set(actor, new Set())
      // Its constructor may run again as long as it lives, there or elsewhere.
      this.driver.sent.carry(actor.creation)
    }
    this.#waiting.push(actor)
    if (this.driver.bus) this.placeAll()
  }

  placeAll(): void {
    for (const actor of this.#waiting.splice(0)) {
      if (actor.state === 'dead') continue
      if (actor.settings.name !== undefined && !this.#names.has(actor)) void this.driver.asking(this.#reserve(actor))
      else this.#place(actor)
    }
  }

  #place(actor: Actor): void {
    const nodes = [...this.driver.nodesById.values()].filter(({ lease }) => !lease.draining)
    const largest = Math.max(0, ...nodes.map(({ lease }) => lease.cpus))
    const need = placementOf(actor.settings.numCpus, largest)
    if (nodes.length && need > largest) {
      // Its node was lost, or one that is large enough, and may be back.
      if (actor.restarts > 0 || need <= this.driver.largest) return void this.#waiting.push(actor)
      return this.#die(actor, infeasible(actor.label, need, largest))
    }
    const free = (node: NodePeer) => node.lease.available - node.placed
    const [best] = nodes
      .filter((node) => need === 0 || free(node) >= need)
      .sort((a, b) => free(b) - free(a) || a.actors / a.lease.cpus - b.actors / b.lease.cpus)
    if (!best) return void this.#waiting.push(actor)
    best.placed += need
    this.#send(actor, best)
  }

  #send(actor: Actor, node: NodePeer): void {
    const { creation, settings } = actor
    try {
      const spec: NetActor = {
        id: actor.id,
        className: actor.className,
        label: actor.label,
        creation: netTask(creation, KIND.CREATE, (entry) => this.driver.sentObject(entry)),
        numCpus: settings.numCpus,
        maxRestarts: settings.maxRestarts < 0 ? -1 : settings.maxRestarts - actor.restarts,
        maxTaskRetries: settings.maxTaskRetries,
        maxConcurrency: settings.maxConcurrency,
        detached: settings.detached,
        key: this.#names.key(actor),
      }
      node.actors++
      actor.place = { node, id: actor.id, foreign: false, missed: 0 } satisfies Place
      actor.state = 'alive'
      if (creation.state !== 'done') {
        creation.state = 'running'
        this.driver.calling(creation, node)
      }
      node.send(['actor', spec])
      void this.#names.placed(actor, node, wardOf(actor, spec, node, this.driver))
      this.pump(actor)
    } catch (error) {
      this.#die(actor, new ActorDiedError(actor, 'it could not be made', { cause: error }))
    }
  }

  pump(actor: Actor): void {
    const place = actor.place as Place | null
    // A call that fails here may end the waiting of others behind it, which then ask for the same.
    if (!place || actor.state !== 'alive' || this.#pumping.has(actor)) return
    this.#pumping.add(actor)
    const { queue } = actor
    const calls = this.#calls.get(actor)!
    // Only fast calls are sent ahead: what waits here can be cancelled for sure, and no lost node is to blame for it.
    const window = actor.settings.maxConcurrency * actor.creation.definition.depth
    for (let task = queue.first; task; task = queue.first) {
      // What is not prepared holds those behind it: calls keep their order.
      if (task.state === 'preparing' || (task.state === 'queued' && calls.size >= window)) break
      queue.shift()
      if (task.state === 'queued') this.#call(actor, place, task)
    }
    this.#pumping.delete(actor)
  }

  #call(actor: Actor, { node, id, foreign }: Place, task: Task): void {
    if (foreign && typeof task.settings.numReturns !== 'number') {
      const message = `${task.label} is to be streamed, and the actor is another driver's, to whom its values would go`
      return task.fail(new RayitoError('RAY_MISUSE', message, { remedy: 'Return the values as an array.' }))
    }
    try {
      node.send(['call', id, netTask(task, KIND.METHOD, (entry) => this.driver.sentObject(entry))])
    } catch (error) {
      return task.fail(error)
    }
    for (const { content } of task.args) if (content) this.driver.host.copied(content.copied, content.shared)
    task.attempt++
    task.state = 'running'
    this.#calls.get(actor)!.add(task)
    this.driver.calling(task, node)
  }

  /** Whether another driver made it. */
  isForeign(actor: Actor): boolean {
    return (actor.place as Place | null)?.foreign ?? this.#moving.has(actor)
  }

  settled(actor: Actor, task: Task): void {
    const place = actor.place as Place | null
    if (place) place.missed = 0
    if (this.#calls.get(actor)?.delete(task)) this.pump(actor)
  }

  restarted(id: string, restarts: number): void {
    const actor = this.#byId.get(id)
    if (!actor) return
    actor.restarts += restarts
    actor.creation.tally.retried += restarts
  }

  /** It is not on that node any more. */
  died(node: NodePeer, id: string, error: Error): void {
    for (const actor of [...this.#byId.values()]) {
      const place = actor.place as Place | null
      // One that was to be made and was there already goes by an id of its own.
      if (place ? place.id === id && place.node === node : actor.id === id) this.#die(actor, error)
    }
    this.#moving.unkilled(node, id)
  }

  /**
   * It is not on that node any more, or not yet, and a call went there in vain; null: it was to be killed.
   * @param begun whether the call may have run
   */
  moved(node: NodePeer, id: string, call: string | null, begun: boolean): void {
    const why = 'it is not on its node any more'
    for (const actor of [...this.#byId.values()]) {
      const place = actor.place as Place | null
      if (place?.id !== id || place.node !== node) continue
      if (place.foreign) this.#moving.follow(actor, place, why)
      else this.#die(actor, new ActorDiedError(actor, why))
    }
    if (call === null) return this.#moving.unkilled(node, id)
    const sent = this.driver.sent.get(call)
    if (sent?.node !== node) return
    const { task } = sent
    const actor = calledActor(task)!
    this.driver.forgetCall(task)
    this.#calls.get(actor)?.delete(task)
    this.#moving.cameBack(actor, task, begun)
  }

  #die(actor: Actor, error: Error): void {
    const place = actor.place as Place | null
    if (place && !place.foreign) place.node.actors--
    this.#fail(actor, error)
    actor.die(error)
    if (this.#byId.delete(actor.id)) this.driver.sent.drop(actor.creation)
    this.#calls.delete(actor)
    void this.#names.forget(actor)
  }

  #fail(actor: Actor, error: Error): void {
    for (const task of this.#moving.returned(actor)) task.fail(error)
    for (const task of this.#calls.get(actor) ?? []) {
      this.driver.forgetCall(task)
      task.fail(error)
    }
    this.#calls.get(actor)?.clear()
    this.driver.forgetCall(actor.creation)
  }

  kill(actor: Actor, restart: boolean): void {
    const place = actor.place as Place | null
    if (restart) return void place?.node.send(['kill', place.id, true])
    if (this.isForeign(actor)) this.#moving.kill(actor, place)
    else place?.node.send(['kill', place.id, false])
    this.#die(actor, killed(actor))
  }

  nodeLost(node: NodePeer): void {
    const why = `its node ${node.lease.name} ${node.fate}`
    for (const actor of this.#moving.from(node)) this.#again(actor, why)
    this.#moving.unkilled(node)
    for (const actor of [...this.#byId.values()]) {
      const place = actor.place as Place | null
      if (place?.node !== node) continue
      if (place.foreign) {
        this.#again(actor, why)
        this.#moving.follow(actor, place, why)
      } else this.#restart(actor, why)
    }
  }

  #restart(actor: Actor, why: string): void {
    if (!actor.restart()) return this.#die(actor, new ActorDiedError(actor, why, actor.remedy))
    actor.creation.tally.retried++
    this.#again(actor, why)
    this.create(actor)
  }

  /** Calls that were on their way run again where they may; nobody knows whether they ran. */
  #again(actor: Actor, why: string): void {
    actor.place = null
    // Its constructor runs again with it; it went with no node.
    this.driver.forgetCall(actor.creation)
    const again: Task[] = []
    for (const task of this.#calls.get(actor) ?? []) {
      this.driver.forgetCall(task)
      if (task.state === 'done') continue
      if (task.retry()) again.push(task)
      else task.fail(new ActorUnavailableError(actor, why))
    }
    this.#calls.get(actor)?.clear()
    actor.queue.unshift(again)
  }

  failAll(error: Error): void {
    for (const actor of [...this.#byId.values()]) {
      // First, so that whoever asked for a call that fails knows of it.
      actor.die(error)
      this.#fail(actor, error)
    }
    this.#waiting.length = 0
  }

  // -- names

  async #reserve(actor: Actor): Promise<void> {
    const { name, getIfExists } = actor.settings
    try {
      while (!(await this.#names.reserve(actor))) {
        if (!getIfExists) {
          const remedy = 'Use ray.getActor, getIfExists: true, or another name.'
          return this.#die(actor, new ActorNameError(name!, 'the name is taken', remedy))
        }
        const found = await this.#names.locate(actor.settings, null, null)
        if (found) return this.#adopt(actor, found)
      }
      // It may have been killed meanwhile.
      if (actor.state === 'dead') void this.#names.forget(actor)
      else this.#place(actor)
    } catch (error) {
      this.#die(actor, new ActorDiedError(actor, 'its name could not be reserved', { cause: error }))
    }
  }

  /** The calls of one that was to be made go to the one that is there. */
  #adopt(actor: Actor, { record, node }: { record: NameRecord; node: NodePeer }): void {
    if (actor.state === 'dead') return
    actor.creation.succeed([EMPTY])
    actor.adopted = true
    this.#arrived(actor, { node, id: record.id, foreign: true, missed: 0 })
  }

  /** An actor that any driver made, by its name; null if none lives. */
  async find(name: string, namespace: string): Promise<Actor | null> {
    await this.driver.ready
    const record = await this.#names.find(name, namespace)
    if (!record) return null
    const { id, node } = record
    const known = this.#byId.get(id)
    if (known) return known
    const actor = foreignActor(record, { name, namespace }, this)
    this.#byId.set(id, actor)
    this.#calls.set(actor, new Set())
    const there = node === null ? undefined : this.driver.nodesById.get(node)
    if (there) this.#arrived(actor, { node: there, id, foreign: true, missed: 0 })
    // Its calls wait until it is somewhere.
    else
      this.#moving.follow(actor, { node: null, id, missed: 0 }, 'it was on no node, and is not to be on one any more')
    return actor
  }

  /** Another driver's actor is there. */
  #arrived(actor: Actor, place: Place): void {
    actor.place = place
    actor.state = 'alive'
    this.pump(actor)
  }

  /** Whether a detached actor goes on without this driver: its node has what it takes to make it. */
  outlasts({ place, creation }: Actor): boolean {
    const node = (place as Place | null)?.node
    return Boolean(node?.channel.idle) && (creation.state === 'done' || creation.args.every(({ ref }) => !ref))
  }

  /** Resolves when those that were killed are, or nobody has said where they are for as long as a leave may take. */
  killed(): Promise<void> {
    return this.#moving.allKilled()
  }

  end(): Promise<void> {
    return this.#names.end()
  }
}
