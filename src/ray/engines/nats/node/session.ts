import { now } from '../../../../core/clock.js'
import { ActorCall } from '../../../actor.js'
import { RemoteDefinition } from '../../../definition.js'
import type { EngineHost } from '../../../engine.js'
import { RayError, TaskCancelledError, TaskTimeoutError } from '../../../errors.js'
import { Entry } from '../../../object-ref.js'
import { encodeError } from '../../../pack/error-codec.js'
import { Tallies } from '../../../tally.js'
import { Task } from '../../../task.js'
import { packageVersion } from '../../../version.js'
import { LocalEngine } from '../../local/engine.js'
import { Threads } from '../../threads/threads.js'
import { Channel, type ChannelEvents } from '../channel.js'
import { type DriverLease, travellingEnv } from '../lease.js'
import type { FromNode, NetActor, NetCode, NetTask, ToNode } from '../messages.js'
import { toPeer } from '../subjects.js'
import { Borrowed } from './borrowed.js'
import type { Delivery } from './delivery.js'
import type { NodeActor } from './node-actor.js'
import { NodeCalls } from './node-calls.js'
import { NodeRecorder } from './node-recorder.js'
import type { NodeSide } from './node-side.js'
import { SessionActors } from './session-actors.js'
import { SessionDeliveries } from './session-deliveries.js'
import { SessionObjects } from './session-objects.js'
import { SessionWorkers } from './session-workers.js'

