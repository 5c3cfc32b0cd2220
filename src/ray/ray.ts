/** What `ray` has: its members by their names. */
import { writeFile } from 'node:fs/promises'
import { expected, RayitoError } from '../core/errors.js'
import { knownOptions } from '../core/options.js'
import { span } from '../core/spans.js'
import { deserialize, serialize } from '../core/travel.js'
import { atUser } from '../core/user-stack.js'
import { ActorPool } from './actor-pool.js'
import { actorOf, makeHandle } from './handle.js'
import { entryOf, isRef, type ObjectRef } from './object-ref.js'
import { ObjectRefGenerator } from './object-ref-generator.js'
import { checkCancelOptions, checkGetOptions, checkKillOptions, checkNamespace, checkWaitOptions } from './options.js'
import { remedyFor } from './remedy.js'
import { remote } from './remote.js'
import { itsRuntime, peekRuntime, type RuntimeContext, runtime, runtimeContext } from './runtime.js'
import { init, isInitialized, shutdown } from './session.js'
import { Summary } from './timeline/summary.js'
import type {
  ActorHandle,
  AnyMethods,
  GetOptions,
  NodeInfo,
  NoRef,
  Resources,
  Stats,
  TraceEvent,
  ValuesOf,
  WaitOptions,
} from './types.js'

export { ActorPool, deserialize, init, isInitialized, remote, serialize, shutdown }

/**
 * Stores a value once, so that any number of calls can use it through its ref. The value is copied: what is done to the original
 * later is not seen. A ref is no value to be put: pass it on as it is.
 *
 * Arrays and buffers from 4 KiB up go into shared memory, where worker threads read them without another copy. Nothing protects
 * them there: whoever writes into them changes the object for all, so write into a copy (`new Uint8Array(bytes)`; `structuredClone`
 * makes none of shared memory). The same holds for a call's arguments, of which a further try (`maxRetries`, `retryExceptions`) gets
 * what the one before has left.
 * @throws NotSerializableError naming the part that cannot cross; ObjectStoreFullError (put in a task or actor, getting it throws that)
 */
export function put<T>(value: NoRef<T>): ObjectRef<T> {
  if (isRef(value))
    throw new RayitoError('RAY_MISUSE', 'ray.put was given an ObjectRef', { remedy: 'Pass the ref on as it is.' })
  return runtime().put(value) as ObjectRef<T>
}

/**
 * Waits for the value of a ref, or of each of a list. Rejects with the error of the first that failed: RayTaskError (its
 * `cause` is what the task threw), WorkerCrashedError, ActorDiedError, TaskCancelledError, GetTimeoutError …
 *
 * Each time a copy, except of arrays and buffers in shared memory, which are everybody's: read them, write into a copy. From 4 KiB up
 * bytes lie there, which web APIs (`crypto.subtle`, `new Response(bytes)`) refuse though the type allows it: give them `new Uint8Array(bytes)`.
 */
export async function get<const R extends ObjectRef<unknown> | readonly ObjectRef<unknown>[]>(
  refs: R,
  options: GetOptions = {},
): Promise<ValuesOf<R>> {
  if (isRef(options)) expected('options', 'an object – refs go into a list –', options)
  checkGetOptions(options)
  const list: unknown = isRef(refs) ? [refs] : refs
  checkRefs('refs', list)
  try {
    const values = await itsRuntime().get(list, options)
    return (isRef(refs) ? values[0] : values) as ValuesOf<R>
  } catch (error) {
    throw atUser(error)
  }
}

/**
 * Waits until `numReturns` of the refs are ready (or failed), or the timeout: `[ready, rest]`, each in the order given. Of no refs
 * at all, at once: `[[], []]`.
 * @param refs each once; generators among them are ready when their next ref is (or they have ended): `next()` gives it at once
 */
