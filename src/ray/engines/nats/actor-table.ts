import { Actor } from '../../actor.js'
import { RemoteDefinition } from '../../definition.js'
import { ActorDiedError, ActorNameError, ActorUnavailableError, InfeasibleError } from '../../errors.js'
import { Entry } from '../../object-ref.js'
import { KIND } from '../../protocol.js'
import { Tallies } from '../../tally.js'
import { EMPTY, Task } from '../../task.js'
import type { NatsEngine } from './engine.js'
import type { NetActor } from './messages.js'
import type { NodePeer } from './node-peer.js'
import { netTask } from './outgoing.js'
import { nameKey } from './subjects.js'

interface Place {
  node: NodePeer
  /** What it is called there. */
  id: string
  /** Another driver's: it restarts it, not we. */
  foreign: boolean
}

/** What is known of a named actor by all drivers. */
interface NameRecord {
  id: string
  className: string
  label: string
  owner: string
  /** null until it is placed. */
  node: string | null
}

/** Milliseconds to wait for a named actor that is being placed, or moves to another node. */
const MOVING = 15_000
const LOOK = 50

/** A driver's actors on the nodes. */
export class ActorTable {
  readonly #waiting: Actor[] = []
  readonly #calls = new Map<Actor, Set<Task>>()
  readonly #byId = new Map<string, Actor>()
  readonly #named = new Map<Actor, string>()

  constructor(private readonly engine: NatsEngine) {}

  get busy(): boolean {
    return this.#waiting.length > 0
  }

  create(actor: Actor): void {
    this.#byId.set(actor.id, actor)
    this.#calls.set(actor, this.#calls.get(actor) ?? new Set())
    this.#waiting.push(actor)
    if (this.engine.connected) this.placeAll()
  }

