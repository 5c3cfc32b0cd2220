import { NotSerializableError } from '../ray/errors.js'
import { entryOf, isRef, type ObjectRef } from '../ray/object-ref.js'
import { itsRuntime } from '../ray/runtime.js'
import { ask, type Call } from './call.js'
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
  readonly #given: CallArguments

  constructor(router: Router, method: string, args: readonly unknown[]) {
    const given = new CallArguments(args)
    const { values, coming } = given
    const call = router.send((actor, id) => ask(actor.call, actor, id, method, values), undefined, coming).unheard()
    const value = call.answer.then(({ value, measured }) => {
      passOn(measured)
      return value
    })
    super((resolve, reject) => void value.then(resolve, reject))
    this.#call = call
    this.#given = given
    super.then(undefined, () => {})
  }

  // biome-ignore lint/suspicious/noThenProperty: it is a promise; `await` and `catch` come by here.
  override then<A = unknown, B = never>(
    resolved?: ((value: unknown) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.heard()
    return super.then(resolved, rejected)
  }

  /** @internal The same to one who does not count as a listener. */
  unheard(): Promise<unknown> {
    return super.then()
  }

  /** @internal */
  heard(): void {
    this.told()
    this.#given.heard()
  }

  /** @internal Of this call alone. @returns those that it was given */
  told(): readonly HandleResponse[] {
    this.#call.heard()
    return this.#given.answers
  }

  cancel(): void {
    this.#call.cancel()
  }

  /** Of a forgotten `await` the client would get `{}`. @throws NotSerializableError */
  toJSON(key: string): never {
    throw new NotSerializableError(key || 'The value', 'is the answer of a call, to come', 'await it first.')
  }
}

/** What a call is given. Other calls' answers and refs among it are waited for, as in Ray; what these refer to goes to the replica alone. */
export class CallArguments {
  readonly values: unknown[]
  /** Resolves when all are there; null where nothing is to be waited for. */
  readonly coming: Promise<unknown> | null = null
  /** Whoever hears of the call hears of their failures. */
  answers: readonly HandleResponse[]

  constructor(given: readonly unknown[]) {
    this.values = [...given]
    this.answers = given.filter((value) => value instanceof HandleResponse)
    const refs = given.filter(isRef).filter((ref) => entryOf(ref).state === 'pending')
    if (this.answers.length === 0 && refs.length === 0) return
    this.coming = this.#come(refs)
    // Told to whoever waits for the call.
    this.coming.catch(() => {})
  }

  async #come(refs: readonly ObjectRef[]): Promise<void> {
    await Promise.all([
      ...refs.map((ref) => itsRuntime().settled(ref)),
      ...this.values.map(async (value, i) => {
        if (value instanceof HandleResponse) this.values[i] = await value.unheard()
      }),
    ])
    // In a long chain each would hold the one before.
    this.answers = []
  }

  heard(): void {
    // One after the other: a chain may be longer than the stack is deep.
    const all = [...this.answers]
    for (const answer of all) all.push(...answer.told())
  }
}
