import type { Actor } from '../../actor.js'
import type { NatsEngine } from './engine.js'
import type { NodePeer } from './node-peer.js'
import { nameKey } from './subjects.js'

/** What all drivers know of a named actor. */
export interface NameRecord {
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

/** The names of actors, kept on the server: those of this driver's, and where others' are. */
export class ActorNames {
  /** This driver's named actors, by their keys on the server. */
  readonly #keys = new Map<Actor, string>()

  constructor(
    private readonly engine: NatsEngine,
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
    this.#keys.set(actor, key)
    try {
      for (;;) {
        const taken = await this.engine.bus!.state.create(key, this.#record(actor, null)).then(
          () => null,
          () => this.#living(key),
        )
        if (taken === null) return true
        if (taken) break
      }
    } catch (error) {
      this.#keys.delete(actor)
      throw error
    }
    this.#keys.delete(actor)
    return false
  }

  /** Who has a name; undefined, and the name free, if that is nobody any more. */
  async #living(key: string): Promise<NameRecord | undefined> {
    const { state, leases } = this.engine.bus!
    const entry = await state.get(key)
    if (entry?.operation !== 'PUT') return undefined
    const record = entry.json<NameRecord>()
    const holder = record.node ? `node.${record.node}` : `driver.${record.owner}`
    // One of ours that has died keeps its name until the server hears of it.
    const ended = record.owner === this.engine.id && !this.lives(record.id)
    if (!ended && (await leases.get(holder))?.operation === 'PUT') return record
    await state.delete(key, { previousSeq: entry.revision }).catch(() => {})
    return undefined
  }

  #record({ id, className, label }: Actor, node: string | null): string {
    return JSON.stringify({ id, className, label, owner: this.engine.id, node } satisfies NameRecord)
  }

  /** Tells all where the actor is. */
  async placed(actor: Actor, node: NodePeer): Promise<void> {
    const key = this.#keys.get(actor)
    if (key) await this.engine.bus!.state.put(key, this.#record(actor, node.id)).catch(() => {})
  }

  async forget(actor: Actor): Promise<void> {
    const key = this.#keys.get(actor)
    this.#keys.delete(actor)
    if (key) await this.engine.bus?.state.delete(key).catch(() => {})
  }

  /** Where a named actor is, once it is somewhere (and not on `left`); null if none lives. */
  async locate(
    name: string,
    namespace: string,
    left: NodePeer | null,
  ): Promise<{ record: NameRecord; node: NodePeer } | null> {
    const key = nameKey(namespace, name)
    for (let waited = 0; waited < MOVING; waited += LOOK) {
      const record = await this.#living(key)
      if (!record && !left) return null
      const node = record?.node && this.engine.nodesById.get(record.node)
      if (record && node && node !== left) return { record, node }
      await new Promise((resolve) => setTimeout(resolve, LOOK))
    }
    return null
  }

  /** Names of actors that end with their driver are free again. */
  async end(): Promise<void> {
    const gone = [...this.#keys].filter(([actor]) => !actor.settings.detached)
    await Promise.all(gone.map(([, key]) => this.engine.bus?.state.delete(key).catch(() => {})))
  }
}
