import { ObjectLostError } from '../../errors.js'
import { type Content, Entry, ObjectRef } from '../../object-ref.js'
import { Prepared } from '../../task.js'
import type { NetArgument, NetContent } from './messages.js'

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
    entry?.fail(new ObjectLostError(id, 'its driver has it no more'))
    this.#entries.delete(id)
  }

  delete(id: string): void {
    this.#entries.delete(id)
  }

  /** Lets all of them go. */
  take(): string[] {
    const ids = [...this.#entries.keys()]
    this.#entries.clear()
    return ids
  }

  /** What stands for a ref or handle of the driver's here: it only has an id. */
  token(id: string): object {
    return new ObjectRef(new Entry(id, this.owner))
  }
}
