import { type ActorGenerator, ray } from '../ray/index.js'
import { ask, type Call, callName, ofReplica } from './call.js'
import { outsideCalls } from './context.js'
import { type Measured, passOn } from './measured.js'
import { CallArguments } from './response.js'
import type { Router } from './router.js'
import type { DeploymentResponseGenerator } from './types.js'

/** Values that a replica may compute ahead of whoever reads them. */
const AHEAD = 4

/** The values of a replica's generator, in order. Left before its end, it is cancelled. */
export async function* received<T>(
  replica: object,
  generator: ActorGenerator<[call: string], T>,
  call: string,
): AsyncGenerator<T> {
  const asked = generator.options({ generatorBackpressureNumObjects: AHEAD })
  const refs = outsideCalls(() => asked.remote(call))
  let whole = false
  try {
    for await (const ref of refs) yield (await ray.get(ref)) as T
    whole = true
  } catch (error) {
    throw ofReplica(error, replica)
  } finally {
    if (!whole) ray.cancel(refs)
  }
}

/** The values of a call, and the call's end with them. */
export class HandleResponseGenerator<T> implements DeploymentResponseGenerator<T> {
  readonly #call: Call<Measured>
  readonly #given: CallArguments
  #values: AsyncGenerator<unknown> | null = null
  #ended: () => void = () => {}
  #left = false

  constructor(router: Router, method: string, args: readonly unknown[]) {
    this.#given = new CallArguments(args)
    const { values, coming } = this.#given
    this.#call = router
      .send(
        (actor, id) => ask(actor.open, actor, id, method, values),
        ({ measured }, actor, id) => {
          passOn(measured)
          this.#values = received(actor, actor.values.options({ name: callName(actor, method) }), id)
          return new Promise((resolve) => {
            this.#ended = resolve
          })
        },
        coming,
      )
      .unheard()
    // Told to whoever reads.
    this.#call.answer.catch(() => {})
  }

  next(): Promise<IteratorResult<T, undefined>> {
    const value = this.#next()
    value.catch(() => {})
    return value
  }

  async #next(): Promise<IteratorResult<T, undefined>> {
    if (this.#left) return { done: true, value: undefined }
    this.#call.heard()
    this.#given.heard()
    await this.#call.answer
    try {
      const { done, value } = await this.#values!.next()
      if (!done) return { done: false, value: value as T }
    } catch (error) {
      this.#ended()
      throw error
    }
    this.#ended()
    const { cancellation } = this.#call
    if (cancellation && !this.#left) throw cancellation
    return { done: true, value: undefined }
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    this.#left = true
    this.cancel()
    return { done: true, value: undefined }
  }

  cancel(): void {
    this.#call.cancel()
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}
