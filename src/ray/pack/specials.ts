import type { Place, Special } from './format.js'

/** What stands for a special thing: its place in the table, negative while it is being made. */
export class Reference {
  constructor(public index: number) {}
}

/** What structured cloning does not carry, and where it is to be put on the other side. */
export class Specials {
  readonly table: Special[] = []
  readonly places: Place[] = []
  /** ObjectRefs and handles inside. */
  readonly carried: object[] = []
  readonly #pending: Promise<void>[] = []

  constructor(private readonly carriedBy: ((code: unknown) => readonly object[]) | undefined) {}

  add(special: Special): Reference {
    this.places.push([])
    return new Reference(this.table.push(special) - 1)
  }

  /** One whose second element is code, there now or later. */
  addCode(special: Special, code: unknown): Reference {
    if (code instanceof Promise) {
      const filled = code.then((ready) => {
        special[1] = ready
        this.carried.push(...(this.carriedBy?.(ready) ?? []))
      })
      // What comes after it may be refused: then nobody waits for it.
      filled.catch(() => {})
      this.#pending.push(filled)
    } else special[1] = code as never
    return this.add(special)
  }

  /** Resolves when all code is there; null if it is. */
  get pending(): Promise<unknown> | null {
    return this.#pending.length > 0 ? Promise.all(this.#pending) : null
  }
}
