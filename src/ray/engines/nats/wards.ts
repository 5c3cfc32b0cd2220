import type { KvEntry } from '@nats-io/kv'
import type { QueuedIterator } from '@nats-io/transport-node'
import { packageVersion } from '../../version.js'
import { decodeWire, encodeWire } from '../../wire.js'
import type { Bus } from './bus.js'
import type { DriverLease } from './lease.js'
import { liveLeases } from './live-leases.js'
import type { NetActor } from './messages.js'
import type { NameRecord } from './name-record.js'
import { forgetActor } from './state.js'
import { PING, wardKey } from './subjects.js'

/** A detached actor that may start again: all that it takes to do so without its driver, kept on the server. */
export interface Ward {
  actor: NetActor
  /** Of the driver that made it. */
  lease: DriverLease
  /** The node that it is on. */
  node: string
}

/** Milliseconds between two looks at who lives, and how many in a row a node, or an actor here, has to be missed in. */
const LOOK = 2_000
const MISSED = 3

export const encodeWard = (ward: Ward): Buffer => encodeWire(ward)
export const decodeWard = (bytes: Uint8Array): Ward => decodeWire(bytes) as Ward

export interface Orphan {
  readonly id: string
  /** Of its name; null where it has none. */
  readonly key: string | null
}

export interface WardEvents {
  /** Whether this node could begin with an actor that needs so many CPUs. */
  room(numCpus: number | undefined): boolean
  /** The actor is this node's now; resolves when calls find it here. */
  adopt(ward: Ward): Promise<void>
  /** Detached actors that are here and whose drivers are gone. */
  orphans(): readonly Orphan[]
  /** The actor, if it is here, is another node's, or nobody's any more. */
  taken(actor: string): void
}

/**
 * Detached actors outlive their drivers; should their node be lost then, whichever node has room starts them again, as often
 * as their maxRestarts says. (While its driver lives, that is the driver's to do.)
 */
export class Wards {
  readonly #wards = new Map<string, { ward: Ward; revision: number; missed: number }>()
  /** Keys of wards that this node has asked for, until it hears whose they are. */
  readonly #claimed = new Set<string>()
  /** Names of actors that are here now, which the server has not been told yet. */
  readonly #untold = new Map<string, NameRecord>()
  /** Actors here that the server has elsewhere or no more: in how many looks that was so. */
  #doubts: ReadonlyMap<string, number> = new Map()
  /** The last that was taken over is here. */
  #adopted = Promise.resolve()
  #timer: NodeJS.Timeout | null = null
  #looking = false
  #watch: { stop(): void } | null = null
  /** When the bucket was made that is watched; empty before, and once the watch has ended. */
  #made = ''
  /** Whether it is that one still. */
  #sure = false

  constructor(
    private readonly bus: Bus,
    /** This node. */
    private readonly me: string,
    private readonly events: WardEvents,
  ) {}

  async follow(): Promise<void> {
    await this.#open()
    this.#timer = setInterval(() => void this.#look(), LOOK).unref()
  }

  /**
   * Watches the bucket there is. Where a server has lost its data it is another, which begins to count anew: the client's own
   * watch waits there for what comes next in the old one.
   */
  async #open(): Promise<void> {
    this.#sure = true
    try {
      const { created } = (await this.bus.state.status()).streamInfo
      if (created !== this.#made) void this.#follow(await this.bus.state.watch({ key: wardKey('>') }), created)
    } catch (error) {
      this.#sure = false
      throw error
    }
  }

  async #follow(entries: QueuedIterator<KvEntry>, made: string): Promise<void> {
    this.#watch?.stop()
    this.#watch = entries
    this.#made = made
    this.#wards.clear()
    this.#claimed.clear()
    for await (const entry of entries) this.#heard(entry)
    if (this.#watch !== entries) return
    this.#made = ''
    this.#sure = false
  }

