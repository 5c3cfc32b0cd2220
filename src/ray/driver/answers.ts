import { setTimeout } from 'node:timers/promises'
import type { Actor } from '../actor.js'
import { type ActorIdentity, identityOf } from '../actor-identity.js'
import { type Code, carries } from '../code/index.js'
import { RemoteDefinition } from '../definition.js'
import type { Parent, WorkerPlace } from '../engine.js'
import { carriedById, makeHandle } from '../handle.js'
import { type Content, Entry, entryOf, isRef, ObjectRef } from '../object-ref.js'
import { decodeError, encodeError } from '../pack/error-codec.js'
import type { WireContent } from '../protocol.js'
import type { Runtime } from '../runtime.js'
import { Prepared, type Task } from '../task.js'
import type { ActorOptions, MethodOptions, TaskOptions } from '../types.js'
import type { Actors } from './actors.js'
import type { Calls } from './calls.js'
import type { ObjectStore } from './object-store.js'
import type { Streams } from './streams.js'

/** Milliseconds until room is looked for again for what a worker puts, each time twice as long, before it is refused. */
const FIRST_PAUSE = 10
const LAST_PAUSE = 320

/** An argument as a worker sends it: a value, or the id of an object. */
export type RequestArgument = WireContent | string

/** A function or class that a worker made remote. */
export type RequestCode = [
  id: string,
  name: string,
  code: Code,
  carried: readonly string[],
  generators: readonly string[],
]

/** Who began a call. */
export interface Begun {
  /** The call that asks, which its worker names by number and a node by its id; null of none. */
  parent: Parent
  /** Within that, what it does for somebody else (`Within`). */
  group: number | null
}

/** What code in a worker asks of the driver: `ray`'s calls there. Ids of new objects are chosen by the worker. */
export interface Requests {
  put: { id: string; content: WireContent }
  /** `seen`: for `get`; not for `peek` */
  get: { id: string; seen: boolean }
  settled: { id: string }
  seen: { id: string }
  /** Value number `index` of a generator that runs there */
  yield: { stream: string; index: number; content: WireContent }
  /** The next value of a generator that was asked for there */
  next: { id: string }
  /** Nobody there will ask for values of it any more. */
  leave: { id: string }
  submit: Begun & { code: RequestCode; args: RequestArgument[]; options: TaskOptions; ids: string[] }
  createActor: { id: string; code: RequestCode; args: RequestArgument[]; options: ActorOptions }
  /** An actor whose handle is there, and which cannot be sent. */
  failActor: { id: string; className: string; error: unknown }
  callActor: Begun & {
    actor: ActorIdentity
    method: string
    args: RequestArgument[]
    options: MethodOptions
    ids: string[]
  }
  getActor: { name: string; namespace: string | undefined }
  kill: { id: string; restart: boolean }
  cancel: { id: string; force: boolean; recursive: boolean }
  cancelGroup: { group: number }
  free: { ids: string[] }
  figure: { which: 'told' | 'total' | 'available' | 'nodes' | 'stats' | 'timeline' | 'summary' }
}

/** Who answers: what code in the driver can ask, it can, and it keeps what workers send. */
interface Driver extends Runtime {
  readonly objects: ObjectStore
  readonly actors: Actors
  readonly calls: Calls
  readonly streams: Streams
  readonly sharesMemory: boolean
  /** Of an older session, which a function may have brought along, a ref has no object any more. */
  own(ref: ObjectRef): void
  /** A ref or handle that a worker names. */
  carried(worker: WorkerPlace, id: string): object
}

/** Functions that workers made remote, by worker and id, as long as there are calls of them. */
const definitions = new WeakMap<WorkerPlace, Map<string, WeakRef<RemoteDefinition>>>()
const uncalled = new FinalizationRegistry<{ known: Map<string, WeakRef<RemoteDefinition>>; id: string }>(
  ({ known, id }) => {
    if (!known.get(id)?.deref()) known.delete(id)
  },
)