/** The work of one driver on this node, on workers of its own. */
export class Session {
  readonly channel: Channel
  readonly deliveries: SessionDeliveries
  readonly #engine: LocalEngine
  /** For actors that outlive the driver. */
  #detached: LocalEngine | null = null
  readonly #borrowed = new Borrowed((id) => this.#engine.holds(id) || (this.#detached?.holds(id) ?? false))
  readonly #calls: NodeCalls
  readonly #objects = new SessionObjects(this, (id) => this.tell(['want', id]))
  readonly #definitions = new Map<string, RemoteDefinition>()
  readonly #actors: SessionActors
  readonly #workers = new SessionWorkers(
    (...request) => {
      this.tell(['request', ...request])
      return !this.#gone
    },
    (task) => this.#parent(task),
    (id) => {
      this.#borrowed.agree(id)
      return this.#objects.token(id)
    },
    (ids) => this.#released(ids),
  )
  readonly #cancelled = new Set<string>()
  readonly #findings: Map<string, unknown>
  #gone = false
  readonly #host: EngineHost
  readonly #recorder: NodeRecorder | null
  readonly #ids = new WeakMap<Task, string>()
  /** They were cancelled, and what they begin is not. */
  readonly #alone = new WeakSet<Task>()
  readonly #tally = new Tallies().of('')

  constructor(
    private readonly node: NodeSide,
    readonly lease: DriverLease,
    epoch: number,
  ) {
    const events: ChannelEvents = {
      publish: (frame) => node.bus.publish(toPeer(lease.id, node.id), frame),
      message: (message) => this.#message(message as ToNode),
      failed: (error) => this.refuse(error),
    }
    this.channel = new Channel(node.bus.maxFrame, node.bus.uplink, events, epoch)
    this.deliveries = new SessionDeliveries(this.channel)
    this.#findings = new Map(lease.findings)
    this.#recorder = lease.timeline
      ? new NodeRecorder(
          (task) => this.#ids.get(task) ?? '',
          () => this.#calls.tellEvents(),
        )
      : null
    this.#calls = new NodeCalls(this.channel, this.#borrowed, this.#recorder)
    this.#host = {
      namespace: lease.namespace,
      address: node.address,
      request: (worker, request, operation, payload) => this.#workers.request(worker, request, operation, payload),
      sent: () => {},
      carried: (_worker, ids) => ids.map((id) => this.#objects.token(id)),
      output: (label, stream, text, worker) => {
        if (this.#gone) process[stream].write(text)
        else this.tell(['output', label, stream, text, worker])
      },
      copied: () => {},
      recorder: this.#recorder,
    }
    this.#engine = this.#makeEngine()
    const gone = () => this.#gone
    this.#actors = new SessionActors(node, lease.namespace, {
      calls: this.#calls,
      get gone() {
        return gone()
      },
      engine: (detached) => this.#engineOf(detached),
      task: (net, actor) => this.#task(net, actor),
      values: ({ args }) => this.#objects.arguments(args),
      tell: (message) => this.tell(message),
    })
    if (lease.version !== packageVersion())
      this.refuse(
        new RayError(
          'RAY_CLUSTER_VERSION',
          `Node ${node.name} runs rayito ${packageVersion()}, this driver ${lease.version}`,
        ),
      )
  }

  #engineOf(detached: boolean): LocalEngine {
    if (!detached) return this.#engine
    this.#detached ??= this.#makeEngine()
    return this.#detached
  }

  #makeEngine(): LocalEngine {
    const { node, lease } = this
    return new LocalEngine(
      {
        name: 'threads',
        connector: new Threads(),
        cpus: node.cpus,
        resourceLimits: lease.resourceLimits ?? undefined,
        prefix: `${node.name}/`,
        allow: node.allow,
        env: travellingEnv(lease.env),
        findings: () => [...this.#findings],
        released: (_worker, ids) => this.#released(ids),
        ended: (worker) => {
          const number = this.#workers.delete(worker)
          if (number) this.tell(['workerEnded', number])
        },
      },
      this.#host,
    )
  }

  get refused(): boolean {
    return this.lease.version !== packageVersion()
  }

  get objects(): number {
    return this.#objects.size
  }

  /** Tasks and calls that are here. */
  get calls(): number {
    return this.#calls.size
  }

  /** Those that workers have begun with. */
  get running(): number {
    return this.#calls.running
  }

  /** None of its workers computes. */
  get resting(): boolean {
    return this.#engine.resting && (this.#detached?.resting ?? true)
  }

  tell(message: FromNode): void {
    if (!this.#gone) this.channel.send(message)
  }

  /** The driver cannot work with this node, and is told why. */
  refuse(error: unknown): void {
    this.tell(['refused', encodeError(error)])
  }

  // -- what the driver says

  #message(message: ToNode): void {
    switch (message[0]) {
      case 'hello':
        return
      case 'actor':
        return this.#actors.create(message[1])
      case 'call':
        return this.#actors.call(message[1], message[2])
      case 'kill':
        return this.#actors.kill(message[1], message[2])
      case 'cancel':
        return this.#cancel(message[1], message[2], message[3])
      case 'free':
        for (const id of message[1]) this.#free(id)
        return
      case 'object':
        return this.#objects.came(message[1], message[2])
      case 'body':
        return this.deliveries.bodyCame(message[1], message[2])
      case 'mayBegin':
        return this.deliveries.answered(message[1])
      case 'answer':
        return this.#workers.answer(message[1], message[2], message[3])
      case 'findings':
        for (const finding of message[1]) {
          this.#findings.set(...finding)
          this.#engine.tell(finding)
          this.#detached?.tell(finding)
        }
        return
      case 'collect':
        this.#engine.collect(message[1])
        return this.#detached?.collect(message[1])
      case 'clock':
        return this.tell(['clock', message[1], now()])
      case 'end':
        this.channel.acknowledge()
        return this.node.driverLeft(this.lease.id)
    }
  }

  // -- tasks

  /** Runs a task from the queue. */
  run(net: NetTask, delivery: Delivery): void {
    if (this.#cancelled.has(net.id)) return delivery.done(net.id)
    const task = this.#task(net, null)
    this.#calls.add(net.id, { task, engine: this.#engine, delivery, told: false })
    task.prepare(this.#objects.arguments(net.args), () => {
      if (task.state === 'queued') this.#engine.submit(task)
    })
  }

  #task(net: NetTask, actor: NodeActor | null): Task {
    const definition = net.code ? this.#definition(net.code) : actor!.creation.definition
    const entries = Array.from(
      { length: typeof net.numReturns === 'number' ? net.numReturns : 1 },
      (_, i) => new Entry(`${net.id}/${i}`, this),
    )
    const { label, method, numCpus, maxRetries, retryExceptions, timeout, numReturns } = net
    const settings = { label, method, numCpus, maxRetries, retryExceptions, timeout, numReturns }
    const call = [definition, settings, entries, this.#tally, () => {}] as const
    const task = actor ? new ActorCall(actor, ...call) : new Task(...call)
    task.attempt = net.attempt
    this.#ids.set(task, net.id)
    return task
  }

  /** The id under which the driver is to know it as the beginner of another; null if it need not. */
  #parent(task: Task): string | null {
    const [end] = task.returns
    return this.#alone.has(task) || end!.error instanceof TaskTimeoutError ? null : (this.#ids.get(task) ?? null)
  }

  #definition([name, code]: NetCode): RemoteDefinition {
    const key = JSON.stringify(code)
    let definition = this.#definitions.get(key)
    if (!definition) {
      definition = RemoteDefinition.received(name, code)
      this.#definitions.set(key, definition)
      this.node.say(`runs ${name} for driver ${this.lease.host}:${this.lease.pid}`)
    }
    return definition
  }

  /** Tells the driver what runs for longer here. */
  beat(): void {
    const lasting = this.#calls.lasting()
    if (lasting.length) this.tell(['running', lasting])
  }

  #cancel(id: string, force: boolean, recursive: boolean): void {
    const call = this.#calls.get(id)
    if (call && !recursive) this.#alone.add(call.task)
    if (call) return call.engine.cancel(call.task, new TaskCancelledError(call.task.label), force)
    this.#cancelled.add(id)
    if (this.#cancelled.size > 10_000)
      for (const old of this.#cancelled) {
        this.#cancelled.delete(old)
        break
      }
  }

  // -- objects and what is in them

  #free(id: string): void {
    this.#objects.delete(id)
    this.node.release(id)
  }

  /** Workers drop their copies of an object, whose driver may be another. */
  release(id: string): void {
    this.#engine.release(id)
    this.#detached?.release(id)
  }

  /** A worker lets things go, or has ended: the driver is told of those that no other holds. */
  #released(ids: Iterable<string>): void {
    const gone = this.#borrowed.release(ids)
    if (gone.length) this.tell(['release', gone])
  }

  // -- the end

  /**
   * The driver has left or is lost: its work ends, but for actors that outlive it.
   * @param all those too
   * @param again the driver lives: what came from the queue is for other nodes
   */
  async close(all = false, again = false): Promise<void> {
    this.#gone = true
    this.channel.close()
    this.deliveries.end(again)
    this.#workers.end()
    this.#actors.end(all, again)
    this.#calls.clear()
    for (const id of this.#objects.take()) this.node.release(id)
    await Promise.all([this.#engine.shutdown(), all ? this.#detached?.shutdown() : null])
  }

  /** An actor of a driver that is gone, which another node had. */
  adopt(actor: NetActor): void {
    this.#actors.create(actor)
  }

  get lasting(): boolean {
    return this.#actors.lasting
  }
}