export async function wait<W extends ObjectRef<unknown> | ObjectRefGenerator<unknown>>(
  refs: readonly W[],
  options: WaitOptions = {},
): Promise<[ready: W[], rest: W[]]> {
  if (!Array.isArray(refs)) expected('refs', 'a list of them', refs, remedyFor(refs))
  checkWaitables(refs)
  knownOptions(options, ['numReturns', 'timeout'])
  const { numReturns = 1, timeout } = options
  checkWaitOptions({ timeout })
  if (refs.length === 0) return [[], []]
  if (!Number.isInteger(numReturns) || numReturns < 1 || numReturns > refs.length)
    expected('numReturns', `a whole number from 1 to ${refs.length}, the number of refs`, numReturns)
  return itsRuntime().wait(refs, options)
}

/** Of one that is there twice, a program that goes on with the rest would take the value twice. */
function checkWaitables(refs: readonly unknown[]): void {
  const seen = new Map<unknown, number>()
  for (const [i, ref] of refs.entries()) {
    if (!isRef(ref) && !(ref instanceof ObjectRefGenerator))
      expected(`refs[${i}]`, 'an ObjectRef or an ObjectRefGenerator', ref, remedyFor(ref))
    const which = isRef(ref) ? entryOf(ref) : ref
    if (seen.has(which)) expected(`refs[${i}]`, `another than refs[${seen.get(which)}]`, ref)
    seen.set(which, i)
  }
}

function checkRefs(name: string, refs: unknown): asserts refs is readonly ObjectRef[] {
  if (refs instanceof ObjectRefGenerator)
    expected(name, 'an ObjectRef or a list of them, which a generator gives with `for await`', refs)
  if (!Array.isArray(refs)) expected(name, 'an ObjectRef or a list of them', refs, remedyFor(refs))
  const at = refs.findIndex((ref) => !isRef(ref))
  if (at >= 0) expected(`${name}[${at}]`, 'an ObjectRef', refs[at], remedyFor(refs[at]))
}

/**
 * Ends an actor at once; its pending calls reject with an ActorDiedError.
 * @param options.noRestart false lets maxRestarts bring it back. @default true
 */
export function kill(actor: ActorHandle<object>, options: { noRestart?: boolean | undefined } = {}): void {
  checkKillOptions(options)
  const { noRestart = true } = options
  const identity = actorOf(actor)
  if (!identity) expected('actor', 'an actor handle', actor, remedyFor(actor))
  itsRuntime().kill(identity, !noRestart)
}

/**
 * Cancels the task that makes a ref; getting it throws a TaskCancelledError. One that has not started is dropped; one that
 * runs is asked to stop (`ray.getRuntimeContext().signal`) and its worker replaced if it does not: within 0.2 s where it
 * computes without a pause and cannot hear of it, else within a second, in which it may clean up. A finished one stays.
 * @param ref or the generator that gives them: its next ref fails so, those from before stay
 * @param options.force ends its worker at once. @default false
 * @param options.recursive whether the tasks and actors' calls that it began are cancelled too. What it begins once its signal tells it, to
 * clean up, is not, as in Ray. @default true
 */
export function cancel(
  ref: ObjectRef<unknown> | ObjectRefGenerator<unknown>,
  options: { force?: boolean | undefined; recursive?: boolean | undefined } = {},
): void {
  checkCancelOptions(options)
  const { force = false, recursive = true } = options
  const made = ref instanceof ObjectRefGenerator ? ref.completed() : ref
  if (!isRef(made)) expected('ref', 'an ObjectRef or an ObjectRefGenerator', ref, remedyFor(ref))
  itsRuntime().cancel(made, force, recursive)
}

/**
 * A handle to the actor of that name. Of what class it is only the caller knows: without it methods of any name may be called
 * with anything, as in Python, and give `any`.
 *
 * ```ts
 * const tally = await ray.getActor<TallyClass>('tally')
 * const count = await ray.get(tally.add.remote(2)) // a number
 * ```
 * @throws ActorNameError (rejects) when none lives
 */
