import type { Actor, ActorSettings } from '../../../actor.js'
import type { NameRecord } from '../name-record.js'
import { forget, forgetActor, forgetName } from '../state.js'
import { nameKey, wardKey } from '../subjects.js'
import { decodeWard } from '../wards.js'
import type { DriverSide } from './driver-side.js'
import type { NodePeer } from './node-peer.js'

/** Milliseconds until it is looked again where a named actor is, ever more of them, and the most. */
const LOOK = 50
const LOOK_MOST = 1_000
/** Milliseconds until the server is told again what it has not confirmed. */
const AGAIN = 250

const pause = () => new Promise((resolve) => setTimeout(resolve, AGAIN).unref())

/** The names of actors, kept on the server: those of this driver's, and where others' are. */
export class ActorNames {
  /** This driver's named actors, by their keys on the server. */
  readonly #keys = new Map<Actor, string>()

  constructor(
    private readonly driver: DriverSide,
    /** Whether an actor of that id is known to live. */
    private readonly lives: (id: string) => boolean,
  ) {}

  has(actor: Actor): boolean {
    return this.#keys.has(actor)
  }

  /** Takes the actor's name; false if another that lives has it. */
  async reserve(actor: Actor): Promise<boolean> {
    const { name, namespace } = actor.settings
    const key = nameKey(namespace, name!)
    for (;;) {
      const taken = await this.driver.bus!.state.create(key, this.#record(actor, null)).then(
        () => null,
        () => this.#living(key),
      )
      // It is this one's where only the answer was lost.
      if (taken === null || taken?.id === actor.id) break
      if (taken) return false
    }
    this.#keys.set(actor, key)
    return true
  }

  /** Who has a name; undefined, and the name free, if that is nobody any more. Asks until the server says. @param left a node that was lost */
  async #living(key: string, left: NodePeer | null = null): Promise<NameRecord | undefined> {
    for (;;)
      try {
        return await this.#look(key, left)
      } catch (error) {
        const { failure, down } = this.driver
        if (failure || down) throw failure ?? error
        await pause()
      }
  }

  async #look(key: string, left: NodePeer | null): Promise<NameRecord | undefined> {
    const { state } = this.driver.bus!
    const entry = await state.get(key)
    if (entry?.operation !== 'PUT') return undefined
    const record = entry.json<NameRecord>()
    if (await this.#holds(record, left)) return record
    // Who is there may have it by now.
    if (left && this.driver.nodesById.get(left.id) === left) return undefined
    await forget(state, key, entry.revision).catch(() => {})
    return undefined
  }

  /** Whether the actor is somewhere, or someone will bring it somewhere else. */
  async #holds({ id, owner, node }: NameRecord, left: NodePeer | null): Promise<boolean> {
    const { nodesById, bus } = this.driver
    const { state, leases } = bus!
    // One of ours that has died keeps its name until the server hears of it.
    if (owner === this.driver.id) return this.lives(id)
    const has = async (holder: string) => (await leases.get(holder))?.operation === 'PUT'
    // After an outage the server knows of nobody until the next sign of life.
    const on = async (place: string | null) => {
      const node = place === null ? undefined : nodesById.get(place)
      // One that was lost may be back.
      if (node) return node !== left
      return place !== null && place !== left?.id && (await has(`node.${place}`))
    }
    if ((await on(node)) || (await has(`driver.${owner}`))) return true
    const entry = await state.get(wardKey(id))
    if (entry?.operation !== 'PUT') return false
    const ward = decodeWard(entry.value)
    // The node that takes it over says so here first, its last restart spent, and in the name's record a moment later.
    return ward.actor.maxRestarts !== 0 || (await on(ward.node))
  }

  #record({ id, className, label, settings }: Actor, node: string | null): string {
    const { maxConcurrency, maxTaskRetries } = settings
    const calls = { maxConcurrency, maxTaskRetries }
    return JSON.stringify({ id, className, label, ...calls, owner: this.driver.id, node } satisfies NameRecord)
  }

  /** Under which the server has the actor's name; null if it has none. */
  key(actor: Actor): string | null {
    return this.#keys.get(actor) ?? null
  }

  /** Tells all where the actor is, again while the server is away. @param ward what starts it again without this driver */
  async placed(actor: Actor, node: NodePeer, ward: Uint8Array | null): Promise<void> {
    const key = this.#keys.get(actor)
    const { restarts } = actor
    const { state } = this.driver.bus!
    // With its last restart spent, nothing starts it again.
    const tell = (key: string) =>
      Promise.all([
        state.put(key, this.#record(actor, node.id)),
        ward ? state.put(wardKey(actor.id), ward) : restarts && forget(state, wardKey(actor.id)),
      ])
    // Until it has moved on, or its name is free again.
    while (key && this.#keys.get(actor) === key && actor.restarts === restarts && !this.driver.down) {
      try {
        return void (await tell(key))
      } catch {
        await pause()
      }
    }
  }

  /** Its name is free, unless another has it by now, and nothing starts it again: tells the server, again while that is away. */
  async forget(actor: Actor): Promise<void> {
    const key = this.#keys.get(actor)
    this.#keys.delete(actor)
    if (!key) return
    const tell = actor.settings.detached ? forgetActor : forgetName
    do {
      try {
        return await tell(this.driver.bus!.state, actor.id, key)
      } catch {
        await pause()
      }
    } while (!this.driver.down)
  }

  /** Who has a name; null if no actor that lives. */
  async find(name: string, namespace: string): Promise<NameRecord | null> {
    return (await this.#living(nameKey(namespace, name))) ?? null
  }

  /**
   * Where a named actor is, once it is somewhere; null if it is dead.
   * @param id the actor's; null: whoever has the name
   * @param left a node that was lost, or that it is not on any more
   */
  async locate(
    { name, namespace }: Pick<ActorSettings, 'name' | 'namespace'>,
    id: string | null,
    left: NodePeer | null,
  ): Promise<{ record: NameRecord; node: NodePeer } | null> {
    const key = nameKey(namespace, name!)
    for (let wait = LOOK; ; wait = Math.min(1.1 * wait, LOOK_MOST)) {
      const record = await this.#living(key, left)
      if (!record || (id !== null && record.id !== id)) return null
      const node = record.node === null ? undefined : this.driver.nodesById.get(record.node)
      if (node) return { record, node }
      await new Promise((resolve) => setTimeout(resolve, wait).unref())
      const { failure, down } = this.driver
      if (failure || down) throw failure ?? new Error('the driver has left')
    }
  }

  /** Names of actors that end with their driver are free again. */
  async end(): Promise<void> {
    const gone = [...this.#keys].filter(([actor]) => !actor.settings.detached)
    const { bus } = this.driver
    if (bus) await Promise.all(gone.map(([{ id }, key]) => forgetName(bus.state, id, key).catch(() => {})))
  }
}
