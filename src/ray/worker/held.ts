import type { Travel } from '../../core/travel.js'
import { reviveTravel } from '../code/index.js'
import { ACTOR, type ActorIdentity, makeHandle, whenHandlesGone } from '../handle.js'
import { Entry, ObjectRef, REF } from '../object-ref.js'
import { unpack } from '../pack.js'

/** An object that is known here by its id. */
interface Known {
  readonly entry: WeakRef<Entry>
  /** How often it was received: what is owed to the driver when it goes. */
  received: number
  /** Its value was asked for. */
  asked: boolean
}

/** The refs and handles that code in this worker holds. The driver keeps their objects and actors until it hears that they are gone. */
export class Held {
  readonly #objects = new Map<string, Known>()
  readonly #actors = new Map<string, number>()
  readonly #collected = new FinalizationRegistry<string>((id) => this.#gone(id))
  #releases: [id: string, received: number][] = []

  constructor(
    private readonly owner: object,
    /** Tells the driver. */
    private readonly release: (releases: readonly (readonly [id: string, received: number])[]) => void,
  ) {
    whenHandlesGone((id) => {
      this.#release(id, this.#actors.get(id) ?? 0)
      this.#actors.delete(id)
    })
  }

  unpack(data: unknown): unknown {
    const seen = new Set<string>()
    return unpack(data, true, (travel) => this.#revive(travel, seen))
  }

  revive(travel: Travel): unknown {
    return this.#revive(travel, new Set())
  }

  /** @param seen those of the same value: the driver counts them once */
  #revive(travel: Travel, seen: Set<string>): unknown {
    if (travel.module === REF) return this.ref(travel.data as string, seen)
    if (travel.module !== ACTOR) return reviveTravel(travel)
    const identity = travel.data as ActorIdentity
    if (!seen.has(identity.id)) this.actor(identity.id)
    seen.add(identity.id)
    return makeHandle(identity)
  }

  /** A ref that was received, or made here, once more. */
  ref(id: string, seen = new Set<string>()): ObjectRef {
    const entry = this.#entry(id)
    if (!seen.has(id)) this.#objects.get(id)!.received++
    seen.add(id)
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

  #entry(id: string): Entry {
    const known = this.#objects.get(id)
    const alive = known?.entry.deref()
    if (alive) return alive
    const entry = new Entry(id, this.owner)
    this.#objects.set(id, { entry: new WeakRef(entry), received: known?.received ?? 0, asked: false })
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
