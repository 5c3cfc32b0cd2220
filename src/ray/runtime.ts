import type { ActorIdentity } from './actor-identity.js'
import type { RemoteDefinition } from './definition.js'
import type { Entry, ObjectRef } from './object-ref.js'
import type { YieldedValues } from './object-ref-generator.js'
import type { SessionInfo } from './options.js'
import type {
  ActorHandle,
  ActorOptions,
  AnyMethods,
  GetOptions,
  InitOptions,
  MethodOptions,
  NodeInfo,
  Resources,
  SessionSummary,
  Stats,
  TaskOptions,
  TraceEvent,
  WaitOptions,
} from './types.js'

/** What `ray.wait` takes: a ref, or a generator, which is ready when its next ref is. */
export type Waitable = ObjectRef | { awaited(): Entry }

/** What `ray`'s calls come down to: the driver does it, a worker asks the driver. */
export interface Runtime extends YieldedValues {
  put(value: unknown): ObjectRef
  get(refs: readonly ObjectRef[], options: GetOptions): Promise<unknown[]>
  /** The value for somebody who may not look: a failure is told at the session's end, unless `seen` is called. */
  peek(ref: ObjectRef): Promise<unknown>
  /** Resolves when it is there or has failed, without fetching it. */
  settled(ref: ObjectRef): Promise<void>
  /** Somebody has met the failure of what `peek` was asked for. */
  seen(ref: ObjectRef): void
  wait<W extends Waitable>(refs: readonly W[], options: WaitOptions): Promise<[W[], W[]]>
  submit(definition: RemoteDefinition, args: readonly unknown[], options: TaskOptions): ObjectRef[]
  createActor(definition: RemoteDefinition, args: readonly unknown[], options: ActorOptions): ActorIdentity
  callActor(actor: ActorIdentity, method: string, args: readonly unknown[], options: MethodOptions): ObjectRef[]
  getActor(name: string, namespace: string | undefined): ActorIdentity | Promise<ActorIdentity>
  kill(actor: ActorIdentity, restart: boolean): void
  /** Only in the driver. */
  whenActorDies?(actor: ActorIdentity, then: (death: Error) => void): void
  cancel(ref: ObjectRef, force: boolean, recursive: boolean): void
  /** In a worker: cancels what was begun within such a call (`Within`) and has not ended. */
  cancelGroup?(group: number): void
  free(refs: readonly ObjectRef[]): void
  /** What `ray.init` gives, as far as it is known at once. */
  readonly info: SessionInfo
  /** The same, once a cluster has answered. Rejects if the work cannot be done at all. */
  told(): SessionInfo | Promise<SessionInfo>
  total(): Resources | Promise<Resources>
  available(): Resources | Promise<Resources>
  nodes(): NodeInfo[] | Promise<NodeInfo[]>
  stats(): Stats | Promise<Stats>
  timeline(): TraceEvent[] | Promise<TraceEvent[]>
  summary(): SessionSummary | Promise<SessionSummary>
}

/** Where the current code stands, in a worker. */
export interface RuntimeContext<T extends object = AnyMethods> {
  /** `worker#1`, `InferenceEngine#2`; 'driver' outside workers. */
  worker: string
  /** The running task's name, or Class.method; null outside tasks. */
  task: string | null
  /** 1 at the first try; 0 outside tasks. */
  attempt: number
  /** Aborted when the task is cancelled or runs out of time: for code that can stop half way. */
  signal: AbortSignal
  /** In an actor a handle to itself: to be passed on, or to end itself for good (`ray.kill`). Held there alone it keeps no actor alive. */
  currentActor: ActorHandle<T> | null
}

let current: Runtime | null = null
/** The one before, while there is none. */
let over: Runtime | null = null
let start: ((options: InitOptions) => Runtime) | null = null
let context: (() => RuntimeContext) | null = null

/** In a worker: requests go to the driver. */
export function installRuntime(runtime: Runtime, where: () => RuntimeContext): void {
  current = runtime
  context = where
}

/** In the driver: how a session begins. */
export function installStart(begin: (options: InitOptions) => Runtime): void {
  start = begin
}

export function setRuntime(runtime: Runtime | null): void {
  over = runtime ? null : current
  current = runtime
}

/** The session, begun now if there is none: `ray.init()` is implied by first use. */
export function runtime(): Runtime {
  if (!current) setRuntime(start!({}))
  return current!
}

/** For whoever has a ref or a handle, which only a session gives: where that is over, what is asked of it begins no other. */
export function itsRuntime(): Runtime {
  return current ?? over ?? runtime()
}

export function peekRuntime(): Runtime | null {
  return current
}

const never = new AbortController().signal
const driver: RuntimeContext = { worker: 'driver', task: null, attempt: 0, signal: never, currentActor: null }

/** What somebody asked of an actor that does as much in calls of its own: it is cancelled without these. */
export interface Within {
  readonly signal: AbortSignal
  /** Its number among this worker's; null: what begins now is not cancelled with it. */
  readonly group: number | null
}
let inner: () => Within | undefined = () => undefined

export function installWithin(whose: typeof inner): void {
  inner = whose
}

/** What is begun now belongs to this one, too. */
export function currentGroup(): number | null {
  return inner()?.group ?? null
}

/** An object that has all of it, and nothing else, for those who spread it. */
export function runtimeContext(): RuntimeContext {
  if (!context) return driver
  const here = context()
  const whose = inner() ?? here
  const { worker, task, attempt } = here
  return {
    worker,
    task,
    attempt,
    get signal() {
      return whose.signal
    },
    get currentActor() {
      return here.currentActor
    },
  }
}
