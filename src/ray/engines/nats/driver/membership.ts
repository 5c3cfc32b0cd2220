import { hostname } from 'node:os'
import { type Finding, findings } from '../../../../core/findings.js'
import { RayError } from '../../../errors.js'
import type { Task } from '../../../task.js'
import type { InitOptions } from '../../../types.js'
import { packageVersion } from '../../../version.js'
import type { Bus } from '../bus.js'
import { Channel, type ChannelEvents, isUnknown } from '../channel.js'
import { type DriverLease, type NodeLease, travellingEnv } from '../lease.js'
import { Leases, OwnLease } from '../leases.js'
import type { FromNode } from '../messages.js'
import { BEAT, DRIVER_PATIENCE, HELLO, SERVER_PATIENCE, toPeer } from '../subjects.js'
import { NodePeer } from './node-peer.js'
import { StandIn } from './stand-in.js'

export interface Member {
  id: string
  namespace: string
  /** Whether it wants to know what workers do. */
  timeline: boolean
  resourceLimits: InitOptions['resourceLimits']
  /** Of its tasks, in thousandths of a CPU. */
  sizes(): number[]
  /** Tasks and calls that have not ended. */
  unfinished(): number
  /** Refs and handles in the arguments of calls that are under way. */
  carrying: ReadonlyMap<string, { readonly thing: object }>
  task(id: string): Task | undefined
}

export interface MembershipEvents {
  /** A node came, or said how it is. */
  seen(node: NodePeer, fresh: boolean): void
  lost(node: NodePeer): void
  message(node: NodePeer, message: FromNode, bytes: number): void
  /** The server is away, or there again. */
  reached(there: boolean): void
  /** The cluster cannot be worked with any more. */
  failed(error: Error): void
}

/** A driver's place in a cluster: the server, its own sign of life, and the nodes that live. */
export class Membership {
  readonly nodes = new Map<string, NodePeer>()
  #bus: Bus | null = null
  readonly #leases: Leases
  #lease: OwnLease | null = null
  readonly #standIn = new StandIn()
  /** How often each node was lost: one that comes back begins anew. */
  readonly #epochs = new Map<string, number>()
  /** CPUs of the largest node that was lost, and may be back. */
  #largestLost = 0
  #away: NodeJS.Timeout | null = null
  /** Calls that had not ended when this driver last said how it is. */
  #told = 0
  #ended = false

