import { setPriority } from 'node:os'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { types } from 'node:util'
import { isMainThread } from 'node:worker_threads'
import { RayitoError } from '../core/errors.js'
import { offer, serialize, type Travel, via } from '../core/travel.js'
import { installWithin } from '../ray/runtime.js'
import { drainBatches } from './batch.js'
import { Body, valuesOf } from './body.js'
import type { ReplicaCalls } from './call.js'
import { CallContext, callContext } from './context.js'
import { HttpRequest, type WireRequest } from './http-request.js'
import {
  DETAIL,
  HttpError,
  HttpResponse,
  httpErrorOf,
  type WireResponse,
  wireError,
  wireFailure,
  wireResponse,
} from './http-response.js'
import { collectMeasured, type Measured, takeMeasured } from './measured.js'
import type { RouterState } from './router.js'
import { followOwn } from './routers.js'

/** As `nice` has it: enough that a thread that wakes up does not wait for one that computes. */
const NICENESS = 5

type AnyClass = new (...args: never[]) => object
type Instance = Record<string, unknown>

/** What a replica is made of. Travels with its class, which nothing but such data may carry. */
export class ReplicaPlan {
  constructor(
    readonly target: AnyClass,
    readonly args: readonly unknown[],
    readonly name: string,
    readonly maxOngoingRequests: number,
    readonly userConfig: unknown,
  ) {}

  [serialize](): Travel {
    return via(import.meta.url, 'revivePlan', { ...this })
  }
}

export function revivePlan({ target, args, name, maxOngoingRequests, userConfig }: ReplicaPlan): ReplicaPlan {
  return new ReplicaPlan(target, args, name, maxOngoingRequests, userConfig)
}

/** Calls that are remembered as cancelled and are not here yet. */
const MOST_AHEAD = 10_000

/** The actor around an instance of a deployment's class. */
export class Replica implements ReplicaCalls {
  readonly #instance: Instance
  readonly #plan: ReplicaPlan
  readonly #calls = new Map<string, CallContext>()
  /** Those that were cancelled while their arguments were not there yet, and some that had ended. */
  readonly #ahead = new Set<string>()
  /** Answers that are being read piece by piece. */
  readonly #bodies = new Map<string, Body>()
  /** Whoever sends knows its own calls only: the limit is kept here. */
  #running = 0
  readonly #waiting = new Set<() => void>()
  #whenIdle = () => {}
  /** It is about to be killed. */
  #over = false

  constructor(plan: ReplicaPlan) {
    collectMeasured()
    installWithin(() => callContext.getStore())
    giveWay()
    this.#plan = plan
    this.#instance = new plan.target(...(plan.args as never[])) as Instance
  }