  #heard({ key, operation, value, revision }: KvEntry): void {
    if (operation !== 'PUT') return this.#gone(key)
    const ward = decodeWard(value)
    this.#wards.set(key, { ward, revision, missed: 0 })
    const claimed = this.#claimed.delete(key)
    if (ward.node === this.me) {
      if (claimed) this.#adopted = this.#adopt(ward)
    } else {
      this.#untold.delete(ward.actor.key!)
      this.events.taken(ward.actor.id)
    }
  }

  #gone(key: string): void {
    this.#wards.delete(key)
    this.#claimed.delete(key)
  }

  /** Where it is, others are told once it is there: their calls follow at once. */
  async #adopt(ward: Ward): Promise<void> {
    await this.events.adopt(ward)
    const { id, className, label, maxConcurrency, maxTaskRetries, key } = ward.actor
    const calls = { maxConcurrency, maxTaskRetries }
    this.#untold.set(key!, { id, className, label, ...calls, owner: ward.lease.id, node: this.me })
    await this.#tell()
  }

  /** The server is there again: others may be back later, and it may have lost its data. */
  reconnected(): void {
    this.#sure = false
    for (const known of this.#wards.values()) known.missed = -PING / LOOK
  }

  async #tell(): Promise<void> {
    for (const [key, record] of this.#untold) {
      // The server may be away: told again at the next look.
      const told = await this.bus.state.put(key, JSON.stringify(record)).catch(() => null)
      if (told !== null) this.#untold.delete(key)
    }
  }

  async #look(): Promise<void> {
    if (this.#looking) return
    this.#looking = true
    await this.#tell()
    try {
      if (!this.#sure) await this.#open()
      if (this.#wards.size > 0) await this.#takeOver()
      await this.#giveUp()
    } catch {
      // The server is away: looked at again later.
    }
    this.#looking = false
  }

  async #takeOver(): Promise<void> {
    const live = new Set((await liveLeases(this.bus)).map(({ id }) => id))
    for (const [key, known] of this.#wards) {
      const { node, lease } = known.ward
      // A server that was started again hears of them one after the other.
      known.missed = live.has(node) || live.has(lease.id) ? 0 : known.missed + 1
      if (lease.version !== packageVersion()) continue
      if (known.missed >= MISSED) await this.#claim(key, known.ward, known.revision)
    }
  }

  /**
   * While this node was cut off or stood still, or its server lost its data, an actor may have gone on elsewhere, ended, or
   * lost its name; who would have told it may have left since. (While its driver lives, that is the driver's to do.)
   */
  async #giveUp(): Promise<void> {
    const doubts = new Map<string, number>()
    for (const { id, key } of this.events.orphans()) {
      if (!key || this.#untold.has(key) || (await this.#isHere(id, key))) continue
      // What others were about to write is there by the next look.
      const doubted = (this.#doubts.get(id) ?? 0) + 1
      if (doubted >= MISSED) this.events.taken(id)
      else doubts.set(id, doubted)
    }
    this.#doubts = doubts
  }

  /** Whether the actor is this node's, for all that the server says. */
  async #isHere(id: string, key: string): Promise<boolean> {
    const entry = await this.bus.state.get(key)
    // Its name is there before it is anywhere.
    if (entry?.operation !== 'PUT') return false
    const record = entry.json<NameRecord>()
    if (record.id !== id) return false
    // Its driver did not come to say where it is.
    if (record.node === null || record.node === this.me) return true
    // Nor did the node that took it over; and one that is lost has it no more.
    return this.#wards.get(wardKey(id))?.ward.node === this.me || !(await this.bus.listens(record.node))
  }

  /** Of those that try, the server lets one succeed; it tells all, and the one by its answer, either of which may come first or never. */
  async #claim(key: string, ward: Ward, revision: number): Promise<void> {
    const { actor } = ward
    if (actor.maxRestarts === 0) return this.#forget(actor)
    if (!this.events.room(actor.numCpus)) return
    const maxRestarts = Math.max(-1, actor.maxRestarts - 1)
    const mine: Ward = { ...ward, node: this.me, actor: { ...actor, maxRestarts } }
    this.#claimed.add(key)
    const { state } = this.bus
    const won = await state.update(key, encodeWard(mine), revision).then(
      () => true,
      () => false,
    )
    // It ended while this node was cut off, for so long that nothing tells of it any more.
    if (!won && (await state.get(key)) === null) this.#gone(key)
    if (won && this.#claimed.delete(key)) this.#adopted = this.#adopt(mine)
    // It takes its CPUs before the next is asked for.
    await this.#adopted
  }

  /** An actor here started again: once less is left. */
  restarted(actor: string): void {
    const key = wardKey(actor)
    const known = this.#wards.get(key)
    if (!known || known.ward.actor.maxRestarts <= 0) return
    const { ward, revision } = known
    const once = { ...ward, actor: { ...ward.actor, maxRestarts: ward.actor.maxRestarts - 1 } }
    void this.bus.state.update(key, encodeWard(once), revision).catch(() => {})
  }

  /** An actor here has ended, and its driver is gone: its name is free again. */
  ended({ id, key }: Pick<NetActor, 'id' | 'key'>): void {
    if (!key) return
    this.#untold.delete(key)
    void this.#forget({ id, key })
  }

  /** One ended here before its driver did, who may not have freed its name any more. */
  async endedBefore(id: string, key: string): Promise<void> {
    const entry = await this.bus.state.get(key).catch(() => null)
    if (entry?.operation !== 'PUT') return
    const record = entry.json<NameRecord>()
    if (record.id === id && record.node === this.me) this.ended({ id, key })
  }

  async #forget({ id, key }: Pick<NetActor, 'id' | 'key'>): Promise<void> {
    // Whoever asks for the name next finds that its node is gone.
    await forgetActor(this.bus.state, id, key).catch(() => {})
  }

  end(): void {
    if (this.#timer) clearInterval(this.#timer)
  }
}
