import { type CallContext, callContext } from './context.js'
import { asBytes, jsonOf } from './http-response.js'

type Values = AsyncIterator<unknown> | Iterator<unknown>

/** The iterator of what is to be sent piece by piece: of an async iterable (generators, Node's and the web's streams), or of a generator. */
export function valuesOf(value: unknown): Values | null {
  if (typeof value !== 'object' || value === null) return null
  if (Symbol.asyncIterator in value) return (value as AsyncIterable<unknown>)[Symbol.asyncIterator]()
  // Lists and texts can be gone through as well, but are meant as a whole.
  return Symbol.iterator in value && 'next' in value ? (value as IterableIterator<unknown>)[Symbol.iterator]() : null
}

/** What a call answers piece by piece. It runs as part of its call: what that starts elsewhere is cancelled with it. */
export class Body {
  #end!: () => void
  /** Resolves when it has been read to its end, or nobody wants it any more. */
  readonly read = new Promise<void>((resolve) => {
    this.#end = resolve
  })
  /** What was computed before anybody read. */
  #first: IteratorResult<unknown> | null = null

  constructor(
    private readonly values: Values,
    private readonly context: CallContext,
    /** Whether each value is a line of JSON, texts too. */
    private readonly lines = false,
  ) {
    if (context.aborted) this.#leave()
    else context.whenAborted(() => this.#leave())
  }

  /** Computes the first value. @throws what the generator throws instead */
  async begin(): Promise<void> {
    this.#first = await this.#nextUnlessAborted()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<unknown, void, undefined> {
    try {
      for (;;) {
        const { done, value } = this.#first ?? (await this.#nextUnlessAborted())
        this.#first = null
        if (done) break
        yield value
      }
    } finally {
      this.#leave()
    }
  }

  /** A value as it is sent: texts and bytes as they are, anything else as a line of JSON. */
  piece(value: unknown): string | Uint8Array {
    const piece = this.lines ? null : asBytes(value)
    return typeof piece === 'string' || piece instanceof Uint8Array ? piece : `${jsonOf(value)}\n`
  }

  /**
   * Who waits for the next value need not wait once nobody wants it. (Raced against a promise of the abort, each value would
   * be held by that until the end.)
   */
  #nextUnlessAborted(): Promise<IteratorResult<unknown>> {
    return new Promise((resolve, reject) => {
      const end = () => resolve({ done: true, value: undefined })
      if (this.context.aborted) return end()
      const forget = this.context.whenAborted(end)
      void this.#next().then(resolve, reject).finally(forget)
    })
  }

  async #next(): Promise<IteratorResult<unknown>> {
    return callContext.run(this.context, () => this.values.next())
  }

  /** Lets the generator clean up, as soon as it gets that far. */
  #leave(): void {
    this.#end()
    void callContext.run(this.context, async () => this.values.return?.()).catch(() => {})
  }
}
