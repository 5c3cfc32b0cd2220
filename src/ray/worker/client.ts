import { randomUUID } from 'node:crypto'
import { type ActorIdentity, identityOf } from '../actor-identity.js'
import type { RemoteDefinition } from '../definition.js'
import type { Begun, Fetched, Requests } from '../driver/answers.js'
import { carriedId } from '../handle.js'
import { type Content, EMPTY, type Entry, entryOf, isRef, type ObjectRef } from '../object-ref.js'
import { checkActorOptions, checkMethodOptions, checkTaskOptions, type SessionInfo } from '../options.js'
import { decodeError, encodeError } from '../pack/error-codec.js'
import { pack } from '../pack.js'
import { Pressure } from '../pressure.js'
import type { ToDriver, WireContent, WorkerStart } from '../protocol.js'
import { currentGroup, type Runtime, type Waitable } from '../runtime.js'
import type {
  ActorOptions,
  GetOptions,
  MethodOptions,
  NodeInfo,
  Resources,
  SessionSummary,
  Stats,
  TaskOptions,
  TraceEvent,
  WaitOptions,
} from '../types.js'
import { awaited, settled, waitFor } from '../waiting.js'
import { plain, prepareCall } from './call.js'
import { Held } from './held.js'
import { DriverRequests } from './requests.js'
import type { Running } from './running.js'

/** `ray` inside a worker: every call goes to the driver, which owns objects and actors. */
export class WorkerClient implements Runtime {
  /** Before the ids of what is made here: an actor that starts again keeps its name, but must not give ids a second time. */
  readonly #own: string
  #lastId = 0
  readonly #requests: DriverRequests
  readonly held: Held
  readonly #pressure = new Pressure()

  constructor(
    private readonly start: WorkerStart,
    private readonly send: (message: ToDriver) => void,
    /** The call that runs now; null if none does. */
    private readonly running: () => Running | null,
  ) {
    this.#own = `${start.name}/${randomUUID().slice(0, 8)}`
    this.#requests = new DriverRequests(send)
    this.held = new Held(this, (releases) => this.send(['release', releases]))
  }

  answered(request: number, ok: boolean, data: unknown): void {
    this.#requests.answered(request, ok, data)
  }

  /** Requests that have not been sent yet; null if all have. */
  get unsent(): Promise<void> | null {
    return this.#requests.unsent
  }

  // -- values

  /** A value on its way to the driver. */
  readonly wire = ({ data, special, copied, shared, fresh, carried }: Content): WireContent => {
    this.allocated(fresh)
    // Another process has to allocate all of it.
    const there = this.start.slots ? fresh : shared
    return [data, special, copied, shared, there, carried.length ? [...new Set(carried.map(carriedId))] : []]
  }

  /** Shared memory that was made here or came here: it stays until this thread collects, whatever others do. */
  allocated(bytes: number): void {
    if (bytes > 0) this.#pressure.allocating(bytes)
  }

