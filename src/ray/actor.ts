import { Line } from '../core/line.js'
import { Task } from './task.js'

export type ActorState = 'pending' | 'alive' | 'restarting' | 'dead'

export interface ActorSettings {
  name: string | undefined
  namespace: string
  /** Undefined: it needs one to be placed and holds none. */
  numCpus: number | undefined
  maxRestarts: number
  maxTaskRetries: number
  maxConcurrency: number
  detached: boolean
  /** With a name that another driver's actor has: that one is meant. */
  getIfExists?: boolean
}

/** Whether somebody knows of its end: who brought it about, is told of it, or asked for a call that failed with it. */
export interface ActorEnd {
  known: boolean
}

/** An actor as the driver knows it: its constructor call, its state and the calls that wait for it in order. */
export class Actor {
  state: ActorState = 'pending'
  restarts = 0
  /** Calls in order, not yet sent; the first may still be preparing, and holds the others back. */
  readonly queue = new Line<Task>()
  /** Why it is dead. */
  death: Error | null = null
  /** Whoever runs it now; the engine's business. */
  place: unknown = null
  readonly end: ActorEnd = { known: false }
  /** It was to be made, but another driver's has its name: that one is meant, and that driver hears of its end. */
  adopted = false
  readonly #mourners: ((death: Error) => void)[] = []

  constructor(
    readonly id: string,
    /** The class's name. */
    readonly className: string,
    /** `InferenceEngine#2`: what it is called in logs and errors. */
    readonly label: string,
    readonly settings: ActorSettings,
    /** The constructor call; run again at each restart. */
    readonly creation: Task,
  ) {}

  /** Names of the methods that are generators. */
  get generators(): readonly string[] {
    return this.creation.definition.generators
  }

  /** No further calls: those that wait reject, each with `error`. */
  die(error: Error): void {
    if (this.state === 'dead') return
    this.state = 'dead'
    this.death = error
    this.place = null
    this.creation.fail(error)
    for (const task of this.queue.takeAll()) task.fail(error)
    for (const then of this.#mourners.splice(0)) then(error)
  }

  /** Calls `then` when it has died and is not to come back. */
  whenDead(then: (death: Error) => void): void {
    if (this.death) then(this.death)
    else this.#mourners.push(then)
  }

  /** What to do where it may start no more, for an ActorDiedError. */
  get remedy(): { remedy?: string } {
    const { maxRestarts } = this.settings
    if (maxRestarts <= 0) return {}
    return { remedy: `It has had its maxRestarts (${maxRestarts}): see why it ends, or make another actor.` }
  }

  /** It has started as often as it may. */
  get spent(): boolean {
    const { maxRestarts } = this.settings
    return maxRestarts >= 0 && this.restarts >= maxRestarts
  }

  /** Whether it may start once more; counts it. */
  restart(): boolean {
    if (this.spent) return false
    this.restarts++
    this.state = 'restarting'
    return true
  }
}

/** A call of an actor's method. */
export class ActorCall extends Task {
  constructor(
    readonly actor: Actor,
    ...call: ConstructorParameters<typeof Task>
  ) {
    super(...call)
  }
}

/** The actor that a call is for; null of a function's, and of a constructor's. */
export function calledActor(call: Task): Actor | null {
  return call instanceof ActorCall ? call.actor : null
}
