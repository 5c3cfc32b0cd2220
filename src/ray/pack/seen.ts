import { types } from 'node:util'

/** What was met on the walk over a value, with what stands for it: met again, it is the same on the other side. */
export class Seen {
  readonly #made = new Map<object | symbol, unknown>()
  /** Whether what cannot travel is shown as a text instead. */
  #lenient: boolean
  /** What was met since, if that is so for a part of the value only. */
  #inPart: object[] | null = null
  #shown = false

  constructor(lenient: boolean) {
    this.#lenient = lenient
  }

  get lenient(): boolean {
    return this.#lenient
  }

  get(thing: object | symbol): unknown {
    return this.#made.get(thing)
  }

  set<T>(thing: object | symbol, made: T): T {
    this.#made.set(thing, made)
    if (this.#inPart !== null && typeof thing !== 'symbol') this.#inPart.push(thing)
    return made
  }

  /** A text was made of something. */
  shown(): void {
    this.#shown = true
  }

  /** Walks over a part that is for reading. What was met there is forgotten if texts stand in it: elsewhere they may not. */
  leniently(walk: () => void): void {
    if (this.#lenient) return walk()
    this.#lenient = true
    this.#shown = false
    this.#inPart = []
    walk()
    if (this.#shown) for (const met of this.#inPart) if (!types.isNativeError(met)) this.#made.delete(met)
    this.#inPart = null
    this.#lenient = false
  }
}
