/**
 * Ray's programming model: tasks, actors and objects, typed.
 * @see https://docs.ray.io/en/latest/ray-core/walkthrough.html
 */
import { writeSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { expected, RayitoError } from '../core/errors.js'
import { kernel } from '../core/notebook.js'
import { knownOptions } from '../core/options.js'
import { span } from '../core/spans.js'
import { deserialize, serialize } from '../core/travel.js'
import { makeActorPool } from './actor-pool.js'
import { Driver } from './driver.js'
import { actorOf, makeHandle } from './handle.js'
import { isRef, type ObjectRef } from './object-ref.js'
import { ObjectRefGenerator } from './object-ref-generator.js'
import { checkGetOptions, checkInitOptions, checkWaitOptions } from './options.js'
import { remote } from './remote.js'
import { installStart, peekRuntime, type RuntimeContext, runtime, runtimeContext, setRuntime } from './runtime.js'
import { Summary } from './timeline/summary.js'
import type {
  ActorHandle,
  GetOptions,
  InitOptions,
  NodeInfo,
  Resources,
  Stats,
  TraceEvent,
  ValueOf,
  WaitOptions,
} from './types.js'

export * from './errors.js'
export { ObjectRef } from './object-ref.js'
export { ObjectRefGenerator } from './object-ref-generator.js'
export type { RuntimeContext } from './runtime.js'
export { Summary } from './timeline/summary.js'
export type * from './types.js'

let options: InitOptions = {}
let ending: Promise<void> | null = null

installStart(startDriver)

/**
 * Begins a session; implied by the first use of anything else. A second call changes nothing.
 * @throws RayitoError RAY_MISUSE if the session that runs was begun with other options
 */
function init(given: InitOptions = {}): Session {
  checkInitOptions(given)
  if (peekRuntime() && !(runtime() instanceof Driver))
    return session({ numCpus: availableParallelism(), address: 'local' }, undefined)
  // One whose cluster could not be reached, or is lost, is over: the next begins anew.
  if (hasFailed()) void shutdown()
  if (!peekRuntime()) {
    setRuntime(startDriver(given))
  } else {
    const other = Object.entries(given).find(
      ([name, value]) => value !== undefined && options[name as keyof InitOptions] !== value,
    )
    if (other && (other[0] !== 'numCpus' || other[1] !== (runtime() as Driver).total().CPU))
      throw new RayitoError('RAY_MISUSE', `ray.init was called before, with another \`${other[0]}\``, {
        remedy: 'Call ray.shutdown() first.',
      })
  }
  const driver = runtime() as Driver
  const { ready } = driver.engine
  if (!ready) return session({ numCpus: driver.total().CPU, address: driver.address }, ready)
  const info = {
    get numCpus() {
      return driver.total().CPU
    },
    address: driver.address,
  }
  return session(info, ready)
}

/** The session can do nothing any more. */
function hasFailed(): boolean {
  const driver = peekRuntime()
  return driver instanceof Driver && Boolean(driver.engine.failure)
}

/** What `init` gives: there at once on one machine, awaited to know that a cluster answers. */
export interface SessionInfo {
  /** CPUs of all machines together. */
  readonly numCpus: number
  /** 'local', or the cluster's. */
  readonly address: string
}
export type Session = SessionInfo & PromiseLike<SessionInfo>

function session(info: SessionInfo, ready: Promise<void> | undefined): Session {
  const told = Promise.resolve(ready).then((): SessionInfo => ({ numCpus: info.numCpus, address: info.address }))
  // Whoever does not wait for it meets its error at the first use.
  told.catch(() => {})
  return Object.defineProperty(info, 'then', { value: told.then.bind(told) }) as Session
}

const ADDRESS = /^(nats|tls):\/\/./

function startDriver(given: InitOptions): Driver {
  const { address = process.env.RAY_ADDRESS || 'local' } = given
  if (address !== 'local' && !ADDRESS.test(address))
    throw new RayitoError(
      'INVALID_ARGUMENT',
      `Expected \`address\` to be 'local' or nats://HOST:PORT, got \`${address}\``,
    )
  // Where the environment chooses the cluster, programs made for one machine go on as they are.
  if (given.address && address !== 'local' && (given.numCpus !== undefined || given.workers !== undefined))
    throw new RayitoError('RAY_MISUSE', 'numCpus and workers are chosen where the workers are', {
      remedy: 'Start them with `rayito worker --num-cpus N`, or leave the address out.',
    })
  options = given
  interruptible()
  if (address !== 'local') polite()
  if (!ends) process.on('exit', tellUnread)
  ends = true
  return new Driver({ ...given, address })
}

/** Ends the session: running work is ended, its refs reject, all workers end. Resolves when they have. Without a session: nothing. */
async function shutdown(): Promise<void> {
  const driver = peekRuntime()
  if (driver instanceof Driver) {
    tellUnread()
    setRuntime(null)
    ending = driver.shutdown()
  }
  await ending
}

/** A failure is told at the end at the latest. */
let ends = false
function tellUnread(): void {
  const driver = peekRuntime()
  // Also while the process ends, when nothing is written later.
  if (driver instanceof Driver) for (const line of driver.unread()) writeSync(2, `${line}\n`)
}

/** Whether a session runs; one whose cluster is lost does not. */
function isInitialized(): boolean {
  return peekRuntime() !== null && !hasFailed()
}

/**
 * Stores a value once, so that any number of calls can use it through its ref. The value is copied (bytes into shared
 * memory, where workers read them without another copy) and immutable from then on.
 * @throws NotSerializableError naming the part that cannot cross; ObjectStoreFullError
 */
function put<T>(value: T): ObjectRef<T> {
  if (isRef(value))
    throw new RayitoError('RAY_MISUSE', 'ray.put was given an ObjectRef', { remedy: 'Pass the ref on as it is.' })
  return runtime().put(value) as ObjectRef<T>
}

/**
 * Waits for the value of a ref, or of each of a list. Rejects with the error of the first that failed: RayTaskError (its
 * `cause` is what the task threw), WorkerCrashedError, ActorDiedError, TaskCancelledError, GetTimeoutError …
 */
function get<R extends ObjectRef<unknown>>(ref: R, options?: GetOptions): Promise<ValueOf<R>>
function get<const R extends readonly ObjectRef<unknown>[]>(
  refs: R,
  options?: GetOptions,
): Promise<{ -readonly [K in keyof R]: ValueOf<R[K]> }>
async function get(refs: ObjectRef | readonly ObjectRef[], options: GetOptions = {}): Promise<unknown> {
  checkGetOptions(options)
  if (isRef(refs)) return (await runtime().get([refs], options))[0]
  checkRefs('refs', refs)
  return runtime().get(refs, options)
}

/**
 * Waits until `numReturns` of the refs are ready (or failed), or the timeout: `[ready, rest]`, each in the order given.
 * @param refs generators among them are ready when their next ref is (or they have ended): `next()` gives it at once
 */
async function wait<W extends ObjectRef<unknown> | ObjectRefGenerator<unknown>>(
  refs: readonly W[],
  options: WaitOptions = {},
): Promise<[ready: W[], rest: W[]]> {
  if (!Array.isArray(refs) || refs.length === 0) expected('refs', 'a list of one ObjectRef or more', shownRefs(refs))
  const strange = refs.findIndex((ref) => !isRef(ref) && !(ref instanceof ObjectRefGenerator))
  if (strange >= 0) expected(`refs[${strange}]`, 'an ObjectRef or an ObjectRefGenerator', refs[strange])
  checkWaitOptions(options)
  const { numReturns = 1 } = options
  if (!Number.isInteger(numReturns) || numReturns > refs.length)
    expected('numReturns', `a whole number from 1 to ${refs.length}, the number of refs`, numReturns)
  return runtime().wait(refs, options)
}

const shownRefs = (refs: unknown) => (isRef(refs) ? 'an ObjectRef' : Array.isArray(refs) ? '[]' : refs)

function checkRefs(name: string, refs: unknown): asserts refs is readonly ObjectRef[] {
  if (refs instanceof ObjectRefGenerator)
    expected(name, 'an ObjectRef or a list of them, which a generator gives with `for await`', refs)
  if (!Array.isArray(refs)) expected(name, 'an ObjectRef or a list of them', refs)
  const at = refs.findIndex((ref) => !isRef(ref))
  if (at >= 0) expected(`${name}[${at}]`, 'an ObjectRef', refs[at])
}

/**
 * Ends an actor at once; its pending calls reject with an ActorDiedError.
 * @param options.noRestart false lets maxRestarts bring it back. @default true
 */
function kill(actor: ActorHandle<object>, options: { noRestart?: boolean } = {}): void {
  knownOptions(options, ['noRestart'])
  const { noRestart = true } = options
  const identity = actorOf(actor)
  if (!identity) expected('actor', 'an actor handle', actor)
  runtime().kill(identity, !noRestart)
}

/**
 * Cancels the task that makes a ref; getting it throws a TaskCancelledError. One that has not started is dropped; one that
 * runs is asked to stop (`ray.getRuntimeContext().signal`) and its worker replaced if it does not. A finished one stays.
 * @param ref or the generator that gives them: its next ref fails so, those from before stay
 * @param options.force ends its worker at once. @default false
 * @param options.recursive whether the tasks and actors' calls that it began are cancelled too. @default true
 */
function cancel(
  ref: ObjectRef<unknown> | ObjectRefGenerator<unknown>,
  options: { force?: boolean; recursive?: boolean } = {},
): void {
  knownOptions(options, ['force', 'recursive'])
  const { force = false, recursive = true } = options
  const made = ref instanceof ObjectRefGenerator ? ref.completed() : ref
  if (!isRef(made)) expected('ref', 'an ObjectRef or an ObjectRefGenerator', ref)
  runtime().cancel(made, force, recursive)
}

/** A handle to the actor of that name. @throws ActorNameError (rejects) when none lives */
async function getActor<T extends object = Record<string, (...args: never[]) => unknown>>(
  name: string,
  options: { namespace?: string } = {},
): Promise<ActorHandle<T>> {
  knownOptions(options, ['namespace'])
  const { namespace } = options
  return makeHandle<T>(await runtime().getActor(name, namespace))
}

/** Lets objects go now, without waiting for the collector; getting them throws an ObjectLostError. */
function free(refs: ObjectRef<unknown> | readonly ObjectRef<unknown>[]): void {
  const list = isRef(refs) ? [refs] : refs
  checkRefs('refs', list)
  runtime().free(list)
}

/** The machines of the session. */
async function nodes(): Promise<NodeInfo[]> {
  return runtime().nodes()
}
/** What the machines have in all: `{ CPU }`. */
async function clusterResources(): Promise<Resources> {
  return runtime().total()
}
/** What of it is free now. */
async function availableResources(): Promise<Resources> {
  return runtime().available()
}
/** Figures of the session so far: bytes moved, tasks, calls per worker. */
async function stats(): Promise<Stats> {
  return runtime().stats()
}
/**
 * What every worker did, as events of Chrome's trace format, which https://ui.perfetto.dev opens as they are: start of the
 * worker, import of modules, loading of models and data sets, transfer (from handing a message with calls over until the
 * worker takes it up, in which it may be busy), deserialising (from 0.1 ms on), tasks (actors' calls and constructors too),
 * what `ray.profile` marks, and idleness. A process for each process or node, a thread for each worker, further ones for what
 * overlaps. Only the newest calls are there (`ray.init({ timeline })`); without a session, or with timeline false, none.
 *
 * One clock for the threads and processes of a machine. Events of other machines are moved by the difference of the clocks,
 * measured over the network: right to half a round trip.
 * @param filename written with the events as JSON; without it they are returned
 * @see https://docs.ray.io/en/latest/ray-core/api/doc/ray.timeline.html
 */
function timeline(): Promise<TraceEvent[]>
function timeline(filename: string): Promise<undefined>
async function timeline(filename?: string): Promise<TraceEvent[] | undefined> {
  if (filename !== undefined && (typeof filename !== 'string' || !filename)) expected('filename', 'a path', filename)
  const events = peekRuntime() ? await runtime().timeline() : []
  if (filename === undefined) return events
  try {
    await writeFile(filename, `[\n${events.map((event) => JSON.stringify(event)).join(',\n')}\n]\n`)
  } catch (cause) {
    const message = `The timeline cannot be written to ${filename}: ${(cause as Error).message}`
    throw new RayitoError('INVALID_ARGUMENT', message, { cause, remedy: 'Name a file in a folder that is there.' })
  }
  return undefined
}

/**
 * Figures of each function, method and constructor so far: calls, failures, how long calls waited and ran (50th, 95th and 99th
 * percentile, of the calls that the timeline keeps), bytes of arguments and results. Prints as a table.
 */
async function summary(): Promise<Summary> {
  return new Summary(await runtime().summary())
}

/**
 * Runs `fn` (until its promise settles, where it returns one) and marks the time it takes in `ray.timeline()`, under the task
 * it is called in. Returns what `fn` returned; what it throws passes through.
 * @param name what the stretch is called
 * @param extraData shown with it, as it is when this is called: an object that JSON can hold
 */
function profile<T>(name: string, fn: () => T, extraData?: Record<string, unknown>): T {
  if (typeof name !== 'string' || !name) expected('name', 'a text', name)
  if (typeof fn !== 'function') expected('fn', 'a function', fn)
  return span('profile', name, fn, extraData && jsonCopy(extraData))
}

function jsonCopy(data: unknown): Record<string, unknown> {
  let copy: unknown
  try {
    copy = JSON.parse(JSON.stringify(data))
  } catch {
    // It has a cycle or a BigInt in it, or is a function.
  }
  if (typeof copy !== 'object' || copy === null) expected('extraData', 'an object that JSON can hold', data)
  return copy as Record<string, unknown>
}

/** Where this code runs: in which worker and task, at which attempt, and the signal of its cancellation. */
function getRuntimeContext(): RuntimeContext {
  return runtimeContext()
}

/** A program that ends without ray.shutdown() leaves the cluster all the same. */
let leaving = false
function polite(): void {
  if (leaving) return
  leaving = true
  process.on('beforeExit', () => {
    if (peekRuntime() instanceof Driver) void shutdown()
  })
}

/** In a notebook Ctrl-C interrupts the cell, not the kernel: what the cell started is cancelled. */
let listening = false
function interruptible(): void {
  if (listening || !kernel()) return
  listening = true
  process.on('SIGINT', () => {
    const driver = peekRuntime()
    if (driver instanceof Driver) driver.cancelAll()
  })
}

export const ActorPool = makeActorPool({ get, wait })

/** Ray's programming model on worker threads, processes or a cluster: tasks, actors, and objects that they share. */
export const ray = {
  init,
  shutdown,
  isInitialized,
  remote,
  put,
  get,
  wait,
  kill,
  cancel,
  getActor,
  free,
  nodes,
  clusterResources,
  availableResources,
  stats,
  timeline,
  summary,
  profile,
  getRuntimeContext,
  ActorPool,
  serialize,
  deserialize,
} as const
