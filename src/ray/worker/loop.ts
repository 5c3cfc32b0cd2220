import { AsyncLocalStorage } from 'node:async_hooks'
import { performance } from 'node:perf_hooks'
import { adoptEpoch, now } from '../../core/clock.js'
import { RayitoError } from '../../core/errors.js'
import { adoptFindings } from '../../core/findings.js'
import { installGate } from '../../core/gate.js'
import { Line } from '../../core/line.js'
import { toUser } from '../../core/user-stack.js'
import { allowModules, nameOf, setTravelling } from '../code/index.js'
import { collect } from '../collect.js'
import { generatorMethods } from '../definition.js'
import { TaskCancelledError } from '../errors.js'
import { makeHandle } from '../handle.js'
import { Notes } from '../notes.js'
import type { Content } from '../object-ref.js'
import { encodeError } from '../pack/error-codec.js'
import { setLeaving } from '../pack/reach.js'
import { pack } from '../pack.js'
import {
  KIND,
  SLOT,
  SLOTS,
  slotOf,
  slotState,
  TERMINATE,
  type ToDriver,
  type ToWorker,
  type WireCall,
  type WireContent,
  type WorkerStart,
} from '../protocol.js'
import { installRuntime, type RuntimeContext } from '../runtime.js'
import type { StreamTarget } from '../stream.js'
import { WorkerClient } from './client.js'
import { type Callable, Kept, type Maybe } from './kept.js'
import { Outbox } from './outbox.js'
import { idleContext, Running } from './running.js'
import { Interrupted, isThenable, methodsOf, several } from './values.js'
import { yieldAll } from './yields.js'

/** The way to the driver. */
export interface Port {
  postMessage(message: ToDriver): void
  /**
   * @param then says whether the message was a single call to an actor
   * @param quiet whether nothing runs
   */
  onMessage(then: (message: ToWorker) => boolean, quiet: () => boolean): void
}

/** Runs calls as they come, in order, as many at once as the actor allows (a task's worker: one). Resolves never. */
export function serve(start: WorkerStart, port: Port): Promise<never> {
  adoptEpoch(start.epoch)
  adoptFindings(start.findings)
  if (start.gate) installGate(start.gate)
  if (start.allow) {
    allowModules(start.allow)
    setTravelling(true)
    setLeaving(true)
  }
  new Loop(start, port)
  return new Promise(() => {})
}

class Loop {
  readonly #slots: Int32Array
  /** Of a thread: where small results are noted before they are sent. */
  readonly #notes: Notes | null
  /** A result that is not noted waits to be sent: it leaves before the next call begins, which may hold the thread. */
  #unnoted = false
  readonly #running = new Map<number, Running>()
  readonly #outbox: Outbox
  readonly #client: WorkerClient
  readonly #kept: Kept
  readonly #context = new AsyncLocalStorage<Running>()
  /** Where one call runs at a time, this says more cheaply than #context which. */
  #current: Running | null = null
  readonly #queue = new Line<WireCall>()
  /** The first call of the message that came last, and when it came. */
  #first = -1
  #receivedAt = 0
  #lastEnd = 0
  #instance: Record<string, unknown> | null = null
  #className = ''
  #generators: readonly string[] = []
  /** The constructor has not returned: no method may start. */
  #creating: boolean

