import { span } from '../../core/spans.js'
import { type Code, revive } from '../code/index.js'
import { ObjectLostError } from '../errors.js'
import { freeze } from '../pack.js'
import type { WireArgument } from '../protocol.js'
import type { Held } from './held.js'

export type Callable = (...args: unknown[]) => unknown
/** Now, or as soon as the modules that it needs are there. */
export type Maybe<T> = T | Promise<T>

/** What came with calls and stays for later ones: functions and classes, and objects. */
export class Kept {
  readonly #codes = new Map<string, Maybe<Callable>>()
  readonly #objects = new Map<string, Maybe<unknown>>()

  constructor(private readonly held: Held) {}

  code(id: string, code: Code): void {
    const made = revive(code, this.held.reviver()) as Promise<Callable>
    made.then(
      (fn) => this.#codes.has(id) && this.#codes.set(id, fn),
      () => {},
    )
    this.#codes.set(id, made)
  }

  callable(id: string): Maybe<Callable> {
    return this.#codes.get(id)!
  }

  /** An object is opened once a worker, and frozen: it is everybody's. */
  object(id: string, data: unknown, special: boolean): void {
    const value = special ? span('deserialise', id, () => this.held.unpack(data)) : data
    if (!(value instanceof Promise)) return void this.#objects.set(id, freeze(value))
    const frozen = value.then(freeze)
    frozen.then(
      (ready) => this.#objects.has(id) && this.#objects.set(id, ready),
      () => {},
    )
    this.#objects.set(id, frozen)
  }

  free(id: string): void {
    this.#objects.delete(id)
    this.#codes.delete(id)
  }

  /** The value of an argument that came with its call, or of the object that it names. @throws ObjectLostError */
  argument(wireArgument: WireArgument): Maybe<unknown> {
    if (wireArgument.length === 1) {
      const id = wireArgument[0] as string
      if (!this.#objects.has(id)) throw new ObjectLostError(id, 'it was freed')
      return this.#objects.get(id)
    }
    const [data, special] = wireArgument
    return special ? span('deserialise', 'argument', () => this.held.unpack(data)) : data
  }
}
