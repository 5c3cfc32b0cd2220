import { Line } from '../core/line.js'
import { type Entry, entryOf, isRef, ObjectRef } from './object-ref.js'

/** Where a generator's values go: the id of the object that ends it, and how many may be on their way while the next is computed. */
export type StreamTarget = readonly [id: string, ahead: number]

const streams = new WeakMap<Entry, Stream>()

/** What a generator has yielded, and who waits for it. The driver's side of an {@link ./object-ref-generator.ts | ObjectRefGenerator}. */
export class Stream {
  /** Values that came, of all attempts together: one that starts again yields those again, and they are not taken twice. */
  #yielded = 0
  /** Those that nobody has asked for. */
  readonly #untaken = new Line<Entry>()
  #asking: ((entry: Entry | null) => void)[] = []
  /** Yields that wait for room: how they go on. */
  #paused: { readonly go: () => void; readonly wake: () => void }[] = []
  /** Somebody waits for the end, whether values are read or not. */
  #endAwaited = false
  #over = false
  #abandoned = false

  /**
   * @param end settled when the generator ends: ready, or failed with what it threw
   * @param limit values that may lie untaken before the generator pauses
   * @param reader who holds on for the worker that asked for it; null: the driver did
   * @param pause the generator waits for its reader, and holds the process no more until what this returns is called
   */
  static open(end: Entry, limit: number, reader: object | null, pause: () => () => void): Stream {
    const stream = new Stream(end, limit, reader, pause)
    streams.set(end, stream)
    return stream
  }

  /** Undefined if the object is no generator's end. */
  static of(end: ObjectRef): Stream | undefined {
    return streams.get(entryOf(end))
  }

  /** What a worker held it holds no more: if it asked for a generator by that, its values are nobody's. */
  static left(held: object, reader: object): void {
    const stream = isRef(held) ? Stream.of(held) : undefined
    if (stream?.reader === reader) stream.abandon()
  }

  private constructor(
    private readonly end: Entry,
    private readonly limit: number,
    private readonly reader: object | null,
    private readonly pause: () => () => void,
  ) {
    end.whenSettled(() => this.#ended())
  }

  /**
   * The generator's value number `index` is here.
   * @param keep makes an object of it
   * @returns (a promise of) whether the generator is to go on
   */
  add(index: number, keep: () => Entry): boolean | Promise<boolean> {
    if (this.#over) return false
    if (this.#abandoned) return true
    if (index === this.#yielded) {
      this.#yielded++
      const entry = keep()
      const asking = this.#asking.shift()
      if (asking) asking(entry)
      else this.#untaken.push(entry)
    }
    // One that starts again pauses where the one before it did.
    if (index + 1 < this.#yielded || this.#untaken.length < this.limit) return true
    const wake = this.#endAwaited ? () => {} : this.pause()
    return new Promise((resolve) => this.#paused.push({ go: () => resolve(!this.#over), wake }))
  }

  /** From now on its end is waited for. */
  awaitEnd(): void {
    this.#endAwaited = true
    for (const { wake } of this.#paused) wake()
  }

  /** The next value's ref, in order; after the last null. What the generator threw comes as a ref that fails, before null. */
  async next(): Promise<ObjectRef | null> {
    const entry = await this.#next()
    if (entry === this.end) entry.asked = true
    return entry && new ObjectRef(entry)
  }

  #next(): Entry | null | Promise<Entry | null> {
    const entry = this.#untaken.first
    if (!entry) return this.#over ? null : new Promise((resolve) => this.#asking.push(resolve))
    this.#untaken.shift()
    this.#resume()
    return entry
  }

  /** No value is kept any more; the generator goes on. */
  abandon(): void {
    this.#abandoned = true
    this.#untaken.takeAll()
    this.#resume()
  }

  #ended(): void {
    this.#over = true
    if (this.end.state === 'failed' && !this.#abandoned) {
      const asking = this.#asking.shift()
      if (asking) asking(this.end)
      else this.#untaken.push(this.end)
    }
    for (const asking of this.#asking.splice(0)) asking(null)
    this.#resume()
  }

  #resume(): void {
    for (const { go, wake } of this.#paused.splice(0)) {
      wake()
      go()
    }
  }
}