/** Does what a worker asks and answers it. */
export async function answer(
  driver: Driver,
  worker: WorkerPlace,
  request: number,
  operation: string,
  payload: unknown,
): Promise<void> {
  const reply = (ok: boolean, data: unknown) => worker.post(['answer', request, ok, data, false])
  try {
    const handle = handlers[operation as keyof Requests] as (d: Driver, w: WorkerPlace, p: unknown) => unknown
    reply(true, await handle(driver, worker, payload))
  } catch (error) {
    reply(false, encodeError(error))
  }
}

type Handlers = { [K in keyof Requests]: (driver: Driver, worker: WorkerPlace, payload: Requests[K]) => unknown }

const handlers: Handlers = {
  async put(driver, worker, { id, content }) {
    const entry = newEntry(driver, worker, id)
    const whole = contentOf(driver, worker, content)
    for (let pause = FIRST_PAUSE; entry.state === 'pending'; pause *= 2) {
      try {
        driver.objects.store(entry, whole, driver.sharesMemory)
      } catch (error) {
        // Workers have been asked to let go what is garbage there.
        if (pause <= LAST_PAUSE) await setTimeout(pause)
        else entry.fail(error)
      }
    }
  },
  get: (driver, worker, { id, seen }) => contentFor(worker, heldRef(driver, worker, id), seen),
  settled: (driver, worker, { id }) => driver.settled(heldRef(driver, worker, id)),
  seen: (driver, worker, { id }) => driver.seen(heldRef(driver, worker, id)),
  yield: (driver, worker, { stream, index, content }) =>
    driver.streams.add(stream, index, contentOf(driver, worker, content)),
  async next(driver, worker, { id }) {
    const ref = await driver.nextYielded(heldRef(driver, worker, id))
    if (ref) worker.holdOne(ref.id, ref)
    return ref?.id ?? null
  },
  leave: (driver, worker, { id }) => driver.leave(heldRef(driver, worker, id)),
  submit(driver, worker, { code, args, options, ids, ...by }) {
    const entries = ids.map((id) => newEntry(driver, worker, id))
    asked(entries, () => {
      driver.streams.open(options, entries[0]!, worker.holder)
      const task = driver.calls.make(definition(driver, worker, code), entries, options)
      task.prepare(argsOf(driver, worker, args), () => driver.calls.start(task))
      driver.calls.track(task)
      begun(worker, task, by)
    })
  },
  createActor(driver, worker, { id, code, args, options }) {
    const made = definition(driver, worker, code)
    let taken: Actor | null
    try {
      taken = driver.actors.taken(options)
    } catch (error) {
      // The worker has its handle already: its calls say why.
      const { name: _taken, ...unnamed } = options
      taken = driver.actors.make(made, unnamed, id)
      taken.die(error as Error)
    }
    const actor = taken ?? driver.actors.make(made, options, id)
    // One that was there before goes by the worker's id as well.
    driver.actors.byId.set(id, actor)
    worker.holdOne(id, makeHandle({ ...identityOf(actor), id }))
    if (!taken) actor.creation.prepare(argsOf(driver, worker, args), () => driver.actors.start(actor))
  },
  failActor(driver, worker, { id, className, error }) {
    const unknown = RemoteDefinition.received(className, { kind: 'module', module: '', name: className })
    const actor = driver.actors.make(unknown, {}, id)
    driver.actors.fail(actor, decodeError(error) as Error)
    driver.actors.byId.set(id, actor)
    worker.holdOne(id, makeHandle(actor))
  },
  callActor(driver, worker, { actor, method, args, options, ids, ...by }) {
    const entries = ids.map((id) => newEntry(driver, worker, id))
    asked(entries, () => {
      const called = driver.actors.of(actor)
      driver.streams.open(options, entries[0]!, worker.holder)
      const task = driver.actors.makeCall(called, method, entries, options)
      driver.actors.enqueue(task, argsOf(driver, worker, args))
      driver.calls.track(task)
      begun(worker, task, by)
    })
  },
  getActor: async (driver, worker, { name, namespace }) => given(worker, await driver.getActor(name, namespace)),
  kill(driver, _worker, { id, restart }) {
    const actor = driver.actors.byId.get(id)
    if (actor) driver.kill(actor, restart)
  },
  cancel: (driver, worker, { id, force, recursive }) => driver.cancel(heldRef(driver, worker, id), force, recursive),
  cancelGroup(_driver, worker, { group }) {
    for (const task of [...(groups.get(worker)?.get(group) ?? [])]) task.cancel(false, true)
  },
  free: (driver, worker, { ids }) => driver.free(ids.map((id) => heldRef(driver, worker, id))),
  figure: (driver, _worker, { which }) => driver[which](),
}

