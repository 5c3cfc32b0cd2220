import { now } from '../../../core/clock.js'
import { RemoteDefinition } from '../../definition.js'
import type { EngineHost, WorkerPlace } from '../../engine.js'
import { ActorDiedError, encodeError, NotSerializableError, RayError, TaskCancelledError } from '../../errors.js'
import { Entry } from '../../object-ref.js'
import { Tallies } from '../../tally.js'
import { Task } from '../../task.js'
import { packageVersion } from '../../version.js'
import { LocalEngine } from '../local/engine.js'
import type { LocalWorker } from '../local/worker.js'
import { Threads } from '../threads/threads.js'
import { Borrowed } from './borrowed.js'
import { Channel, type ChannelEvents } from './channel.js'
import type { Delivery } from './delivery.js'
import type { DriverLease } from './leases.js'
import type { FromNode, NetActor, NetCode, NetTask, ToNode } from './messages.js'
import type { Node } from './node.js'
import { NodeActor } from './node-actor.js'
import { NodeCalls } from './node-calls.js'
import { NodeRecorder } from './node-recorder.js'
import { SessionObjects } from './session-objects.js'
import { toPeer } from './subjects.js'

/** The work of one driver on this node, on workers of its own. */
export class Session {
  readonly channel: Channel
  readonly #engine: LocalEngine
  /** For actors that outlive the driver. */
  #detached: LocalEngine | null = null
  readonly #borrowed = new Borrowed((id) => this.#engine.holds(id) || (this.#detached?.holds(id) ?? false))
  readonly #calls: NodeCalls
  readonly #objects = new SessionObjects(this, (id) => this.tell(['want', id]))
  readonly #bodies = new Map<string, (body: Uint8Array | null) => void>()
  readonly #definitions = new Map<string, RemoteDefinition>()
  readonly #actors = new Set<NodeActor>()
  readonly #workers: LocalWorker[] = []
  readonly #numbers = new Map<WorkerPlace, number>()
  readonly #cancelled = new Set<string>()
  readonly #deliveries = new Set<Delivery>()
  readonly #findings: Map<string, boolean>
  #gone = false
  readonly #host: EngineHost
  readonly #recorder: NodeRecorder | null
  readonly #ids = new WeakMap<Task, string>()
  readonly #tally = new Tallies().of('')

