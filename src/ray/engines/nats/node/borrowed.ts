/** Refs and handles of a driver's that workers of this node hold: how often that was agreed with it. */
export class Borrowed {
  readonly #agreed = new Map<string, number>()

  constructor(
    /** Whether any worker holds it. */
    private readonly isHeld: (id: string) => boolean,
  ) {}

  agree(id: string): void {
    this.#agreed.set(id, (this.#agreed.get(id) ?? 0) + 1)
  }

  /** Of what a call carried, that which workers still hold and the driver does not know of; it is agreed now. */
  keep(carried: Iterable<string>): string[] {
    const kept = [...carried].filter((id) => !this.#agreed.has(id) && this.isHeld(id))
    for (const id of kept) this.agree(id)
    return kept
  }

  /** A worker lets things go, or has ended: those that no other holds, and how often they were agreed. */
  release(ids: Iterable<string>): [id: string, count: number][] {
    const gone: [string, number][] = []
    for (const id of ids) {
      const count = this.#agreed.get(id)
      if (count === undefined || this.isHeld(id)) continue
      this.#agreed.delete(id)
      gone.push([id, count])
    }
    return gone
  }
}