function definition(
  driver: Driver,
  worker: WorkerPlace,
  [id, name, code, carried, generators]: RequestCode,
): RemoteDefinition {
  let known = definitions.get(worker)
  if (!known) {
    known = new Map()
    definitions.set(worker, known)
  }
  let made = known.get(id)?.deref()
  if (!made) {
    made = RemoteDefinition.received(name, code, generators)
    carries(
      code,
      carried.map((thing) => driver.carried(worker, thing)),
    )
    known.set(id, new WeakRef(made))
    uncalled.register(made, { known, id })
  }
  return made
}

/** By worker and number what was begun there within them and has not ended. */
const groups = new WeakMap<WorkerPlace, Map<number, Set<Task>>>()

function begun(worker: WorkerPlace, task: Task, { parent, group }: Begun): void {
  if (parent !== null) worker.adopt(parent, task)
  if (group === null || task.state === 'done') return
  const known = groups.get(worker) ?? new Map<number, Set<Task>>()
  const tasks = known.get(group) ?? new Set<Task>()
  groups.set(worker, known.set(group, tasks.add(task)))
  task.returns[0]!.whenSettled(() => {
    tasks.delete(task)
    if (tasks.size === 0 && known.get(group) === tasks) known.delete(group)
  })
}

/** A call that cannot be made fails its objects: somebody may wait for them already. */
function asked(entries: readonly Entry[], make: () => void): void {
  try {
    make()
  } catch (error) {
    for (const entry of entries) entry.fail(error)
    throw error
  }
}

/** An object whose id the worker chose; the worker holds it. */
function newEntry(driver: Driver, worker: WorkerPlace, id: string): Entry {
  const entry = new Entry(id, driver)
  worker.holdOne(id, new ObjectRef(entry))
  return entry
}

/** A handle that the worker is about to hold. */
function given(worker: WorkerPlace, actor: ActorIdentity): ActorIdentity {
  worker.holdOne(actor.id, makeHandle(actor))
  return identityOf(actor)
}

function heldRef(driver: Driver, worker: WorkerPlace, id: string): ObjectRef {
  const thing = worker.held.get(id)?.thing
  if (isRef(thing)) {
    driver.own(thing)
    return thing
  }
  const lost = new Entry(id, worker)
  lost.lose('the worker let it go')
  return new ObjectRef(lost)
}

function contentOf(
  driver: Driver,
  worker: WorkerPlace,
  [data, special, copied, shared, fresh, ids]: WireContent,
): Content {
  return { data, special, copied, shared, fresh, carried: ids.map((id) => driver.carried(worker, id)) }
}

/** Arguments made ready: refs among them are waited for as if they had been given here. */
function argsOf(driver: Driver, worker: WorkerPlace, args: readonly RequestArgument[]): readonly unknown[] {
  return args.map((arg) =>
    typeof arg === 'string' ? heldRef(driver, worker, arg) : new Prepared(contentOf(driver, worker, arg)),
  )
}

/** What `get` is answered. `inside`: ids of the refs and handles in the value, which the worker holds from now on */
export type Fetched = readonly [ok: boolean, data: unknown, special: boolean, fresh: number, inside: readonly string[]]

/** An object's value on its way to a worker that asked for it. */
async function contentFor(worker: WorkerPlace, ref: ObjectRef, seen: boolean): Promise<Fetched> {
  const entry = entryOf(ref)
  if (seen) entry.asked = true
  await new Promise<void>((resolve) => entry.whenSettled(resolve))
  if (entry.state === 'failed') return [false, encodeError(entry.error), false, 0, []]
  const { data, special, fresh, carried } = entry.content!
  const inside = carriedById(carried)
  for (const [id, thing] of inside) worker.holdOne(id, thing)
  return [true, data, special, fresh, [...inside.keys()]]
}