  constructor(
    private readonly me: Member,
    private readonly events: MembershipEvents,
  ) {
    this.#leases = new Leases({
      seen: (lease) => lease.kind === 'node' && this.#seen(lease),
      lost: (lease) => lease.kind === 'node' && this.#lost(lease.id),
      stalled: () => this.#stalled(),
      unstored: (message) => events.failed(new RayError('RAY_CLUSTER_LOST', message)),
    })
  }

  /** Resolves when the nodes that live are known. */
  async join(bus: Bus, address: string): Promise<void> {
    const { me, events } = this
    this.#bus = bus
    bus.watch({
      reconnected: () => this.#reconnected(),
      disconnected: () => this.#disconnected(),
      closed: (cause) => {
        const message = `The NATS server closed the connection${cause ? `: ${cause.message}` : ''}`
        events.failed(cause instanceof RayError ? cause : new RayError('RAY_CLUSTER_LOST', message, { cause }))
      },
    })
    bus.subscribe(HELLO, () => void this.#lease?.give())
    bus.frames(me.id, (from, frame) => {
      const node = this.nodes.get(from)
      if (node && isUnknown(frame)) return this.#takenForDead(node)
      node?.channel.receive(frame)
    })
    this.#lease = new OwnLease(bus, () => {
      const { current } = this
      this.#told = current.unfinished
      return current
    })
    await this.#lease.give()
    if (!this.#ended) this.#standIn.begin(address, me.id)
    await this.#leases.follow(bus, this.#lease, 'node')
  }

  /** What this driver says of itself. */
  get current(): DriverLease {
    const { me } = this
    return {
      kind: 'driver',
      id: me.id,
      version: packageVersion(),
      namespace: me.namespace,
      timeline: me.timeline,
      resourceLimits: me.resourceLimits ?? null,
      env: travellingEnv(process.env),
      findings: findings(),
      sizes: me.sizes(),
      unfinished: me.unfinished(),
      host: hostname(),
      pid: process.pid,
    }
  }

  #disconnected(): void {
    this.#leases.disconnected()
    if (this.#ended) return
    // What is awaited keeps the connection trying, and the process with it.
    this.#away ??= setTimeout(() => {
      this.events.failed(new RayError('RAY_CLUSTER_LOST', `The NATS server was away for ${SERVER_PATIENCE / 1000} s`))
    }, SERVER_PATIENCE).unref()
    this.events.reached(false)
  }

  #reconnected(): void {
    if (this.#away) clearTimeout(this.#away)
    this.#away = null
    this.#leases.reconnected()
    void this.#lease?.give()
    for (const { channel } of this.nodes.values()) channel.resend()
    // They may have taken this driver for dead meanwhile.
    this.#stalled()
    this.events.reached(true)
    void this.#expectQueue()
  }

  /** A server that has lost its data knows nothing of what waits, though whoever joins next makes its queue anew. */
  async #expectQueue(): Promise<void> {
    while (!this.#ended) {
      const has = await this.#bus!.hasQueue().catch(() => null)
      if (has) return
      if (has === false)
        return this.events.failed(new RayError('RAY_CLUSTER_LOST', 'The NATS server came back without its queue'))
      await new Promise((resolve) => setTimeout(resolve, BEAT).unref())
    }
  }

  #seen(lease: NodeLease): void {
    const known = this.nodes.get(lease.id)
    if (known) known.renew(lease)
    else {
      const version = packageVersion()
      if (lease.version !== version) {
        const message = `Node ${lease.name} runs rayito ${lease.version}, this driver ${version}`
        return this.events.failed(new RayError('RAY_CLUSTER_VERSION', message))
      }
      this.#meet(lease)
    }
    this.events.seen(this.nodes.get(lease.id)!, !known)
  }

  #meet(lease: NodeLease): void {
    const bus = this.#bus!
    const { id } = lease
    const epoch = this.#epochs.get(id) ?? 0
    const events: ChannelEvents = {
      publish: (frame) => bus.publish(toPeer(id, this.me.id), frame),
      message: (message, bytes) => this.events.message(this.nodes.get(id)!, message as FromNode, bytes),
      failed: (error) => this.events.failed(error as Error),
    }
    const node = new NodePeer(id, lease, new Channel(bus.maxFrame, bus.uplink, events, epoch), this.me)
    this.nodes.set(id, node)
    if (epoch) node.send(['hello'])
  }

  #lost(id: string): void {
    const node = this.nodes.get(id)
    if (!node) return
    this.nodes.delete(id)
    const { cpus, draining } = node.lease
    if (!draining) this.#largestLost = Math.max(this.#largestLost, cpus)
    this.#epochs.set(id, (node.channel.epoch + 1) % 65_535)
    node.channel.close()
    this.events.lost(node)
  }

  /** This process stood still, or was away, for so long that nodes may have ended its work: they are asked. */
  #stalled(): void {
    for (const node of this.nodes.values()) if (node.channel.used) node.send(['hello'])
  }

  #takenForDead({ lease }: NodePeer): void {
    const message = `Node ${lease.name} heard nothing of this driver for so long that it ended its work`
    const { stoodStill } = this.#leases
    if (stoodStill < DRIVER_PATIENCE / 2) return this.events.failed(new RayError('RAY_CLUSTER_LOST', message))
    const why = `this program did not get to its event loop for ${Math.round(stoodStill / 1000)} s`
    const remedy = 'Whoever stops a program, or its machine, for so long calls ray.init() again.'
    this.events.failed(new RayError('RAY_CLUSTER_LOST', `${message}: ${why}`, { remedy }))
  }

  /** All nodes are to know: those whose workers run, and those that read the lease. */
  tell(finding: Finding): void {
    this.#lease?.changed()
    for (const node of this.nodes.values()) node.send(['findings', [finding]])
  }

  /** All calls have ended: said at once where others take it for busy still. */
  idle(): void {
    if (this.#told === 0) return
    this.#told = 0
    void this.#lease?.give()
  }

  /** Says at once how this driver is; resolves when the server has it. */
  async announce(): Promise<void> {
    await this.#lease?.give()
  }

  /** The sum of something over all nodes. */
  sum(of: (lease: NodeLease) => number): number {
    let sum = 0
    for (const { lease } of this.nodes.values()) sum += of(lease)
    return sum
  }

  /** CPUs of the largest node that there is, or may be again. */
  get largest(): number {
    return Math.max(this.#largestLost, ...[...this.nodes.values()].map(({ lease }) => lease.cpus))
  }

  /** Hears of nobody any more. */
  end(): void {
    this.#ended = true
    if (this.#away) clearTimeout(this.#away)
    this.#leases.end()
    this.#standIn.end()
  }

  /** Tells all that this driver leaves; resolves when they know. */
  async leave(): Promise<void> {
    // One that never heard of this driver need not hear of its end.
    for (const node of this.nodes.values()) if (node.channel.used) node.send(['end'])
    await Promise.all([this.#lease?.end(), this.#allTold()])
  }

  async #allTold(): Promise<void> {
    while ([...this.nodes.values()].some(({ channel }) => !channel.idle))
      await new Promise((resolve) => setTimeout(resolve, 5))
  }

  close(): void {
    for (const { channel } of this.nodes.values()) channel.close()
  }
}