  constructor(
    private readonly start: WorkerStart,
    port: Port,
  ) {
    this.#slots = new Int32Array(start.slots ?? new SharedArrayBuffer(SLOTS * 4), 0, SLOTS)
    this.#notes = start.slots && new Notes(start.slots)
    this.#creating = start.actorId !== null
    this.#outbox = new Outbox(start, (message) => port.postMessage(message))
    // A call that ends the worker takes no other's answer along.
    process.once('exit', () => this.#outbox.flush())
    this.#client = new WorkerClient(
      start,
      (message) => this.#outbox.post(message),
      // What a constructor begins is the actor's, and goes on.
      () => (this.#creating ? null : this.#where()),
    )
    this.#kept = new Kept(this.#client.held)
    const idle = idleContext(start.name, this.#self)
    installRuntime(this.#client, () => this.#where() ?? idle)
    if (start.spans) {
      const here = now()
      const born = here - performance.now() + performance.nodeTiming.bootstrapComplete
      const begun = Math.min(Math.max(born, start.made), here)
      this.#outbox.spans(
        { category: 'start', name: start.name, began: start.made, ended: begun },
        { category: 'import', name: 'rayito', began: begun, ended: here },
      )
    }
    port.onMessage(
      (message) => {
        this.#receive(message)
        // Tasks come from a queue: whoever waits for one may send the next to another worker.
        return start.actorId !== null && message[0] === 'calls' && message[1].length === 1
      },
      () => this.#running.size === 0,
    )
  }

  /** The actor as others call it; null in a worker for tasks. */
  #self = (): RuntimeContext['currentActor'] => {
    const { actorId: id, name: label } = this.start
    return id === null ? null : makeHandle({ id, className: this.#className, label, generators: this.#generators })
  }

  #where(): Running | null {
    return this.#context.getStore() ?? this.#current
  }

  #receive(message: ToWorker): void {
    switch (message[0]) {
      case 'calls': {
        const received = now()
        const [, calls, objects, codes, fresh] = message
        this.#client.allocated(fresh)
        for (const [id, code] of codes) this.#kept.code(id, code)
        for (const [id, data, special] of objects) this.#kept.object(id, data, special)
        if (!this.start.slots) for (const [call] of calls) this.#mark(call, SLOT.QUEUED)
        this.#first = calls[0]![0]
        this.#receivedAt = received
        for (const call of calls) this.#queue.push(call)
        this.#pump()
        return
      }
      case 'free':
        for (const id of message[1]) this.#kept.free(id)
        return
      case 'cancel':
        this.#cancel(message[1])
        return
      case 'collect':
        collect(message[1])
        return
      case 'findings':
        adoptFindings(message[1])
        return
      case 'answer':
        this.#client.answered(message[1], message[2], message[3])
        return
    }
  }

  #mark(call: number, state: number): void {
    Atomics.store(this.#slots, slotOf(call), slotState(call, state))
  }

  #cancel(call: number): void {
    const running = this.#running.get(call)
    if (running) {
      running.abort()
      return this.#outbox.post(['stopping', call])
    }
    // A driver that shares no memory cannot take it back itself.
    const waiting = this.#queue.find(([queued]) => queued === call)
    if (!waiting) return
    this.#mark(call, SLOT.TAKEN)
    const at = now()
    this.#outbox.result(call, false, encodeError(new TaskCancelledError(waiting[5])), at, at, 0)
    this.#outbox.flush()
  }

