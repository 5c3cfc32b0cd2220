import type { Travel } from '../../core/travel.js'
import type { ActorIdentity } from '../actor-identity.js'
import { reviveTravel } from '../code/index.js'
import { ACTOR, makeHandle, whenHandlesGone } from '../handle.js'
import { Entry, ObjectRef, REF } from '../object-ref.js'
import { unpack } from '../pack.js'

/** An object that is known here by its id. */
interface Known {
  readonly entry: WeakRef<Entry>
  /** How often it was received: what is owed to the driver when it goes. */
  received: number
  /** Its value was asked for. */
  asked: boolean
  /** Refs and handles that came inside its value and were not unpacked, by id: they are owed, too. */
  unopened: Set<string> | null
}

/** The refs and handles that code in this worker holds. The driver keeps their objects and actors until it hears that they are gone. */
export class Held {
  readonly #objects = new Map<string, Known>()
  readonly #actors = new Map<string, number>()
  /** The refs and handles inside an object's value, which the driver counts once, however often it is unpacked: they live as long as it. */
  readonly #inside = new WeakMap<Entry, Map<string, object>>()
  readonly #collected = new FinalizationRegistry<string>((id) => this.#gone(id))
  #releases: [id: string, received: number][] = []

  constructor(
    private readonly owner: object,
    /** Tells the driver. */
    private readonly release: (releases: readonly (readonly [id: string, received: number])[]) => void,
  ) {
    whenHandlesGone((id) => {
      const received = this.#actors.get(id)
      this.#actors.delete(id)
      // Of itself an actor receives none.
      if (received) this.#release(id, received)
    })
  }

  /** @param of the object whose value it is, which may be unpacked again */
  unpack(data: unknown, of?: Entry): unknown {
    const inside = (of && this.#inside.get(of)) ?? new Map<string, object>()
    if (of) this.#inside.set(of, inside)
    return unpack(data, true, (travel) => this.#revive(travel, inside, of))
  }

  /** What revives the refs and handles of a function's code. */
  reviver(): (travel: Travel) => unknown {
    const inside = new Map<string, object>()
    return (travel) => this.#revive(travel, inside)
  }

  /** @param inside those of the same value or code by their ids: the driver counts them once */
  #revive(travel: Travel, inside: Map<string, object>, of?: Entry): unknown {
    if (travel.module !== REF && travel.module !== ACTOR) return reviveTravel(travel)
    const id = travel.module === REF ? (travel.data as string) : (travel.data as ActorIdentity).id
    const known = inside.get(id)
    if (known) return known
    const thing = travel.module === REF ? this.ref(id) : this.#handle(travel.data as ActorIdentity)
    inside.set(id, thing)
    if (of) this.#objects.get(of.id)?.unopened?.delete(id)
    return thing
  }

  #handle(identity: ActorIdentity): object {
    this.actor(identity.id)
    return makeHandle(identity)
  }

  /** A ref that was received, or made here, once more. */
  ref(id: string): ObjectRef {
    const entry = this.#entry(id)
    this.#objects.get(id)!.received++
    return new ObjectRef(entry)
  }

  /** An actor's handle was received, or made here, once more. */
  actor(id: string): void {
    this.#actors.set(id, (this.#actors.get(id) ?? 0) + 1)
  }

  /** Whether an object's value is to be asked for now: nobody has yet. */
  ask(id: string): boolean {
    const known = this.#objects.get(id)
    if (!known || known.asked) return false
    known.asked = true
    return true
  }

  /** An object's value came, and with it these refs and handles, whether it is ever unpacked or not. */
  came(id: string, inside: readonly string[]): void {
    const known = this.#objects.get(id)
    if (known && inside.length > 0) known.unopened = new Set(inside)
  }

  #entry(id: string): Entry {
    const known = this.#objects.get(id)
    const alive = known?.entry.deref()
    if (alive) return alive
    const entry = new Entry(id, this.owner)
    const received = known?.received ?? 0
    this.#objects.set(id, { entry: new WeakRef(entry), received, asked: false, unopened: null })
    if (known) this.#leaveUnopened(known)
    this.#collected.register(entry, id)
    return entry
  }

  /** The driver never heard of an object that was made here: nothing is owed for it. */
  unsent(id: string): void {
    const known = this.#objects.get(id)
    if (known) known.received--
  }

  #gone(id: string): void {
    const known = this.#objects.get(id)
    if (!known || known.entry.deref()) return
    this.#objects.delete(id)
    if (known.received > 0) this.#release(id, known.received)
    this.#leaveUnopened(known)
  }

  #leaveUnopened({ unopened }: Known): void {
    for (const id of unopened ?? []) this.#release(id, 1)
  }

  #release(id: string, received: number): void {
    if (this.#releases.length === 0)
      queueMicrotask(() => {
        this.release(this.#releases)
        this.#releases = []
      })
    this.#releases.push([id, received])
  }
}