export async function getActor<T extends object = AnyMethods>(
  name: string,
  options: { namespace?: string | undefined } = {},
): Promise<ActorHandle<T>> {
  if (typeof name !== 'string' || !name) expected('name', 'a text that is not empty', name)
  checkNamespace(options)
  const { namespace } = options
  return makeHandle<T>(await runtime().getActor(name, namespace))
}

/**
 * Lets objects go now, without waiting for the collector; getting them throws an ObjectLostError. One that is not there yet is passed
 * over: its ref stays as it is, and gets its value (`cancel` ends the call that makes it).
 */
export function free(refs: ObjectRef<unknown> | readonly ObjectRef<unknown>[]): void {
  const list = isRef(refs) ? [refs] : refs
  checkRefs('refs', list)
  itsRuntime().free(list)
}

/** The machines of the session. */
export async function nodes(): Promise<NodeInfo[]> {
  return runtime().nodes()
}
/** What the machines have in all: `{ CPU }`. */
export async function clusterResources(): Promise<Resources> {
  return runtime().total()
}
/** What of it is free now. */
export async function availableResources(): Promise<Resources> {
  return runtime().available()
}
/** Figures of the session so far: bytes moved, tasks, calls per worker. */
export async function stats(): Promise<Stats> {
  return runtime().stats()
}
/**
 * What every worker did, as events of Chrome's trace format, which https://ui.perfetto.dev opens as they are: start of the
 * worker, import of modules, loading of models and data sets, transfer (from handing a message with calls over until the
 * worker takes it up, in which it may be busy), deserialising (from 0.1 ms on), tasks (actors' calls and constructors too),
 * what `ray.profile` marks, and idleness. A process for each process or node, a thread for each worker; what overlaps has events of
 * its own beside them. Only the newest calls are there (`ray.init({ timeline })`), and `forgotten` where older ones may have been;
 * without a session, or with timeline false, none. What runs is there until now (`running`), on a cluster once it has ended.
 *
 * One clock for the threads and processes of a machine. Events of other machines are moved by the difference of the clocks,
 * measured over the network: right to half a round trip.
 * @param filename written with the events as JSON; without it they are returned
 * @throws RayitoError (rejects) with a file name: RAY_MISUSE where there is no session, INVALID_ARGUMENT where it cannot be written
 * @see https://docs.ray.io/en/latest/ray-core/api/doc/ray.timeline.html
 */
export function timeline(): Promise<TraceEvent[]>
export function timeline(filename: string): Promise<undefined>
export async function timeline(filename?: string): Promise<TraceEvent[] | undefined> {
  if (filename !== undefined && (typeof filename !== 'string' || !filename)) expected('filename', 'a path', filename)
  const session = peekRuntime() !== null
  if (filename !== undefined && !session)
    throw new RayitoError('RAY_MISUSE', `There is no session whose timeline could be written to ${filename}`, {
      remedy: 'Call ray.timeline before ray.shutdown.',
    })
  const events = session ? await runtime().timeline() : []
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
export async function summary(): Promise<Summary> {
  return new Summary(await runtime().summary())
}

/**
 * Runs `fn` (until its promise settles, where it returns one) and marks the time it takes in `ray.timeline()`, under the task
 * it is called in. Returns what `fn` returned; what it throws passes through.
 * @param name what the stretch is called
 * @param extraData shown with it, as it is when this is called: an object that JSON can hold
 */
export function profile<T>(name: string, fn: () => T, extraData?: Record<string, unknown>): T {
  if (typeof name !== 'string' || !name) expected('name', 'a text that is not empty', name)
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

/**
 * Where this code runs: in which worker and task, at which attempt, the signal of its cancellation, and in an actor a handle to
 * itself. Of what class that is only the caller knows, as with `getActor`: `getRuntimeContext<TallyClass>().currentActor`.
 */
export function getRuntimeContext<T extends object = AnyMethods>(): RuntimeContext<T> {
  return runtimeContext() as RuntimeContext<T>
}
