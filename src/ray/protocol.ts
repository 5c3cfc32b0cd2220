/**
 * What a driver and a worker say to each other. Arrays, since they are cloned several times faster than objects, and many
 * calls and results a message. Every call has a slot in shared memory that says how far it is, so that a call that has not
 * started can be taken back and a death can be told from a mere loss.
 */
import type { Finding } from '../core/findings.js'
import type { Span } from '../core/spans.js'
import type { Code } from './code/index.js'
import type { SessionInfo } from './options.js'
import type { StreamTarget } from './stream.js'

/** Calls that a worker can hold at once. */
export const SLOTS = 1024

export const SLOT = {
  FREE: 0,
  QUEUED: 1,
  STARTED: 2,
  /** Its result is on its way. */
  FINISHED: 3,
  /** Taken back by the driver: the worker passes it over. */
  TAKEN: 4,
} as const

/**
 * A call's number is its generation and its slot. The slot's word holds both the generation and the state, so that a slot
 * can be used again while the worker has yet to pass over the call that had it before.
 */
export const slotOf = (call: number): number => call % SLOTS
export const slotState = (call: number, state: number): number => (((Math.floor(call / SLOTS) << 3) | state) >>> 0) | 0

export const KIND = { TASK: 0, CREATE: 1, METHOD: 2 } as const

/** The method that every actor has: its last call. */
export const TERMINATE = '__terminate__'

/** An argument: a value, or the id of an object that the worker has or that comes in the same message. */
export type WireArgument = readonly [data: unknown, special: boolean] | readonly [id: string]

export type WireCall = readonly [
  call: number,
  kind: number,
  /** id of the function or class; of the method's name */
  code: string,
  args: readonly WireArgument[],
  /** or where its values go as they come */
  numReturns: number | StreamTarget,
  label: string,
  attempt: number,
  /** whether the worker is to say when it starts: its time limit counts from there */
  announce: boolean,
]

export type WireObject = readonly [id: string, data: unknown, special: boolean]

export type ToWorker =
  | readonly [
      'calls',
      readonly WireCall[],
      readonly WireObject[],
      readonly (readonly [string, Code])[],
      /** bytes of shared memory that are allocated for it */
      fresh: number,
    ]
  | readonly ['free', readonly string[]]
  | readonly ['cancel', call: number]
  /** what handles hold that are garbage by now is missed; `beside` work, which does not wait for that too often */
  | readonly ['collect', beside: boolean]
  /** what the driver found out meanwhile */
  | readonly ['findings', readonly Finding[]]
  /** the answer to a request of the worker's */
  | readonly ['answer', request: number, ok: boolean, data: unknown, special: boolean]

/** A value on its way from a worker. */
export type WireContent = readonly [
  data: unknown,
  special: boolean,
  copied: number,
  shared: number,
  fresh: number,
  carried: readonly string[],
]

export type WireResult = readonly [
  call: number,
  ok: boolean,
  values: readonly WireContent[] | unknown,
  /** whole nanoseconds, which cross more cheaply than fractions: from the message's `since` until it began, and how long it ran */
  began: number,
  ran: number,
  /** when the message came whose first call this was (core/clock.ts); 0 of the others */
  received: number,
  /** of a generator that failed: the values from before */
  before?: readonly WireContent[],
]

export type ToDriver =
  | readonly ['results', readonly WireResult[], since: number]
  | readonly ['started', call: number]
  /** a cancelled call has been told, and may clean up behind itself */
  | readonly ['stopping', call: number]
  | readonly ['spans', readonly Span[]]
  /** refs and handles that nobody in the worker holds any more, and how often they had been received */
  | readonly ['release', readonly (readonly [id: string, received: number])[]]
  | readonly ['blocked' | 'unblocked', call: number]
  | readonly ['output', stream: 'stdout' | 'stderr', text: string]
  /** a process is about to end of an error that nobody caught */
  | readonly ['dying', error: unknown]
  /** a request of code that runs in the worker: `ray.get`, `.remote()` … */
  | readonly ['request', request: number, operation: string, payload: unknown]

/** How a worker begins. */
export interface WorkerStart {
  /** `worker#1`, `InferenceEngine#2` */
  name: string
  /** Of a thread. */
  gate: SharedArrayBuffer | null
  /** Shared with the driver; without it every call's start is announced. */
  slots: SharedArrayBuffer | null
  maxConcurrency: number
  actorId: string | null
  namespace: string
  /** What `ray.init` says there; on another machine, until the driver has been asked. */
  session: SessionInfo
  /** Of a worker that serves other machines: folders whose modules may run there, besides this package. */
  allow: readonly string[] | null
  /** The clock of whoever started it (core/clock.ts), and when that was. */
  epoch: number
  made: number
  /** Whether its spans are wanted. */
  spans: boolean
  /** What the driver found out so far. */
  findings: readonly Finding[]
}