  constructor(
    private readonly node: Node,
    readonly lease: DriverLease,
    epoch: number,
  ) {
    const events: ChannelEvents = {
      publish: (frame) => node.bus.publish(toPeer(lease.id, node.id), frame),
      message: (message) => this.#message(message as ToNode),
    }
    this.channel = new Channel(node.bus.maxFrame, events, epoch)
    this.#findings = new Map(lease.findings)
    this.#recorder = lease.timeline ? new NodeRecorder((task) => this.#ids.get(task) ?? '') : null
    this.#calls = new NodeCalls(this.channel, this.#borrowed, this.#recorder)
    this.#host = {
      namespace: lease.namespace,
      request: (worker, request, operation, payload) => this.#request(worker, request, operation, payload),
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
    if (lease.version !== packageVersion())
      this.tell([
        'refused',
        encodeError(
          new RayError(
            'RAY_CLUSTER_VERSION',
            `Node ${node.name} runs rayito ${packageVersion()}, this driver ${lease.version}`,
          ),
        ),
      ])
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
        env: lease.env,
        findings: () => [...this.#findings],
        released: (_worker, ids) => this.#released(ids),
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

  tell(message: FromNode): void {
    if (!this.#gone) this.channel.send(message)
  }

  // -- what the driver says

  #message(message: ToNode): void {
    switch (message[0]) {
      case 'hello':
        return
      case 'actor':
        return this.#createActor(message[1])
      case 'call':
        return this.#callActor(message[1], message[2])
      case 'kill':
        return this.#kill(message[1], message[2])
      case 'cancel':
        return this.#cancel(message[1], message[2])
      case 'free':
        for (const id of message[1]) this.#free(id)
        return
      case 'object':
        return this.#objects.came(message[1], message[2])
      case 'body':
        this.#bodies.get(message[1])?.(message[2])
        this.#bodies.delete(message[1])
        return
      case 'answer': {
        const [, number, answer, held] = message
        const worker = this.#workers[number]
        if (!worker) return
        for (const id of held) {
          this.#borrowed.agree(id)
          worker.holdOne(id, this.#objects.token(id))
        }
        worker.post(answer)
        return
      }
      case 'findings':
        for (const finding of message[1]) {
          this.#findings.set(...finding)
          this.#engine.tell(finding)
          this.#detached?.tell(finding)
        }
        return
      case 'clock':
        return this.tell(['clock', message[1], now()])
      case 'end':
        this.channel.acknowledge()
        return this.node.driverLeft(this.lease.id)
    }
  }

  // -- tasks

  /** The body of a task that was too large for the queue. */
  body(id: string): Promise<Uint8Array | null> {
    return new Promise((resolve) => {
      this.#bodies.set(id, resolve)
      this.tell(['wantBody', id])
    })
  }

  /** A message of the queue came for this driver; false if it has left. */
  accept(delivery: Delivery): boolean {
    if (this.#gone) return false
    this.#deliveries.add(delivery)
    return true
  }

  ended(delivery: Delivery): void {
    this.#deliveries.delete(delivery)
  }

  /** Tasks from the queue that do not run here: their driver publishes them again, or refuses them. */
  handBack(delivery: Delivery, publication: number, ids: readonly string[], lost: boolean): void {
    this.channel.send(['returned', publication, ids, lost], () => {
      for (const id of ids) delivery.done(id)
    })
  }

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
    const entries = Array.from({ length: net.numReturns }, (_, i) => new Entry(`${net.id}/${i}`, this))
    const { label, method, numCpus, maxRetries, retryExceptions, timeout, numReturns } = net
    const settings = { label, actor, method, numCpus, maxRetries, retryExceptions, timeout, numReturns }
    const task = new Task(definition, settings, entries, this.#tally, () => {})
    task.attempt = net.attempt
    this.#ids.set(task, net.id)
    return task
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

  #cancel(id: string, force: boolean): void {
    const call = this.#calls.get(id)
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
    this.#engine.release(id)
    this.#detached?.release(id)
  }

  /** A worker lets things go, or has ended: the driver is told of those that no other holds. */
  #released(ids: Iterable<string>): void {
    const gone = this.#borrowed.release(ids)
    if (gone.length) this.tell(['release', gone])
  }

  #request(place: WorkerPlace, request: number, operation: string, payload: unknown): void {
    const worker = place as LocalWorker
    if (this.#gone) {
      const error = new RayError('RAY_CLUSTER_LOST', 'The driver that this actor belongs to has left')
      return worker.post(['answer', request, false, encodeError(error), false])
    }
    let number = this.#numbers.get(worker)
    if (number === undefined) {
      // 0 stands for nobody.
      if (this.#workers.length === 0) this.#workers.length = 1
      number = this.#workers.push(worker) - 1
      this.#numbers.set(worker, number)
    }
    try {
      this.tell(['request', number, request, operation, payload])
    } catch (error) {
      worker.post(['answer', request, false, encodeError(error), false])
    }
  }

  // -- actors

  #createActor(net: NetActor): void {
    const { id, className, label, creation, numCpus, maxRestarts, maxTaskRetries, maxConcurrency, detached } = net
    const { namespace } = this.lease
    const settings = { name: undefined, namespace, numCpus, maxRestarts, maxTaskRetries, maxConcurrency, detached }
    const task = this.#task(creation, null)
    const actor = new NodeActor(id, className, label, settings, task)
    if (detached) this.#detached ??= this.#makeEngine()
    const engine = detached ? this.#detached! : this.#engine
    actor.engine = engine
    actor.session = this
    actor.key = net.key
    actor.warded = detached
    this.#actors.add(actor)
    this.node.actors.set(id, actor)
    this.#calls.add(creation.id, { task, engine, delivery: null, told: true })
    task.returns[0]!.whenSettled(() => {
      const { state, error } = task.returns[0]!
      if (state !== 'failed' || actor.state === 'dead') return
      actor.die(
        error instanceof ActorDiedError ? error : new ActorDiedError(label, 'it could not be made', { cause: error }),
      )
    })
    task.prepare(this.#objects.arguments(creation.args), () => {
      if (actor.state !== 'dead') engine.createActor(actor)
    })
    this.node.changed()
  }

  actorRestarted(actor: NodeActor): void {
    this.tell(['restarted', actor.id, 1])
    if (actor.warded) this.node.wards.restarted(actor.id)
  }

  actorDied(actor: NodeActor, error: Error): void {
    this.#actors.delete(actor)
    this.node.actors.delete(actor.id)
    // While its driver lives, that frees the name.
    if (actor.warded && this.#gone) this.node.wards.ended(actor)
    this.tell(['died', actor.id, encodeError(error)])
    this.node.changed()
  }

  #callActor(id: string, net: NetTask): void {
    const actor = this.node.actors.get(id)
    if (!actor) {
      const error = new ActorDiedError(net.label.split('.')[0]!, 'it is not on its node any more')
      this.tell(['results', [[net.id, false, encodeError(error), 0, '', []]], null])
      return
    }
    const task = this.#task(net, actor)
    this.#calls.add(net.id, { task, engine: actor.engine!, delivery: null, told: true })
    if (actor.session !== this && net.args.some((arg) => (arg[0] === 'value' ? arg[1] : arg[2])?.[2].length))
      return task.fail(
        new NotSerializableError(
          'An argument',
          "has refs or handles inside, and the actor is another driver's",
          'Pass their values.',
        ),
      )
    actor.queue.push(task)
    task.prepare(this.#objects.arguments(net.args), () => actor.engine!.pump(actor))
  }

  #kill(id: string, restart: boolean): void {
    const actor = this.node.actors.get(id)
    if (actor) actor.engine!.kill(actor, restart)
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
    const over = new RayError('RAY_CLUSTER_LOST', 'The driver has left')
    for (const delivery of [...this.#deliveries]) {
      if (again) delivery.giveBack()
      else delivery.drop()
    }
    for (const actor of [...this.#actors]) {
      if (!all && actor.settings.detached) continue
      this.#leave(actor, over)
      // One that leaves frees its names itself.
      if (!again) this.node.wards.ended(actor)
    }
    this.#calls.clear()
    this.#objects.clear()
    await Promise.all([this.#engine.shutdown(), all ? this.#detached?.shutdown() : null])
  }

  /** An actor of a driver that is gone, which another node had. */
  adopt(actor: NetActor): void {
    this.#createActor(actor)
  }

  /** It ends here, but may go on elsewhere. */
  #leave(actor: NodeActor, why: Error): void {
    actor.warded = false
    actor.die(why)
  }

  /** Another node has taken over an actor that is here still. */
  taken(actor: NodeActor): void {
    this.#leave(actor, new RayError('RAY_CLUSTER_LOST', 'Another node has taken the actor over'))
  }

  get lasting(): boolean {
    return [...this.#actors].some(({ settings }) => settings.detached)
  }
}
