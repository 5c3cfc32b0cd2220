import { NotSerializableError } from '../ray/errors.js'
import type { Call } from './call.js'
import { type Measured, passOn } from './measured.js'
import type { Router } from './router.js'
import type { DeploymentResponse } from './types.js'

/** What a call of a handle gives. That it fails ends nothing where nobody listens: it is told when the session ends, as of ray's calls. */
export class HandleResponse extends Promise<unknown> implements DeploymentResponse<unknown> {
  /** What `then` gives is a promise like any other. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise
  }

  readonly #call: Call<{ value: unknown } & Measured>

  constructor(router: Router, method: string, args: readonly unknown[]) {
    const { values, coming } = new CallArguments(args)
    const call = router.send((actor, id) => actor.call.remote(id, method, values), undefined, coming).unheard()
    const value = call.answer.then(({ value, measured }) => {
      passOn(measured)
      return value
    })
    super((resolve, reject) => void value.then(resolve, reject))
    this.#call = call
    super.then(undefined, () => {})
  }

  // biome-ignore lint/suspicious/noThenProperty: it is a promise; `await` and `catch` come by here.
  override then<A = unknown, B = never>(
    resolved?: ((value: unknown) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#call.heard()
    return super.then(resolved, rejected)
  }

  cancel(): void {
    this.#call.cancel()
  }

  /** Of a forgotten `await` the client would get `{}`. @throws NotSerializableError */
  toJSON(key: string): never {
    throw new NotSerializableError(key || 'The value', 'is the answer of a call, to come', 'await it first.')
  }
}

/** What a call is given. Other calls' answers among it are waited for, as in Ray. */
export class CallArguments {
  readonly values: unknown[]
  /** Resolves when all are there; null where nothing is to be waited for. */
  readonly coming: Promise<unknown> | null = null

  constructor(given: readonly unknown[]) {
    this.values = [...given]
    const answers = given.flatMap((value, i) =>
      value instanceof HandleResponse
        ? value.then((answer) => {
            this.values[i] = answer
          })
        : [],
    )
    if (answers.length === 0) return
    this.coming = Promise.all(answers)
    // Told to whoever waits for the call.
    this.coming.catch(() => {})
  }
}