  /** A new object's ref: the driver holds it for this worker from the request on. */
  #newRefs(numReturns: number | 'streaming' = 1): { ids: string[]; refs: ObjectRef[] } {
    const count = numReturns === 'streaming' ? 1 : numReturns
    const ids = Array.from({ length: count }, () => `${this.#own}/${++this.#lastId}`)
    return { ids, refs: ids.map((id) => this.held.ref(id)) }
  }

  /** Asks in order. What goes wrong shows in `refs`. @param refused told of what keeps the request from being sent */
  #inOrder<K extends keyof Requests>(
    operation: K,
    payload: () => Requests[K] | Promise<Requests[K]>,
    refs: readonly ObjectRef[],
    refused?: (error: unknown) => void,
  ): void {
    const answer = this.#requests.inOrder(operation, payload, (error) => {
      refused?.(error)
      for (const { id } of refs) this.held.unsent(id)
      this.#failed(refs, error)
    })
    answer.catch((error) => this.#failed(refs, error))
  }

  #failed(refs: readonly ObjectRef[], error: unknown): void {
    for (const ref of refs) entryOf(ref).fail(error)
  }

  // -- ray's calls

  put(value: unknown): ObjectRef {
    const packed = pack(value, 'value')
    const { ids, refs } = this.#newRefs()
    const payload = (content: Content) => ({ id: ids[0]!, content: this.wire(content) })
    this.#inOrder('put', () => (packed instanceof Promise ? packed.then(payload) : payload(packed)), refs)
    return refs[0]!
  }

  /** Asks for objects that are not here yet; each is kept as long as a ref to it. */
  #fetch(refs: readonly ObjectRef[], seen: boolean): void {
    const wanted = refs.filter((ref) => entryOf(ref).state === 'pending' && this.held.ask(ref.id))
    for (const ref of wanted) {
      // Behind whatever makes the object.
      this.#requests.behind('get', { id: ref.id, seen }).then(
        (answered) => {
          const [ok, data, special, fresh, inside] = answered as Fetched
          this.allocated(fresh)
          this.held.came(ref.id, inside)
          const entry = entryOf(ref)
          if (ok) entry.succeed({ ...EMPTY, data, special })
          else entry.fail(decodeError(data))
        },
        (error) => entryOf(ref).fail(error),
      )
    }
  }

  get(refs: readonly ObjectRef[], options: GetOptions): Promise<unknown[]> {
    return this.#get(refs, options, true)
  }

  async peek(ref: ObjectRef): Promise<unknown> {
    return (await this.#get([ref], {}, false))[0]
  }

  async #get(refs: readonly ObjectRef[], options: GetOptions, seen: boolean): Promise<unknown[]> {
    this.#fetch(refs, seen)
    await this.#waiting(refs.map(entryOf), settled(refs, options, seen))
    return Promise.all(refs.map((ref) => this.#value(entryOf(ref))))
  }

  async settled(ref: ObjectRef): Promise<void> {
    await this.#waiting([entryOf(ref)], this.#requests.behind('settled', { id: ref.id }))
  }

  seen(ref: ObjectRef): void {
    this.#inOrder('seen', () => ({ id: ref.id }), [])
  }

  #value(entry: Entry): unknown {
    const { data, special } = entry.content!
    if (typeof data !== 'object' || data === null) return data
    const copy = structuredClone(data)
    return special ? this.held.unpack(copy, entry) : copy
  }

  /** While a task waits for others, its CPUs are theirs. */
  #waiting<T>(entries: readonly Entry[], promise: Promise<T>): Promise<T> {
    return entries.every(({ state }) => state !== 'pending') ? promise : this.lend(promise)
  }

  async lend<T>(promise: Promise<T>): Promise<T> {
    // What a call left behind has no CPUs to lend.
    const call = this.running()?.call
    if (call === undefined) return promise
    this.send(['blocked', call])
    try {
      return await promise
    } finally {
      this.send(['unblocked', call])
    }
  }

  wait<W extends Waitable>(refs: readonly W[], options: WaitOptions): Promise<[W[], W[]]> {
    const waitables: readonly Waitable[] = refs
    this.#fetch(waitables.filter(isRef), true)
    return this.#waiting(refs.map(awaited), waitFor(refs, options))
  }

  /** What a call that is begun now is cancelled with: nothing that has heard of its end and cleans up. */
  #begunBy(): Begun {
    const running = this.running()
    return { parent: running && !running.signal.aborted ? running.call : null, group: currentGroup() }
  }

  submit(definition: RemoteDefinition, args: readonly unknown[], options: TaskOptions): ObjectRef[] {
    checkTaskOptions(options)
    const by = this.#begunBy()
    const call = prepareCall(definition, args, this.wire, (ready, code) => ({
      code,
      args: ready,
      options: plain(options),
      ids,
      ...by,
    }))
    const { ids, refs } = this.#newRefs(options.numReturns)
    this.#inOrder('submit', call, refs)
    return refs
  }

  createActor(definition: RemoteDefinition, args: readonly unknown[], options: ActorOptions): ActorIdentity {
    checkActorOptions(options)
    const id = `${this.#own}/a${++this.#lastId}`
    const call = prepareCall(definition, args, this.wire, (ready, code) => ({ id, code, args: ready, options }))
    this.held.actor(id)
    // Its handle is given already when it turns out that it cannot be sent: the driver must know why.
    this.#inOrder('createActor', call, [], (error) => {
      const fail = { id, className: definition.name, error: encodeError(error) }
      this.#requests.ask('failActor', fail).catch(() => {})
    })
    return { id, className: definition.name, label: definition.name, generators: definition.generators }
  }

  callActor(actor: ActorIdentity, method: string, args: readonly unknown[], options: MethodOptions): ObjectRef[] {
    checkMethodOptions(options)
    const by = this.#begunBy()
    const call = prepareCall(null, args, this.wire, (ready) => ({
      actor: identityOf(actor),
      method,
      args: ready,
      options: plain(options),
      ids,
      ...by,
    }))
    const { ids, refs } = this.#newRefs(options.numReturns)
    this.#inOrder('callActor', call, refs)
    return refs
  }

  async getActor(name: string, namespace: string | undefined): Promise<ActorIdentity> {
    const wanted = { name, namespace: namespace ?? this.start.namespace }
    // Behind whatever makes it.
    const identity = (await this.#requests.behind('getActor', wanted)) as ActorIdentity
    this.held.actor(identity.id)
    return identity
  }

  async nextYielded(end: ObjectRef): Promise<ObjectRef | null> {
    await this.unsent
    try {
      const id = (await this.#requests.ask('next', { id: end.id })) as string | null
      return id === null ? null : this.held.ref(id)
    } catch (error) {
      // The driver never heard of a call whose arguments could not be sent.
      const { state, error: why } = entryOf(end)
      throw state === 'failed' ? why : error
    }
  }

  leave(end: ObjectRef): void {
    this.#inOrder('leave', () => ({ id: end.id }), [])
  }

  /** Hands value number `index` of a generator that runs here on. Resolves with whether it is to go on. */
  yield(stream: string, index: number, value: unknown, task: string): Promise<boolean> {
    const packed = pack(value, `value ${index} of ${task}`)
    // Behind what was asked for before: of refs and handles inside, the driver must have heard.
    const payload = (content: Content) => ({ stream, index, content: this.wire(content) })
    const ready = () => (packed instanceof Promise ? packed.then(payload) : payload(packed))
    return this.#requests.inOrder('yield', ready) as Promise<boolean>
  }

  kill({ id }: ActorIdentity, restart: boolean): void {
    this.#inOrder('kill', () => ({ id, restart }), [])
  }

  cancel(ref: ObjectRef, force: boolean, recursive: boolean): void {
    this.#inOrder('cancel', () => ({ id: ref.id, force, recursive }), [])
  }

  cancelGroup(group: number): void {
    this.#inOrder('cancelGroup', () => ({ group }), [])
  }

  free(refs: readonly ObjectRef[]): void {
    this.#inOrder('free', () => ({ ids: refs.map((ref) => ref.id) }), [])
  }

  get info(): SessionInfo {
    return this.start.session
  }
  /** A cluster's driver knows, as long as it is there. */
  told(): SessionInfo | Promise<SessionInfo> {
    const { info } = this
    return info.address === 'local' ? info : this.#figure<SessionInfo>('told').catch(() => info)
  }
  total(): Promise<Resources> {
    return this.#figure('total')
  }
  available(): Promise<Resources> {
    return this.#figure('available')
  }
  nodes(): Promise<NodeInfo[]> {
    return this.#figure('nodes')
  }
  stats(): Promise<Stats> {
    return this.#figure('stats')
  }
  timeline(): Promise<TraceEvent[]> {
    return this.#figure('timeline')
  }
  summary(): Promise<SessionSummary> {
    return this.#figure('summary')
  }

  /** Behind what was asked for before, which counts. */
  #figure<T>(which: Requests['figure']['which']): Promise<T> {
    return this.#requests.behind('figure', { which }) as Promise<T>
  }
}
