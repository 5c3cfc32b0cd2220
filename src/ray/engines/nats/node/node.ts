import { randomUUID } from 'node:crypto'
import { availableParallelism, hostname } from 'node:os'
import { RayError } from '../../../errors.js'
import { packageVersion } from '../../../version.js'
import { Cpus } from '../../local/cpus.js'
import { placementOf } from '../../local/schedule.js'
import { shown } from '../address.js'
import { Bus } from '../bus.js'
import { epochOf, goesOn, unknownFrame } from '../channel.js'
import { farewell } from '../farewell.js'
import { Leases, OwnLease } from '../leases.js'
import { keptLeases } from '../live-leases.js'
import { ACK_WAIT, HELLO, STOP, toPeer } from '../subjects.js'
import { type Ward, Wards } from '../wards.js'
import { driverLease } from './driver-lease.js'
import { LostNames } from './lost-names.js'
import type { NodeActor } from './node-actor.js'
import { NodeQueue } from './node-queue.js'
import type { NodeSide } from './node-side.js'
import { Session } from './session.js'

export interface NodeOptions {
  address: string
  /** @default the cores of the machine */
  numCpus?: number
  /** @default the host's name and the process's number */
  name?: string
  /** Folders whose modules may run here, besides this package. */
  allow?: readonly string[]
  /** What happens here, in words. */
  say?(line: string): void
  /** It is asked to leave. */
  stop?(): void
}

/**
 * Those that work together are of one version: a worker of another would take tasks that it cannot run. Who ended without
 * taking leave does not count.
 * @throws RayError RAY_CLUSTER_VERSION (rejects)
 */
async function agree(bus: Bus, name: string): Promise<void> {
  const version = packageVersion()
  for (const { lease } of await keptLeases(bus)) {
    if (lease.version === version || !(await bus.listens(lease.id))) continue
    const who = lease.kind === 'node' ? `Node ${lease.name}` : `The driver ${lease.host}:${lease.pid}`
    throw new RayError('RAY_CLUSTER_VERSION', `${who} runs rayito ${lease.version}, node ${name} ${version}`)
  }
}

/** This machine as a part of a cluster: pulls tasks, keeps actors, for any number of drivers. */
export class Node implements NodeSide {
  readonly id = randomUUID().slice(0, 13)
  readonly name: string
  readonly cpus: Cpus
  readonly allow: readonly string[]
  readonly actors = new Map<string, NodeActor>()
  readonly #sessions = new Map<string, Session>()
  readonly #opening = new Map<string, Promise<Session | null>>()
  readonly #lasting = new Set<Session>()
  /** Drivers that were lost: nothing of theirs begins here again. */
  readonly #lost = new Set<string>()
  readonly #queue: NodeQueue
  /** The cluster's, as it is known here, without a password. */
  readonly address: string
  readonly wards: Wards
  readonly #names: LostNames
  readonly #leases: Leases
  #lease!: OwnLease
  #draining = false
  #closed: (error?: Error) => void = () => {}
  /** Resolves when the server has closed the connection for good. */
  readonly closed = new Promise<Error | undefined>((resolve) => {
    this.#closed = resolve
  })
  readonly #beat: NodeJS.Timeout

  static async join(options: NodeOptions): Promise<Node> {
    const name = options.name ?? `${hostname()}-${process.pid}`
    const bus = await Bus.open(options.address, `rayito node ${name}`)
    let node: Node | null = null
    try {
      await agree(bus, name)
      node = new Node(bus, name, options)
      await node.#start()
      return node
    } catch (cause) {
      // One that stayed half joined would be given work, and be told to end in vain.
      await (node ? node.leave() : bus.close())
      if (cause instanceof RayError) throw cause
      const message = `Node ${name} could not join at ${shown(options.address)}: ${(cause as Error).message}`
      throw new RayError('RAY_CLUSTER_UNREACHABLE', message, {
        cause,
        remedy: 'Look whether the server was started again meanwhile, and at its log; then start the worker again.',
      })
    }
  }

