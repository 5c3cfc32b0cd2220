import type { Bus } from './bus.js'
import { type DriverLease, type Lease, type NodeLease, readLease } from './lease.js'
import { keptLeases } from './live-leases.js'
import { BEAT, DRIVER_PATIENCE, FULL, HELLO, LEASES, NODE_PATIENCE, PING, SERVER_PATIENCE } from './subjects.js'
import { STEP } from './uplink.js'

/** Milliseconds in which those that live answer. */
const ANSWERS = 250

const key = ({ kind, id }: Lease) => `${kind}.${id}`

export interface Unstored {
  since: number
  why: string
}

/** A sign of life, given again and again, at once when it changes (but not too often). */
export class OwnLease {
  readonly #timer: NodeJS.Timeout
  #soon: NodeJS.Timeout | null = null
  #last = 0
  #confirmed = 0
  #unstored: Unstored | null = null
  #ended = false

  constructor(
    private readonly bus: Bus,
    private readonly current: () => Lease,
  ) {
    this.#timer = setInterval(() => void this.give(), BEAT).unref()
  }

  /** When the last one was given that the server is known to have: what others had said until then has arrived here. */
  get confirmed(): number {
    return this.#confirmed
  }

  /** Since when, and why, the server has stored none, though it is there; null while it does. */
  get unstored(): Unstored | null {
    return this.#unstored
  }

  /** It was out of reach, or nobody here has heard it: that it stored nothing was not to be seen. */
  forgive(): void {
    this.#unstored = null
  }