  placeAll(): void {
    for (const actor of this.#waiting.splice(0)) {
      if (actor.state === 'dead') continue
      if (actor.settings.name !== undefined && !this.#named.has(actor)) void this.engine.asking(this.#reserve(actor))
      else this.#place(actor)
    }
  }

  #place(actor: Actor): void {
    const nodes = [...this.engine.nodesById.values()].filter(({ lease }) => !lease.draining)
    const largest = Math.max(0, ...nodes.map(({ lease }) => lease.cpus))
    const need = actor.settings.numCpus || Math.min(1, largest)
    if (nodes.length && need > largest)
      return actor.die(new InfeasibleError(actor.label, { CPU: need }, { CPU: largest }))
    const free = (node: NodePeer) => node.lease.available - node.placed
    const [best] = nodes
      .filter((node) => free(node) >= need)
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
        creation: netTask(creation, KIND.CREATE, (entry) => this.engine.sentObject(entry)),
        numCpus: settings.numCpus,
        maxRestarts: settings.maxRestarts < 0 ? -1 : settings.maxRestarts - actor.restarts,
        maxTaskRetries: settings.maxTaskRetries,
        maxConcurrency: settings.maxConcurrency,
        detached: settings.detached,
      }
      node.actors++
      actor.place = { node, id: actor.id, foreign: false } satisfies Place
      actor.state = 'alive'
      if (creation.state !== 'done') {
        creation.state = 'running'
        this.engine.calling(creation, node)
      }
      node.send(['actor', spec])
      void this.#tell(actor, node)
      this.pump(actor)
    } catch (error) {
      actor.die(new ActorDiedError(actor.label, 'it could not be made', { cause: error }))
    }
  }

  pump(actor: Actor): void {
    const place = actor.place as Place | null
    if (!place || actor.state !== 'alive') return
    const { queue } = actor
    const calls = this.#calls.get(actor)!
    // Only fast calls are sent ahead: what waits here can be cancelled for sure, and no lost node is to blame for it.
    const window = actor.settings.maxConcurrency * actor.creation.definition.depth
    let sent = 0
    for (const task of queue) {
      if (task.state === 'preparing') break // it holds those behind it: calls keep their order
      if (task.state === 'queued') {
        if (calls.size >= window) break
        this.#call(actor, place, task)
      }
      sent++
    }
    if (sent) queue.splice(0, sent)
  }

  #call(actor: Actor, { node, id }: Place, task: Task): void {
    try {
      node.send(['call', id, netTask(task, KIND.METHOD, (entry) => this.engine.sentObject(entry))])
    } catch (error) {
      return task.fail(error)
    }
    task.attempt++
    task.state = 'running'
    this.#calls.get(actor)!.add(task)
    this.engine.calling(task, node)
  }

  settled(actor: Actor, task: Task): void {
    if (this.#calls.get(actor)?.delete(task)) this.pump(actor)
  }

  restarted(id: string, restarts: number): void {
    const actor = this.#byId.get(id)
    if (actor) actor.restarts += restarts
  }

  died(id: string, error: Error): void {
    const actor = this.#byId.get(id)
    if (actor) this.#die(actor, error)
  }

  #die(actor: Actor, error: Error): void {
    const place = actor.place as Place | null
    if (place) place.node.actors--
    this.#fail(actor, error)
    actor.die(error)
    this.#byId.delete(actor.id)
    this.#calls.delete(actor)
    void this.#forgetName(actor)
  }

  #fail(actor: Actor, error: Error): void {
    for (const task of this.#calls.get(actor) ?? []) {
      this.engine.forgetCall(task)
      task.fail(error)
    }
    this.#calls.get(actor)?.clear()
    this.engine.forgetCall(actor.creation)
  }

  kill(actor: Actor, restart: boolean, why: ActorUnavailableError): void {
    const place = actor.place as Place | null
    if (restart) return void place?.node.send(['kill', place.id, true])
    place?.node.send(['kill', place.id, false])
    this.#die(actor, new ActorDiedError(actor.label, why.reason))
  }

  nodeLost(node: NodePeer): void {
    for (const actor of [...this.#byId.values()]) {
      const place = actor.place as Place | null
      if (place?.node !== node) continue
      const why = `its node ${node.lease.name} was lost`
      if (place.foreign) void this.engine.asking(this.#follow(actor, why))
      else this.#restart(actor, why)
    }
  }

  #restart(actor: Actor, why: string): void {
    if (!actor.restart()) return this.#die(actor, new ActorDiedError(actor.label, why))
    this.#again(actor, why)
    this.create(actor)
  }

  /** Calls that were on their way run again where they may; nobody knows whether they ran. */
  #again(actor: Actor, why: string): void {
    actor.place = null
    const again: Task[] = []
    for (const task of this.#calls.get(actor) ?? []) {
      this.engine.forgetCall(task)
      if (task.state === 'done') continue
      if (task.retry()) again.push(task)
      else task.fail(new ActorUnavailableError(actor.label, why))
    }
    this.#calls.get(actor)?.clear()
    actor.queue.unshift(...again)
  }

  failAll(error: Error): void {
    for (const actor of [...this.#byId.values()]) {
      this.#fail(actor, error)
      actor.die(error)
    }
    this.#waiting.length = 0
  }

  // -- names

  async #reserve(actor: Actor): Promise<void> {
    const { name, namespace, getIfExists } = actor.settings
    const { state } = this.engine.bus!
    const key = nameKey(namespace, name!)
    this.#named.set(actor, key)
    try {
      for (;;) {
        const taken = await state.create(key, this.#record(actor, null)).then(
          () => null,
          () => this.#living(key),
        )
        if (taken === null) return this.#place(actor)
        if (taken === undefined) continue
        this.#named.delete(actor)
        if (!getIfExists)
          return this.#die(
            actor,
            new ActorNameError(name!, 'the name is taken', 'Use ray.getActor, getIfExists: true, or another name.'),
          )
        const found = await this.find(name!, namespace)
        if (!found) continue
        return this.#adopt(actor, found)
      }
    } catch (error) {
      this.#named.delete(actor)
      this.#die(actor, new ActorDiedError(actor.label, 'its name could not be reserved', { cause: error }))
    }
  }

  /** The calls of one that was to be made go to the one that is there. */
  #adopt(actor: Actor, found: Actor): void {
    actor.creation.succeed([EMPTY])
    actor.place = found.place
    actor.state = 'alive'
    this.pump(actor)
  }

  /** Who has a name; undefined, and the name free, if that is nobody any more. */
  async #living(key: string): Promise<NameRecord | undefined> {
    const { state, leases } = this.engine.bus!
    const entry = await state.get(key)
    if (entry?.operation !== 'PUT') return undefined
    const record = entry.json<NameRecord>()
    const holder = record.node ? `node.${record.node}` : `driver.${record.owner}`
    // One of ours that has died keeps its name until the server hears of it.
    const ended = record.owner === this.engine.id && !this.#byId.has(record.id)
    if (!ended && (await leases.get(holder))?.operation === 'PUT') return record
    await state.delete(key, { previousSeq: entry.revision }).catch(() => {})
    return undefined
  }

  #record(actor: Actor, node: string | null): string {
    const { id, className, label } = actor
    return JSON.stringify({ id, className, label, owner: this.engine.id, node } satisfies NameRecord)
  }

  async #tell(actor: Actor, node: NodePeer): Promise<void> {
    const key = this.#named.get(actor)
    if (key) await this.engine.bus!.state.put(key, this.#record(actor, node.id)).catch(() => {})
  }

  async #forgetName(actor: Actor): Promise<void> {
    const key = this.#named.get(actor)
    this.#named.delete(actor)
    if (key) await this.engine.bus?.state.delete(key).catch(() => {})
  }

  /** An actor that any driver made, by its name; null if none lives. */
  async find(name: string, namespace: string): Promise<Actor | null> {
    await this.engine.ready
    const found = await this.#located(nameKey(namespace, name), null)
    if (!found) return null
    const { record, node } = found
    return this.#byId.get(record.id) ?? this.#foreign(record, node, name, namespace)
  }

  /** Where a named actor is, once it is somewhere (and not on `left`). */
  async #located(key: string, left: NodePeer | null): Promise<{ record: NameRecord; node: NodePeer } | null> {
    for (let waited = 0; waited < MOVING; waited += LOOK) {
      const record = await this.#living(key)
      if (!record && !left) return null
      const node = record?.node && this.engine.nodesById.get(record.node)
      if (record && node && node !== left) return { record, node }
      await new Promise((resolve) => setTimeout(resolve, LOOK))
    }
    return null
  }

  #foreign({ id, className, label }: NameRecord, node: NodePeer, name: string, namespace: string): Actor {
    const settings = {
      name,
      namespace,
      numCpus: 0,
      maxRestarts: -1,
      maxTaskRetries: 0,
      maxConcurrency: 1,
      detached: true,
    }
    const definition = RemoteDefinition.received(className, { kind: 'module', module: '', name: className })
    const creation = new Task(
      definition,
      {
        ...settings,
        label: className,
        actor: null,
        method: null,
        maxRetries: 0,
        retryExceptions: false,
        timeout: undefined,
        numReturns: 1,
      },
      [new Entry(`${id}/found`, this)],
      new Tallies().of(''),
      () => {},
    )
    creation.succeed([EMPTY])
    const actor = new Actor(id, className, label, settings, creation)
    actor.state = 'alive'
    actor.place = { node, id, foreign: true } satisfies Place
    this.#byId.set(id, actor)
    this.#calls.set(actor, new Set())
    return actor
  }

  /** Another driver's actor lost its node: it may come back elsewhere. */
  async #follow(actor: Actor, why: string): Promise<void> {
    const left = (actor.place as Place).node
    actor.state = 'restarting'
    this.#again(actor, why)
    const { name, namespace } = actor.settings
    const found = await this.#located(nameKey(namespace, name!), left).catch(() => null)
    if (!found) return this.#die(actor, new ActorDiedError(actor.label, why))
    actor.place = { node: found.node, id: found.record.id, foreign: true } satisfies Place
    actor.state = 'alive'
    this.pump(actor)
  }

  /** Names of actors that end with their driver are free again. */
  async end(): Promise<void> {
    const state = this.engine.bus?.state
    const gone = [...this.#named].filter(([actor]) => !actor.settings.detached)
    await Promise.all(gone.map(([, key]) => state?.delete(key).catch(() => {})))
  }
}
