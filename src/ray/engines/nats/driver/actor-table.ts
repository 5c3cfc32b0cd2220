import { RayitoError } from '../../../../core/errors.js'
import type { Actor } from '../../../actor.js'
import { killed } from '../../../ended.js'
import { ActorDiedError, ActorNameError, ActorUnavailableError } from '../../../errors.js'
import { EMPTY } from '../../../object-ref.js'
import { KIND } from '../../../protocol.js'
import type { Task } from '../../../task.js'
import { placementOf } from '../../local/schedule.js'
import type { NetActor } from '../messages.js'
import { netTask, wholeArguments } from '../outgoing.js'
import { encodeWard } from '../wards.js'
import { ActorNames } from './actor-names.js'
import type { DriverSide } from './driver-side.js'
import { foreignActor } from './foreign-actor.js'
import { infeasible } from './infeasible.js'
import type { NodePeer } from './node-peer.js'

interface Place {
  node: NodePeer
  /** What it is called there. */
  id: string
  /** Another driver's: it restarts it, not we. */
  foreign: boolean
}

/** A driver's actors on the nodes. */
export class ActorTable {
  readonly #waiting: Actor[] = []
  /** Those whose queues are being sent. */
  readonly #pumping = new Set<Actor>()
  readonly #calls = new Map<Actor, Set<Task>>()
  readonly #byId = new Map<string, Actor>()
  readonly #names: ActorNames

  constructor(private readonly driver: DriverSide) {
    this.#names = new ActorNames(driver, (id) => this.#byId.has(id))
  }

  get busy(): boolean {
    return this.#waiting.length > 0
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
      // Its node was lost, and may be back.
      if (actor.restarts > 0) return void this.#waiting.push(actor)
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
      actor.place = { node, id: actor.id, foreign: false } satisfies Place
      actor.state = 'alive'
      if (creation.state !== 'done') {
        creation.state = 'running'
        this.driver.calling(creation, node)
      }
      node.send(['actor', spec])
      void this.#names.placed(actor, node, this.#ward(actor, spec, node))
      this.pump(actor)
    } catch (error) {
      this.#die(actor, new ActorDiedError(actor, 'it could not be made', { cause: error }))
    }
  }

  /** What starts a detached actor again when this driver is gone; null where nothing would, or it is too large. */
  #ward({ creation }: Actor, actor: NetActor, node: NodePeer): Uint8Array | null {
    if (!actor.detached || actor.maxRestarts === 0) return null
    const args = wholeArguments(creation)
    // Refs and handles in its arguments go with their driver.
    if (args?.some(([, content]) => content[2].length) !== false) return null
    const ward = encodeWard({
      actor: { ...actor, creation: { ...actor.creation, args } },
      lease: this.driver.lease,
      node: node.id,
    })
    return ward.length <= this.driver.bus!.maxPayload ? ward : null
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
  isForeign({ place }: Actor): boolean {
    return (place as Place | null)?.foreign ?? false
  }

  settled(actor: Actor, task: Task): void {
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
  }

  #die(actor: Actor, error: Error): void {
    const place = actor.place as Place | null
    if (place) place.node.actors--
    this.#fail(actor, error)
    actor.die(error)
    if (this.#byId.delete(actor.id)) this.driver.sent.drop(actor.creation)
    this.#calls.delete(actor)
    void this.#names.forget(actor)
  }

  #fail(actor: Actor, error: Error): void {
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
    place?.node.send(['kill', place.id, false])
    this.#die(actor, killed(actor))
  }

  nodeLost(node: NodePeer): void {
    for (const actor of [...this.#byId.values()]) {
      const place = actor.place as Place | null
      if (place?.node !== node) continue
      const why = `its node ${node.lease.name} ${node.fate}`
      if (place.foreign) void this.driver.asking(this.#follow(actor, why))
      else this.#restart(actor, why)
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
    const { name, namespace, getIfExists } = actor.settings
    try {
      while (!(await this.#names.reserve(actor))) {
        if (!getIfExists) {
          const remedy = 'Use ray.getActor, getIfExists: true, or another name.'
          return this.#die(actor, new ActorNameError(name!, 'the name is taken', remedy))
        }
        const found = await this.find(name!, namespace)
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
  #adopt(actor: Actor, found: Actor): void {
    if (actor.state === 'dead') return
    actor.creation.succeed([EMPTY])
    actor.adopted = true
    actor.place = found.place
    actor.state = 'alive'
    this.pump(actor)
  }

  /** An actor that any driver made, by its name; null if none lives. */
  async find(name: string, namespace: string): Promise<Actor | null> {
    await this.driver.ready
    const found = await this.#names.locate(name, namespace, null)
    if (!found) return null
    const { record, node } = found
    const known = this.#byId.get(record.id)
    if (known) return known
    const actor = foreignActor(record, { name, namespace }, this)
    actor.place = { node, id: record.id, foreign: true } satisfies Place
    this.#byId.set(record.id, actor)
    this.#calls.set(actor, new Set())
    return actor
  }

  /** Another driver's actor lost its node: it may come back elsewhere. */
  async #follow(actor: Actor, why: string): Promise<void> {
    const left = (actor.place as Place).node
    actor.state = 'restarting'
    this.#again(actor, why)
    const { name, namespace } = actor.settings
    const found = await this.#names.locate(name!, namespace, left).catch(() => null)
    if (actor.state !== 'restarting') return
    if (!found) return this.#die(actor, new ActorDiedError(actor, why))
    actor.place = { node: found.node, id: found.record.id, foreign: true } satisfies Place
    actor.state = 'alive'
    this.pump(actor)
  }

  end(): Promise<void> {
    return this.#names.end()
  }
}
