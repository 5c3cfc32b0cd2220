import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { now } from '../../../core/clock.js'
import type { Actor } from '../../actor.js'
import { setTravelling } from '../../code/index.js'
import type { Engine, EngineHost } from '../../engine.js'
import { ActorUnavailableError, decodeError, InfeasibleError, RayError, WorkerCrashedError } from '../../errors.js'
import type { Content, Entry } from '../../object-ref.js'
import { KIND } from '../../protocol.js'
import type { Task } from '../../task.js'
import type { InitOptions, NodeInfo, Resources } from '../../types.js'
import { packageVersion } from '../../version.js'
import { encodeWire } from '../../wire.js'
import { Line } from '../local/line.js'
import { ActorTable } from './actor-table.js'
import type { Bus } from './bus.js'
import { Channel } from './channel.js'
import { Leases, type NodeLease, OwnLease } from './leases.js'
import type { FromNode, NetContent, NetEvents, NetResult, NetTask, Queued } from './messages.js'
import { NodePeer } from './node-peer.js'
import { carriedOf, netContent, netTask, taskId } from './outgoing.js'
import { SERVER_PATIENCE, sizeKey, toPeer } from './subjects.js'

/** Publications under way at once: what waits behind can still be cancelled and goes in larger messages. */
const PUBLISHING = 128
/** Milliseconds after which it is said that nobody is there to work. */
const LONELY = 5_000

/** Where a task is. */
interface Sent {
  task: Task
  /** Its number in the queue, once that is known; 0 for a message with others. */
  seq: number
  /** The node that has it for longer, or that the actor is on. */
  node: NodePeer | null
  /** It is in no queue any more: should its node be lost, it is ours to try again. */
  orphan: boolean
}

/** Tasks, actors and objects on the machines that joined a NATS server. */
export class NatsEngine implements Engine {
  readonly name = 'nats'
  readonly id = randomUUID().slice(0, 13)
  /** Resolves when the cluster can be worked with. */
  readonly ready: Promise<void>
  readonly nodesById = new Map<string, NodePeer>()
  #bus: Bus | null = null
  readonly #leases: Leases
  #lease: OwnLease | null = null
  readonly #actors: ActorTable
  readonly #sent = new Map<string, Sent>()
  /** Tasks that wait to be published, by thousandths of a CPU. */
  readonly #queues = new Map<number, Line<Task>>()
  readonly #sizes = new Map<number, Promise<void>>()
  readonly #carrying = new Map<string, { thing: object; count: number }>()
  readonly #objects = new Map<string, WeakRef<Entry>>()
  readonly #bodies = new Map<string, Buffer>()
  readonly #finished: Record<string, number> = {}
  #publishing = 0
  #asked = 0
  #flushing = false
  #freed: string[] = []
  #failure: Error | null = null
  #away: NodeJS.Timeout | null = null
  #lonely: NodeJS.Timeout | null = null
  #joined = false
  #down = false

