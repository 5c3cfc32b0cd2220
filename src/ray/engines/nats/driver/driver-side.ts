import type { Actor } from '../../../actor.js'
import type { EngineHost } from '../../../engine.js'
import type { Entry } from '../../../object-ref.js'
import type { Task } from '../../../task.js'
import type { Bus } from '../bus.js'
import type { DriverLease } from '../lease.js'
import type { NodePeer } from './node-peer.js'
import type { SentCalls } from './sent-calls.js'

/** A driver's end of a cluster, as its parts know it: what they share, and what they ask of each other. */
export interface DriverSide {
  readonly id: string
  readonly address: string
  readonly host: EngineHost
  /** Resolves when the cluster can be worked with. */
  readonly ready: Promise<void>
  /** Null until it is connected. */
  readonly bus: Bus | null
  readonly nodesById: ReadonlyMap<string, NodePeer>
  /** CPUs of the largest node that there is, or that was lost and may be back. */
  readonly largest: number
  /** What this driver says of itself. */
  readonly lease: DriverLease
  /** Calls that are under way. */
  readonly sent: SentCalls
  /** Generators that wait for their readers. */
  readonly paused: ReadonlySet<Task>
  /** Actors that do nothing, or generators that pause, hold CPUs. */
  readonly keeping: boolean
  /** Actors that no node has room for yet. */
  readonly unplaced: readonly Actor[]
  /** Something is under way, or to be sent. */
  readonly busy: boolean
  /** Why nothing can be done any more. */
  readonly failure: Error | null
  /** The session was shut down. */
  readonly down: boolean

  /** The cluster cannot be worked with: all that is under way ends with the error. */
  fail(error: Error): void
  /** Nodes are told of a new size of tasks. */
  announce(): Promise<void>
  /** An object goes to nodes, for the first time or again. */
  sentObject(entry: Entry): void
  /** A call is on its way to its actor. */
  calling(task: Task, node: NodePeer): void
  forgetCall(task: Task): void
  /** Garbage in workers is to be let go. @param beside whether work goes on there */
  collect(beside: boolean): void
  /** Tasks were published: it is looked after whether anybody is there for them. */
  published(): void
  /** Something may be awaited, or nothing any more. */
  changed(): void
  /** Holds the process until a question to the server is answered. */
  asking<T>(question: Promise<T>): Promise<T>
}
