import { type Actor, calledActor } from '../../../actor.js'
import { collect } from '../../../collect.js'
import type { Task } from '../../../task.js'
import { placementOf } from '../../local/schedule.js'
import { shown } from '../address.js'
import type { DriverSide } from './driver-side.js'

/** Milliseconds between two looks whether anybody is there who could do what waits. */
const LOOK = 1_000
/** Looks in a row that find nobody, after which it is said. */
const LOOKS = 5

interface Reason {
  /** What waits, where it is known: once something else does, it is another wait. */
  first?: Task | Actor
  /** Null while something computes: it will end. */
  why: string | null
  /** CPUs are held by what may be garbage. */
  held: boolean
}

/** Work of a driver that waits and that nobody does: what holds CPUs and is garbage is let go, and otherwise it is said, once. */
export class Unserved {
  #timer: NodeJS.Timeout | null = null
  #looks = 0
  #first: Task | Actor | null = null
  /** Looks in a row that found nothing to compute either. */
  #whys = 0
  /** Why nobody could, as it was said. */
  #said: string | null = null

  constructor(private readonly driver: DriverSide) {}

  /** Looks after a while, and again as long as there is work. */
  soon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null
      this.#look()
    }, LOOK).unref()
  }

  #look(): void {
    const { driver } = this
    const works = driver.busy && !driver.down && !driver.failure
    const reason = works ? this.#reason() : null
    const first = reason?.first ?? null
    if (first !== this.#first) this.#looks = this.#whys = 0
    this.#first = first
    this.#looks = reason ? this.#looks + 1 : 0
    this.#whys = reason?.why ? this.#whys + 1 : 0
    // V8 may have no reason to.
    const beside = !reason?.why
    if (reason?.held && (this.#looks < LOOKS || this.#looks % LOOKS === 0) && collect(beside)) driver.collect(beside)
    if (!reason?.why) this.#said = null
    else if (this.#whys >= LOOKS && reason.why !== this.#said) {
      process.stderr.write(`rayito: work waits, ${reason.why}: rayito worker --address ${shown(driver.address)}\n`)
      this.#said = reason.why
    }
    if (works) this.soon()
  }

  /** Why no node could do what waits; null if one can. */
  #reason(): Reason | null {
    const { nodesById, sent, unplaced, paused, keeping } = this.driver
    if (nodesById.size === 0) return { why: 'no worker has joined', held: false }
    const leases = [...nodesById.values()].map(({ lease }) => lease)
    const largest = Math.max(...leases.map(({ cpus }) => cpus))
    // Asked for when there was no node yet, or a larger one.
    let most: { first: Task | Actor; need: number } | null = null
    for (const { task, node } of sent.values())
      if (!calledActor(task) && !node && task.settings.numCpus > (most?.need ?? 0))
        most = { first: task, need: task.settings.numCpus }
    if (most && most.need > largest)
      return { why: `a task needs ${most.need} CPUs and the largest worker has ${largest}`, held: false }
    const large = Math.max(0, ...unplaced.map(({ settings }) => settings.numCpus ?? 0))
    if (large > largest)
      return { why: `an actor needs ${large} CPUs and the largest worker has ${largest}`, held: false }
    const rests = leases.every(({ resting }) => resting)
    if (!rests && !keeping) return null
    for (const actor of unplaced) {
      const need = placementOf(actor.settings.numCpus, largest)
      if (need > (most?.need ?? 0)) most = { first: actor, need }
    }
    if (!most || leases.some(({ available }) => available >= most.need)) return null
    const { first, need } = most
    if (!rests) return { first, why: null, held: true }
    const generators = [...paused].map(({ label }) => label).join(', ')
    const holders = generators
      ? `generators hold that wait for their readers (${generators}); read on, ray.cancel one of them, or add a worker`
      : 'actors hold that compute nothing; ray.kill one of them, make them with numCpus: 0, or add a worker'
    return { first, why: `${first.label} needs ${need} CPU, which ${holders}`, held: true }
  }

  end(): void {
    if (this.#timer) clearTimeout(this.#timer)
  }
}