  async give(): Promise<void> {
    // What waits for an answer holds the process: a server that is away hears of it once it is back.
    if (this.#ended || this.bus.away) return
    const given = performance.now()
    this.#last = given
    const lease = this.current()
    try {
      await this.bus.leases.put(key(lease), JSON.stringify(lease))
      this.#confirmed = Math.max(this.#confirmed, given)
      this.#unstored = null
    } catch (error) {
      // It is given again soon: the server is away, or cannot store it; or it stands behind much else on a slow line.
      if (this.bus.uplink.unconfirmed > STEP) this.#unstored = null
      else this.#unstored ??= { since: performance.now(), why: (error as Error).message }
    }
  }

  changed(): void {
    if (this.#soon) return
    const wait = Math.max(0, 50 - (performance.now() - this.#last))
    this.#soon = setTimeout(() => {
      this.#soon = null
      void this.give()
    }, wait).unref()
  }

  async end(): Promise<void> {
    this.#ended = true
    clearInterval(this.#timer)
    if (this.#soon) clearTimeout(this.#soon)
    await this.bus.leases.delete(key(this.current())).catch(() => {})
  }
}

export interface LeaseEvents {
  seen(lease: Lease): void
  /** Silent for too long, or gone by itself. */
  lost(lease: Lease): void
  /** This process itself stood still for so long that others may have lost it. */
  stalled?(): void
  /** The server is there and has stored no sign of life of this process for long: others may not see it. */
  unstored?(message: string): void
}

/**
 * Who lives. Silence is measured by this machine's clock, and only while the server is known to be heard: neither a clock
 * that is wrong elsewhere, nor a server that is started again, nor a cable of this machine's that was cut makes others dead.
 */
export class Leases {
  readonly all = new Map<string, Lease>()
  readonly #seen = new Map<string, number>()
  /** Those that did not listen when they were asked. */
  readonly #deaf = new Set<string>()
  #bus: Bus | null = null
  #own: OwnLease | null = null
  #timer: NodeJS.Timeout | null = null
  #subscription: { unsubscribe(): void } | null = null
  #away = false
  #looked = 0
  #stood = { until: 0, milliseconds: 0 }
  #ended = false

  constructor(
    private readonly events: LeaseEvents,
    /** Milliseconds that the server may store nothing. */
    private readonly patience = SERVER_PATIENCE,
  ) {}

  /**
   * Asks all for a sign of life, and resolves when those that the bucket knows have given one, or are given up: what it has
   * may be of the dead. (What is put into a bucket can be heard as it is; the client's own watch would hold the process.)
   * @param own given all along
   * @param whom drivers need hear of nodes only, and nodes of drivers: where there are many, that is most of what is said
   */
  async follow(bus: Bus, own: OwnLease, whom: Lease['kind'] | '*' = '*'): Promise<void> {
    this.#bus = bus
    this.#own = own
    this.#subscription = bus.subscribe(`$KV.${LEASES}.${whom}.*`, (subject, bytes) => {
      const lease = readLease(bytes)
      if (lease) this.lives(lease)
      else if (bytes.length === 0) this.#gone(subject.slice(subject.indexOf('.', 4) + 1))
    })
    this.#looked = performance.now()
    this.#timer = setInterval(() => this.#look(), BEAT / 2).unref()
    // Asked in vain, as where the server is started again just now, it waits for whoever answers.
    const kept = whom === 'driver' ? [] : await keptLeases(bus, 'node.*').catch(() => null)
    bus.publish(HELLO, new Uint8Array())
    const end = performance.now() + ANSWERS
    while (performance.now() < end && (!kept || kept.some(({ lease }) => !this.all.has(key(lease)))))
      await new Promise((resolve) => setTimeout(resolve, 5))
  }

  nodes(): NodeLease[] {
    return [...this.all.values()].filter((lease): lease is NodeLease => lease.kind === 'node')
  }

  drivers(): DriverLease[] {
    return [...this.all.values()].filter((lease): lease is DriverLease => lease.kind === 'driver')
  }

  disconnected(): void {
    this.#away = true
  }

  reconnected(): void {
    this.#away = false
    // Others may be back later.
    this.#forgive(PING)
  }

  /** @param grace milliseconds after which silence begins */
  #forgive(grace = 0): void {
    this.#own?.forgive()
    const from = performance.now() + grace
    for (const [id, seen] of this.#seen) this.#seen.set(id, Math.max(seen, from))
  }

  lives(lease: Lease): void {
    const id = key(lease)
    this.all.set(id, lease)
    this.#seen.set(id, performance.now())
    this.#deaf.delete(id)
    this.events.seen(lease)
  }

  #gone(id: string): void {
    this.#deaf.delete(id)
    const lease = this.all.get(id)
    this.all.delete(id)
    this.#seen.delete(id)
    if (lease && !this.#ended) this.events.lost(lease)
  }

  /** Milliseconds for which this process stood still just now; 0 if it did not. */
  get stoodStill(): number {
    const now = performance.now()
    const { until, milliseconds } = this.#stood
    return Math.max(now - this.#looked, now - until < PING ? milliseconds : 0)
  }

  #look(): void {
    const now = performance.now()
    // Whoever was busy itself has heard nothing.
    const still = now - this.#looked
    if (still > 2 * BEAT) this.#forgive()
    if (still > DRIVER_PATIENCE / 2) {
      this.#stood = { until: now, milliseconds: still }
      this.events.stalled?.()
    }
    this.#looked = now
    if (this.#away) return
    const { confirmed: heard, unstored } = this.#own!
    if (unstored && now - unstored.since > this.patience) {
      this.#own!.forgive()
      const seconds = Math.round(this.patience / 1000)
      this.events.unstored?.(`The NATS server stored nothing for ${seconds} s (${unstored.why}): ${FULL}`)
    }
    for (const [id, seen] of this.#seen) {
      if (heard - seen > (id.startsWith('node.') ? NODE_PATIENCE : DRIVER_PATIENCE)) this.#gone(id)
      else if (now - seen > (id.startsWith('node.') ? 2 : 4) * BEAT) void this.#ask(id, seen)
    }
  }

  /** One is silent: if it listens no more, its process has ended. It is asked twice, since it may be connecting again. */
  async #ask(id: string, seen: number): Promise<void> {
    if (await this.#bus?.listens(id.slice(id.indexOf('.') + 1))) this.#deaf.delete(id)
    else if (this.#seen.get(id) !== seen || this.#away) this.#deaf.delete(id)
    else if (!this.#deaf.delete(id)) this.#deaf.add(id)
    else this.#gone(id)
  }

  end(): void {
    this.#ended = true
    if (this.#timer) clearInterval(this.#timer)
    this.#subscription?.unsubscribe()
  }
}