  /** Resolves when it can answer. */
  async ready(): Promise<void> {
    if (this.#plan.userConfig !== undefined) await this.reconfigure(this.#plan.userConfig)
    await this.checkHealth()
  }

  async reconfigure(userConfig: unknown): Promise<void> {
    if (typeof this.#instance.reconfigure !== 'function')
      throw new RayitoError('RAY_MISUSE', `${this.#plan.name} was given a userConfig and has no method reconfigure`)
    await this.#instance.reconfigure(userConfig)
  }

  async checkHealth(): Promise<void> {
    if (typeof this.#instance.checkHealth === 'function') await this.#instance.checkHealth()
  }

  async call(id: string, method: string, ...args: unknown[]): Promise<{ value: unknown } & Measured> {
    const value = await this.#run(id, () => this.#method(method).apply(this.#instance, args as never[]))
    if (types.isGeneratorObject(value))
      throw new RayitoError('RAY_MISUSE', `${this.#plan.name}.${method} gives a generator`, {
        remedy: 'Call it by handle.options({ stream: true }).',
      })
    return { value, measured: takeMeasured() }
  }

  open(id: string, method: string, ...args: unknown[]): Promise<Measured> {
    return new Promise((resolve, reject) => {
      this.#run(id, async (context) => {
        const values = valuesOf(await this.#method(method).apply(this.#instance, args as never[]))
        if (!values)
          throw new RayitoError('RAY_MISUSE', `${this.#plan.name}.${method} is no generator: nothing to stream`)
        const read = this.#give(id, new Body(values, context))
        resolve({ measured: takeMeasured() })
        await read
      }).catch(reject)
    })
  }

  async *values(id: string): AsyncGenerator<unknown, void, undefined> {
    const body = this.#bodies.get(id)
    if (body) yield* body
  }

  async *pieces(id: string): AsyncGenerator<string | Uint8Array, void, undefined> {
    const body = this.#bodies.get(id)
    if (body) for await (const value of body) yield body.piece(value)
  }

  async #give(id: string, body: Body): Promise<void> {
    this.#bodies.set(id, body)
    await body.read
    this.#bodies.delete(id)
  }

  async http(id: string, method: string, wire: string, bytes: Uint8Array | null): Promise<WireResponse> {
    const response = await this.#answer(id, method, wire, bytes)
    response.measured = takeMeasured()
    return response
  }

  async #answer(id: string, method: string, wire: string, bytes: Uint8Array | null): Promise<WireResponse> {
    const asked = JSON.parse(wire) as WireRequest
    try {
      return await new Promise<WireResponse>((resolve, reject) => {
        this.#run(id, async (context) => {
          const request = requestOf(asked, bytes, context)
          const value = await this.#method(method).call(this.#instance, request as never)
          const lines = !(value instanceof HttpResponse)
          const values = valuesOf(lines ? value : value.body)
          if (!values) return resolve(wireResponse(value))
          const body = new Body(values, context, lines)
          // What goes wrong before is an answer of its own.
          await body.begin()
          const read = this.#give(id, body)
          resolve(wireResponse(value, true))
          // It keeps its place until its answer has been read.
          await read
        }).catch(reject)
      })
    } catch (error) {
      const refused = httpErrorOf(error)
      return refused ? wireError(refused, asked.errorKey) : wireFailure(error, asked.errorKey)
    }
  }

  cancel(id: string): void {
    const context = this.#calls.get(id)
    if (context) return context.abort()
    this.#ahead.add(id)
    const [first] = this.#ahead
    if (this.#ahead.size > MOST_AHEAD) this.#ahead.delete(first!)
  }

  /** No further calls will come but those of others that end, too. */
  drain(): void {
    drainBatches()
  }

  /** Resolves when nothing runs or waits here. What comes later is not begun: it is tried elsewhere once this replica has ended. */
  async idle(): Promise<void> {
    while (this.#calls.size > 0) await new Promise<void>((resolve) => (this.#whenIdle = resolve))
    this.#over = true
    // The last answer goes first.
    await nextTurn()
  }

  /** The replicas of a deployment have changed; this one may be bound to it, or have heard of it as all workers do. */
  members(state: RouterState): void {
    followOwn(state)
  }

  #method(name: string): (...args: never[]) => unknown {
    const method = this.#instance[name]
    if (typeof method === 'function') return method as (...args: never[]) => unknown
    throw new RayitoError('RAY_MISUSE', `Deployment ${this.#plan.name} has no method ${name}`)
  }

  async #run<T>(id: string, work: (context: CallContext) => T): Promise<Awaited<T>> {
    if (this.#over) await new Promise<never>(() => {})
    if (this.#ahead.delete(id)) throw this.#cancelled()
    const context = new CallContext()
    this.#calls.set(id, context)
    try {
      if (this.#running < this.#plan.maxOngoingRequests) this.#running++
      else await this.#turn(context)
      try {
        return await callContext.run(context, () => work(context))
      } finally {
        const [next] = this.#waiting
        // Its place goes to the next one.
        if (next) next()
        else this.#running--
      }
    } finally {
      this.#calls.delete(id)
      if (this.#calls.size === 0) this.#whenIdle()
    }
  }

  #turn(context: CallContext): Promise<void> {
    return new Promise((resolve, reject) => {
      const go = () => {
        this.#waiting.delete(go)
        resolve()
      }
      this.#waiting.add(go)
      context.whenAborted(() => {
        if (this.#waiting.delete(go)) reject(this.#cancelled())
      })
    })
  }

  #cancelled(): RayitoError {
    return new RayitoError('SERVE_CANCELLED', `A call of ${this.#plan.name} was cancelled`)
  }
}

offer(revivePlan, Replica)

/** Whoever answers HTTP goes before whoever computes. Only Linux has priorities of threads; elsewhere it would be the process's. */
function giveWay(): void {
  if (process.platform !== 'linux' || isMainThread) return
  try {
    setPriority(0, NICENESS)
  } catch {
    // Not allowed here: all are equal.
  }
}

function requestOf(wire: WireRequest, bytes: Uint8Array | null, context: CallContext): HttpRequest {
  try {
    return new HttpRequest(wire, bytes, context)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    if (wire.errorKey !== DETAIL) throw new HttpError(400, 'The body is not JSON')
    throw new HttpError(422, [{ type: 'json_invalid', loc: ['body'], msg: 'JSON decode error', input: {} }])
  }
}