  private constructor(
    readonly bus: Bus,
    name: string,
    private readonly options: NodeOptions,
  ) {
    this.name = name
    this.address = shown(options.address)
    this.cpus = new Cpus(options.numCpus ?? availableParallelism())
    this.allow = options.allow ?? []
    this.cpus.whenGiven(() => this.changed())
    this.#queue = new NodeQueue(bus, this.cpus, {
      known: (driver) => this.#sessions.get(driver),
      session: (driver) => this.#session(driver),
      isLost: (driver) => this.#lost.has(driver),
      taken: () => this.#lease.changed(),
    })
    this.wards = new Wards(bus, this.id, {
      room: (numCpus) => !this.#draining && this.cpus.have(placementOf(numCpus, this.cpus.total)),
      adopt: (ward) => this.#adopt(ward),
      orphans: () => [...this.actors.values()].filter(({ warded, maker }) => warded && maker.gone),
      taken: (id) => {
        const actor = this.actors.get(id)
        if (!actor) return
        this.say(`ends ${actor.label}, which is another node's by now, or nobody's`)
        actor.maker.taken(actor)
      },
    })
    this.#names = new LostNames(bus)
    this.#leases = new Leases({
      seen: ({ id }) => {
        // It may not have heard that it was given up: its connection was gone.
        if (this.#lost.has(id)) bus.publish(toPeer(id, this.id), unknownFrame())
        else this.#sizes()
      },
      lost: (lease) => {
        if (lease.kind === 'driver') this.driverLeft(lease.id, true)
        this.#sizes()
      },
      unstored: (message) => this.say(message),
    })
    this.#beat = setInterval(() => this.#beats(), ACK_WAIT / 4)
  }

  async #start(): Promise<void> {
    const { bus } = this
    bus.watch({
      disconnected: () => this.#leases.disconnected(),
      reconnected: () => {
        this.#leases.reconnected()
        this.wards.reconnected()
        void this.#lease.give()
        this.#beats()
        for (const { channel } of this.#sessions.values()) channel.resend()
      },
      closed: (error) => this.#closed(error),
    })
    bus.frames(this.id, (from, frame) => {
      if (this.#lost.has(from)) return bus.publish(toPeer(from, this.id), unknownFrame())
      const epoch = epochOf(frame)
      const known = this.#sessions.get(from)
      if (known && epoch > known.channel.epoch) this.#renounced(from, known)
      const session = this.#sessions.get(from)
      // It was silent for so long that its work here is over.
      if (!session && !this.#opening.has(from) && goesOn(frame))
        return bus.publish(toPeer(from, this.id), unknownFrame())
      if (session) session.channel.receive(frame)
      // Who is not heard now asks what has come.
      else
        this.#session(from, epoch).then(
          (opened) => opened?.channel.receive(frame),
          () => {},
        )
    })
    this.#lease = new OwnLease(bus, () => ({
      kind: 'node',
      id: this.id,
      name: this.name,
      version: packageVersion(),
      cpus: this.cpus.total,
      available: Math.max(0, this.cpus.available),
      tasks: this.#sum(({ running }) => running),
      resting: [...this.#sessions.values(), ...this.#lasting].every(({ resting }) => resting),
      actors: this.actors.size,
      objects: this.#sum(({ objects }) => objects),
      memoryMB: Math.round(process.memoryUsage().rss / 1e6),
      host: hostname(),
      pid: process.pid,
      draining: this.#draining,
    }))
    bus.subscribe(HELLO, () => void this.#lease.give())
    bus.subscribe(STOP, () => this.options.stop?.())
    await Promise.all([this.#leases.follow(bus, this.#lease, 'driver'), this.wards.follow()])
    this.#names.follow()
    await this.#lease.give()
  }

  /** Says what happens here. */
  say(line: string): void {
    this.options.say?.(line)
  }

  /** Of something, over all drivers' sessions. */
  #sum(of: (session: Session) => number): number {
    let sum = 0
    for (const session of this.#sessions.values()) sum += of(session)
    return sum
  }

  // -- drivers

  /** A driver's session here; null if the driver does not live. Rejects where the server does not say whether it does. */
  #session(driver: string, epoch = 0): Promise<Session | null> {
    let opening = this.#opening.get(driver)
    if (!opening) {
      opening = this.#openSession(driver, epoch)
      this.#opening.set(driver, opening)
    }
    return opening
  }

  async #openSession(driver: string, epoch: number): Promise<Session | null> {
    let session: Session | null = null
    try {
      const lease = await driverLease(driver, this.bus, this.#leases)
      if (lease) {
        session = new Session(this, lease, epoch)
        this.#sessions.set(driver, session)
        this.say(`driver ${lease.host}:${lease.pid} came`)
      } else if (lease === undefined) this.driverLeft(driver, true)
      return session
    } finally {
      if (!session) this.#opening.delete(driver)
    }
  }

  /** A driver took this node for lost and does no more: what ran for it is over, and runs elsewhere. */
  #renounced(driver: string, session: Session): void {
    this.#sessions.delete(driver)
    this.#opening.delete(driver)
    const { host, pid } = session.lease
    this.say(`driver ${host}:${pid} had given this node up and begins anew`)
    void session.close(true, true).then(() => this.changed())
  }

  /** An actor that lost its node, and its driver before that, goes on here. */
  async #adopt({ actor, lease }: Ward): Promise<void> {
    this.say(`starts ${actor.label} again, which has lost its node`)
    const session = new Session(this, { ...lease, timeline: false }, 0)
    await session.close()
    session.adopt(actor)
    this.#lasting.add(session)
  }

  driverLeft(driver: string, lost = false): void {
    const session = this.#sessions.get(driver)
    if (lost) {
      this.#lost.add(driver)
      void this.bus.purge(driver)
      // Should it live after all, it waits for what is gone.
      this.bus.publish(toPeer(driver, this.id), unknownFrame())
    }
    if (!session) return
    this.#sessions.delete(driver)
    this.#opening.delete(driver)
    const { host, pid } = session.lease
    this.say(`driver ${host}:${pid} ${lost ? 'was lost' : 'left'}`)
    const { lasting } = session
    if (lasting) this.#lasting.add(session)
    void session.close(!lasting).then(() => this.changed())
  }

  /** The last actor of a driver that has left may have ended: nothing of it is kept. */
  actorsEnded(): void {
    // Whatever ends the actor is to be done with it.
    setImmediate(() => {
      for (const session of this.#lasting)
        if (!session.lasting) void session.close(true).then(() => this.#lasting.delete(session))
    })
  }

  /** An object's driver needs it no more: neither its own workers nor actors of others do. */
  release(id: string): void {
    for (const session of [...this.#sessions.values(), ...this.#lasting]) session.release(id)
  }

  /** CPUs, tasks or actors are not what they were. */
  changed(): void {
    this.#lease?.changed()
    this.#queue.pull()
  }

  /** Pulls tasks of the sizes that drivers have. */
  #sizes(): void {
    this.#queue.want(new Set(this.#leases.drivers().flatMap(({ sizes }) => sizes)))
  }

  #beats(): void {
    this.#queue.beat()
    for (const session of this.#sessions.values()) session.beat()
  }

  // -- the end

  /** Something runs, or a driver has not got all that it is told. */
  get #busy(): boolean {
    const sessions = [...this.#sessions.values()]
    return this.#queue.busy || sessions.some(({ calls, channel }) => calls > 0 || !channel.idle)
  }

  /** Takes no more work, ends what runs (but waits no longer than `patience` milliseconds for it), and leaves. */
  async drain(patience = 30_000): Promise<void> {
    this.#draining = true
    this.#queue.drain()
    if (!this.bus.away) await farewell(this.#lease.give())
    const end = performance.now() + patience
    while (this.#busy && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 50))
    await this.leave()
  }

  /** Leaves at once. */
  async leave(): Promise<void> {
    this.#draining = true
    this.#queue.drain()
    clearInterval(this.#beat)
    this.#leases.end()
    this.wards.end()
    this.#names.end()
    const told = this.#lease.end()
    if (!this.bus.away) await farewell(told)
    // Their drivers live: what is not done is for other nodes.
    await Promise.all([...this.#sessions.values(), ...this.#lasting].map((session) => session.close(true, true)))
    if (!this.bus.away) await farewell(this.bus.flush())
    await this.bus.close()
  }
}
