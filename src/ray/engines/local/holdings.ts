import { carriedById } from '../../handle.js'

/** Refs and handles that code in a worker holds, by id, and how often it received each: alive as long as it holds them. */
export class Holdings {
  readonly #things = new Map<string, { readonly thing: object; count: number }>()
  /** What it let go before its answer, which says that it holds it, came here. */
  readonly #early = new Map<string, number>()

  get size(): number {
    return this.#things.size
  }

  get(id: string): { readonly thing: object } | undefined {
    return this.#things.get(id)
  }

  has(id: string): boolean {
    return this.#things.has(id)
  }

  /** It receives one, once more. */
  add(id: string, thing: object): void {
    const held = this.#things.get(id)
    if (held) held.count++
    else this.#things.set(id, { thing, count: 1 })
    const early = this.#early.get(id)
    if (early === undefined) return
    this.#early.delete(id)
    this.letGo(id, early)
  }

  /** It receives what a value carries. */
  addAll(carried: readonly object[]): void {
    if (carried.length) for (const [id, thing] of carriedById(carried)) this.add(id, thing)
  }

  /** It lets one go that it had received `count` times. */
  letGo(id: string, count: number): void {
    const held = this.#things.get(id)
    if (!held) {
      this.#early.set(id, count + (this.#early.get(id) ?? 0))
      return
    }
    held.count -= count
    if (held.count <= 0) this.#things.delete(id)
  }

  /** It has ended: what it held until now, by id. */
  take(): [id: string, thing: object][] {
    const held = [...this.#things].map(([id, { thing }]): [string, object] => [id, thing])
    this.#things.clear()
    return held
  }
}
