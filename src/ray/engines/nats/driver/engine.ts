import { randomUUID } from 'node:crypto'
import type { Finding } from '../../../../core/findings.js'
import { type Actor, ActorCall, calledActor } from '../../../actor.js'
import { setTravelling } from '../../../code/index.js'
import type { Engine, EngineHost } from '../../../engine.js'
import type { Entry } from '../../../object-ref.js'
import type { Task } from '../../../task.js'
import type { InitOptions, NodeInfo, Resources } from '../../../types.js'
import type { Bus } from '../bus.js'
import { farewell } from '../farewell.js'
import type { DriverLease } from '../lease.js'
import { taskId } from '../outgoing.js'
import { ActorTable } from './actor-table.js'
import { CallEnds } from './call-ends.js'
import type { DriverSide } from './driver-side.js'
import { Incoming } from './incoming.js'
import { Membership } from './membership.js'
import type { NodePeer } from './node-peer.js'
import { outlast } from './outlast.js'
import { SentCalls } from './sent-calls.js'
import { SentObjects } from './sent-objects.js'
import { TaskQueue } from './task-queue.js'
import { Unserved } from './unserved.js'

/** Tasks, actors and objects on the machines that joined a NATS server. */
export class NatsEngine implements Engine, DriverSide {
  /** That whose code travels. */
  static #latest: NatsEngine | null = null
  readonly name = 'nats'
  readonly id = randomUUID().slice(0, 13)
  readonly ready: Promise<void>
  readonly sent = new SentCalls()
  readonly #members: Membership
  readonly #actors: ActorTable
  readonly #tasks: TaskQueue
  readonly #unserved = new Unserved(this)
  readonly #objects = new SentObjects((ids) => {
    for (const node of this.nodesById.values()) node.send(['free', ids])
  })
  readonly #ends: CallEnds
  readonly #incoming: Incoming
  #bus: Bus | null = null
  #asked = 0
  readonly #paused = new Set<Task>()
  #failure: Error | null = null
  #tellFailure: (error: Error) => void = () => {}
  readonly failed = new Promise<Error>((resolve) => {
    this.#tellFailure = resolve
  })
  #joined = false
  #down = false
  #left: Promise<void> | null = null

  constructor(
    readonly address: string,
    options: InitOptions,
    readonly host: EngineHost,
  ) {
    setTravelling(true)
    NatsEngine.#latest = this
    const { resourceLimits } = options
    const { namespace, recorder } = host
    const me = {
      id: this.id,
      namespace,
      timeline: recorder !== null,
      resourceLimits,
      carrying: this.sent.carrying,
      task: (id: string) => this.sent.get(id)?.task,
      sizes: () => this.#tasks.sizes,
      unfinished: () => this.#unfinished,
    }
    this.#members = new Membership(me, {
      seen: (node, fresh) => {
        if (recorder) node.askClock()
        this.#actors.placeAll()
        if (!fresh) return
        for (const id of this.sent.cancelled()) node.send(['cancel', id, false, true])
        this.#unserved.soon()
      },
      lost: (node) => {
        node.end(recorder)
        this.#lost(node)
      },
      message: (node, message, bytes) => {
        this.#incoming.message(node, message, bytes)
        this.#hold()
      },
      reached: () => this.#hold(),
      failed: (error) => this.fail(error),
    })
    this.#actors = new ActorTable(this)
    this.#ends = new CallEnds(this.sent, host, {
      node: (id) => this.nodesById.get(id),
      submit: (task) => this.submit(task),
      foreign: (actor) => this.#actors.isForeign(actor),
      settled: (task) => this.#actors.settled(calledActor(task)!, task),
      unheard: (task) => this.#incoming.unheard(task),
    })
    this.#incoming = new Incoming(this, this.#actors, this.#ends, this.#objects)
    this.#tasks = new TaskQueue(this)
    // A failure ends the connection, whose answers whoever joins may wait for.
    const failed = this.failed.then((error) => Promise.reject(error))
    this.ready = Promise.race([this.#connect(), failed])
    this.ready.catch((error) => this.fail(error as Error))
  }

  async #connect(): Promise<void> {
    const { Bus } = await import('../bus.js')
    const bus = await Bus.open(this.address, `rayito driver ${this.id}`)
    if (this.#down) return bus.close()
    this.#bus = bus
    await this.#members.join(bus, this.address)
    if (this.#failure) return
    this.#joined = true
    this.#tasks.flushSoon()
    this.#actors.placeAll()
    this.#hold()
  }

  get bus(): Bus | null {
    return this.#bus
  }

  get nodesById(): ReadonlyMap<string, NodePeer> {
    return this.#members.nodes
  }

  get largest(): number {
    return this.#members.largest
  }

  get unplaced(): readonly Actor[] {
    return this.#actors.waiting
  }

  get failure(): Error | null {
    return this.#failure
  }

  get lease(): DriverLease {
    return this.#members.current
  }

  announce(): Promise<void> {
    return this.#members.announce()
  }

  get down(): boolean {
    return this.#down
  }

  #lost(node: NodePeer): void {
    this.#actors.nodeLost(node)
    this.#unserved.soon()
    this.#ends.lost(node)
    this.#hold()
  }

  fail(error: Error): void {
    if (this.#failure || this.#down) return
    this.#failure = error
    this.#tellFailure(error)
    this.#tasks.failAll(error)
    this.#actors.failAll(error)
    this.sent.failAll(error)
    // Nothing can be done any more: nodes are not to wait for this driver, nor the process for the server.
    void this.#leave()
  }

  // -- tasks

  submit(task: Task): void {
    if (this.#failure) return task.fail(this.#failure)
    this.#tasks.push(task)
    this.#hold()
  }

  sentObject(entry: Entry): void {
    if (this.#objects.add(entry)) this.host.sent(entry)
  }

  // -- actors

  createActor(actor: Actor): void {
    if (this.#failure) return actor.die(this.#failure)
    this.#actors.create(actor)
    this.#unserved.soon()
    this.#hold()
  }

  pump(actor: Actor): void {
    if (this.#failure) return actor.die(this.#failure)
    this.#actors.pump(actor)
    this.#hold()
  }

  kill(actor: Actor, restart: boolean): void {
    if (actor.state === 'dead') return
    this.#actors.kill(actor, restart)
    this.#hold()
  }

  findActor(name: string, namespace: string): Promise<Actor | null> {
    return this.asking(this.#actors.find(name, namespace))
  }

  calling(task: Task, node: NodePeer): void {
    this.sent.set(taskId(task), { task, message: null, copied: 0, shared: 0, node, orphan: true })
  }

  forgetCall(task: Task): void {
    this.sent.delete(taskId(task))
  }

  get paused(): ReadonlySet<Task> {
    return this.#paused
  }

  get keeping(): boolean {
    return this.#paused.size > 0 || this.#actors.keeping
  }

  published(): void {
    this.#unserved.soon()
  }

  collect(beside = false): void {
    for (const node of this.nodesById.values()) node.send(['collect', beside])
  }

  cancel(task: Task, error: Error, force: boolean, recursive: boolean): void {
    if (task.state === 'done') return
    const running = task.state === 'running'
    const sent = this.sent.get(taskId(task))
    task.fail(error)
    if (running) {
      this.#incoming.unheard(task)
      const message = ['cancel', taskId(task), force, recursive] as const
      const actor = calledActor(task)
      if (actor) sent?.node?.send(message)
      else for (const node of this.nodesById.values()) node.send(message)
      this.sent.delete(taskId(task))
      if (sent?.message) {
        sent.message.cancelled.push(taskId(task))
        this.#tasks.takeBack(sent.message)
      }
      if (actor) this.#actors.settled(actor, task)
    }
    // Those behind it need not wait for it any more.
    else if (task instanceof ActorCall) this.#actors.pump(task.actor)
    this.#hold()
  }

  // -- the rest

  release(id: string): void {
    if (!this.#down) this.#objects.release(id)
  }

  tell(finding: Finding): void {
    this.#members.tell(finding)
  }

  total(): Resources {
    return { CPU: this.#members.sum(({ cpus }) => cpus) }
  }

  available(): Resources {
    return {
      CPU: Math.max(
        0,
        this.#members.sum(({ available }) => available),
      ),
    }
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
    return this.#ends.finished.all
  }

  /** A node tells what ran once it has ended. */
  running(): [] | null {
    return this.sent.size > 0 ? null : []
  }

  get #unfinished(): number {
    return this.sent.size + this.#tasks.length + this.#actors.waitingCalls
  }

  get busy(): boolean {
    return this.sent.size > 0 || this.#asks
  }

  /** Something is to be sent, or asked of the server. */
  get #asks(): boolean {
    return this.#asked > 0 || this.#actors.busy || this.#tasks.length > 0
  }

  pause(task: Task): () => void {
    this.#paused.add(task)
    this.#hold()
    return () => {
      if (this.#paused.delete(task)) this.#hold()
    }
  }

  changed(): void {
    this.#hold()
  }

  /** The connection holds the process while something is awaited. */
  #hold(): void {
    const { busy } = this
    const held = this.sent.size > this.#paused.size || this.#asks || !this.#joined
    this.#bus?.hold(held && !this.#failure)
    if (!busy && !this.#down) this.#members.idle()
  }

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

  outlast(actors: readonly Actor[]): Promise<void> {
    return outlast(actors, (actor) => this.#failure !== null || this.#actors.outlasts(actor))
  }

  async shutdown(): Promise<void> {
    // The next session may have begun.
    if (NatsEngine.#latest === this) {
      NatsEngine.#latest = null
      setTravelling(false)
    }
    await this.#actors.killed()
    this.#down = true
    await this.#leave()
  }

  #leave(): Promise<void> {
    this.#left ??= this.#takeLeave()
    return this.#left
  }

  async #takeLeave(): Promise<void> {
    this.#unserved.end()
    this.#members.end()
    const bus = this.#bus
    if (!bus) return
    bus.hold(true)
    // Names are free before anybody can hear that what had them is gone.
    const leave = () => this.#members.leave()
    await farewell(this.#actors.end().then(leave, leave), bus.purge(this.id))
    this.#members.close()
    await bus.close()
  }
}
