import { ObjectLostError } from '../../../errors.js'
import { type Content, Entry, ObjectRef } from '../../../object-ref.js'
import { Prepared } from '../../../task.js'
import type { NetArgument, NetContent } from '../messages.js'

/** A driver's objects on this node: each is asked for once, and shared by the node's workers. */
export class SessionObjects {
  readonly #entries = new Map<string, Entry>()

  constructor(
    /** Whose objects they are here. */
    private readonly owner: object,
    /** Asks the driver for an object. */
    private readonly want: (id: string) => void,
  ) {}

  get size(): number {
    return this.#entries.size
  }

  arguments(args: readonly NetArgument[]): unknown[] {
    return args.map((arg) =>
      arg[0] === 'value' ? new Prepared(this.#content(arg[1])) : new ObjectRef(this.#object(arg[1], arg[2])),
    )
  }

  #content([data, special, ids]: NetContent): Content {
    return { data, special, copied: 0, shared: 0, fresh: 0, carried: ids.map((id) => this.token(id)) }
  }

  #object(id: string, content: NetContent | null): Entry {
    let entry = this.#entries.get(id)
    if (!entry) {
      entry = new Entry(id, this.owner)
      this.#entries.set(id, entry)
      if (content) entry.succeed(this.#content(content))
      else this.want(id)
    }
    return entry
  }

  came(id: string, content: NetContent | null): void {
    const entry = this.#entries.get(id)
    if (content) return entry?.succeed(this.#content(content))
    this.#lose(id, 'its driver has it no more')
  }

  /** It was freed: whoever waits for it here waits no longer. */
  delete(id: string): void {
    this.#lose(id, 'it was freed')
  }

  /** Lets all of them go: what waits for one would keep an actor's other callers waiting. */
  take(): string[] {
    const ids = [...this.#entries.keys()]
    for (const id of ids) this.#lose(id, 'its driver has left')
    return ids
  }

  #lose(id: string, why: string): void {
    const entry = this.#entries.get(id)
    this.#entries.delete(id)
    if (entry?.state === 'pending') entry.fail(new ObjectLostError(id, why))
  }

  /** What stands for a ref or handle of the driver's here: it only has an id. */
  token(id: string): object {
    return new ObjectRef(new Entry(id, this.owner))
  }
}