  constructor(
    readonly address: string,
    private readonly options: InitOptions,
    readonly host: EngineHost,
  ) {
    setTravelling(true)
    this.#leases = new Leases({
      seen: (lease) => lease.kind === 'node' && this.#nodeSeen(lease),
      lost: (lease) => lease.kind === 'node' && this.#nodeLost(lease.id),
    })
    this.#actors = new ActorTable(this)
    this.ready = this.#connect()
    this.ready.catch((error) => this.#fail(error as Error))
  }

  async #connect(): Promise<void> {
    const { Bus } = await import('./bus.js')
    const bus = await Bus.open(this.address, `rayito driver ${this.id}`)
    if (this.#down) return bus.close()
    this.#bus = bus
    bus.watch({
      reconnected: () => this.#reconnected(),
      disconnected: () => this.#disconnected(),
      closed: (error) =>
        this.#fail(new RayError('RAY_CLUSTER_LOST', 'The NATS server closed the connection', { cause: error })),
    })
    bus.frames(this.id, (from, frame) => this.nodesById.get(from)?.channel.receive(frame))
    this.#lease = new OwnLease(bus.leases, () => ({
      kind: 'driver',
      id: this.id,
      version: packageVersion(),
      namespace: this.host.namespace,
      timeline: this.host.recorder !== null,
      resourceLimits: this.options.resourceLimits ?? null,
      host: hostname(),
      pid: process.pid,
    }))
    await this.#lease.give()
    await this.#leases.follow(bus)
    if (this.#failure) throw this.#failure
    this.#joined = true
    this.#flushSoon()
    this.#actors.placeAll()
    this.#hold()
  }

  get bus(): Bus | null {
    return this.#bus
  }

  // -- the server and the nodes

  #disconnected(): void {
    this.#leases.disconnected()
    this.#away ??= setTimeout(() => {
      this.#fail(new RayError('RAY_CLUSTER_LOST', `The NATS server was away for ${SERVER_PATIENCE / 1000} s`))
    }, SERVER_PATIENCE)
    this.#hold()
  }

  #reconnected(): void {
    if (this.#away) clearTimeout(this.#away)
    this.#away = null
    this.#leases.reconnected()
    void this.#lease?.give()
    for (const { channel } of this.nodesById.values()) channel.resend()
    this.#hold()
  }

  #nodeSeen(lease: NodeLease): void {
    const known = this.nodesById.get(lease.id)
    if (known) {
      known.lease = lease
      known.placed = 0
    } else {
      if (lease.version !== packageVersion())
        return this.#fail(
          new RayError(
            'RAY_CLUSTER_VERSION',
            `Node ${lease.name} runs rayito ${lease.version}, this driver ${packageVersion()}`,
          ),
        )
      const bus = this.#bus!
      const channel: Channel = new Channel(bus.maxFrame, {
        publish: (frame) => bus.publish(toPeer(lease.id, this.id), frame),
        message: (message, bytes) => this.#message(this.nodesById.get(lease.id)!, message as FromNode, bytes),
      })
      this.nodesById.set(lease.id, new NodePeer(lease.id, lease, channel, this.#carrying))
    }
    if (this.host.recorder) this.nodesById.get(lease.id)!.send(['clock', now()])
    this.#actors.placeAll()
  }

  #nodeLost(id: string): void {
    const node = this.nodesById.get(id)
    if (!node) return
    this.nodesById.delete(id)
    node.channel.close()
    for (const row of node.rows.values()) this.host.recorder?.ended(row)
    this.#actors.nodeLost(node)
    for (const [key, sent] of [...this.#sent]) {
      if (sent.node !== node || !sent.orphan || sent.task.settings.actor) continue
      this.#untrack(key)
      this.#lostWith(sent.task, node)
    }
    this.#hold()
  }

  /** A task that no queue has any more went with its node. */
  #lostWith(task: Task, node: NodePeer): void {
    task.attempt++
    if (task.retry()) this.submit(task)
    else task.fail(new WorkerCrashedError(task.label, `node ${node.lease.name}, which was lost,`, {}))
  }

  #fail(error: Error): void {
    if (this.#failure || this.#down) return
    this.#failure = error
    for (const queue of this.#queues.values())
      for (let task = queue.first; task; task = queue.first) {
        queue.shift()
        task.fail(error)
      }
    for (const { task } of this.#sent.values()) task.fail(error)
    this.#sent.clear()
    this.#actors.failAll(error)
    this.#hold()
  }

  // -- tasks

  submit(task: Task): void {
    if (this.#failure) return task.fail(this.#failure)
    const size = Math.round(task.settings.numCpus * 1000)
    let queue = this.#queues.get(size)
    if (!queue) {
      queue = new Line()
      this.#queues.set(size, queue)
    }
    queue.push(task)
    this.#flushSoon()
    this.#hold()
  }

  #flushSoon(): void {
    if (this.#flushing || !this.#bus) return
    this.#flushing = true
    queueMicrotask(() => {
      this.#flushing = false
      for (const [size, queue] of this.#queues) this.#flush(size, queue)
    })
  }

  #flush(size: number, queue: Line<Task>): void {
    while (this.#publishing < PUBLISHING && queue.first && !this.#failure) {
      const batch: NetTask[] = []
      const tasks: Task[] = []
      // Fast calls share a message; one that may not run twice has its own.
      for (let task = queue.first; task; task = queue.first) {
        const { depth } = task.definition
        const single = depth === 1 || task.settings.maxRetries === 0
        if (tasks.length && (single || tasks.length >= depth)) break
        queue.shift()
        if (task.state !== 'queued' || this.#infeasible(task)) continue
        const encoded = this.#encode(task)
        if (!encoded) continue
        tasks.push(task)
        batch.push(encoded)
        if (single) break
      }
      if (batch.length) void this.#publish(size, tasks, batch)
    }
  }

  /** No node is large enough. (Without any node it waits for the first.) */
  #infeasible(task: Task): boolean {
    const { numCpus } = task.settings
    if (this.nodesById.size === 0) return false
    const largest = Math.max(...[...this.nodesById.values()].map(({ lease }) => lease.cpus))
    if (numCpus <= largest) return false
    task.fail(new InfeasibleError(task.label, { CPU: numCpus }, { CPU: largest }))
    return true
  }

  #track(id: string, sent: Sent): void {
    this.#sent.set(id, sent)
    for (const [key, thing] of carriedOf(sent.task)) {
      const known = this.#carrying.get(key)
      if (known) known.count++
      else this.#carrying.set(key, { thing, count: 1 })
    }
  }

  #untrack(id: string): void {
    const sent = this.#sent.get(id)
    if (!sent) return
    this.#sent.delete(id)
    this.#bodies.delete(id)
    for (const key of carriedOf(sent.task).keys()) {
      const known = this.#carrying.get(key)
      if (known && --known.count <= 0) this.#carrying.delete(key)
    }
  }

  #encode(task: Task): NetTask | null {
    try {
      return netTask(task, task.settings.actor ? KIND.METHOD : KIND.TASK, (entry) => this.sentObject(entry))
    } catch (error) {
      task.fail(error)
      return null
    }
  }

  sentObject(entry: Entry): void {
    if (this.#objects.has(entry.id)) return
    this.#objects.set(entry.id, new WeakRef(entry))
    this.host.sent(entry)
  }

  async #publish(size: number, tasks: Task[], batch: NetTask[]): Promise<void> {
    this.#publishing++
    const sent = tasks.map((task): Sent => ({ task, seq: 0, node: null, orphan: false }))
    try {
      let bytes = encodeWire({ driver: this.id, tasks: batch } satisfies Queued)
      const shared = tasks.reduce(
        (sum, { args }) => sum + args.reduce((s, { content }) => s + (content?.shared ?? 0), 0),
        0,
      )
      this.host.copied(Math.max(0, bytes.length - shared), shared)
      const bus = this.#bus!
      if (bytes.length > bus.maxPayload) {
        this.#bodies.set(batch[0]!.id, bytes)
        bytes = encodeWire({ driver: this.id, body: batch[0]!.id } satisfies Queued)
      }
      sent.forEach((one, i) => {
        one.task.state = 'running'
        one.task.place = one
        this.#track(batch[i]!.id, one)
      })
      this.#lonelySoon()
      await this.#consumer(size)
      const wanted = () => !this.#failure && !this.#down && tasks.some((task) => task.state !== 'done')
      const seq = await bus.enqueue(this.id, size, bytes, `${batch[0]!.id}.${batch[0]!.attempt}`, wanted)
      if (seq !== null && tasks.length === 1) {
        if (tasks[0]!.state === 'done' && this.#sent.has(batch[0]!.id)) void bus.dequeue(seq)
        else sent[0]!.seq = seq
      }
    } catch (error) {
      for (const task of tasks) {
        this.#untrack(taskId(task))
        task.fail(error)
      }
    } finally {
      this.#publishing--
      this.#flushSoon()
    }
  }

  /** Whoever pulls tasks of that size must be there before the first of them. */
  #consumer(size: number): Promise<void> {
    let made = this.#sizes.get(size)
    if (!made) {
      const bus = this.#bus!
      const make = async () => {
        await bus.consumer(size)
        await bus.state.put(sizeKey(size), '1')
      }
      made = make()
      this.#sizes.set(size, made)
      made.catch(() => this.#sizes.delete(size))
    }
    return made
  }

  #lonelySoon(): void {
    if (this.nodesById.size || this.#lonely) return
    this.#lonely = setTimeout(() => {
      this.#lonely = null
      if (this.nodesById.size || this.#down || this.#failure || !this.busy) return
      process.stderr.write(`rayito: work waits, no worker has joined: rayito worker --address ${this.address}\n`)
    }, LONELY).unref()
  }

  // -- what nodes say

  #message(node: NodePeer, message: FromNode, bytes: number): void {
    switch (message[0]) {
      case 'results':
        this.host.copied(bytes, 0)
        if (message[2]) this.#events(node, message[2])
        for (const result of message[1]) this.#result(node, result)
        return this.#hold()
      case 'clock':
        return node.clock.answered(message[1], message[2])
      case 'running':
        for (const id of message[1]) {
          const sent = this.#sent.get(id)
          if (sent) sent.node = node
        }
        return
      case 'exhausted':
        return this.#exhausted(message[1])
      case 'restarted':
        return this.#actors.restarted(message[1], message[2])
      case 'died':
        this.#actors.died(message[1], decodeError(message[2]) as Error)
        return this.#hold()
      case 'want': {
        const content = this.#objects.get(message[1])?.deref()?.content
        if (content) this.host.copied(content.copied, content.shared)
        return node.send(['object', message[1], content ? netContent(content) : null])
      }
      case 'wantBody':
        return node.send(['body', message[1], this.#bodies.get(message[1]) ?? null])
      case 'release':
        for (const [id, count] of message[1]) node.letGo(id, count)
        return
      case 'request':
        return this.host.request(node.worker(message[1]), message[2], message[3], message[4])
      case 'output':
        return this.host.output(message[1], message[2], message[3], message[4])
      case 'refused':
        return this.#fail(decodeError(message[1]) as Error)
    }
  }

  /** What the node's workers did, as soon as it can be placed in time. */
  #events(node: NodePeer, { started, ended, calls, spans }: NetEvents): void {
    const { recorder } = this.host
    if (!recorder) return
    const found = calls.flatMap(([id, worker, call]) => {
      const task = this.#sent.get(id)?.task
      if (!task || task.state === 'done') return []
      task.tally.bytesOut += call.bytesOut
      return [{ task, worker, call }]
    })
    const { clock, rows, lease } = node
    clock.whenKnown(() => {
      const process = `${lease.name} (${lease.host}, ${lease.pid})`
      for (const [worker, name, at] of started) rows.set(worker, recorder.started(name, process, clock.here(at)))
      for (const { task, worker, call } of found) {
        const times = { began: clock.here(call.began), ended: clock.here(call.ended), sent: clock.here(call.sent) }
        const received = call.received && clock.here(call.received)
        recorder.call(rows.get(worker) ?? -1, task, { ...call, ...times, received, bytesIn: task.bytesIn })
      }
      for (const [worker, span] of spans)
        recorder.spans(rows.get(worker) ?? -1, [
          { ...span, began: clock.here(span.began), ended: clock.here(span.ended) },
        ])
      for (const [worker, at] of ended) {
        recorder.ended(rows.get(worker) ?? -1, clock.here(at))
        rows.delete(worker)
      }
    })
  }

  #result(node: NodePeer, [id, ok, values, milliseconds, worker, borrowed]: NetResult): void {
    const sent = this.#sent.get(id)
    if (!sent) {
      // Cancelled meanwhile, or told before: its refs go again.
      if (ok) for (const [, , ids] of values as readonly NetContent[]) this.host.carried(node.worker(0), ids)
      return
    }
    const { task } = sent
    if (borrowed.length) {
      const carried = carriedOf(task)
      for (const one of borrowed) if (carried.has(one)) node.hold(one, carried.get(one)!)
    }
    this.#untrack(id)
    if (task.state === 'done') return
    if (worker) this.#finished[worker] = (this.#finished[worker] ?? 0) + 1
    if (ok) {
      task.definition.measured(milliseconds)
      task.succeed((values as readonly NetContent[]).map((value) => this.#content(node, value)))
    } else task.fail(decodeError(values))
    if (task.settings.actor) this.#actors.settled(task.settings.actor, task)
  }

  #content(node: NodePeer, [data, special, ids]: NetContent): Content {
    const content = { data, special, copied: 0, shared: 0 }
    return { ...content, carried: ids.length ? this.host.carried(node.worker(0), ids) : [] }
  }

  /** A task came to a node once too often. If another node has it still, it goes on there. */
  #exhausted(id: string): void {
    const sent = this.#sent.get(id)
    if (!sent) return
    if (sent.node && this.nodesById.has(sent.node.id)) {
      sent.orphan = true
      return
    }
    this.#untrack(id)
    sent.task.fail(new WorkerCrashedError(sent.task.label, 'a node that was lost', {}))
    this.#hold()
  }

  // -- actors

  createActor(actor: Actor): void {
    if (this.#failure) return actor.die(this.#failure)
    this.#actors.create(actor)
    this.#lonelySoon()
    this.#hold()
  }

  pump(actor: Actor): void {
    if (this.#failure) return actor.die(this.#failure)
    this.#actors.pump(actor)
    this.#hold()
  }

  kill(actor: Actor, restart: boolean): void {
    if (actor.state === 'dead') return
    this.#actors.kill(actor, restart, new ActorUnavailableError(actor.label, 'it was killed with ray.kill'))
    this.#hold()
  }

  findActor(name: string, namespace: string): Promise<Actor | null> {
    return this.asking(this.#actors.find(name, namespace))
  }

  /** A call is on its way to its actor. */
  calling(task: Task, node: NodePeer): void {
    this.#track(taskId(task), { task, seq: 0, node, orphan: true })
  }

  forgetCall(task: Task): void {
    this.#untrack(taskId(task))
  }

  get failure(): Error | null {
    return this.#failure
  }

  get connected(): boolean {
    return this.#bus !== null
  }

  cancel(task: Task, error: Error, force: boolean): void {
    if (task.state === 'done') return
    const running = task.state === 'running'
    const sent = this.#sent.get(taskId(task))
    task.fail(error)
    if (running) {
      const message = ['cancel', taskId(task), force] as const
      const { actor } = task.settings
      if (actor) sent?.node?.send(message)
      else {
        if (sent?.seq) void this.#bus?.dequeue(sent.seq)
        for (const node of this.nodesById.values()) node.send(message)
      }
      this.#untrack(taskId(task))
      if (actor) this.#actors.settled(actor, task)
    }
    this.#hold()
  }

  // -- the rest

  release(id: string): void {
    if (!this.#objects.delete(id) || this.#down) return
    if (this.#freed.length === 0)
      setImmediate(() => {
        for (const node of this.nodesById.values()) node.send(['free', this.#freed])
        this.#freed = []
      })
    this.#freed.push(id)
  }

  total(): Resources {
    return { CPU: this.#sum((lease) => lease.cpus) }
  }

  available(): Resources {
    return {
      CPU: Math.max(
        0,
        this.#sum((lease) => lease.available),
      ),
    }
  }

  #sum(of: (lease: NodeLease) => number): number {
    let sum = 0
    for (const { lease } of this.nodesById.values()) sum += of(lease)
    return sum
  }

  nodes(): NodeInfo[] {
    return [...this.nodesById.values()].map(({ lease: { id, name, cpus } }) => ({
      id,
      name,
      alive: true,
      resources: { CPU: cpus },
    }))
  }

  perWorker(): Record<string, number> {
    return { ...this.#finished }
  }

  get busy(): boolean {
    if (this.#sent.size || this.#asked || this.#actors.busy) return true
    for (const queue of this.#queues.values()) if (queue.length) return true
    return false
  }

  /** The connection holds the process while something is awaited. */
  #hold(): void {
    this.#bus?.hold((this.busy || !this.#joined) && !this.#failure)
  }

  /** Holds the process until a question to the server is answered. */
  async asking<T>(question: Promise<T>): Promise<T> {
    this.#asked++
    this.#hold()
    try {
      return await question
    } finally {
      this.#asked--
      this.#hold()
    }
  }

  async shutdown(): Promise<void> {
    this.#down = true
    setTravelling(false)
    if (this.#away) clearTimeout(this.#away)
    if (this.#lonely) clearTimeout(this.#lonely)
    this.#leases.end()
    const bus = this.#bus
    if (!bus) return
    bus.hold(true)
    await this.#actors.end()
    for (const node of this.nodesById.values()) node.send(['end'])
    const left = bus.purge(this.id)
    await Promise.race([
      Promise.all([left, this.#lease?.end(), this.#allTold()]),
      new Promise((resolve) => setTimeout(resolve, 3_000)),
    ])
    for (const node of this.nodesById.values()) node.channel.close()
    await bus.close()
  }

  /** Resolves when every node knows that this driver leaves. */
  async #allTold(): Promise<void> {
    while ([...this.nodesById.values()].some(({ channel }) => !channel.idle))
      await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