  #pump(): void {
    while (this.#running.size < (this.#creating ? 1 : this.start.maxConcurrency)) {
      const call = this.#queue.first
      // With the last call the actor ends, once those before it have.
      if (!call || (call[2] === TERMINATE && this.#running.size > 0)) break
      this.#queue.shift()
      this.#run(call)
    }
    this.#outbox.flush()
  }

  #run(wireCall: WireCall): void {
    const [call, , , , , label, attempt, announce] = wireCall
    const queued = slotState(call, SLOT.QUEUED)
    if (Atomics.compareExchange(this.#slots, slotOf(call), queued, slotState(call, SLOT.STARTED)) !== queued) return
    if (announce) this.#outbox.post(['started', call])
    else if (this.#unnoted) this.#outbox.flush()
    this.#unnoted = false
    const received = call === this.#first ? this.#receivedAt : 0
    const running = new Running(this.start.name, call, label, attempt, received, this.#self)
    this.#running.set(call, running)
    if (this.start.maxConcurrency > 1) this.#context.run(running, () => this.#perform(wireCall, running))
    else {
      this.#current = running
      this.#perform(wireCall, running)
    }
  }

  #perform(wireCall: WireCall, running: Running): void {
    const [, , , , numReturns] = wireCall
    running.began = now()
    let value: unknown
    let later: boolean
    try {
      value = this.#invoke(wireCall, running)
      if (typeof numReturns !== 'number') value = this.#yield(running, numReturns, value)
      else if (numReturns > 1) value = several(value, numReturns, running.task)
      // It may be what throws when it is looked at.
      later = value instanceof Promise || isThenable(value)
    } catch (error) {
      return this.#failed(running, error)
    }
    if (!later) return this.#succeeded(running, numReturns, value)
    Promise.resolve(value).then(
      (result) => {
        this.#succeeded(running, numReturns, result)
        this.#pump()
      },
      (error) => {
        this.#failed(running, error)
        this.#pump()
      },
    )
  }

  /** Calls the function, constructor or method as soon as it and its arguments are there. */
  #invoke([, kind, code, wires]: WireCall, running: Running): Maybe<unknown> {
    const args: unknown[] = new Array(wires.length)
    let later = false
    for (let i = 0; i < wires.length; i++) {
      args[i] = this.#kept.argument(wires[i]!)
      if (args[i] instanceof Promise) later = true
    }
    const callable = kind === KIND.METHOD ? this.#method(code) : this.#kept.callable(code)
    // It began when its code or objects did, which came in the same message.
    if (later || callable instanceof Promise) running.began = Math.max(this.#receivedAt, this.#lastEnd)
    if (callable instanceof Promise) return callable.then(async (fn) => this.#apply(kind, fn, await Promise.all(args)))
    return later
      ? Promise.all(args).then((ready) => this.#apply(kind, callable, ready))
      : this.#apply(kind, callable, args)
  }

  #apply(kind: number, callable: Callable, args: unknown[]): unknown {
    if (kind === KIND.TASK) return callable(...args)
    if (kind === KIND.METHOD) return callable.apply(this.#instance, args)
    this.#className = nameOf(callable)
    this.#generators = generatorMethods(callable)
    const made = Reflect.construct(callable, args)
    this.#instance = made as Record<string, unknown>
    this.#creating = false
    return undefined
  }

  #method(name: string): Callable {
    if (name === TERMINATE) return () => undefined
    const method = this.#instance?.[name]
    if (typeof method === 'function') return method as Callable
    throw new RayitoError('RAY_MISUSE', `${this.#className || 'The class'} has no method ${name}`, {
      remedy: `It has ${methodsOf(this.#instance).join(', ') || 'none'}.`,
    })
  }

  // -- results

  /** A generator's values go one by one; what is left to return is its end. */
  async #yield({ task, signal }: Running, [id, ahead]: StreamTarget, values: unknown): Promise<void> {
    const give = (index: number, value: unknown) => this.#client.yield(id, index, value, task)
    await yieldAll(await values, task, ahead, give, signal)
  }

  #succeeded(running: Running, numReturns: number | StreamTarget, value: unknown): void {
    const one = numReturns === 1 || typeof numReturns !== 'number'
    this.#give(running, one ? [value] : (value as unknown[]), one, null)
  }

  #failed(running: Running, error: unknown): void {
    if (Interrupted.is(error)) this.#give(running, error.before, false, encodeError(toUser(error.cause)))
    else this.#finish(running, false, encodeError(toUser(error)), now())
  }

  /** @param thrown after the values; null if nothing was */
  #give(running: Running, values: readonly unknown[], one: boolean, thrown: unknown): void {
    const ended = now()
    const whole = `the result of ${running.task}`
    try {
      const packed = values.map((item, i) => pack(item, one ? whole : `${whole}[${i}]`))
      if (packed.some((content) => content instanceof Promise))
        Promise.all(packed).then(
          (ready) => this.#deliver(running, ready, thrown, ended, true),
          (error) => this.#finish(running, false, encodeError(error), ended, true),
        )
      else this.#deliver(running, packed as Content[], thrown, ended, false)
    } catch (error) {
      this.#finish(running, false, encodeError(error), ended)
    }
  }

  /** Of refs and handles inside, the driver must have heard before. */
  #deliver(running: Running, contents: readonly Content[], thrown: unknown, ended: number, pump: boolean): void {
    const finish = (pump: boolean) => {
      const values = contents.map(this.#client.wire)
      if (thrown === null) this.#finish(running, true, values, ended, pump)
      else this.#finish(running, false, thrown, ended, pump, values)
    }
    const { unsent } = this.#client
    if (unsent && contents.some(({ carried }) => carried.length > 0)) void unsent.then(() => finish(true))
    else finish(pump)
  }

  /** @param before values that came before what was thrown */
  #finish(
    running: Running,
    ok: boolean,
    values: WireContent[] | unknown,
    ended: number,
    pump = false,
    before?: WireContent[],
  ): void {
    const { call, began, received } = running
    this.#running.delete(call)
    this.#current = null
    const noted = ok && this.#notes?.write(call, values as WireContent[], began, ended)
    this.#unnoted ||= !noted
    this.#mark(call, SLOT.FINISHED)
    this.#outbox.result(call, ok, values, began, ended, received, before)
    this.#lastEnd = ended
    if (pump) this.#pump()
  }
}
