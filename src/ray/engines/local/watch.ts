import { collect } from '../../collect.js'
import type { Cpus } from './cpus.js'
import type { Workers } from './workers.js'

/** Milliseconds after which work that waits while nothing computes is told of. */
const PATIENCE = 5_000
/** So often it is found out before, after twice the time each, whether what it waits for is garbage: what a worker lets go the driver can. */
const COLLECTIONS = 4
const FIRST = PATIENCE / (2 ** (COLLECTIONS + 1) - 1)

/**
 * Looks after work that waits for CPUs, and holds the process, as running work does. Actors, and generators that pause, hold CPUs until V8
 * collects their handles, for which it may have no reason; and what nothing will come of is said once.
 */
export class Watch {
  #timer: NodeJS.Timeout | null = null
  #looks = 0
  /** Something had its turn since it was last seen at rest: what waits now has waited for less long. */
  #moved = false
  /** Since when nothing has computed. */
  #restsSince = Infinity
  /** Labels of what was told of. */
  readonly #told = new Set<string>()

  /** @param first what waits longest, and for how many CPUs */
  constructor(
    private readonly cpus: Cpus,
    private readonly workers: Workers,
    private readonly first: () => { label: string; need: number },
  ) {}

  /**
   * Something has changed.
   * @param waits whether work waits
   * @param moved whether other work had its turn
   */
  look(waits: boolean, moved: boolean): void {
    if (!waits) return this.end()
    this.#moved ||= moved
    // Looks have become rare while something computed, or for the sake of what has had its turn since.
    const rare = this.#moved ? this.#looks > 0 : this.#looks > COLLECTIONS && this.#restsSince === Infinity
    if (this.#timer && !(rare && this.workers.resting)) return
    this.#anew()
    this.#again(FIRST)
  }

  #anew(): void {
    this.#looks = 0
    this.#moved = false
    this.#restsSince = Infinity
  }

  #again(time: number): void {
    if (this.#timer) clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#look(), Math.ceil(time))
  }

  #look(): void {
    const now = performance.now()
    const { resting } = this.workers
    if (resting && this.#moved) this.#anew()
    this.#restsSince = resting ? Math.min(this.#restsSince, now) : Infinity
    const patience = this.#restsSince + PATIENCE - now
    const next = Math.min(FIRST * 2 ** ++this.#looks, PATIENCE)
    this.#again(patience > 0 ? Math.min(next, patience) : next)
    if (this.workers.keeping && collect(!resting)) this.workers.collect(!resting)
    if (patience <= 0) this.#tell()
  }

  #tell(): void {
    const { label, need } = this.first()
    if (this.#told.has(label)) return
    this.#told.add(label)
    const actors = [...this.workers.actors.values()].filter(({ settings }) => settings.numCpus)
    const generators = [...this.workers.busy].filter(({ pauses }) => pauses)
    const names = (holders: readonly { label: string }[]) => holders.map(({ label }) => label).join(', ')
    const held = [
      actors.length && `actors: ${names(actors)}. ray.kill one of them, or make them with numCpus: 0`,
      generators.length &&
        `generators that wait for their readers: ${names(generators.flatMap(({ inflight }) => [...inflight.values()]))}. Read on, or ray.cancel one of them`,
    ].filter(Boolean)
    process.stderr.write(
      `rayito: ${label} waits for ${need} CPU; of ${this.cpus.total}, ${Math.max(0, this.cpus.available)} are free` +
        `${held.length ? `, the others are held by ${held.join('; by ')}` : ''}.\n`,
    )
  }

  /** Nothing waits any more. */
  end(): void {
    if (this.#timer) clearTimeout(this.#timer)
    this.#timer = null
    this.#anew()
    this.#told.clear()
  }
}
